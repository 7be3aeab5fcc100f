"""What providers are asked and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import msgspec

from provisioning.core.model.ids import Mark, ResourceId
from provisioning.core.model.kinds import HANDLE, Kind
from provisioning.core.model.resources import API_VERSION
from provisioning.core.model.values import Tree


class Present(msgspec.Struct, frozen=True):
    """It is there: its attributes under the names its spec uses, and the mark it bears.

    A true attribute `leftover` says that a call that was cut off left it unfinished, or left
    something beside it, and that `update` clears that away.
    """

    attributes: Mapping[str, Tree]
    mark: Mark | None

    @property
    def handle(self) -> str:
        """The handle of the operation on it that is under way; "" if there is none."""
        return str(self.attributes.get(HANDLE, ""))

    @property
    def is_unfinished(self) -> bool:
        """Whether an update must end what a call that was cut off began or left."""
        return bool(self.attributes.get("leftover") or self.handle)


class Absent(msgspec.Struct, frozen=True):
    """It was looked for, and is proven not to be there."""


class Unreadable(msgspec.Struct, frozen=True):
    """It could not be looked at; nothing may be concluded from that."""

    reason: str


Observation: TypeAlias = Present | Absent | Unreadable


class ObservationTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One resource to look at: its id, kind, instance, and where it should be or was recorded.

    `attributes` hold what was recorded last, or for a resource never applied its desired spec.
    """

    id: ResourceId
    kind: str
    attributes: Mapping[str, Tree]
    provider: str = ""
    api_version: str = API_VERSION
    provider_type: str = ""


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a call whose operation goes on by itself, for minutes perhaps.

    The engine records the handle and makes the same call with it again, also after a restart and
    on another machine, until the answer is another one. A resource that is observed with a handle
    has an operation under way; a call with the handle waits for it before it does anything.

    Args:
        handle: Names the operation, in a text without secrets.
        reason: Says what the operation waits for, in a few words.
        seconds: The seconds after which to ask again.
        timeout: The seconds that the whole operation may take, if more than the call's own.
        attributes: Those that find the resource again, as far as they are known.
    """

    handle: str
    reason: str
    seconds: float = 5.0
    timeout: float = 0.0
    attributes: Mapping[str, Tree] = {}


Answer: TypeAlias = Mapping[str, Tree] | Pending
"""The attributes of the resource, or that they are still to come."""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one `observe` found.

    `answers` holds one observation per target, in the order of the targets. `strays` are
    resources that bear a mark of this owner and were not asked for.
    """

    answers: Sequence[Observation]
    strays: Mapping[ResourceId, Present] = msgspec.field(default_factory=dict)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One mutating call.

    Args:
        id: The resource.
        kind: Its kind.
        mark: The mark to put on it; also the call's idempotency token: the same call made
            twice must have the effect of one.
        spec: The full desired spec, every interpolation resolved; empty for a delete.
        attributes: What is live now, as the provider itself answered; empty for a create.
        deadline: Seconds the provider may take.
        api_version: The group and version of the kind.
        handle: The handle of the operation that an earlier answer to this call named, or that
            was observed; "" if there is none.
        origin: The `<workspace id>/<infra>` that it is moved from, "" if it is not: an update may
            have what bears a mark of that one.
    """

    id: ResourceId
    kind: str
    mark: Mark
    spec: Mapping[str, Tree]
    attributes: Mapping[str, Tree]
    deadline: float
    origin: str = ""
    api_version: str = API_VERSION
    handle: str = ""

    def may_take(self, owner: str) -> bool:
        """Return whether an update may have what bears the mark of *owner*.

        The engine decided so, but never across infras, unless it is moved between them.
        """
        infra = "/".join(owner.split("/")[:2])
        return infra in {"/".join(self.mark.owner.split("/")[:2]), self.origin}


class Provider(Protocol):
    """Observes and changes one part of the world. May block: it is called in threads.

    Every method raises `ProviderError` (it will not help to try again), `HalfMade` (nor will it,
    and something was made), `ProviderTransient` or `ProviderThrottled` (it may help), and nothing
    else. An attribute `PRIVATE` of an answer comes back in later targets and calls.
    """

    name: str

    def describe(self) -> Sequence[Kind]:
        """Return the kinds it serves; pure and quick."""

    def observe(self, owner: str, targets: Sequence[ObservationTarget]) -> Observed:
        """Observe *targets* in bulk; *owner* is `<workspace id>/<infra>`."""

    def create(self, call: Call) -> Answer:
        """Make it, marked; return its attributes.

        What already bears the call's mark is this call's own earlier work and is completed;
        so is what stands in the place of a kind with an identity and bears the owner's mark.

        Raises:
            ProviderConflict: If something that bears another owner's mark, or none, is in
                its place.
        """

    def update(self, call: Call) -> Answer:
        """Change what is there to the spec, and mark it; return its attributes.

        What bears a mark that the call may not take is left alone.

        Raises:
            ProviderConflict: If it bears such a mark.
        """

    def delete(self, call: Call) -> Pending | None:
        """Remove it if it bears its owner's mark; what is already gone is deleted.

        Raises:
            ProviderConflict: If what is there bears another mark or none.
        """

    def close(self) -> None:
        """Let go of connections and handles."""


class FoundResource(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in the world that bears a mark; *place* is what people know it by.

    The engine adds the instance that found it.
    """

    id: ResourceId
    kind: str
    place: str
    seen: Present
    api_version: str = API_VERSION
    provider: str = ""
    provider_type: str = ""


