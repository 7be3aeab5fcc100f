"""What happened as lines of text."""

from __future__ import annotations

from click import style

from provisioning.reconciler.explain.history import Happening

COLOURS = {
    "failed": "red",
    "uncertain": "red",
    "interrupted": "yellow",
    "skipped": "yellow",
    "done": "green",
}


def render_happening(happening: Happening) -> str:
    """Return one line: when, infra, run, resource, what, and the rest."""
    run = f"run {happening.run}" if happening.run else ""
    where = "  ".join(part for part in (happening.infra, run, happening.id) if part)
    what = style(happening.what, fg=COLOURS.get(happening.what))
    text = f": {happening.text}" if happening.text else ""
    return f"{style(happening.time, dim=True)}  {where}  {what}{text}"
