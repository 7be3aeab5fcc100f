"""What differs between desired, recorded and live, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec

from provisioning.core.model.kinds import LOCATION, Kind, ListBehaviour
from provisioning.core.model.schemas.field_tree import FieldTree
from provisioning.core.model.sensitive import Secret, conceal, conceal_alike, reveal
from provisioning.core.model.values import (
    Omitted,
    Sensitive,
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
    is that of a resource which is still to be made. All of that holds below a field, too, where
    the kind names one there. Sensitive values are compared by their fingerprint under *key*.
    """
    stated, tree = recorded or {}, kind.tree
    is_placed = LOCATION in live or LOCATION in stated
    changes: list[FieldChange] = []
    for name, wanted in desired.items():
        below = tree.get_key(name)
        if below.field.computed or (name == LOCATION and not is_placed):
            continue
        actual = live[name] if name in live else stated.get(name)
        if wanted is actual or (type(wanted) is type(actual) is str and wanted == actual):
            continue
        changes += _compare(below, name, wanted, actual, stated.get(name), key)
    for name in stated:
        below = tree.get_key(name)
        if name in desired or below.field.computed or below.field.defaulted:
            continue
        actual = live[name] if name in live else stated[name]
        changes += _compare(below, name, None, actual, stated[name], key)
    return tuple(changes)


def _compare(
    tree: FieldTree, name: str, wanted: Tree, actual: Tree, stated: Tree, key: bytes
) -> Iterator[FieldChange]:
    if tree.plain is not None:
        wanted = _reduce(tree, wanted)
        stated = _reduce(tree, stated, wanted)
    if tree.plain is not None or isinstance(actual, Omitted):
        actual = _reduce(tree, actual, wanted, stated)
    shown = conceal_alike(tree, key, wanted, actual, stated)
    for below, path, before, after in _walk(tree, name, shown[1], shown[0]):
        is_hidden = isinstance(before, Sensitive) or isinstance(after, Sensitive)
        yield FieldChange(
            path=path,
            before=before,
            after=after,
            cause=_judge_cause(tree, shown[0], shown[2]),
            replaces=_is_replacing(tree, actual, wanted)
            if is_hidden and below.plain
            else _is_replacing(below, before, after),
        )


def _judge_cause(tree: FieldTree, wanted: Tree, stated: Tree) -> Cause:
    if has_unknown(wanted):
        return Cause.UPSTREAM
    return Cause.DRIFT if _is_same(tree, wanted, stated) else Cause.MANIFEST


def _is_replacing(tree: FieldTree, before: Tree, after: Tree) -> bool:
    """Return whether anything differs that cannot be changed in place."""
    if tree.field.immutable or not tree.guards:
        return tree.field.immutable
    old, new = (_pick_immutable(tree, _sort(tree, reveal(side))) for side in (before, after))
    return not is_equal(old, new)


def _pick_immutable(tree: FieldTree, value: Tree) -> Tree:
    if tree.field.immutable or value is None:
        return value
    if not tree.guards:
        return None
    picked = tree.map(value, _pick_immutable)
    if isinstance(picked, dict):
        return {name: item for name, item in picked.items() if item is not None} or None
    if isinstance(picked, list):
        return [item for item in picked if item is not None] or None
    return value


# What is not compared


def _reduce(tree: FieldTree, value: Tree, wanted: Tree = None, stated: Tree = None) -> Tree:
    """Return *value* as far as it is compared.

    Computed fields go, and so do the choices of the provider where *wanted* leaves them out.
    Fields that the provider does not report are taken from *stated*.
    """
    if isinstance(value, Omitted) and isinstance(wanted, Secret):
        return wanted if is_equal(value, reveal(wanted)) else value
    if tree.plain is None:
        return value
    if isinstance(value, Secret):
        return Secret(_reduce(tree, reveal(value), wanted, stated))
    wanted = reveal(wanted) if isinstance(wanted, Secret) else wanted
    if isinstance(value, dict):
        return _reduce_map(tree, value, wanted, stated if isinstance(stated, dict) else {})
    if isinstance(value, list):
        below = tree.get_item()
        twins = zip(_pair(tree, value, wanted), tree.pair(value, stated), strict=True)
        return [_reduce(below, item, *twin) for item, twin in zip(value, twins, strict=True)]
    return value


