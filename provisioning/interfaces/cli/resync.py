"""`reconcile` of all infras: in the order of their references, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from provisioning.interfaces.cli.session import print_shape

if TYPE_CHECKING:
    from provisioning.bootstrap import Workspace
    from provisioning.reconciler.events import Event
    from provisioning.reconciler.planning.plan_result import Report, RunRequest
    from provisioning.reconciler.resync import ResyncResult


def resync_workspace(
    workspace: Workspace, names: Sequence[str], request: RunRequest, output: str
) -> tuple[list[int], list[Report]]:
    """Reconcile *names*, and show each as it ends.

    Returns:
        The exit codes, and what became of each infra that could be looked at.
    """
    from provisioning.interfaces.cli.render.progress import Progress
    from provisioning.reconciler.execution.cancellation import Cancellation, stopping_on_signals
    from provisioning.reconciler.resync import resync

    needs = workspace.read_needs(request.commit, names)
    progress = Progress()
    codes, shapes = [0], []
    reports: list[Report] = []
    with stopping_on_signals(Cancellation()) as stop:

        def run(infra: str) -> Report:
            listener = _name_infra(progress, infra)
            reconciler = workspace.build_reconciler(
                infra, request.commit, stop=stop, listener=listener
            )
            return reconciler.reconcile(request)

        for resynced in resync(
            needs, run, parallelism=workspace.resync_width, is_stopped=lambda: stop.is_requested
        ):
            codes.append(_get_code(resynced))
            reports += [resynced.report] if resynced.report else []
            if output == "text":
                _show(resynced)
            shapes.append(_shape(resynced))
        if stop.is_requested:
            codes.append(130)
    if output != "text":
        print_shape(sorted(shapes, key=lambda each: str(each["infra"])), output)
    return codes, reports


def _name_infra(progress: Callable[[Event], None], infra: str) -> Callable[[Event], None]:
    """Let events tell their infra, since several are on their way."""
    from msgspec.structs import replace

    def tell(event: Event) -> None:
        progress(replace(event, id=f"{infra} {event.id}" if event.id else None, total=0))

    return tell


def _get_code(resynced: ResyncResult) -> int:
    from provisioning.interfaces.cli.runs.plan import BLOCKED, CODES

    if resynced.report:
        return CODES[resynced.report.conclusion]
    return resynced.error.exit_code if resynced.error else BLOCKED


def _show(resynced: ResyncResult) -> None:
    from provisioning.interfaces.cli.render.errors import render_error
    from provisioning.interfaces.cli.render.plans import render_plan, render_run

    if resynced.report:
        plan_result = resynced.report.plan_result
        click.echo(render_plan(plan_result.plan, plan_result.violations))
        if resynced.report.run:
            click.echo("\n" + render_run(resynced.report.run))
        click.echo()
    elif resynced.error:
        click.echo(click.style(resynced.infra, bold=True), err=True)
        click.echo(render_error(resynced.error) + "\n", err=True)
    else:
        click.echo(
            f"{resynced.infra}: left alone, because {resynced.waits_for} did not come out well\n"
        )


def _shape(resynced: ResyncResult) -> dict[str, Any]:
    from provisioning.interfaces.schema.results import shape_error, shape_result

    if resynced.report:
        report = resynced.report
        return shape_result(report.plan_result.plan, report.conclusion, report.run)
    if resynced.error:
        return {"infra": resynced.infra, "result": "failed", "error": shape_error(resynced.error)}
    return {"infra": resynced.infra, "result": "skipped", "waitsFor": resynced.waits_for}
