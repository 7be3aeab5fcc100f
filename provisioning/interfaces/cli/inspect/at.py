"""`at`: the desired and the recorded state of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.arguments import split_names
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shapes

if TYPE_CHECKING:
    from provisioning.application.inspect.at import PastRecords


@click.command()
@click.argument("moment", metavar="COMMIT|TIME")
@click.argument("question", type=click.Choice(["status", "get"]))
@click.argument("names", nargs=-1, metavar="[INFRA] [ID]...")
@output_option
@pass_session
def at(session: Session, moment: str, question: str, names: tuple[str, ...], output: str) -> int:
    """Show the status of each infra, or list its resources, as they were then.

    MOMENT is a commit of the branch, a time as in 2026-03-01T12:00 (UTC), or '3h ago'.
    """
    infra, ids = split_names(names)
    if question == "get":
        return _get(session, moment, infra, ids, output)
    if ids:
        raise click.UsageError("status is of an infra; `get` lists single resources")
    return _show_status(session, moment, infra, output)


def _show_status(session: Session, moment: str, infra: str | None, output: str) -> int:
    from provisioning.application.inspect.at import StatusAtRequest

    found = session.call(StatusAtRequest(moment=moment, infra=infra))
    if output != "text":
        from provisioning.interfaces.schema.states import StatusDocument

        shapes = [StatusDocument.of(status, at=found.moment) for status in found.infras]
        return print_shapes(shapes, output, infra)
    from provisioning.interfaces.cli.render.status import render_status

    for status in found.infras:
        click.echo(render_status(status))
    return 0


def _get(
    session: Session, moment: str, infra: str | None, ids: tuple[str, ...], output: str
) -> int:
    from provisioning.application.inspect.at import GetAtRequest

    found = session.call(GetAtRequest(moment=moment, infra=infra, ids=ids))
    if output != "text":
        from provisioning.interfaces.schema.states import ResourcesDocument

        shapes = [ResourcesDocument.of(item, at=found.moment) for item in found.infras]
        return print_shapes(shapes, output, infra)
    for item in found.infras:
        _show_records(item, ids)
    return 0


def _show_records(item: PastRecords, ids: tuple[str, ...]) -> None:
    from provisioning.interfaces.cli.render.status import render_records

    if ids and not item.records:
        return
    click.echo(click.style(item.infra, bold=True))
    click.echo(render_records(item.records) if item.records else "nothing was recorded")
    missing, leaving = item.desired - item.recorded, item.recorded - item.desired
    if missing and not ids:
        click.echo(f"asked for, and not applied then: {', '.join(sorted(missing))}")
    if leaving and not ids:
        click.echo(f"not asked for any more then: {', '.join(sorted(leaving))}")
