"""Scalars as text, for the formats that know nothing but text."""

from __future__ import annotations

from sops_python.stores.go_floats import render_general
from sops_python.tree import Timestamp, Value


def render_scalar(value: Value) -> str:
    """Return *value* as dotenv and INI files hold it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case float():
            text = render_general(value, mark="E")
            return text if "." in text or "E" in text else f"{text}.0"
        case Timestamp():
            return value.text
    return str(value)
