"""Progress of a run: a line an event, and on a terminal a counter that moves."""

from __future__ import annotations

import sys

import click

from provisioning.core.model.terminal_text import ERASE
from provisioning.reconciler.events import Event, EventKind

SHOWN = {
    EventKind.TAKEN_OVER: "  {text}",
    EventKind.REPLANNED: "  {text}; planning again",
    EventKind.OPERATION_WAITING: "  {id}  waiting: {text}",
    EventKind.OPERATION_RETRIED: "  {id}  again in {seconds:.1f} s: {text}",
    EventKind.OPERATION_ENDED: "  {id}  {text} ({seconds:.1f} s)",
}


class Progress:
    """Writes events to standard error, so that standard output stays clean for `-o json`."""

    def __init__(self) -> None:
        self._moves = sys.stderr.isatty()

    def __call__(self, event: Event) -> None:
        """Show *event*."""
        line = SHOWN.get(event.kind)
        if line:
            text = line.format(id=event.id or event.infra, text=event.text, seconds=event.seconds)
            click.echo((ERASE if self._moves else "") + text, err=True)
        if self._moves and event.total:
            click.echo(f"{ERASE}  {event.done}/{event.total} …", err=True, nl=False)
            if event.done == event.total:
                click.echo(ERASE, err=True, nl=False)
