"""Notices of a use case as text, while it is under way."""

from __future__ import annotations

import click

from provisioning.application.context import (
    CompactionPlanned,
    ForgeNotTold,
    InfraEnded,
    LogCompacted,
    Notice,
    Planned,
    StepDone,
    StepsPlanned,
    UndoPlanned,
)
from provisioning.interfaces.cli.render.plans import render_plan, render_run
from provisioning.interfaces.cli.render.progress import Progress
from provisioning.reconciler.events import Event
from provisioning.reconciler.resync import ResyncResult


class NoticePrinter:
    """Prints notices as they come.

    Args:
        as_text: True if results are printed as text; otherwise only progress and problems are,
            to standard error.
    """

    def __init__(self, *, as_text: bool) -> None:
        self._as_text = as_text
        self._progress = Progress()
        self._planned: set[str] = set()

    def __call__(self, notice: Notice) -> None:
        """Print *notice*."""
        match notice:
            case Event():
                self._progress(notice)
            case ForgeNotTold():
                note = f"note: the forge was not updated: {notice.message}"
                note += "; `provisioning review` updates it later"
                click.echo(click.style(note, fg="yellow"), err=True)
            case StepsPlanned():
                self._show_steps(notice)
            case _ if self._as_text:
                self._show(notice)

    def _show(self, notice: Notice) -> None:
        match notice:
            case Planned():
                self._planned.add(notice.plan.infra)
                click.echo(render_plan(notice.plan, notice.violations))
            case InfraEnded():
                self._show_end(notice.result)
            case UndoPlanned(undo_plan):
                before, paths = undo_plan.before[:10], ", ".join(undo_plan.paths)
                click.echo(f"\nbrings back, as at {before}: {paths}")
                if undo_plan.shared:
                    click.echo(f"other infras read these too: {', '.join(undo_plan.shared)}")
            case CompactionPlanned():
                from provisioning.interfaces.cli.render.status import render_compaction

                click.echo(render_compaction(notice))
            case LogCompacted():
                click.echo(f"{notice.infra}: compacted")
            case StepDone(step):
                click.echo(f"{step.subject}: {step.action}d")

    def _show_steps(self, notice: StepsPlanned) -> None:
        from provisioning.interfaces.cli.render.forge import render_steps

        click.echo(render_steps(notice.steps), err=not self._as_text)

    def _show_end(self, result: ResyncResult) -> None:
        """Print the end of an infra's run; its plan, too, if several ran side by side."""
        report = result.report
        if report and result.infra in self._planned:
            if report.run:
                click.echo("\n" + render_run(report.run))
        elif report:
            click.echo(render_plan(report.plan_result.plan, report.plan_result.violations))
            if report.run:
                click.echo("\n" + render_run(report.run))
            click.echo()
        elif result.error:
            from provisioning.interfaces.cli.render.errors import render_error

            click.echo(click.style(result.infra, bold=True), err=True)
            click.echo(render_error(result.error) + "\n", err=True)
        else:
            waits = f"{result.waits_for} did not succeed"
            click.echo(f"{result.infra}: left alone, because {waits}\n")