@runtime_checkable
class Surveys(Protocol):
    """The optional ability to list everything that bears a mark, wherever it is."""

    def survey(self, owner: str) -> Sequence[FoundResource]:
        """Return everything that bears a mark of *owner*, two with the same mark both."""


@runtime_checkable
class Finds(Protocol):
    """The optional ability to observe one thing by the id that people know it by."""

    def find(self, kind: str, name: str) -> Observation:
        """Observe the thing *name*, whoever made it."""


@runtime_checkable
class Diagnoses(Protocol):
    """The optional ability to tell what of its surroundings may surprise."""

    def diagnose(self) -> Sequence[tuple[str, str]]:
        """Return what is not well, each with its remedy; changes nothing that stays."""


class PlanningRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One resource that is to be made or changed.

    Args:
        id: The resource.
        kind: Its kind.
        provider: The instance that serves it.
        spec: The desired spec; an `Unknown` stands where a value is known only after apply.
        recorded_spec: The spec that was applied last, without what is not kept: a `Sensitive` or an
            `Omitted` stands in its place. None if nothing is recorded.
        recorded_attributes: The last answer of the provider, kept likewise.
        live: The attributes that are there now; None if it is to be made.
    """

    id: ResourceId
    kind: str
    provider: str
    spec: Mapping[str, Tree]
    recorded_spec: Mapping[str, Tree] | None = None
    recorded_attributes: Mapping[str, Tree] | None = None
    live: Mapping[str, Tree] | None = None


class PlannedValues(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a provider that plans one resource.

    Args:
        attributes: The attributes after the change, with the spec as it is, and with an `Unknown`
            for each value that is known only after apply. The engine foresees those left out.
        replaces: The fields, named as in a `Field`, whose change it cannot make in place.
    """

    attributes: Mapping[str, Tree]
    replaces: Sequence[str] = ()


@runtime_checkable
class Plans(Protocol):
    """The optional ability to plan a change better than the fields of a kind describe it."""

    def plan(self, request: PlanningRequest) -> PlannedValues | None:
        """Return what the change of *request* will give; it changes nothing.

        The engine asks about what it will create, update or replace, and about a replacement as
        if it were new. None leaves the kind to the engine.

        Raises:
            ProviderError: If it cannot be planned; the resource is blocked.
        """


class ProbeReady(msgspec.Struct, frozen=True):
    """It serves."""


class ProbeWaiting(msgspec.Struct, frozen=True):
    """It does not serve yet, and *reason* says what it waits for."""

    reason: str


@runtime_checkable
class Probes(Protocol):
    """The optional ability to tell when a resource serves."""

    def probe(self, kind: str, attributes: Mapping[str, Tree]) -> ProbeReady | ProbeWaiting:
        """Look once, without waiting.

        Raises:
            ProviderError: If it can never become ready, as when its process has exited.
        """

    def get_probe_timeout(self, kind: str, attributes: Mapping[str, Tree]) -> float:
        """Return the seconds after which waiting has failed; 0 if there is nothing to probe."""


class Watch(Protocol):
    """Notices, without being asked, that resources may have changed. Any thread may call."""

    def follow(self, owner: str, targets: Sequence[ObservationTarget]) -> None:
        """Notice what happens to *targets*, and to no others of *owner* (`<workspace id>/<infra>`).

        What cannot be watched is left out: whoever follows looks now and then in any case.
        """

    def close(self) -> None:
        """Notice nothing any more."""


@runtime_checkable
class Watches(Protocol):
    """The optional ability to notice changes as they happen."""

    def open_watch(self, notify: Callable[[str], None]) -> Watch:
        """Call *notify* with the owner whenever one of its resources may have changed.

        It is called from a thread of the watch, and must not block for long. One change may be
        told several times, and changes of our own are told too.
        """
