"""Renders fields that differ, for a block of code of the language `diff`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from provisioning.core.plan.diff import Cause, FieldChange
from provisioning.core.plan.text import is_multiline, render_text_diff, render_value

MAX_LINES = 40
"""Lines shown of one field's diff."""

WIDTH = 500
"""Characters shown of a value."""


def render_fields(
    fields: Sequence[FieldChange], *, marks_drift: bool = False, whole: bool = False
) -> Iterator[str]:
    """Yield the lines of *fields*, texts of several lines as a diff.

    With *marks_drift* a field says so that changed in the world and not in the manifest. With
    *whole* nothing is cut.
    """
    width = None if whole else WIDTH
    for field in fields:
        note = "  forces replacement" if field.replaces and field.before is not None else ""
        note += "  (drift)" if marks_drift and field.path and field.cause is Cause.DRIFT else ""
        if is_multiline(field):
            yield f"      {field.path}{note}"
            lines = render_text_diff(field.before, field.after)
            yield from (_indent(line) for line in lines[: None if whole else MAX_LINES])
            if len(lines) > MAX_LINES and not whole:
                yield f"        … {len(lines) - MAX_LINES} more lines"
        else:
            before = "" if field.before is None else f"{render_value(field.before, width)} → "
            yield f"      {field.path}  {before}{render_value(field.after, width)}{note}"


def _indent(line: str) -> str:
    """Indent *line*; the sign of a changed one stays in the first column, for its colour."""
    return f"{line[0]}       {line[1:]}" if line[:1] in {"+", "-"} else f"        {line}"
