"""The content of a SOPS file: ordered branches, lists, typed scalars, and comments.

A scalar is a `str`, `int`, `float`, `bool`, `Timestamp` or None. Text stands for the bytes of
a file: those that are not UTF-8 are lone surrogates (PEP 383), so that any file goes through.
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import msgspec

from sops_python.errors import PathNotFound, SopsError

Value: TypeAlias = Any
"""A scalar, a `Comment`, a `Branch` or a list of values."""

Step: TypeAlias = str | int
"""A key of a branch, or a position in a list counted from 0."""


class Confidential(msgspec.Struct, frozen=True):
    """A value with plain text or keys in it; its repr shows the type alone."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"


class Comment(msgspec.Struct, frozen=True):
    """A comment, without its mark; `is_inline` if it stands behind a value."""

    text: str
    is_inline: bool = False


class Timestamp(msgspec.Struct, frozen=True):
    """A moment, as RFC 3339 writes it."""

    text: str


class Branch(list[Any]):
    """Pairs of keys and values, in the order of the file.

    A key is a `str`, or a `Comment` whose value is None.
    """

    def get(self, key: str) -> Value:
        """Return the value of *key*; None if there is none."""
        return next((value for name, value in self if name == key), None)


def encode_text(text: str) -> bytes:
    """Return the bytes that *text* stands for."""
    return text.encode("utf-8", "surrogateescape")


def decode_text(data: bytes) -> str:
    """Return the text that stands for *data*."""
    return data.decode("utf-8", "surrogateescape")


def as_plain(value: Value) -> Value:
    """Return *value* as dicts, lists and scalars, without comments."""
    match value:
        case Branch():
            return {key: as_plain(item) for key, item in value if not isinstance(key, Comment)}
        case list():
            return [as_plain(item) for item in value if not isinstance(item, Comment)]
        case Timestamp():
            return value.text
    return value


def from_plain(value: Value) -> Value:
    """Return the tree of the dicts and lists that *value* is made of."""
    match value:
        case dict():
            return Branch((key, from_plain(item)) for key, item in value.items())
        case list():
            return [from_plain(item) for item in value]
    return value


_STEP = re.compile(r"""\[(?:(["'])(.*)\1|(\d+))\]\Z""", re.DOTALL)


def parse_path(text: str) -> tuple[Step, ...]:
    """Read a path as `sops --extract` takes it: `["key"][0]`.

    Raises:
        SopsError: If it is not one.
    """
    steps: list[Step] = []
    for piece in text.split("[")[1:] if text.startswith("[") else [text] if text else []:
        match = _STEP.match(f"[{piece}")
        if not match:
            raise SopsError(
                f"{text!r} is not a path",
                hint="""write it as '["key"][0]["other"]'""",
                exit_code=91,
            )
        steps.append(int(match[3]) if match[3] else match[2])
    return tuple(steps)


def read_path(tree: Value, path: tuple[Step, ...]) -> Value:
    """Return the value at *path*.

    Raises:
        PathNotFound: If there is none.
    """
    for step in path:
        tree = _descend(tree, step)
    return tree


def _descend(tree: Value, step: Step) -> Value:
    if isinstance(step, int):
        if isinstance(tree, Branch) or not isinstance(tree, list):
            raise PathNotFound(f"component [{step}] is integer, but tree part is not a slice")
        items = [item for item in tree if not isinstance(item, Comment)]
        if step >= len(items):
            raise PathNotFound(f"component [{step}] accesses out of bounds")
        return items[step]
    for key, value in tree if isinstance(tree, Branch) else ():
        if key == step:
            return value
    raise PathNotFound(f"component [{step!r}] not found")


def write_path(tree: Value, path: tuple[Step, ...], value: Value) -> Value:
    """Return *tree* with *value* at *path*; what is missing on the way is made.

    Raises:
        PathNotFound: If *path* has a key where there is a list, or the other way round.
    """
    if not path:
        return value
    step, *rest = path
    if isinstance(tree, list) and isinstance(tree, Branch) is not isinstance(step, str):
        kind = "a map, which has keys" if isinstance(tree, Branch) else "a list, counted from 0"
        raise PathNotFound(f"{step!r} cannot be set in {kind}", hint="`sops decrypt` shows them")
    if isinstance(tree, Branch) and isinstance(step, str):
        return _write_key(tree, step, tuple(rest), value)
    if isinstance(tree, list) and isinstance(step, int) and not isinstance(tree, Branch):
        items = list(tree)
        if step >= len(items):
            return [*items, write_path(None, tuple(rest), value)]
        items[step] = write_path(items[step], tuple(rest), value)
        return items
    below = write_path(None, tuple(rest), value)
    return Branch([(step, below)]) if isinstance(step, str) else [below]


def _write_key(branch: Branch, step: str, rest: tuple[Step, ...], value: Value) -> Branch:
    pairs = Branch(branch)
    for index, (key, old) in enumerate(pairs):
        if key == step:
            pairs[index] = (key, write_path(old, rest, value))
            return pairs
    pairs.append((step, write_path(None, rest, value)))
    return pairs


def remove_path(tree: Value, path: tuple[Step, ...]) -> Value:
    """Return *tree* without what stands at *path*.

    Raises:
        PathNotFound: If nothing stands there.
    """
    step, *rest = path
    if isinstance(tree, Branch):
        for index, (key, old) in enumerate(tree):
            if key == step:
                below = [] if not rest else [(key, remove_path(old, tuple(rest)))]
                return Branch([*tree[:index], *below, *tree[index + 1 :]])
        raise PathNotFound(f"Key not found: {step}")
    if isinstance(tree, list) and isinstance(step, int):
        if step >= len(tree):
            raise PathNotFound(f"Index {step} out of bounds")
        below = [] if not rest else [remove_path(tree[step], tuple(rest))]
        return [*tree[:step], *below, *tree[step + 1 :]]
    raise PathNotFound(f"nothing can be removed below {step!r}: it holds a single value")
