"""The cases of the provider suite, and the calls that an executor would make of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import uuid4

import msgspec
from msgspec.structs import replace

from provisioning.core.expressions.references import expand_spec
from provisioning.core.model.ids import Mark, ResourceId, RunId, build_resource_id
from provisioning.core.model.kinds import HANDLE, Field, Kind
from provisioning.core.model.providers import (
    Absent,
    Call,
    Observation,
    ObservationTarget,
    Pending,
    Present,
    Provider,
)
from provisioning.core.model.schemas.field_tree import find_values, parse_name
from provisioning.core.model.values import Tree, is_equal, render_path
from provisioning.core.plan.diff import compute_diff

WORKSPACE = f"suite-{uuid4().hex[:8]}"
"""Of this process alone: what is global to a machine is not shared with a suite beside it."""

OWNER = f"{WORKSPACE}/one"
OTHER_OWNER = f"{WORKSPACE}/two"
DEADLINE = 60.0

_KEY = b"the suite's key"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One resource for the suite to try a provider with.

    Where a case takes a function, its argument is the running suite, on which `build_provider`
    has been called: it may hold whatever the function needs to reach the world.

    Args:
        kind: One of the kinds that the provider describes.
        name: The resource's name; with `kind` unique among the cases, and so is its place.
        spec: The spec of a manifest.
        changed_spec: Another spec that an update can reach.
        immutable_change: Another spec that only a replacement can reach.
        foreign: Puts an unmarked resource of this kind into the place that `spec` names.
        unreadable: Makes the resource that was created from `spec` unreadable.
        half: Leaves what a create cut off half-way leaves, for the call it is given.
        finds_strays: True if the provider reports a resource of this kind that was not asked for.
    """

    kind: Kind
    name: str
    spec: Mapping[str, Tree]
    changed_spec: Mapping[str, Tree]
    immutable_change: Mapping[str, Tree] | None = None
    foreign: Callable[[Any], object] | None = None
    unreadable: Callable[[Any], object] | None = None
    half: Callable[[Any, Call], object] | None = None
    finds_strays: bool = True

    def __str__(self) -> str:
        return self.id

    @property
    def id(self) -> ResourceId:
        """The resource's id."""
        return build_resource_id(self.kind.name, self.name)


class CompletedProvider:
    """A provider whose calls are made again, as the engine does, until none is pending."""

    def __init__(self, provider: Provider) -> None:
        self.inner, self.name = provider, provider.name
        self.describe, self.observe = provider.describe, provider.observe
        self.close = provider.close

    def create(self, call: Call) -> Mapping[str, Tree]:
        """Make it, and return its attributes."""
        return dict(self._complete(self.inner.create, call))

    def update(self, call: Call) -> Mapping[str, Tree]:
        """Change it, and return its attributes."""
        return dict(self._complete(self.inner.update, call))

    def delete(self, call: Call) -> None:
        """Remove it."""
        self._complete(self.inner.delete, call)

    def _complete(self, make: Callable[[Call], Any], call: Call) -> Any:
        until = time.monotonic() + call.deadline
        while isinstance(answer := make(call), Pending):
            until = max(until, time.monotonic() + answer.timeout)
            expect(answer.handle, "a pending operation has a handle")
            expect(time.monotonic() < until, f"{call.id} comes to an end", answer.reason)
            time.sleep(answer.seconds)
            call = replace(call, handle=answer.handle)
        return answer


