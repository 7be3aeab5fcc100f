"""What a reference reads: what it names, and through settings what these refer to. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TypeAlias

Settings: TypeAlias = Mapping[str, Collection[str]]
"""The references in the value of each setting that has any, by the setting's dotted key."""

Ways: TypeAlias = Mapping[str, tuple[str, ...]]
"""All that a reference reads, each with the settings on the shortest way to it."""


def find_ways(reference: str, settings: Settings) -> Ways:
    """Return what *reference* reads: itself, and what the settings that it names refer to."""
    ways: dict[str, tuple[str, ...]] = {reference: ()}
    front = [reference]
    for name in front:
        for key in _list_named(name, settings):
            way = (*ways[name], f"config.{key}")
            new = [setting for setting in settings[key] if setting not in ways]
            ways |= dict.fromkeys(new, way)
            front += new
    return ways


def _list_named(reference: str, settings: Settings) -> Iterator[str]:
    """Yield the settings that *reference* names; a map is all that lies in it."""
    namespace, _, name = reference.partition(".")
    if namespace == "config":
        yield from (key for key in settings if is_related(key, name))


def is_related(one: str, other: str) -> bool:
    """Tell whether two dotted names are the same, or one lies in the other."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")
