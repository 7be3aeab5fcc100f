"""`plan`, `apply` and `reconcile`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.bootstrap import Workspace
    from provisioning.core.model.ids import CommitId
    from provisioning.interfaces.cli.saved_plan import SavedPlan
    from provisioning.reconciler.planning.plan_result import PlanResult, Report, RunRequest

PENDING, BLOCKED = 2, 3

infra_argument = click.argument("infra", required=False)


def narrowing_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--target` and `--exclude`."""
    for name, text in (
        ("--exclude", "Leave this resource and what waits for it out."),
        ("--target", "Only this resource and what it waits for."),
    ):
        option = click.option(
            name, multiple=True, metavar="ID", help=f"{text} Repeatable; * and ? match."
        )
        function = option(function)
    return function


allow_option = click.option(
    "--allow", multiple=True, metavar="GATE", help="Pass this gate once. Repeatable."
)


@click.command()
@infra_argument
@narrowing_options
@allow_option
@click.option("--exit-code", is_flag=True, help="Exit with 2 if there are changes.")
@click.option("--out", type=click.Path(dir_okay=False), help="Save the plan for `apply --plan`.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "yaml", "html"]),
    default="text",
    help="How to print; JSON and YAML have stable shapes, HTML is one page for a browser.",
)
@pass_session
def plan(
    session: Session,
    infra: str | None,
    target: Sequence[str],
    exclude: Sequence[str],
    allow: Sequence[str],
    *,
    exit_code: bool,
    out: str | None,
    output: str,
) -> int:
    """Show what would change in INFRA (all by default), and why, field by field.

    Takes no lock and changes nothing.
    """
    from provisioning.reconciler.planning.plan_result import RunRequest

    workspace = session.open_workspace()
    commit = workspace.read_commit()
    request = RunRequest(
        commit=commit, reason="plan", targets=target, excludes=exclude, allow=allow
    )
    plan_results = [
        workspace.build_reconciler(name, commit).look(request)
        for name in _order(workspace, commit, workspace.choose_infras(commit, infra))
    ]
    if output == "text":
        _show_plans(workspace, plan_results)
    elif output == "html":
        _show_page(plan_results)
    else:
        from provisioning.interfaces.schema.results import shape_plan

        shapes = [
            shape_plan(result.plan)
            | {
                "verdicts": [
                    {"code": violation.code, "reason": violation.reason}
                    for violation in result.violations
                ]
            }
            for result in plan_results
        ]
        print_shape(shapes[0] if infra else shapes, output)
    if out:
        _save(plan_results, out, request)
    if any(result.is_blocked for result in plan_results):
        return BLOCKED
    return PENDING if exit_code and any(result.plan.changes for result in plan_results) else 0


def _show_page(plan_results: Sequence[PlanResult]) -> None:
    from provisioning.core.status.dependency_graph import (
        View,
        compute_dependency_graph,
        focus_graph,
    )
    from provisioning.interfaces.cli.render.html import Section, render_page

    views = {
        result.plan.infra: View(desired=result.desired.resources, records=result.recorded.records)
        for result in plan_results
    }
    graph = compute_dependency_graph(views)
    sections = [
        Section(result.plan, result.violations, focus_graph(graph, result.plan.infra))
        for result in plan_results
    ]
    click.echo(render_page(sections))


def _show_plans(workspace: Workspace, plan_results: Sequence[PlanResult]) -> None:
    from provisioning.interfaces.cli.render.plans import render_plan
    from provisioning.reconciler.refusals import describe_held

    for note in workspace.read_notes() if sys.stderr.isatty() else ():
        click.echo(click.style(f"note: {note}", fg="cyan"), err=True)
    if not plan_results:
        click.echo("no infra yet: make infra/NAME, put manifests into it, and commit them")
    for number, plan_result in enumerate(plan_results):
        click.echo(("\n" if number else "") + render_plan(plan_result.plan, plan_result.violations))
        view, lock_status = plan_result.view, plan_result.lock_status
        if view.lock and lock_status and lock_status.is_held:
            held = describe_held(plan_result.plan.infra, view.lock, lock_status)
            click.echo(click.style(f"note: {held.message}", fg="cyan"), err=True)
        elif view.is_cut_off:
            click.echo(
                click.style("note: the next run finishes one that was cut off", fg="cyan"), err=True
            )


