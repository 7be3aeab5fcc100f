"""Plans as people read them: counts, values and their differences, without colour."""

from __future__ import annotations

from provisioning.core.model.records import Action
from provisioning.core.model.values import Omitted, Sensitive, Tree, Unknown, render_canonical
from provisioning.core.plan.diff import FieldChange
from provisioning.core.plan.plan import Plan

WIDTH = 60
"""Characters of a value that are shown on one line."""

CONTEXT = 2
"""Unchanged lines shown around a changed one in a text."""


def describe_work(plan: Plan) -> str:
    """Return how many resources *plan* does what to; "" if there is nothing to do."""
    summary = plan.summary
    return ", ".join(f"{summary[name]} to {name}" for name in Action if summary[name])


def render_value(value: Tree, width: int | None = WIDTH) -> str:
    """Return *value* on one line; what is secret or unknown by its name.

    It is cut where it is longer than *width*, unless it is a list of texts: a command is never cut.
    """
    match value:
        case None:
            return "(not set)"
        case Unknown() | Sensitive() | Omitted():
            return str(value)
        case bytes():
            return f"({len(value)} bytes)"
    text = render_canonical(_calm(value)).decode()
    is_command = isinstance(value, list) and all(isinstance(item, str) for item in value)
    if width is None or len(text) <= width or is_command:
        return text
    return text[: width - 1] + "…"


def _calm(value: Tree) -> Tree:
    """Return *value* with special leaves as text, so that it can be written on a line."""
    match value:
        case dict():
            return {key: _calm(item) for key, item in value.items()}
        case list() | tuple():
            return [_calm(item) for item in value]
        case Unknown() | Sensitive() | Omitted():
            return str(value)
    return value


def is_multiline(field: FieldChange) -> bool:
    """Tell whether *field* is read best as a diff of lines."""
    return any(isinstance(item, str) and "\n" in item for item in (field.before, field.after))


def render_text_diff(before: Tree, after: Tree) -> list[str]:
    """Return the lines of a unified diff between two texts, without its head."""
    if not isinstance(before, str | None) or not isinstance(after, str | None):
        return [f"{render_value(before)} → {render_value(after)}"]
    old, new = (before or "").splitlines(), (after or "").splitlines()
    import difflib

    return list(difflib.unified_diff(old, new, lineterm="", n=CONTEXT))[2:]
