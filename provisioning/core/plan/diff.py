"""What differs between desired, recorded and live, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec

from provisioning.core.model.kinds import LOCATION, Field, Kind, ListBehaviour
from provisioning.core.model.sensitive import Secret, conceal, conceal_alike, conceal_whole, reveal
from provisioning.core.model.values import (
    Omitted,
    Tree,
    Unknown,
    has_unknown,
    is_equal,
    render_canonical,
    summarise,
)

KEPT_WHOLE = 256
"""Content of an omitted field up to this many bytes is recorded as it is."""


class Cause(StrEnum):
    """Why a field is to change."""

    MANIFEST = "manifest"
    """The manifest asks for something else than what was applied last."""
    DRIFT = "drift"
    """The manifest asks for what was applied, but the world has changed."""
    UPSTREAM = "upstream"
    """A value it refers to may change in this run."""


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """One field, and what it goes from and to; None means that it is not set."""

    path: str
    before: Tree
    after: Tree
    cause: Cause
    replaces: bool = False


def compute_diff(
    kind: Kind,
    desired: Mapping[str, Tree],
    recorded: Mapping[str, Tree] | None,
    live: Mapping[str, Tree],
    key: bytes,
) -> tuple[FieldChange, ...]:
    """Compare the fields that *desired* states, or that *recorded* shows we once stated.

    A field nobody stated belongs to somebody else and is left alone; a field the provider
    does not report is taken to be as recorded; a location that is neither recorded nor live
    is that of a resource which is still to be made. Sensitive values are compared by their
    fingerprint under *key*.
    """
    stated = recorded or {}
    is_placed = LOCATION in live or LOCATION in stated
    changes: list[FieldChange] = []
    for name, wanted in desired.items():
        field = kind.get_field(name)
        if field.computed or (name == LOCATION and not is_placed):
            continue
        actual = live[name] if name in live else stated.get(name)
        if wanted is actual or (type(wanted) is type(actual) is str and wanted == actual):
            continue
        changes += _compare(field, wanted, actual, stated.get(name), key)
    for name in stated:
        field = kind.get_field(name)
        if name in desired or field.computed or field.defaulted:
            continue
        actual = live[name] if name in live else stated[name]
        changes += _compare(field, None, actual, stated[name], key)
    return tuple(changes)


def _compare(
    field: Field, wanted: Tree, actual: Tree, stated: Tree, key: bytes
) -> Iterator[FieldChange]:
    if isinstance(actual, Omitted) and isinstance(wanted, Secret):
        actual = wanted if is_equal(actual, reveal(wanted)) else actual
    if field.sensitive:
        wanted, actual, stated = (conceal_whole(value, key) for value in (wanted, actual, stated))
    else:
        wanted, actual, stated = conceal_alike(field, key, wanted, actual, stated)
    for path, before, after in _walk(field, field.name, actual, wanted):
        yield FieldChange(
            path=path,
            before=before,
            after=after,
            cause=_judge_cause(field, wanted, stated),
            replaces=field.immutable,
        )


def _judge_cause(field: Field, wanted: Tree, stated: Tree) -> Cause:
    if has_unknown(wanted):
        return Cause.UPSTREAM
    return Cause.DRIFT if _is_same(field, wanted, stated) else Cause.MANIFEST


def _walk(field: Field, path: str, before: Tree, after: Tree) -> Iterator[tuple[str, Tree, Tree]]:
    if _is_same(field, before, after):
        return
    match before, after:
        case dict(), dict():
            for name in sorted(before.keys() | after.keys()):
                yield from _walk(field, f"{path}.{name}", before.get(name), after.get(name))
        case list(), list() if field.lists is ListBehaviour.KEYED and _is_keyed(
            field, before, after
        ):
            yield from _walk_keyed(field, path, before, after)
        case _:
            yield path, before, after


def _walk_keyed(
    field: Field, path: str, before: list[Tree], after: list[Tree]
) -> Iterator[tuple[str, Tree, Tree]]:
    old = {str(item[field.key]): item for item in before}
    new = {str(item[field.key]): item for item in after}
    for name in sorted(old.keys() | new.keys()):
        yield from _walk(field, f"{path}[{field.key}={name}]", old.get(name), new.get(name))


def _is_keyed(field: Field, *lists: list[Tree]) -> bool:
    return all(
        len(
            {str(item[field.key]) for item in items if isinstance(item, dict) and field.key in item}
        )
        == len(items)
        for items in lists
    )


def _is_same(field: Field, one: Tree, other: Tree) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        if field.lists is ListBehaviour.SET:
            return _as_set(one) == _as_set(other)
        if field.lists is ListBehaviour.KEYED and _is_keyed(field, one, other):
            return not any(_walk_keyed(field, "", one, other))
    return is_equal(one, other)


def _as_set(items: list[Tree]) -> set[bytes]:
    return {b"?" if isinstance(item, Unknown) else render_canonical(item) for item in items}


def compute_recorded(kind: Kind, values: Mapping[str, Tree], key: bytes) -> dict[str, Tree]:
    """Return *values* as the state log may keep them: nothing sensitive, no large content."""
    return {name: _compute_kept(kind.get_field(name), value, key) for name, value in values.items()}


def _compute_kept(field: Field, value: Tree, key: bytes) -> Tree:
    if field.sensitive:
        return conceal_whole(value, key)
    value = conceal(value, key)
    if isinstance(value, bytes) or (
        field.omitted and isinstance(value, str) and len(value) > KEPT_WHOLE
    ):
        return summarise(value)
    return value
