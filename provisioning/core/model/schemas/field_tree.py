"""The fields of a kind as a tree, so that each place of a spec finds its behaviours at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from provisioning.core.model.errors import InvalidArgument, ProviderMisbehaved
from provisioning.core.model.values import Path, Tree

ANY, ITEM = "*", "[]"
"""The steps of a field's name that stand for any key of a map, and for each item of a list."""

_NAME = re.compile(r"(?:(?:^|\.)[^.\[\]]+|\[\])+")
_STEP = re.compile(r"[^.\[\]]+|\[\]")
_CHANGED = re.compile(r"(?:(?:^|\.)[^.\[\]]+|\[[^\[\]]*\])*")
_CHANGED_STEP = re.compile(r"[^.\[\]]+|\[[^\[\]]*\]")
_FLAGS = ("computed", "defaulted", "sensitive", "public", "omitted", "file")
_LASTING = ("computed", "derived_from", "sensitive", "public", "immutable", "lists", "key")


class ListBehaviour(StrEnum):
    """When two lists are the same."""

    ORDERED = "ordered"
    SET = "set"
    KEYED = "keyed"


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """How one field of a kind behaves.

    Args:
        name: Where it is, in `spec` or the provider's answer: `size`, `disk.size`; `env.*` for
            every key of a map, `ports[]` and `rules[].id` for every item of a list. Several
            fields that name one place add up.
        immutable: A change of it, or of anything below, replaces the resource.
        computed: Only the provider says its value; a manifest cannot.
        derived_from: For a computed field, the names of the fields whose change may change
            it; every field if None.
        defaulted: If the manifest leaves it out, the provider's choice stands.
        sensitive: Never shown, and kept as a keyed fingerprint only.
        public: A computed field that reveals nothing of its sources, even if they are secret.
        omitted: Its content is kept as digest and size only.
        lists: When two lists in it are the same; `key` names the key of keyed ones.
        file: Its value is the path of a workspace file that the kind's `expand` reads.
        visible: People without any right see it, so that a secret in it is refused.
    """

    name: str
    immutable: bool = False
    computed: bool = False
    derived_from: tuple[str, ...] | None = None
    defaulted: bool = False
    sensitive: bool = False
    public: bool = False
    omitted: bool = False
    lists: ListBehaviour = ListBehaviour.ORDERED
    key: str = "name"
    file: bool = False
    visible: bool = False


class FieldTree(msgspec.Struct, frozen=True, kw_only=True):
    """How one place of a spec behaves, and the places below it.

    Args:
        field: Its behaviours; several fields that name the place add up.
        keys: The places at the keys that fields name.
        rest: The place at every other key, if a field has `*` there.
        items: The place of each item of a list, if a field has `[]` there.
        plain: The place of all below that has no field; None for a leaf, where all is alike.
        hides: Something here or below is sensitive.
        guards: Something here or below is immutable.
        computes: Something here or below is computed.
        chooses: Something here or below is what the provider says, or chooses by itself.
    """

    field: Field
    keys: Mapping[str, FieldTree] = {}
    rest: FieldTree | None = None
    items: FieldTree | None = None
    plain: FieldTree | None = None
    hides: bool = False
    guards: bool = False
    computes: bool = False
    chooses: bool = False

    @property
    def children(self) -> tuple[FieldTree, ...]:
        """Every place below that a field names."""
        return (*self.keys.values(), *(it for it in (self.rest, self.items) if it is not None))

    def get_key(self, name: str) -> FieldTree:
        """Return the place at key *name*."""
        if self.plain is None:
            return self
        return self.keys.get(name) or self.rest or self.plain

    def get_item(self) -> FieldTree:
        """Return the place of each item of a list."""
        return self if self.plain is None else self.items or self.plain

    def find(self, path: Iterable[str | int]) -> FieldTree:
        """Return the place at *path*; a position, or its digits, is an item where one can be."""
        here = self
        for step in path:
            is_item = isinstance(step, int) or (step.isdecimal() and here.items is not None)
            here = here.get_item() if is_item else here.get_key(str(step))
        return here

    def find_computed(self, value: Tree, path: Path = ()) -> Iterator[Path]:
        """Yield where *value* has something that only the provider says."""
        if self.field.computed:
            yield path
        elif self.computes:
            for step, below, item in self.walk(value):
                yield from below.find_computed(item, (*path, step))

    def pick_open(self, value: Tree) -> Tree:
        """Return *value* without what is computed or sensitive; None if nothing is left."""
        if self.field.computed or self.field.sensitive:
            return None
        if not (self.computes or self.hides):
            return value
        picked = self.map(value, FieldTree.pick_open)
        if isinstance(picked, dict):
            return {name: item for name, item in picked.items() if item is not None}
        return [item for item in picked if item is not None] if isinstance(picked, list) else None

    def find_missing(self, value: Tree, path: Path = ()) -> Iterator[Path]:
        """Yield the computed fields that *value* lacks, where it has the map around them."""
        if self.plain is None or not self.computes:
            return
        if isinstance(value, dict):
            for name, below in self.keys.items():
                if below.field.computed and name not in value:
                    yield (*path, name)
        for step, below, item in self.walk(value):
            yield from below.find_missing(item, (*path, step))

    def walk(self, value: Tree) -> Iterator[tuple[Any, FieldTree, Tree]]:
        """Yield each step below *value* with its place and what is there."""
        match value:
            case dict():
                yield from ((name, self.get_key(name), item) for name, item in value.items())
            case list() | tuple():
                below = self.get_item()
                yield from ((index, below, item) for index, item in enumerate(value))

    def map(self, value: Tree, change: Callable[[FieldTree, Tree], Tree]) -> Tree:
        """Return *value* with what *change* makes of everything one step below it."""
        if isinstance(value, dict):
            return {name: change(below, item) for name, below, item in self.walk(value)}
        if isinstance(value, list | tuple):
            return [change(below, item) for _, below, item in self.walk(value)]
        return value

    def is_keyed(self, *lists: list[Tree]) -> bool:
        """Return whether each item of *lists* here has a key of its own."""
        key = self.field.key
        return self.field.lists is ListBehaviour.KEYED and all(
            len({str(item[key]) for item in items if isinstance(item, dict) and key in item})
            == len(items)
            for items in lists
        )

    def pair(self, items: list[Tree], others: Tree) -> list[Tree]:
        """Return for each of *items* the one of *others* that is it, None if there is none."""
        if not isinstance(others, list) or self.field.lists is ListBehaviour.SET:
            return [None] * len(items)
        if self.is_keyed(items, others):
            found = {str(item[self.field.key]): item for item in others}
            return [found.get(str(item[self.field.key])) for item in items]
        return [*others[: len(items)], *[None] * (len(items) - len(others))]


