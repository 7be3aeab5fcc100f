"""`reconcile` of all infras: in the order of their references, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from provisioning.interfaces.cli.session import print_shape

if TYPE_CHECKING:
    from provisioning.bootstrap import Workspace
    from provisioning.reconciler.events import Event
    from provisioning.reconciler.planning.plan_result import Report, Request
    from provisioning.reconciler.resync import Swept


def sweep_workspace(
    workspace: Workspace, names: Sequence[str], request: Request, output: str
) -> tuple[list[int], list[Report]]:
    """Reconcile *names*, and show each as it ends.

    Returns:
        The exit codes, and what became of each infra that could be looked at.
    """
    from provisioning.interfaces.cli.render.progress import Progress
    from provisioning.reconciler.execution.cancellation import Stop, stopping_on_signals
    from provisioning.reconciler.resync import sweep

    needs = workspace.read_needs(request.commit, names)
    progress = Progress()
    codes, shapes = [0], []
    reports: list[Report] = []
    with stopping_on_signals(Stop()) as stop:

        def run(infra: str) -> Report:
            listener = _name_infra(progress, infra)
            reconciler = workspace.build_reconciler(
                infra, request.commit, stop=stop, listener=listener
            )
            return reconciler.reconcile(request)

        for swept in sweep(
            needs, run, parallelism=workspace.sweep_width, is_stopped=lambda: stop.is_requested
        ):
            codes.append(_get_code(swept))
            reports += [swept.report] if swept.report else []
            if output == "text":
                _show(swept)
            shapes.append(_shape(swept))
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


def _get_code(swept: Swept) -> int:
    from provisioning.interfaces.cli.runs.plan import BLOCKED, CODES

    if swept.report:
        return CODES[swept.report.conclusion]
    return swept.error.exit_code if swept.error else BLOCKED


def _show(swept: Swept) -> None:
    from provisioning.interfaces.cli.render.errors import render_error
    from provisioning.interfaces.cli.render.plans import render_plan, render_run

    if swept.report:
        prospect = swept.report.prospect
        click.echo(render_plan(prospect.plan, prospect.verdicts))
        if swept.report.run:
            click.echo("\n" + render_run(swept.report.run))
        click.echo()
    elif swept.error:
        click.echo(click.style(swept.infra, bold=True), err=True)
        click.echo(render_error(swept.error) + "\n", err=True)
    else:
        click.echo(f"{swept.infra}: left alone, because {swept.waits_for} did not come out well\n")


def _shape(swept: Swept) -> dict[str, Any]:
    from provisioning.interfaces.schema.results import shape_error, shape_result

    if swept.report:
        report = swept.report
        return shape_result(report.prospect.plan, report.conclusion, report.run)
    if swept.error:
        return {"infra": swept.infra, "result": "failed", "error": shape_error(swept.error)}
    return {"infra": swept.infra, "result": "skipped", "waitsFor": swept.waits_for}
