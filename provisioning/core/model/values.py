"""Trees of plain values, and what can stand at a leaf besides: unknown and sensitive.

A tree is what JSON can say (null, booleans, numbers, strings, lists, maps with string keys),
plus `bytes` for content that is not text.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NewType, Self, TypeAlias

import msgspec

from provisioning.core.model.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Tree: TypeAlias = Any
"""A value of a tree. `Any`, because a recursive union makes every reader cast."""

Path: TypeAlias = tuple[str | int, ...]
"""The way from a tree's root to a value: keys and list positions."""

Digest = NewType("Digest", str)

UNDECODABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""What decoding raises for bytes that are not ours; the last for those that nest too deep."""


class Unknown(msgspec.Struct, frozen=True):
    """A value that exists only after *reference* was applied."""

    reference: str

    def __str__(self) -> str:
        return "(known after apply)"


class Sensitive(msgspec.Struct, frozen=True):
    """Stands for a value that must not be shown: only its keyed fingerprint is kept."""

    fingerprint: str

    def __str__(self) -> str:
        return "***"


class Omitted(msgspec.Struct, frozen=True):
    """Stands for content too large to keep: its SHA-256 and its size in bytes."""

    sha256: str
    bytes: int

    def __str__(self) -> str:
        return f"({self.bytes} bytes, sha256:{self.sha256[:12]})"


def render_canonical(value: Tree) -> bytes:
    """Write *value* as canonical JSON: sorted keys, no white space, UTF-8.

    `Unknown`, `Sensitive` and `Omitted` become one-key maps; equal trees give equal bytes.
    """
    return _canonical.encode(value)


def _encode_leaf(value: object) -> object:
    if isinstance(value, bytes):
        return as_json(summarise(value))
    raise TypeError(f"{type(value).__name__} is not a value of a tree")


_canonical = msgspec.json.Encoder(order="sorted", enc_hook=_encode_leaf)


def as_json(value: Tree) -> Tree:
    """Return *value* with every special leaf as the one-key map that stands for it in JSON."""
    match value:
        case dict():
            return {_escape(key): as_json(item) for key, item in value.items()}
        case list() | tuple():
            return [as_json(item) for item in value]
        case Unknown():
            return {"$unknown": value.reference}
        case Sensitive():
            return {"$sensitive": value.fingerprint}
        case Omitted():
            return {"$omitted": {"sha256": value.sha256, "bytes": value.bytes}}
        case bytes():
            return as_json(summarise(value))
    return value


def _escape(key: str) -> str:
    return "$" + key if key.startswith("$") else key


def from_json(value: Tree) -> Tree:
    """Return the tree that `as_json` made *value* from."""
    match value:
        case {"$unknown": str(reference)} if len(value) == 1:
            return Unknown(reference)
        case {"$sensitive": str(fingerprint)} if len(value) == 1:
            return Sensitive(fingerprint)
        case {"$omitted": {"sha256": str(sha256), "bytes": int(size)}} if len(value) == 1:
            return Omitted(sha256, size)
        case dict():
            return {key.removeprefix("$"): from_json(item) for key, item in value.items()}
        case list():
            return [from_json(item) for item in value]
    return value


def compute_digest(value: Tree) -> Digest:
    """Return `sha256:` and the hexadecimal SHA-256 of *value*'s canonical JSON."""
    return Digest("sha256:" + hashlib.sha256(render_canonical(as_json(value))).hexdigest())


class FingerprintKey(bytes):
    """The key of fingerprints; *former* are the keys before it, newest first.

    A fingerprint under a former key stands for the same value until the next run renews it.
    """

    former: tuple[bytes, ...] = ()

    def __new__(cls, key: bytes, former: Iterable[bytes] = ()) -> Self:
        """Return *key* with the *former* ones."""
        self = super().__new__(cls, key)
        self.former = tuple(former)
        return self


def list_keys(key: bytes) -> tuple[bytes, ...]:
    """Return *key*, and those before it."""
    return (key, *(key.former if isinstance(key, FingerprintKey) else ()))


def compute_fingerprint(value: Tree, key: bytes) -> Sensitive:
    """Return the HMAC-SHA-256 of *value* under *key*; without the key it tells nothing."""
    mac = hmac.new(key, render_canonical(as_json(value)), hashlib.sha256)
    return Sensitive("hmac-sha256:" + mac.hexdigest())


