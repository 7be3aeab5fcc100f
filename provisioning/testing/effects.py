"""Cuts a run off at its n-th effect, as `kill -9` would, and lists the effects it had.

An effect is a call of a function that the caller names: a rename, a push, a provider's `create`.

    points = [PatchPoint(os, "replace", "rename"), PatchPoint(provider, "create", "create")]
    with cut_at(3, points, when="after") as trace:
        run()
    assert trace.effects == ["rename", "create", "rename"]
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeAlias
from unittest import mock

When: TypeAlias = Literal["before", "after"]


class Crash(BaseException):
    """The process was killed. Nothing may catch it, as nothing can catch `kill -9`."""


class PatchPoint(NamedTuple):
    """A function that has an effect: the module, class or object it belongs to, and its name.

    To trace a class's instances name its method, as `(subprocess.Popen, "__init__", "spawn")`:
    the class itself must stay a class.
    """

    owner: Any
    attribute: str
    label: str


class CutOff:
    """Traces the effects of a `with` block and, if *at* is given, cuts it off at one.

    The n-th call raises `Crash` before it does anything, or after it did everything. From
    then on every further traced call raises `Crash` too, whichever thread makes it: a dead
    process writes nothing in its `finally` blocks. The block's own `Crash` ends there. Join
    the threads of what is traced inside the block; outside it nothing is held back.

    Attributes:
        effects: The labels of the calls made so far, in order, the cut one included.
        is_cut: True once the cut was reached.
    """

    def __init__(
        self, points: Iterable[PatchPoint], *, at: int | None = None, when: When = "before"
    ) -> None:
        self.effects: list[str] = []
        self.is_cut = False
        self._points = tuple(points)
        self._at = at
        self._when = when
        self._lock = threading.Lock()
        self._patches = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as patches:
            for point in self._points:
                patched = mock.patch.object(point.owner, point.attribute, self._trace(point))
                patches.enter_context(patched)
            self._patches = patches.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        self._patches.close()
        return self.is_cut and isinstance(error, Crash)

    def _trace(self, point: PatchPoint) -> Any:
        original = getattr(point.owner, point.attribute)

        @functools.wraps(original)
        def traced(*arguments: Any, **named: Any) -> Any:
            number = self._enter(point.label)
            try:
                return original(*arguments, **named)
            finally:
                self._leave(number)

        return staticmethod(traced) if _is_unbound(point) else traced

    def _enter(self, label: str) -> int:
        with self._lock:
            self._check_alive()
            self.effects.append(label)
            number = len(self.effects)
            self.is_cut = number == self._at and self._when == "before"
            self._check_alive()
        return number

    def _leave(self, number: int) -> None:
        with self._lock:
            self.is_cut = self.is_cut or number == self._at
            self._check_alive()

    def _check_alive(self) -> None:
        if self.is_cut:
            raise Crash(f"cut {self._when} effect {self._at}: {self.effects[-1]}")


def _is_unbound(point: PatchPoint) -> bool:
    found = inspect.getattr_static(point.owner, point.attribute)
    return inspect.isclass(point.owner) and isinstance(found, staticmethod | classmethod)


def trace_effects(points: Iterable[PatchPoint]) -> CutOff:
    """List the effects of a `with` block and cut nothing off."""
    return CutOff(points)


def cut_at(number: int, points: Iterable[PatchPoint], *, when: When) -> CutOff:
    """Cut a `with` block off before or after its effect *number*, counted from 1."""
    return CutOff(points, at=number, when=when)