def _save(plan_results: Sequence[PlanResult], out: str, request: RunRequest) -> None:
    from provisioning.core.model.errors import InvalidArgument
    from provisioning.interfaces.cli.saved_plan import save_plan

    if len(plan_results) != 1:
        raise InvalidArgument(
            "a saved plan is for one infra", hint="name it: `provisioning plan INFRA --out FILE`"
        )
    save_plan(Path(out), plan_results[0], request)
    click.echo(f"saved; apply exactly this with `provisioning apply --plan {out}`", err=True)


@click.command()
@infra_argument
@narrowing_options
@allow_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(dir_okay=False, exists=True),
    help="Apply this saved plan, or nothing.",
)
@click.option("--pr", "pull", type=click.IntRange(1), help="Apply what this pull request asks for.")
@click.option("--reason", default="apply", help="Why, for the state log.")
@output_option
@pass_session
def apply(
    session: Session,
    infra: str | None,
    target: Sequence[str],
    exclude: Sequence[str],
    allow: Sequence[str],
    *,
    yes: bool,
    plan_file: str | None,
    pull: int | None,
    reason: str,
    output: str,
) -> int:
    """Show the plan of INFRA (all by default), ask, and apply exactly what was shown.

    With --pr, what was shown is what the pull request shows.
    """
    from provisioning.core.model.errors import InvalidArgument
    from provisioning.reconciler.planning.plan_result import RunRequest

    if pull is not None:
        _refuse_with_pull(plan_file, target, exclude, allow)
        return _apply_pull(session.open_workspace(), pull, infra, output)
    asks = not yes and plan_file is None
    if asks and not sys.stdin.isatty():
        raise InvalidArgument(
            "without a terminal nobody can say yes",
            hint="review with `provisioning plan INFRA --out FILE`, then "
            "`provisioning apply --plan FILE`; or pass --yes",
        )
    workspace = session.open_workspace()
    saved = _load_saved(plan_file, infra)
    commit = saved.commit if saved else workspace.read_commit()
    request = RunRequest(
        commit=commit,
        reason=reason,
        targets=saved.targets if saved else target,
        excludes=saved.excludes if saved else exclude,
        allow=saved.allow if saved else allow,
        digest=saved.digest if saved else None,
    )
    names = workspace.choose_infras(commit, saved.infra if saved else infra)
    names = _order(workspace, commit, names)
    return _run_all(workspace, names, request, output, single=bool(infra or saved), asks=asks)


def _refuse_with_pull(*options: object) -> None:
    from provisioning.core.model.errors import InvalidArgument

    if any(options):
        raise InvalidArgument(
            "--pr applies what a pull request shows, and nothing else",
            hint="leave out --plan, --target, --exclude and --allow",
        )


def _apply_pull(workspace: Workspace, number: int, infra: str | None, output: str) -> int:
    from provisioning.bootstrap.reviews import build_reviewer
    from provisioning.interfaces.schema.results import shape_result

    reports = build_reviewer(workspace).apply(number, infra)
    if output == "text":
        for report in reports:
            click.echo(f"{report.plan_result.plan.infra}  {report.conclusion}")
            _show_report(report)
    else:
        shapes = [
            shape_result(item.plan_result.plan, item.conclusion, item.run) for item in reports
        ]
        print_shape(shapes[0] if infra else shapes, output)
    return _join_codes(CODES[report.conclusion] for report in reports)


def _load_saved(plan_file: str | None, infra: str | None) -> SavedPlan | None:
    if plan_file is None:
        return None
    from provisioning.core.model.errors import InvalidArgument
    from provisioning.interfaces.cli.saved_plan import load_plan

    saved = load_plan(Path(plan_file))
    if infra and infra != saved.infra:
        raise InvalidArgument(
            f"{plan_file} is a plan of {saved.infra}, not of {infra}", hint="leave the name out"
        )
    return saved


