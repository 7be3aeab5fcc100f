"""Events as lines of text."""

from __future__ import annotations

from click import style

from provisioning.reconciler.explain.history import HistoryEvent

COLOURS = {
    "failed": "red",
    "uncertain": "red",
    "interrupted": "yellow",
    "skipped": "yellow",
    "done": "green",
}


def render_event_line(event: HistoryEvent) -> str:
    """Return one line: when, infra, run, resource, what, and the rest."""
    run = f"run {event.run}" if event.run else ""
    where = "  ".join(part for part in (event.infra, run, event.id) if part)
    what = style(event.what, fg=COLOURS.get(event.what))
    text = f": {event.text}" if event.text else ""
    return f"{style(event.time, dim=True)}  {where}  {what}{text}"
