"""`events`: a line for each event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.arguments import infra_argument
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.reconciler.explain.history import HistoryEvent


@click.command()
@infra_argument
@click.option("-f", "--follow", is_flag=True, help="Continue until stopped.")
@click.option("-n", "--limit", type=click.IntRange(min=0), default=50, help="The newest of each.")
@output_option
@pass_session
def events(session: Session, infra: str | None, output: str, limit: int, *, follow: bool) -> int:
    """Show the events of INFRA (all by default), a line each, oldest first.

    They come from the state log; those of a run in progress on this machine, from its journal.
    """
    from provisioning.application.inspect.history import EventsRequest

    batches = session.call(EventsRequest(infra=infra, limit=limit, follow=follow))
    found = next(batches)
    if not follow and output != "text":
        print_shape(found, output)
        return 0
    _print(found, output)
    try:
        for found in batches:
            _print(found, output)
    except KeyboardInterrupt:
        return 0
    return 0


def _print(found: list[HistoryEvent], output: str) -> None:
    from msgspec.structs import asdict

    from provisioning.interfaces.cli.render.events import render_event_line

    for event in found:
        if output == "yaml":
            click.echo("---")
            print_shape(event, output)
        elif output == "json":
            click.echo(json.dumps(asdict(event), ensure_ascii=False))
        else:
            click.echo(render_event_line(event))
