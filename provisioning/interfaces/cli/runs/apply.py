"""`apply` and `reconcile`: make infras equal to Git."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.arguments import (
    allow_option,
    infra_argument,
    target_options,
    yes_option,
)
from provisioning.interfaces.cli.runs.exit_codes import compute_exit_code
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shapes

if TYPE_CHECKING:
    from provisioning.application.runs.apply import ApplyRequest, ReconcileRequest, RunResults
    from provisioning.interfaces.cli.saved_plan import SavedPlan

REVIEW_HINT = (
    "review with `provisioning plan INFRA --out FILE`, then `provisioning apply --plan FILE`; "
    "or pass --yes"
)


@click.command()
@infra_argument
@target_options
@allow_option
@yes_option
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
    target: tuple[str, ...],
    exclude: tuple[str, ...],
    allow: tuple[str, ...],
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
    from provisioning.application.runs.apply import ApplyRequest
    from provisioning.interfaces.cli.confirmation import check_terminal

    if pull is not None:
        _refuse_with_pull(plan_file, target, exclude, allow)
        return _apply_pull(session, pull, infra, output)
    asks = not yes and plan_file is None
    check_terminal(asks=asks, hint=REVIEW_HINT)
    saved = _load_saved(plan_file, infra)
    request = ApplyRequest(
        infra=saved.infra if saved else infra,
        reason=reason,
        targets=saved.targets if saved else target,
        excludes=saved.excludes if saved else exclude,
        allow=saved.allow if saved else allow,
        asks=asks,
        commit=saved.commit if saved else None,
        digest=saved.digest if saved else None,
    )
    ended = _run(session, request, output)
    return _conclude(ended, output, request.infra)


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
    allow: tuple[str, ...],
    *,
    everything: bool,
    reason: str,
    output: str,
) -> int:
    """Make INFRA (all by default) what Git says: fetch, plan, gate, apply, record.

    Infras go after those they refer to, and side by side where they do not.
    """
    from msgspec.structs import replace

    from provisioning.application.runs.apply import ReconcileRequest

    infra = None if everything else infra
    ended = _run(session, ReconcileRequest(infra=infra, reason=reason, allow=allow), output)
    results = tuple(sorted(ended.results, key=lambda result: result.infra))
    return _conclude(replace(ended, results=results), output, infra)


def _run(session: Session, request: ApplyRequest | ReconcileRequest, output: str) -> RunResults:
    from provisioning.reconciler.execution.cancellation import Cancellation, stopping_on_signals

    with stopping_on_signals(Cancellation()) as stop:
        return session.act(request, output, "apply", stop=stop)


def _apply_pull(session: Session, number: int, infra: str | None, output: str) -> int:
    from provisioning.application.runs.apply import ApplyPullRequest
    from provisioning.interfaces.cli.render.plans import render_run

    ended = session.call(ApplyPullRequest(number=number, infra=infra))
    for report in ended.reports if output == "text" else ():
        click.echo(f"{report.plan_result.plan.infra}  {report.conclusion}")
        if report.run:
            click.echo("\n" + render_run(report.run))
    return _conclude(ended, output, infra)


def _conclude(ended: RunResults, output: str, infra: str | None) -> int:
    if output != "text":
        from provisioning.interfaces.schema.plans import describe_resync

        print_shapes(map(describe_resync, ended.results), output, infra)
    return compute_exit_code(ended)


def _refuse_with_pull(*options: object) -> None:
    from provisioning.core.model.errors import InvalidArgument

    if any(options):
        raise InvalidArgument(
            "--pr applies what a pull request shows, and nothing else",
            hint="leave out --plan, --target, --exclude and --allow",
        )


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
