"""The base of every document: its fields are read from a value of the domain by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from types import NoneType, UnionType
from typing import Any, Self, TypeAlias, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType

from provisioning.core.model.values import as_json

Fields: TypeAlias = dict[str, Any]
Convert: TypeAlias = Callable[[Any], Any]


class JsonDocument(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A document with stable keys; a key that is absent for a reason is UNSET."""

    @classmethod
    def of(cls, value: Any, **given: Any) -> Self:
        """Return the document of *value*, with the fields *given* in place of those of *value*.

        Each field is the attribute of *value* with its name, or with `is_` or `has_` before it,
        as the type of the field says: a value of the domain becomes its document, content that
        is not text its digest and size, and an empty text null where null is allowed.
        """
        fields = cls._derive(value) | given
        for name, convert, is_required in _list_converters(cls):
            found = fields[name] if name in fields else _read(value, name)
            if found is not UNSET:
                fields[name] = convert(found) if convert else found
            elif is_required:
                raise AttributeError(f"{type(value).__name__} has no {name}")
        return cls(**fields)

    @classmethod
    def _derive(cls, value: Any) -> Fields:
        """Return the fields that are no attribute of *value*."""
        del value
        return {}


def _read(value: object, name: str) -> Any:
    """Return the attribute; UNSET if there is none."""
    found = getattr(value, name, UNSET)
    if found is UNSET:
        found = getattr(value, f"is_{name}", UNSET)
    return getattr(value, f"has_{name}", UNSET) if found is UNSET else found


@cache
def _list_converters(kind: type[JsonDocument]) -> list[tuple[str, Convert | None, bool]]:
    fields = msgspec.structs.fields(kind)
    return [(field.name, _build_converter(field.type), field.required) for field in fields]


def _build_converter(kind: Any) -> Convert | None:
    """Return the function that makes a value of *kind* from one of the domain, if one is needed."""
    if kind in {str, int, float, bool}:
        return None
    origin, parts = get_origin(kind), get_args(kind)
    if origin in {UnionType, Union}:
        some = _build_converter(next(it for it in parts if it not in {NoneType, UnsetType}))
        empty = (None, "") if NoneType in parts else (None,)
        return lambda value: None if value in empty else some(value) if some else value
    if origin in {list, tuple}:
        one = _build_converter(parts[0])
        return lambda value: [one(item) if one else item for item in _sort(value)]
    if isinstance(kind, type) and issubclass(kind, JsonDocument):
        return lambda value: value if isinstance(value, JsonDocument) else kind.of(value)
    return as_json


def _sort(values: Iterable[Any]) -> Iterable[Any]:
    return sorted(values) if isinstance(values, frozenset) else values


class PlaceDocument(JsonDocument, frozen=True, kw_only=True):
    """A place in the workspace."""

    file: str
    line: int

    @classmethod
    def of(cls, value: Any, **given: Any) -> Self:
        """Return the place of a source; None if it has no file."""
        return super().of(value, **given) if value.file else None  # type: ignore[return-value]