@dataclass(slots=True)
class Trial:
    """One case on one provider, for one owner; remembers what it made, to clear it away."""

    provider: CompletedProvider
    case: Case
    owner: str = OWNER
    _made: list[Call] = field(default_factory=list)
    _operations: Iterator[int] = field(default_factory=lambda: count(1))

    def build_call(
        self, spec: Mapping[str, Tree] | None = None, seen: Present | None = None
    ) -> Call:
        """Build a call of a new operation, for *spec* or the case's, on what was *seen*."""
        wanted = self.case.spec if spec is None else spec
        return Call(
            id=self.case.id,
            kind=self.case.kind.name,
            mark=Mark(f"{self.owner}/{self.case.id}", RunId("7-c0ffee"), next(self._operations)),
            spec=expand(self.case.kind, wanted) if wanted else {},
            attributes=seen.attributes if seen else {},
            deadline=DEADLINE,
        )

    def create(self, call: Call | None = None) -> Call:
        """Create, and return the call that did."""
        call = call or self.build_call()
        self._made.append(call)
        self.provider.create(call)
        return call

    def update(self, spec: Mapping[str, Tree]) -> Call:
        """Update what is there to *spec*, and return the call that did."""
        call = self.build_call(spec, self.read())
        self._made.append(call)
        self.provider.update(call)
        return call

    def take(self, other: Trial) -> Call:
        """Update what *other* has, as moved from its owner, and return the call that did."""
        origin = "/".join(other.owner.split("/")[:2])
        call = replace(self.build_call(self.case.spec, other.read()), origin=origin)
        self._made.append(call)
        self.provider.update(call)
        return call

    def delete(self) -> Call:
        """Delete what is there, and return the call that did."""
        call = self.build_call({}, self.read())
        self.provider.delete(call)
        return call

    def observe(self, spec: Mapping[str, Tree] | None = None) -> Observation:
        """Observe the resource at the place that *spec*, or that of the case, names."""
        return self._observe(self.build_target(spec).attributes)

    def read(self, handle: str = "") -> Present:
        """Observe the resource, which must be there; *handle* is that of an operation."""
        own = {HANDLE: handle} if handle else {}
        seen = self._observe({**self.build_target().attributes, **own})
        if not isinstance(seen, Present):
            raise AssertionError(f"{self.case.id} is to be seen; got {seen}")  # noqa: TRY004 - the provider is wrong, not a type
        return seen

    def expect_made(self, call: Call, spec: Mapping[str, Tree], rule: str) -> None:
        """Blame the provider unless there is what *spec* asks for, with the mark of *call*."""
        seen = self.read()
        expect_spec(self.case, spec, seen.attributes, rule)
        expect(seen.mark == call.mark, f"it bears {call.mark}", seen.mark)

    def build_target(self, spec: Mapping[str, Tree] | None = None) -> ObservationTarget:
        """Build what the engine asks for before the first apply."""
        attributes = expand(self.case.kind, self.case.spec if spec is None else spec)
        return ObservationTarget(id=self.case.id, kind=self.case.kind.name, attributes=attributes)

    def clear(self) -> None:
        """Delete what the trial made, as far as it is still there and still its own."""
        for call in reversed(self._made):
            seen = self._observe(call.spec)
            if isinstance(seen, Present) and seen.mark and seen.mark.owner == call.mark.owner:
                self.provider.delete(self.build_call({}, seen))

    def _observe(self, attributes: Mapping[str, Tree]) -> Observation:
        target = ObservationTarget(id=self.case.id, kind=self.case.kind.name, attributes=attributes)
        return self.provider.observe(self.owner, [target]).answers[0]


def expand(kind: Kind, spec: Mapping[str, Tree]) -> dict[str, Tree]:
    """Turn what a manifest says into what a provider is given."""
    return expand_spec(kind, dict(spec), {})


def find_changed(kind: Kind, spec: Mapping[str, Tree], other: Mapping[str, Tree]) -> set[str]:
    """Return the names of the fields in which two specs differ."""
    one, two = expand(kind, spec), expand(kind, other)
    return {name for name in {*one, *two} if not is_equal(one.get(name), two.get(name))}


def find_replacing(kind: Kind, spec: Mapping[str, Tree], other: Mapping[str, Tree]) -> list[str]:
    """Return the paths at which only a replacement takes *spec* to *other*."""
    old = expand(kind, spec)
    changes = compute_diff(kind, expand(kind, other), old, old, _KEY)
    return [change.path for change in changes if change.replaces]


def read_field(field: Field, values: Mapping[str, Tree]) -> dict[str, Tree]:
    """Return what *values* have of *field*, by path."""
    found = find_values(dict(values), parse_name(field.name))
    return {render_path(path): value for path, value in found}


def find_differences(kind: Kind, spec: Mapping[str, Tree], seen: Mapping[str, Tree]) -> list[str]:
    """Return the paths at which *seen* is not what *spec* asks for.

    A sensitive field that the provider keeps to itself is taken to be right.
    """
    wanted = expand(kind, spec)
    kept_back = {
        name: value
        for name, value in wanted.items()
        if kind.tree.get_key(name).hides and (name not in seen or isinstance(value, dict | list))
    }
    return [change.path for change in compute_diff(kind, wanted, kept_back, seen, _KEY)]


def expect(holds: object, rule: str, got: object = None) -> None:
    """Blame whoever is tried for breaking *rule* unless it *holds*."""
    if not holds:
        raise AssertionError(f"{rule}; got {got!r}" if got is not None else rule)


def expect_absent(seen: Observation, rule: str) -> None:
    """Blame the provider unless *seen* is `Absent`."""
    expect(isinstance(seen, Absent), rule, seen)


def expect_spec(case: Case, spec: Mapping[str, Tree], seen: Mapping[str, Tree], rule: str) -> None:
    """Blame the provider unless *seen* is what *spec* asks for."""
    differences = find_differences(case.kind, spec, seen)
    expect(not differences, f"{rule}, and differs at {', '.join(differences)}", dict(seen))
