"""Errors as text: what, where, and the next command."""

from __future__ import annotations

from click import style

from provisioning.core.model.errors import InvalidWorkspace, ProvisioningError
from provisioning.core.model.terminal_text import render_plain

MOST = 20
"""Problems that are shown one by one."""


def render_error(error: ProvisioningError) -> str:
    """Return *error* with its place and its hint."""
    if isinstance(error, InvalidWorkspace):
        shown = [render_error(problem) for problem in error.problems[:MOST]]
        left = len(error.problems) - MOST
        rest = [f"… and {left} more"] if left > 0 else []
        return "\n".join([*shown, *rest, f"{len(error.problems)} problems; nothing was changed"])
    text = style("error: ", fg="red", bold=True) + render_plain(str(error))
    hint = render_plain(error.hint or "")
    return text + (f"\n  {style('hint:', fg='cyan')} {hint}" if hint else "")
