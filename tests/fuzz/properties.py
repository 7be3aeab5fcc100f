"""What must hold of every parser of outside bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from provisioning.core.model.errors import InvalidWorkspace, ProvisioningError
from provisioning.core.model.values import Tree

T = TypeVar("T")


class Broken(Exception):
    """A parser did not keep its promise."""


def hold(truth: object, message: str) -> None:
    """Make sure that *truth* is true; unlike `assert` it stays under `python -O`."""
    if not truth:
        raise Broken(message)


def hold_same(one: object, other: object, message: str) -> None:
    """Make sure that both are the same in value, type and order."""
    hold(repr(one) == repr(other), f"{message}:\n  {one!r}\n  {other!r}")


def read_or_refuse(read: Callable[[], T], *, in_text: bytes | None = None) -> T | None:
    """Return what *read* gives, twice the same; None if it refuses as errors of ours must.

    Args:
        read: Calls the parser.
        in_text: The text that an error must name a line of, if it must.
    """
    value, refusal = _attempt(read)
    again = _attempt(read)
    hold_same(
        (value, _describe(refusal)), (again[0], _describe(again[1])), "read twice, it differs"
    )
    for problem in _list_problems(refusal):
        hold(problem.message.strip(), "an error says nothing")
        hold(problem.hint or "must be" in problem.message, f"an error names no way out: {problem}")
        hold(in_text is None or _is_place(problem, in_text or b""), f"no such line: {problem}")
    return value


def _attempt(read: Callable[[], T]) -> tuple[T | None, ProvisioningError | None]:
    try:
        return read(), None
    except ProvisioningError as exc:
        return None, exc


def _list_problems(refusal: ProvisioningError | None) -> tuple[ProvisioningError, ...]:
    if isinstance(refusal, InvalidWorkspace):
        return refusal.problems
    return (refusal,) if refusal else ()


def _describe(refusal: ProvisioningError | None) -> list[tuple[Any, ...]]:
    return [(type(it), it.message, it.hint, it.source) for it in _list_problems(refusal)]


def _is_place(problem: ProvisioningError, text: bytes) -> bool:
    return problem.source is not None and 1 <= problem.source.line <= len(text.splitlines()) + 1


@contextmanager
def stored(data: bytes) -> Iterator[Path]:
    """Give a file that holds *data*, in a folder of its own."""
    with tempfile.TemporaryDirectory(dir=SHELF) as folder:
        path = Path(folder, "file")
        path.write_bytes(data)
        yield path


SHELF = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where files cost no disk, if the system has such a place."""


def split_files(data: bytes) -> dict[str, bytes]:
    """Take *data* apart at its lines `=== NAME`, so that one input can be several files."""
    _, *parts = (b"\n" + data).split(b"\n=== ")
    pairs = (part.partition(b"\n") for part in parts)
    return {name.decode(errors="replace"): content for name, _, content in pairs}


def find_depth(tree: Tree) -> int:
    """Return how many maps and lists lie inside each other, without recursion."""
    level, depth = [tree], 0
    while level := [it for it in level if isinstance(it, dict | list | tuple)]:
        level = [it for each in level for it in (each.values() if isinstance(each, dict) else each)]
        depth += 1
    return depth