def find_values(value: Tree, names: Sequence[str]) -> Iterator[tuple[Path, Tree]]:
    """Yield what *value* has at the steps *names* of a field, each with its path."""
    found: list[tuple[Path, Tree]] = [((), value)]
    for name in names:
        found = [((*at, step), it) for at, tree in found for step, it in _list_steps(tree, name)]
    yield from found


def _list_steps(tree: Tree, name: str) -> Iterator[tuple[str | int, Tree]]:
    match tree:
        case dict() if name == ANY:
            yield from tree.items()
        case dict() if name in tree:
            yield name, tree[name]
        case list() | tuple() if name == ITEM:
            yield from enumerate(tree)


PLAIN = FieldTree(field=Field(name=""))
"""The place of what no field names."""


def parse_name(name: str) -> tuple[str, ...]:
    """Return the steps of a field's name: `disk.size`, `env.*`, `ports[]`, `rules[].id`.

    Raises:
        InvalidArgument: If it is no such name.
    """
    if not _NAME.fullmatch(name):
        raise InvalidArgument(
            f"{name!r} is not the name of a field", hint="write disk.size, env.* or rules[].id"
        )
    return tuple(_STEP.findall(name))


def touches(name: str, changed: str) -> bool:
    """Return whether a change of the path *changed* may change the field *name*.

    It does so at the field, above it and below it. A path that is not clear counts as one.
    """
    steps = parse_name(name)
    if not _CHANGED.fullmatch(changed):
        return changed.startswith(steps[0]) or steps[0] == ANY
    found = _CHANGED_STEP.findall(changed)
    return is_beside(steps, [0 if step.startswith("[") else step for step in found])


def is_beside(steps: Sequence[str], path: Iterable[str | int]) -> bool:
    """Return whether *path* leads to the field with *steps*, above it or below it."""
    return all(map(_is_step, steps, path))


def _is_step(name: str, step: str | int) -> bool:
    is_item = isinstance(step, int)
    return is_item if name == ITEM else not is_item and name in (ANY, step)


def build_tree(kind: str, fields: Iterable[Field]) -> FieldTree:
    """Return the tree of the *fields* of *kind*.

    Raises:
        ProviderMisbehaved: If a name of a field is none.
    """
    try:
        entries = [(parse_name(field.name), field) for field in fields]
    except InvalidArgument as exc:
        raise ProviderMisbehaved(f"kind {kind}: {exc.message}", hint=exc.hint) from None
    return _build(entries, PLAIN.field)


def _build(entries: Sequence[tuple[tuple[str, ...], Field]], above: Field) -> FieldTree:
    field = _join(above, [field for steps, field in entries if not steps])
    below: dict[str, list[tuple[tuple[str, ...], Field]]] = {}
    for steps, item in entries:
        if steps:
            below.setdefault(steps[0], []).append((steps[1:], item))
    if not below:
        return _mark(FieldTree(field=field))
    lasting = Field(name="", **{name: getattr(field, name) for name in _LASTING})
    unset = lasting.lists is ListBehaviour.SET
    item = msgspec.structs.replace(lasting, lists=ListBehaviour.ORDERED) if unset else lasting
    rest, items = below.pop(ANY, []), below.pop(ITEM, [])
    return _mark(
        FieldTree(
            field=field,
            keys={name: _build([*own, *rest], lasting) for name, own in below.items()},
            rest=_build(rest, lasting) if rest else None,
            items=_build(items, item) if items else None,
            plain=_mark(FieldTree(field=lasting)),
        )
    )


def _mark(tree: FieldTree) -> FieldTree:
    field, children = tree.field, tree.children
    return msgspec.structs.replace(
        tree,
        hides=field.sensitive or any(it.hides for it in children),
        guards=field.immutable or any(it.guards for it in children),
        computes=field.computed or any(it.computes for it in children),
        chooses=field.computed or field.defaulted or any(it.chooses for it in children),
    )


def _join(above: Field, fields: Sequence[Field]) -> Field:
    """Return the behaviours of *fields*, which name one place, and of the place *above* it."""
    if not fields:
        return above
    asked = next((it for it in fields if it.lists is not ListBehaviour.ORDERED), above)
    computed = next((it for it in fields if it.computed), above)
    every = (*fields, above)
    return msgspec.structs.replace(
        fields[0],
        **{flag: any(getattr(it, flag) for it in every) for flag in (*_FLAGS, "immutable")},
        derived_from=computed.derived_from,
        lists=asked.lists,
        key=asked.key,
    )
