"""Changes inputs by what they say: libFuzzer sees no branches in msgspec, which is C."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

import msgspec

from provisioning.core.model.values import Path, Tree, read_at, replace_at

MutateBytes = Callable[[bytes, int], bytes]
Mutator = Callable[[bytes, int, int], bytes]

ODD = (
    *(None, True, False, 0, -1, 2**63, 2**64 - 1, 10**30, 0.5, -0.0, 1e308, "", "-", "x" * 300),
    *("\0", "\x1b[31m", "\u2028", "\U0001f600", "{{env.X}}", "../..", "File/motd", "7-abcdef"),
    *([], {}, [[]], {"": None}, {"$unknown": "x"}, {"$sensitive": "x"}, {"$$": 1}, {"$": {}}),
    *({"$omitted": {"sha256": "x", "bytes": 1}}, {"$omitted": {}}, {"$unknown": 1}),
)
"""Values that somebody may not have thought of."""

BYTES_ONLY, EVEN = 0.3, 0.5
"""How often a change is one of bytes, and how often anything with two sides."""


def mutate_json(mutate_bytes: MutateBytes) -> Mutator:
    """Build a mutator that changes one value of a JSON text in the input; at times only bytes."""

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        random = Random(seed)
        text = data.decode(errors="replace")
        spans = list(_find_spans(text))
        if not spans or random.random() < BYTES_ONLY:
            return mutate_bytes(data, longest)
        tree, start, end = random.choice(spans)
        changed = json.dumps(_change(tree, random), ensure_ascii=random.random() < EVEN)
        return (text[:start] + changed + text[end:]).encode(errors="replace")[:longest]

    return mutate


def mutate_msgpack(mutate_bytes: MutateBytes) -> Mutator:
    """Build a mutator that changes one value of MessagePack; at times only bytes."""

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        random = Random(seed)
        try:
            changed = msgspec.msgpack.encode(_change(msgspec.msgpack.decode(data), random))
        except (msgspec.DecodeError, ValueError, OverflowError, RecursionError, TypeError):
            return mutate_bytes(data, longest)
        return mutate_bytes(data, longest) if random.random() < BYTES_ONLY else changed[:longest]

    return mutate


def _find_spans(text: str) -> Iterator[tuple[Tree, int, int]]:
    """Yield every JSON map or list that begins a line or follows a `=`, and where it stands."""
    for found in re.finditer(r"(?:^|=)(?=[{\[])", text, re.MULTILINE):
        with suppress(ValueError, RecursionError):
            tree, end = json.JSONDecoder().raw_decode(text, found.end())
            yield tree, found.end(), end


def _change(tree: Tree, random: Random) -> Tree:
    places = list(_list_places(tree))
    path = random.choice(places)
    other = (
        read_at(tree, random.choice(places)) if random.random() < BYTES_ONLY else random.choice(ODD)
    )
    if not path or random.random() < EVEN:
        return replace_at(tree, path, lambda _: other)
    return replace_at(tree, path[:-1], lambda it: _add_or_remove(it, path[-1], other, random))


def _add_or_remove(tree: Any, step: str | int, other: Tree, random: Random) -> Tree:
    if isinstance(tree, list):
        return [*tree, other] if random.random() < EVEN else tree[:step]
    if random.random() < EVEN:
        return {key: value for key, value in tree.items() if key != step}
    return {**tree, str(random.choice(["format", "more", "", "$x", step])): other}


def _list_places(tree: Tree, path: Path = ()) -> Iterator[Path]:
    yield path
    if isinstance(tree, dict | list):
        for step, below in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _list_places(below, (*path, step))
