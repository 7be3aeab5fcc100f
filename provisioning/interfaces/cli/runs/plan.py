"""`plan`: show what would change."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.arguments import allow_option, infra_argument, target_options
from provisioning.interfaces.cli.runs.exit_codes import BLOCKED, PENDING
from provisioning.interfaces.cli.session import Session, pass_session, print_shapes

if TYPE_CHECKING:
    from provisioning.application.runs.plan import PlanResults
    from provisioning.reconciler.planning.plan_result import PlanResult


@click.command()
@infra_argument
@target_options
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
    target: tuple[str, ...],
    exclude: tuple[str, ...],
    allow: tuple[str, ...],
    *,
    exit_code: bool,
    out: str | None,
    output: str,
) -> int:
    """Show what would change in INFRA (all by default), and why, field by field.

    Takes no lock and changes nothing.
    """
    from provisioning.application.runs.plan import PlanRequest

    planned = session.call(
        PlanRequest(
            infra=infra,
            targets=target,
            excludes=exclude,
            allow=allow,
            with_notes=output == "text" and sys.stderr.isatty(),
        )
    )
    if output == "text":
        _show_plans(planned)
    elif output == "html":
        from provisioning.interfaces.cli.render.html import render_results

        click.echo(render_results(planned.results))
    else:
        from provisioning.interfaces.schema.plans import GatedPlanDocument

        gated = ((result.plan, result.violations) for result in planned.results)
        shapes = (GatedPlanDocument.of(plan, violations=stops) for plan, stops in gated)
        print_shapes(shapes, output, infra)
    if out:
        _save(planned, out)
    if any(result.is_blocked for result in planned.results):
        return BLOCKED
    has_changes = any(result.plan.changes for result in planned.results)
    return PENDING if exit_code and has_changes else 0


def _show_plans(planned: PlanResults) -> None:
    from provisioning.interfaces.cli.render.plans import render_plan

    for note in planned.notes:
        _note(note)
    if not planned.results:
        click.echo("no infra yet: make infra/NAME, put manifests into it, and commit them")
    for number, result in enumerate(planned.results):
        click.echo(("\n" if number else "") + render_plan(result.plan, result.violations))
        _show_lock(result)


def _show_lock(result: PlanResult) -> None:
    view, lock_status = result.view, result.lock_status
    if view.lock and lock_status and lock_status.is_held:
        from provisioning.reconciler.execution.lease import build_lock_error

        _note(build_lock_error(result.plan.infra, view.lock, lock_status).message)
    elif view.is_cut_off:
        _note("the next run finishes one that was cut off")


def _note(text: str) -> None:
    click.echo(click.style(f"note: {text}", fg="cyan"), err=True)


def _save(planned: PlanResults, out: str) -> None:
    from provisioning.core.model.errors import InvalidArgument
    from provisioning.interfaces.cli.saved_plan import save_plan

    results: Sequence[PlanResult] = planned.results
    if len(results) != 1:
        raise InvalidArgument(
            "a saved plan is for one infra", hint="name it: `provisioning plan INFRA --out FILE`"
        )
    save_plan(Path(out), results[0], planned.request)
    click.echo(f"saved; apply exactly this with `provisioning apply --plan {out}`", err=True)