def _reduce_map(
    tree: FieldTree, value: dict[str, Tree], wanted: Tree, stated: dict[str, Tree]
) -> dict[str, Tree]:
    kept: dict[str, Tree] = {}
    for name, below, item in tree.walk(value):
        is_left_out = isinstance(wanted, dict) and name not in wanted
        if below.field.computed or (below.field.defaulted and is_left_out):
            continue
        asked = wanted.get(name) if isinstance(wanted, dict) else None
        new = _reduce(below, item, asked, stated.get(name))
        if new != {} or item == {} or not is_left_out:
            kept[str(name)] = new
    return kept | {name: stated[name] for name in tree.keys if name in stated.keys() - value.keys()}


def _pair(tree: FieldTree, items: list[Tree], others: Tree) -> list[Tree]:
    """Return for each of *items* the one of *others* that is it, None if there is none."""
    below = tree.get_item()
    is_set = isinstance(others, list) and tree.field.lists is ListBehaviour.SET
    if not is_set or not below.chooses:
        return tree.pair(items, others)
    others = reveal(others)
    return [
        next((it for it in others if _is_same(below, _reduce(below, item, it), it)), None)
        for item in reveal(items)
    ]


# What differs


def _walk(
    tree: FieldTree, path: str, before: Tree, after: Tree
) -> Iterator[tuple[FieldTree, str, Tree, Tree]]:
    if _is_same(tree, before, after):
        return
    match before, after:
        case dict(), dict():
            for name in sorted(before.keys() | after.keys()):
                below = tree.get_key(name)
                yield from _walk(below, f"{path}.{name}", before.get(name), after.get(name))
        case list(), list() if tree.is_keyed(before, after):
            yield from _walk_keyed(tree, path, before, after)
        case _:
            yield tree, path, before, after


def _walk_keyed(
    tree: FieldTree, path: str, before: list[Tree], after: list[Tree]
) -> Iterator[tuple[FieldTree, str, Tree, Tree]]:
    below, key = tree.get_item(), tree.field.key
    old = {str(item[key]): item for item in before}
    new = {str(item[key]): item for item in after}
    for name in sorted(old.keys() | new.keys()):
        yield from _walk(below, f"{path}[{key}={name}]", old.get(name), new.get(name))


def _is_same(tree: FieldTree, one: Tree, other: Tree) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        if tree.field.lists is ListBehaviour.SET:
            return _as_set(tree, one) == _as_set(tree, other)
        if tree.is_keyed(one, other):
            return not any(_walk_keyed(tree, "", one, other))
    if tree.plain is not None:
        one, other = _sort(tree, one), _sort(tree, other)
    return is_equal(one, other)


def _as_set(tree: FieldTree, items: list[Tree]) -> set[bytes]:
    below = tree.get_item()
    if below is not tree:
        items = [_sort(below, item) for item in items]
    return {b"?" if isinstance(item, Unknown) else render_canonical(item) for item in items}


def _sort(tree: FieldTree, value: Tree) -> Tree:
    """Return *value* with every list in an order of its own, if its order says nothing."""
    if tree.plain is None and tree.field.lists is ListBehaviour.ORDERED:
        return _shorten(tree, value)
    value = tree.map(value, _sort)
    if not isinstance(value, list) or tree.field.lists is ListBehaviour.ORDERED:
        return value
    if tree.field.lists is ListBehaviour.SET:
        return [found for _, found in sorted({render_canonical(it): it for it in value}.items())]
    is_keyed = tree.is_keyed(value)
    return sorted(value, key=lambda it: str(it[tree.field.key])) if is_keyed else value


def compute_recorded(kind: Kind, values: Mapping[str, Tree], key: bytes) -> dict[str, Tree]:
    """Return *values* as the state log may keep them: nothing sensitive, no large content."""
    tree = kind.tree
    return {
        name: _shorten(below := tree.get_key(name), conceal(value, key, below))
        for name, value in values.items()
    }


def _shorten(tree: FieldTree, value: Tree) -> Tree:
    if isinstance(value, bytes) or (
        tree.field.omitted and isinstance(value, str) and len(value) > KEPT_WHOLE
    ):
        return summarise(value)
    return value if tree.plain is None else tree.map(value, _shorten)