@click.command()
@infra_argument
@allow_option
@click.option("--all", "everything", is_flag=True, help="Every infra, as without INFRA.")
@click.option("--reason", default="reconcile", help="Why, for the state log.")
@output_option
@pass_session
def reconcile(
    session: Session,
    infra: str | None,
    allow: Sequence[str],
    *,
    everything: bool,
    reason: str,
    output: str,
) -> int:
    """Make INFRA (all by default) what Git says: fetch, plan, gate, apply, record.

    Infras go after those they refer to, and side by side where they do not.
    """
    from provisioning.reconciler.planning.plan_result import RunRequest

    workspace = session.open_workspace()
    infra = None if everything else infra
    commit = workspace.read_commit()
    request = RunRequest(commit=commit, reason=reason, allow=allow)
    names = workspace.choose_infras(commit, infra)
    if len(names) > 1:
        from provisioning.interfaces.cli.forge_updates import tell_forge
        from provisioning.interfaces.cli.resync import resync_workspace

        codes, reports = resync_workspace(workspace, names, request, output)
        tell_forge(workspace, reports, narrowed=False)
        return _join_codes(codes)
    return _run_all(workspace, names, request, output, single=infra is not None, asks=False)


def _run_all(
    workspace: Workspace,
    names: Sequence[str],
    request: RunRequest,
    output: str,
    *,
    single: bool,
    asks: bool,
) -> int:
    from provisioning.interfaces.cli.forge_updates import tell_forge
    from provisioning.interfaces.cli.render.progress import Progress
    from provisioning.interfaces.schema.results import shape_result
    from provisioning.reconciler.execution.cancellation import Cancellation, stopping_on_signals

    reports, codes = [], [0]
    with stopping_on_signals(Cancellation()) as stop:
        for name in names:
            if stop.is_requested:
                codes.append(INTERRUPTED)
                break
            report = _run_one(
                workspace, name, request, stop=stop, progress=Progress(), asks=asks, output=output
            )
            reports.append(report)
            codes.append(CODES[report.conclusion])
            if output == "text":
                _show_report(report)
    if output != "text":
        shapes = [
            shape_result(item.plan_result.plan, item.conclusion, item.run) for item in reports
        ]
        print_shape(shapes[0] if single and shapes else shapes, output)
    tell_forge(workspace, reports, narrowed=bool(request.targets or request.excludes))
    return _join_codes(codes)


def _order(workspace: Workspace, commit: CommitId, names: list[str]) -> list[str]:
    """Return *names* so that each infra follows those it refers to."""
    if len(names) == 1:
        return names
    from provisioning.core.infras.order import order_infras

    return order_infras(workspace.read_needs(commit, names))


def _join_codes(codes: Iterable[int]) -> int:
    """Return the worst: interrupted, failed, blocked, done."""
    return max(codes, key=lambda code: (code == INTERRUPTED, code == 1, code), default=0)


INTERRUPTED = 130
CODES = {"unchanged": 0, "applied": 0, "failed": 1, "blocked": BLOCKED, "interrupted": INTERRUPTED}
"""The exit code of each conclusion."""


def _run_one(
    workspace: Workspace,
    name: str,
    request: RunRequest,
    *,
    stop: Any,
    progress: Any,
    asks: bool,
    output: str,
) -> Report:
    from msgspec.structs import replace

    from provisioning.interfaces.cli.render.plans import render_plan
    from provisioning.reconciler.planning.plan_result import Conclusion, Report

    reconciler = workspace.build_reconciler(name, request.commit, stop=stop, listener=progress)
    plan_result = reconciler.look(request)
    if output == "text":
        click.echo(render_plan(plan_result.plan, plan_result.violations))
    if plan_result.violations and plan_result.has_work:
        return Report(conclusion=Conclusion.BLOCKED, plan_result=plan_result)
    if asks and plan_result.plan.changes:
        click.confirm(f"\nApply this to {name}?", abort=True)
        return reconciler.reconcile(replace(request, digest=plan_result.plan.digest))
    return reconciler.reconcile(request, plan_result)


def _show_report(report: Report) -> None:
    from provisioning.interfaces.cli.render.plans import render_run

    if report.run:
        click.echo("\n" + render_run(report.run))