def summarise(content: str | bytes) -> Omitted:
    """Return the digest and size that stand for *content* where it is not kept."""
    raw = content.encode() if isinstance(content, str) else content
    return Omitted(hashlib.sha256(raw).hexdigest(), len(raw))


def is_equal(one: Tree, other: Tree) -> bool:
    """Compare two trees as JSON does: `1` is not `true`, `1` is `1.0`, order of keys is nothing."""
    if one is other:
        return True
    match one, other:
        case (bool(), _) | (_, bool()):
            return isinstance(one, bool) and isinstance(other, bool) and one == other
        case dict(), dict():
            return one.keys() == other.keys() and all(is_equal(one[k], other[k]) for k in one)
        case (list() | tuple(), list() | tuple()):
            return len(one) == len(other) and all(map(is_equal, one, other))
        case (Omitted(), str() | bytes()):
            return one == summarise(other)
        case (str() | bytes(), Omitted()):
            return other == summarise(one)
    return bool(one == other)


def is_deeper(value: Tree, depth: int) -> bool:
    """Tell whether maps and lists lie inside each other more than *depth* times."""
    level = [value]
    for _ in range(depth + 1):
        trees = [item for item in level if isinstance(item, dict | list | tuple)]
        if not trees:
            return False
        level = [
            item for tree in trees for item in (tree.values() if isinstance(tree, dict) else tree)
        ]
    return bool(level)


def find_strange(value: Tree) -> Tree:
    """Return something in *value* that is no value of a tree and no key of one, if anything is.

    *value* must not nest without end: ask `is_deeper` first.
    """
    match value:
        case None | bool() | str() | int() | bytes() | Omitted() | Sensitive():
            return None
        case float():
            return None if math.isfinite(value) else value
        case dict():
            strange = next((key for key in value if not isinstance(key, str)), None)
            if strange is not None:
                return strange
            items = iter(value.values())
        case list() | tuple():
            items = iter(value)
        case _:
            return value
    return next((found for item in items if (found := find_strange(item)) is not None), None)


def has_unknown(value: Tree) -> bool:
    """Tell whether any leaf of *value* is known only after apply."""
    match value:
        case dict():
            return any(has_unknown(item) for item in value.values())
        case list() | tuple():
            return any(has_unknown(item) for item in value)
    return isinstance(value, Unknown)


def find_unknown(value: Tree) -> Unknown | None:
    """Return the first leaf of *value* that is known only after apply."""
    if isinstance(value, Unknown):
        return value
    items = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list | tuple):
        return next((found for item in items if (found := find_unknown(item))), None)
    return None


def replace_at(tree: Tree, path: Path, change: Callable[[Tree], Tree]) -> Tree:
    """Return *tree* with the value at *path* changed; what lies beside the path is shared."""
    if not path:
        return change(tree)
    head, *rest = path
    copy: Tree = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[head] = replace_at(tree[head], tuple(rest), change)
    return copy


def render_path(path: Path) -> str:
    """Write *path* as people do: `ready.tcp`, `command[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def read_at(tree: Tree, path: Path) -> Tree:
    """Return the value at *path*.

    Raises:
        KeyError: If there is none.
    """
    for step in path:
        match tree, step:
            case dict(), _ if step in tree:
                tree = tree[step]
            case (list() | tuple(), int()) if -len(tree) <= step < len(tree):
                tree = tree[step]
            case _:
                raise KeyError(step)
    return tree


def find_nearest(word: str, known: Mapping[str, object] | set[str] | list[str]) -> str | None:
    """Return the entry of *known* that *word* is most likely a slip of, if any."""
    import difflib

    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


def parse_field(text: str) -> Path:
    """Read the path of a field below `spec`: `.spec.vars.title`, `vars.title`, `command[0]`.

    Raises:
        InvalidArgument: If it is no path.
    """
    rest = text.removeprefix(".")
    rest = "" if rest == "spec" else rest.removeprefix("spec.")
    steps: list[str | int] = []
    position = 0
    while position < len(rest):
        match = _STEP.match(rest, position)
        if match is None:
            raise InvalidArgument(
                f"{text!r} is not the path of a field", hint="write .spec.FIELD, as in .spec.mode"
            )
        steps.append(match[1] if match[2] is None else int(match[2]))
        position = match.end()
    return tuple(steps)
