"""`review`: what the pull requests would do, shown where people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.runs.plan import BLOCKED, PENDING
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.core.reviews.findings import PullReview


@click.command()
@click.option("--pr", "number", type=click.IntRange(1), help="Only this pull request.")
@click.option("--exit-code", is_flag=True, help="Exit with 2 if there are changes.")
@output_option
@pass_session
def review(session: Session, number: int | None, *, exit_code: bool, output: str) -> int:
    """Plan every open pull request, answer what was said in it, and show it there.

    Closed ones are looked at again, too, if they still wait for a yes, do not tell yet what became
    of them, or something was asked there. What has drifted with `drift: pr` gets a pull request of
    its own.
    """
    from provisioning.bootstrap.reviews import build_reviewer
    from provisioning.core.reviews.forge import State
    from provisioning.interfaces.cli.render.errors import render_error
    from provisioning.interfaces.schema.results import shape_review

    reviewer = build_reviewer(session.open_workspace())
    for problem in [] if number else reviewer.drift_publisher.sync_all():
        click.echo(render_error(problem), err=True)
    found = [reviewer.review(number)] if number else reviewer.review_all()
    if output == "text":
        _show(found)
    else:
        shapes = [shape_review(item) for item in found]
        print_shape(shapes[0] if number else shapes, output)
    if any(item.state is not State.SUCCESS for item in found):
        return BLOCKED
    has_changes = any(it.plan and it.plan.changes for item in found for it in item.infras)
    return PENDING if exit_code and has_changes else 0


def _show(found: list[PullReview]) -> None:
    for item in found:
        click.echo(f"#{item.pull.number}  {item.state}  {item.headline}  {item.pull.url}")
        for infra in item.infras:
            click.echo(f"  {infra.infra}  {infra.headline}")
        for exposure in item.exposures:
            click.echo(f"  {exposure.file}:{exposure.line}: {exposure.what}")
    if not found:
        click.echo("no open pull request, and nothing to answer")
