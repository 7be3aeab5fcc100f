"""The ways a provider can fail, to be injected where a test wants them.

A fault stands in for one call of a provider: it fails before the effect, after it, half-way,
late, or with an answer that breaks the contract.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import replace

from provisioning.core.model.errors import ProviderError, ProviderThrottled, ProviderTransient
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.providers import Call, Observation, Observed, Present, Provider
from provisioning.core.model.values import Tree
from provisioning.testing.effects import Crash, When

LATCH_SECONDS = 30.0
"""How long a `Latch` holds anything before it gives the test up."""


class Attempt(msgspec.Struct, frozen=True):
    """One call of a provider's *method* with *arguments*, not made yet."""

    provider: Provider
    method: str
    arguments: tuple[Any, ...]

    def run(self) -> Any:
        """Make the call."""
        return getattr(self.provider, self.method)(*self.arguments)

    @property
    def ids(self) -> frozenset[ResourceId]:
        """The resources that it is about; none for a probe."""
        match self.arguments:
            case (Call() as call,):
                return frozenset({call.id})
            case (_, [*targets]):
                return frozenset(target.id for target in targets)
        return frozenset()


Fault: TypeAlias = Callable[[Attempt], Any]
"""Makes the call or does not, and returns or raises what the caller is to see."""


def before(error: BaseException) -> Fault:
    """Raise *error* and have no effect."""

    def fail(_: Attempt) -> Any:
        raise error

    return fail


def after(error: BaseException) -> Fault:
    """Have the whole effect, then raise *error*: the answer is lost."""

    def fail(attempt: Attempt) -> Any:
        attempt.run()
        raise error

    return fail


def transient() -> Fault:
    """Fail without effect in a way that passes."""
    return before(ProviderTransient("the connection was refused"))


def lost() -> Fault:
    """Have the whole effect and lose the answer."""
    return after(ProviderTransient("the answer was lost"))


def throttled(retry_after: float | None = None) -> Fault:
    """Ask for fewer calls; *retry_after* is in seconds."""
    return before(ProviderThrottled("too many calls", retry_after=retry_after))


def permanent() -> Fault:
    """Fail without effect, and at every later try."""
    return before(ProviderError("the request was refused", hint="ask for something else"))


def crash(when: When) -> Fault:
    """Kill the process before the effect or after it; the provider answers nothing any more."""
    return {"before": before, "after": after}[when](Crash(f"killed {when} a provider's effect"))


def half(*kept: str) -> Fault:
    """Make a create leave its work half done: marked, but of its spec only identity and *kept*."""

    def fail(attempt: Attempt) -> Any:
        (call,) = attempt.arguments
        kind = next(item for item in attempt.provider.describe() if item.name == call.kind)
        part = {name: call.spec[name] for name in (*kind.identity, *kept) if name in call.spec}
        replace(attempt, arguments=(replace(call, spec=part),)).run()
        raise ProviderTransient("the connection broke half-way")

    return fail


class Latch:
    """Holds a slow call until the test opens the latch; so no test needs to sleep."""

    def __init__(self) -> None:
        self._arrived = threading.Event()
        self._open = threading.Event()

    def wait_for_arrival(self) -> None:
        """Return when a call waits at the latch.

        Raises:
            TimeoutError: If none came within `LATCH_SECONDS`.
        """
        _wait(self._arrived, "no call came to the latch")

    def open(self) -> None:
        """Let through the calls that wait and all that come."""
        self._open.set()

    def pass_through(self) -> None:
        """Wait until the latch is open.

        Raises:
            TimeoutError: If nobody opened it within `LATCH_SECONDS`.
        """
        self._arrived.set()
        _wait(self._open, "nobody opened the latch")


def _wait(event: threading.Event, complaint: str) -> None:
    if not event.wait(LATCH_SECONDS):
        raise TimeoutError(complaint)


def slow(latch: Latch) -> Fault:
    """Take as long as *latch* is shut, then make the call."""

    def delay(attempt: Attempt) -> Any:
        latch.pass_through()
        return attempt.run()

    return delay


def misbehave(change: Callable[[Any], Any]) -> Fault:
    """Make the call and answer with what *change* turns the true answer into.

    A foreign exception is `before(KeyError("id"))`.
    """
    return lambda attempt: change(attempt.run())


def answering(value: Any) -> Fault:
    """Make the call and answer *value*, of whatever type."""
    return misbehave(lambda _: value)


def too_few_answers() -> Fault:
    """Leave the last answer of an `observe` out."""
    return misbehave(lambda observed: replace(observed, answers=list(observed.answers)[:-1]))


def without(*fields: str) -> Fault:
    """Leave *fields* out of every set of attributes that is answered."""

    def strip(attributes: Mapping[str, Tree]) -> dict[str, Tree]:
        return {name: value for name, value in attributes.items() if name not in fields}

    def strip_one(answer: Observation) -> Observation:
        if isinstance(answer, Present):
            return replace(answer, attributes=strip(answer.attributes))
        return answer

    def change(answer: Any) -> Any:
        if isinstance(answer, Observed):
            return replace(answer, answers=[strip_one(item) for item in answer.answers])
        return strip(answer)

    return misbehave(change)
