"""`review`: show the plan of each pull request in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.runs.exit_codes import BLOCKED, PENDING
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shapes

if TYPE_CHECKING:
    from provisioning.core.reviews.findings import PullReview


@click.command()
@click.option("--pr", "number", type=click.IntRange(1), help="Only this pull request.")
@click.option("--exit-code", is_flag=True, help="Exit with 2 if there are changes.")
@output_option
@pass_session
def review(session: Session, number: int | None, *, exit_code: bool, output: str) -> int:
    """Plan every open pull request, answer its commands, and show the plan in it.

    Closed ones are reviewed again, too, if they still wait for an approval, do not show their
    result yet, or have a new command. Drift with `drift: pr` gets a pull request of its own.
    """
    from provisioning.application.runs.review import ReviewRequest
    from provisioning.core.reviews.forge import State
    from provisioning.interfaces.cli.render.errors import render_error

    answer = session.call(ReviewRequest(number=number))
    for problem in answer.problems:
        click.echo(render_error(problem), err=True)
    found = answer.reviews
    if output == "text":
        _show(found)
    else:
        from provisioning.interfaces.schema.reviews import ReviewDocument

        print_shapes(map(ReviewDocument.of, found), output, number)
    if any(item.state is not State.SUCCESS for item in found):
        return BLOCKED
    has_changes = any(it.plan and it.plan.changes for item in found for it in item.infras)
    return PENDING if exit_code and has_changes else 0


def _show(found: tuple[PullReview, ...]) -> None:
    for item in found:
        click.echo(f"#{item.pull.number}  {item.state}  {item.headline}  {item.pull.url}")
        for infra in item.infras:
            click.echo(f"  {infra.infra}  {infra.headline}")
        for exposure in item.exposures:
            click.echo(f"  {exposure.file}:{exposure.line}: {exposure.what}")
    if not found:
        click.echo("no open pull request, and nothing to answer")
