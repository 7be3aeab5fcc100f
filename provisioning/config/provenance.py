"""The layers of settings: their values, the origin of each, and which one wins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from provisioning.config.registry import list_groups, list_maps, load_settings
from provisioning.config.setting import Layer
from provisioning.core.expressions.interpolation import Reference, find_templated, parse_text
from provisioning.core.model.errors import InvalidConfiguration, Source
from provisioning.core.model.values import Tree, find_nearest, read_at


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a value came from: a file and its line, or the name of a variable or flag."""

    layer: Layer
    source: Source | None = None
    name: str = ""

    def __str__(self) -> str:
        return str(self.source or self.name or self.layer)


class SettingValue(msgspec.Struct, frozen=True):
    """One value, as it was written, and where it came from."""

    value: Tree
    origin: Origin


Branch: TypeAlias = dict[str, Any]
"""A map whose entries are branches or, at its leaves, `SettingValue`s. A list is a leaf."""


class Loaded(msgspec.Struct, frozen=True):
    """One layer: the file it is read from ("" if it has none), and what it sets."""

    layer: Layer
    place: str
    tree: Branch


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a key in one layer; `origin` is None if the layer does not set it."""

    layer: Layer
    place: str
    value: Tree = None
    origin: Origin | None = None
    wins: bool = False


class Layers(msgspec.Struct, frozen=True):
    """Every layer, lowest first, and what they give together.

    Args:
        stack: The layers.
        tree: The winning values, as they were written.
        resolved: Those of them whose interpolations are resolved, by key.
    """

    stack: tuple[Loaded, ...]
    tree: Branch
    resolved: Mapping[str, SettingValue] = msgspec.field(default_factory=dict)

    def get(self, key: str) -> SettingValue:
        """Return the winning value of *key*.

        Raises:
            KeyError: If *key* is no setting, and no value below a map.
        """
        value = self.resolved.get(key) or read_at(self.tree, tuple(key.split(".")))
        if not isinstance(value, SettingValue):
            raise KeyError(key)
        return value

    def list_keys(self) -> list[str]:
        """Return every key that has a value, in the order of the registry."""
        own = (key for item in sorted(list_maps()) for key, _ in list_leaves(self.tree[item], item))
        return [*(key for key in load_settings() if key not in list_maps()), *own]

    def list_references(self) -> dict[str, list[str]]:
        """Return the references in the value of each key that has any, each once."""
        found: dict[str, list[str]] = {}
        for key, value in list_leaves(self.tree):
            texts = [text for _, text in find_templated(value.value)]
            parts = [part for text in texts for part in parse_text(text)]
            names = [str(part) for part in parts if isinstance(part, Reference)]
            if names:
                found[key] = list(dict.fromkeys(names))
        return found

    def merge(self) -> dict[str, Tree]:
        """Return the plain tree of all winning values."""
        tree = self.tree
        for key, value in self.resolved.items():
            tree = merge_branches(tree, nest(key, value))
        plain: dict[str, Tree] = as_plain(tree)
        return plain

    def explain(self, key: str) -> tuple[Explained, ...]:
        """Return the value of *key*, a setting or a map of them, in each layer, lowest first.

        Raises:
            InvalidConfiguration: If there is no such key.
        """
        path = tuple(key.split("."))
        winners = find_branch(self.tree, path)
        if winners is None:
            raise describe_unknown(key, None, self.list_keys())
        wins = {id(value) for _, value in list_leaves(winners)}
        return tuple(_explain(item, path, wins) for item in self.stack)


def _explain(loaded: Loaded, path: tuple[str, ...], wins: set[int]) -> Explained:
    found = find_branch(loaded.tree, path)
    values = [value for _, value in list_leaves(found or {})]
    if found is None or not values:
        return Explained(layer=loaded.layer, place=loaded.place)
    return Explained(
        layer=loaded.layer,
        place=loaded.place,
        value=as_plain(found),
        origin=values[0].origin,
        wins=any(id(value) in wins for value in values),
    )


def find_branch(tree: Branch, path: tuple[str, ...]) -> Branch | SettingValue | None:
    """Return what stands at *path* of *tree*; None if nothing does."""
    try:
        found: Branch | SettingValue = read_at(tree, path)
    except KeyError:
        return None
    return found


def nest(key: str, value: Any) -> Branch:
    """Return the branch in which *value* stands at the dotted *key*."""
    *groups, name = key.split(".")
    branch: Branch = {name: value}
    for group in reversed(groups):
        branch = {group: branch}
    return branch


def merge_branches(low: Branch, high: Branch) -> Branch:
    """Return *low* with *high* over it: maps merge by key, anything else is replaced."""
    merged = dict(low)
    for name, value in high.items():
        old = merged.get(name)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[name] = merge_branches(merged[name], value) if both else value
    return merged


def list_leaves(tree: Branch | SettingValue, key: str = "") -> Iterator[tuple[str, SettingValue]]:
    """Yield dotted key and value of every leaf of *tree*."""
    if isinstance(tree, SettingValue):
        yield key, tree
        return
    for name, below in tree.items():
        yield from list_leaves(below, f"{key}.{name}" if key else name)


def as_plain(tree: Branch | SettingValue) -> Tree:
    """Return *tree* without where its values came from."""
    if isinstance(tree, SettingValue):
        return tree.value
    return {name: as_plain(below) for name, below in tree.items()}


def describe_unknown(
    key: str, origin: Origin | None, known: Sequence[str] = ()
) -> InvalidConfiguration:
    """Build the error for a key that is no setting, with the nearest one that is."""
    nearest = find_nearest(key, [*load_settings(), *list_groups(), *known])
    name = origin.name if origin else ""
    if nearest and name.isupper():
        nearest = "PROVISIONING_" + nearest.upper().replace(".", "__")
    return InvalidConfiguration(
        f"there is no setting {key!r}" + (f" ({name})" if name else ""),
        hint=f"did you mean {nearest!r}?"
        if nearest
        else "`provisioning config show` lists them; your own belong below `values`",
        source=origin.source if origin else None,
    )
