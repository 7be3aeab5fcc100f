"""A document is made from a value by the names of its fields."""

from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import UNSET, UnsetType, to_builtins

from provisioning.core.model.errors import Source
from provisioning.core.model.values import Unknown
from provisioning.interfaces.schema.documents import JsonDocument, PlaceDocument


class InnerDocument(JsonDocument, frozen=True, kw_only=True):
    name: str


class OuterDocument(JsonDocument, frozen=True, kw_only=True):
    depends_on: list[str]
    items: list[InnerDocument]
    source: PlaceDocument | None
    hint: str | None
    ready: bool
    more: bool
    value: Any
    at: str | UnsetType = UNSET


VALUE = SimpleNamespace(
    depends_on=frozenset({"b", "a"}),
    items=(SimpleNamespace(name="one"),),
    source=Source("a.yaml", 3),
    hint="",
    is_ready=True,
    has_more=False,
    value={"x": Unknown("File/a")},
)


def test_fields_are_attributes():
    """With `is_` or `has_` before them, too; nested values become their documents."""
    assert to_builtins(OuterDocument.of(VALUE)) == {
        "dependsOn": ["a", "b"],
        "items": [{"name": "one"}],
        "source": {"file": "a.yaml", "line": 3},
        "hint": None,
        "ready": True,
        "more": False,
        "value": {"x": {"$unknown": "File/a"}},
    }


def test_given_fields_win():
    """They are converted as the others are; a place without a file is null."""
    made = OuterDocument.of(VALUE, at="now", source=Source("", 0), items=[InnerDocument(name="x")])
    assert (made.at, made.source, made.items[0].name) == ("now", None, "x")


def test_a_missing_field_is_an_error():
    """No document is made of less than it promises."""
    with pytest.raises(AttributeError, match="SimpleNamespace has no name"):
        InnerDocument.of(SimpleNamespace())
