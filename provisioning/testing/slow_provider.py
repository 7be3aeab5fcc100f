"""A provider whose operations take a while, as a cloud's do.

    operations = Operations(steps=3)
    provider = SlowProvider(MemoryProvider(world), operations)

answers each change with `Pending` until it was asked about three times, by a call with the handle
or by an observation. Several providers may share the operations, as processes share a cloud: one
that is opened after a restart finds the operations that another began.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from provisioning.core.model.errors import ProviderError
from provisioning.core.model.kinds import HANDLE, Kind
from provisioning.core.model.providers import (
    Absent,
    Answer,
    Call,
    Observation,
    ObservationTarget,
    Observed,
    Pending,
    Present,
    Provider,
)
from provisioning.core.model.values import Tree


@dataclass(slots=True)
class OpenOperation:
    """One operation: the method and call that began it, and the steps that it still takes."""

    method: str
    call: Call
    steps: int


@dataclass(slots=True)
class Operations:
    """All operations of a slow world, by their handles; `begun` counts them.

    `is_visible`: a resource is seen before the operation that makes it has ended.
    """

    steps: int = 3
    is_visible: bool = True
    begun: int = 0
    open: dict[str, OpenOperation] = field(default_factory=dict)


class SlowProvider:
    """Passes calls on to *inner* when their operation has taken all its steps."""

    def __init__(self, inner: Provider, operations: Operations) -> None:
        self.name, self._inner, self._operations = inner.name, inner, operations

    def describe(self) -> Sequence[Kind]:
        """Return the kinds of the inner provider."""
        return self._inner.describe()

    def create(self, call: Call) -> Answer:
        """Begin a creation, or ask about it."""
        answer: Answer = self._make("create", call)
        return answer

    def update(self, call: Call) -> Answer:
        """Begin an update, or ask about it; an operation under way ends first."""
        answer: Answer = self._make("update", call)
        return answer

    def delete(self, call: Call) -> Pending | None:
        """Begin a removal, or ask about it; an operation under way ends first."""
        answer: Pending | None = self._make("delete", call)
        return answer

    def observe(self, owner: str, targets: Sequence[ObservationTarget]) -> Observed:
        """Observe *targets*; one with an operation under way has its handle."""
        open_now = {
            item.call.mark.owner: handle
            for handle, item in list(self._operations.open.items())
            if not self._advance(handle)
        }
        observed = self._inner.observe(owner, targets)
        answers = [
            self._observe_open(open_now.get(f"{owner}/{target.id}"), target.attributes, answer)
            for target, answer in zip(targets, observed.answers, strict=True)
        ]
        return replace(observed, answers=answers)

    def close(self) -> None:
        """Close the inner provider; operations go on."""
        self._inner.close()

    def _observe_open(
        self, handle: str | None, asked: Mapping[str, Tree], answer: Observation
    ) -> Observation:
        if handle is None:
            return answer
        if isinstance(answer, Present):
            return Present({**answer.attributes, HANDLE: handle}, answer.mark)
        begun = self._operations.open[handle].call
        is_seen = self._operations.is_visible or asked.get(HANDLE) == handle
        return Present({**begun.spec, HANDLE: handle}, begun.mark) if is_seen else Absent()

    def _make(self, method: str, call: Call) -> Any:
        kind = next(item for item in self.describe() if item.name == call.kind)
        make: Callable[[Call], Any] = getattr(self._inner, method)
        operations = self._operations
        under_way = operations.open.get(call.handle)
        if call.handle and under_way is None and not call.handle.startswith(f"{method}-"):
            call = replace(call, handle="")
        if kind.recorded_only or (call.handle and under_way is None):
            return make(replace(call, handle=""))
        if under_way is None:
            operations.begun += 1
            handle = f"{method}-{operations.begun}"
            under_way = operations.open[handle] = OpenOperation(method, call, operations.steps)
            return Pending(handle=handle, reason=f"{method} has begun", seconds=0.0)
        if not self._advance(call.handle):
            reason = f"{under_way.steps} steps to go"
            return Pending(handle=call.handle, reason=reason, seconds=0.0)
        return make(replace(call, handle=""))

    def _advance(self, handle: str) -> bool:
        """Take a step of the operation, and return whether it was the last."""
        operation = self._operations.open[handle]
        operation.steps -= 1
        if operation.steps > 0:
            return False
        del self._operations.open[handle]
        try:
            getattr(self._inner, operation.method)(operation.call)
        except ProviderError:
            return True  # the call that asks next meets the same error
        return True
