"""The in-memory provider: serves a `World` as a real provider serves a cloud account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

from msgspec.structs import replace

from provisioning.core.model.errors import ProviderConflict, ProviderError
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import Kind
from provisioning.core.model.providers import (
    Absent,
    Call,
    FoundResource,
    Observation,
    ObservationTarget,
    Observed,
    Present,
    ProbeReady,
    ProbeWaiting,
    Unreadable,
)
from provisioning.core.model.values import Tree
from provisioning.testing.memory_kinds import CHOICES, KINDS, NAME
from provisioning.testing.worlds import Live, World


class MemoryProvider:
    """Keeps the provider contract to the letter, on a `World` that providers may share.

    Its kinds are `Thing` (every behaviour a field can have), `Machine` (has them below its fields,
    and its schema is data), `Slot` (found by place), `Note` (recorded only) and `Service` (becomes
    ready). A spec that its kind's model
    refuses is refused with `ProviderError`, as a cloud would.
    """

    name = NAME

    def __init__(self, world: World) -> None:
        self._world = world

    def describe(self) -> Sequence[Kind]:
        """Return the five kinds."""
        return tuple(KINDS.values())

    def observe(self, owner: str, targets: Sequence[ObservationTarget]) -> Observed:
        """Return the state of *targets*, and everything else that *owner* has marked."""
        with self._world.serve("observe"):
            answers = [self._observe(owner, target) for target in targets]
            return Observed(answers=answers, strays=self._find_strays(owner, targets))

    def create(self, call: Call) -> Mapping[str, Tree]:
        """Make the resource, or complete what an earlier call made of it.

        A second one beside a whole one, under the same owner, is refused as a conflict: what
        is found by mark must be found by no more than one.
        """
        with self._world.serve("create"):
            kind = _check_spec(call)
            if kind.recorded_only:
                return _compute_note(call.spec)
            there = self._find(kind, call.mark.owner, call.spec)
            if there and not _is_own_work(kind, there, call):
                raise _build_conflict(call, there)
            return self._write(kind, there or self._world.add(kind.name, {}, call.mark), call)

    def update(self, call: Call) -> Mapping[str, Tree]:
        """Change the resource to the spec; what another infra owns is left alone."""
        with self._world.serve("update"):
            kind = _check_spec(call)
            if kind.recorded_only:
                return _compute_note(call.spec)
            there = self._find_exact(kind, call)
            if there is None:
                raise ProviderError(f"{call.id} is gone", hint="plan again")
            if there.mark and not call.may_take(there.mark.owner):
                raise _build_conflict(call, there)
            return self._write(kind, there, call)

    def delete(self, call: Call) -> None:
        """Remove the resource if it bears its owner's mark."""
        with self._world.serve("delete"):
            there = self._find_exact(_get_kind(call.kind), call)
            if there is None:
                return
            if there.mark is None or there.mark.owner != call.mark.owner:
                raise _build_conflict(call, there)
            self._world.remove(there.id)

    def survey(self, owner: str) -> list[FoundResource]:
        """Return everything that *owner* has marked."""
        with self._world.serve("survey"):
            return [
                FoundResource(
                    id=live.mark.resource, kind=live.kind, place=live.id, seen=_observe_live(live)
                )
                for live in self._world.snapshot().values()
                if live.mark and live.mark.owner.startswith(f"{owner}/")
            ]

    def find(self, kind: str, name: str) -> Observation:
        """Return the state of the resource with the live id *name*."""
        with self._world.serve("find"):
            live = self._world.snapshot().get(name)
            return _observe_live(live) if live and live.kind == kind else Absent()

    def close(self) -> None:
        """Count the call; there is nothing to let go of."""
        with self._world.serve("close"):
            pass

    def probe(self, kind: str, attributes: Mapping[str, Tree]) -> ProbeReady | ProbeWaiting:
        """Answer `ProbeWaiting` as often as the service's `ready_after` says."""
        with self._world.serve("probe"):
            wanted = _get_ready_after(attributes)
            if _get_kind(kind).name != "Service" or wanted == 0:
                return ProbeReady()
            if wanted < 0:
                raise ProviderError("the service has exited", hint="check its command")
            done = self._world.probe(str(attributes.get("serial")))
            return (
                ProbeReady()
                if done > wanted
                else ProbeWaiting(f"answered {done} of {wanted} probes")
            )

    def get_probe_timeout(self, kind: str, attributes: Mapping[str, Tree]) -> float:
        """Return the service's `timeout`; 0 for what is ready at once."""
        if kind != "Service" or not _get_ready_after(attributes):
            return 0.0
        return float(attributes.get("timeout", 60.0))

    def _observe(self, owner: str, target: ObservationTarget) -> Observation:
        kind = _get_kind(target.kind)
        reason = self._world.unreadable.get(target.id)
        if kind.recorded_only:
            reason = f"a {kind.name} lives in the state log alone"
        if reason:
            return Unreadable(reason)
        there = self._find(kind, f"{owner}/{target.id}", target.attributes)
        return _observe_live(there) if there else Absent()

    def _find(self, kind: Kind, owner: str, attributes: Mapping[str, Tree]) -> Live | None:
        """Find by place where the kind has one, else by mark."""
        place = {name: attributes.get(name) for name in kind.identity}
        for live in self._world.snapshot().values():
            if live.kind != kind.name:
                continue
            if place and place == {name: live.attributes.get(name) for name in place}:
                return live
            if not place and live.mark and live.mark.owner == owner:
                return live
        return None

    def _find_exact(self, kind: Kind, call: Call) -> Live | None:
        """Find the very resource that the call saw: a moved one still bears its old mark."""
        serial = call.attributes.get("serial")
        if serial is None:
            return self._find(kind, call.mark.owner, call.attributes or call.spec)
        return self._world.snapshot().get(serial)

    def _find_strays(
        self, owner: str, targets: Sequence[ObservationTarget]
    ) -> dict[ResourceId, Present]:
        asked = {target.id for target in targets}
        return {
            live.mark.resource: _observe_live(live)
            for live in self._world.snapshot().values()
            if live.mark
            and live.mark.owner.startswith(owner + "/")
            and live.mark.resource not in asked
        }

    def _write(self, kind: Kind, live: Live, call: Call) -> Mapping[str, Tree]:
        attributes = complete_attributes(kind, live, call.spec)
        written = self._world.put(replace(live, attributes=attributes, mark=call.mark))
        return deepcopy(dict(written.attributes))


def complete_attributes(kind: Kind, live: Live, spec: Mapping[str, Tree]) -> dict[str, Tree]:
    """Return what *live* has once *spec* was applied to it."""
    kept = {field.name for field in kind.fields if field.defaulted} & live.attributes.keys()
    chosen = {name: live.attributes[name] for name in kept}
    attributes = {**CHOICES.get(kind.name, {}), **chosen, **spec}
    if kind.name == "Machine":
        attributes |= _complete_machine(live, attributes)
    return attributes | _compute_computed(kind, live.id, attributes)


def _compute_computed(kind: Kind, serial: str, attributes: Mapping[str, Tree]) -> dict[str, Tree]:
    values = {"serial": serial, "address": f"{serial}.{attributes.get('zone', 'nowhere')}"}
    return {name: values[name] for name, it in kind.tree.keys.items() if it.field.computed}


def _complete_machine(live: Live, spec: Mapping[str, Tree]) -> dict[str, Tree]:
    speed = live.attributes.get("disk", {}).get("speed", 100)
    disk = {"speed": speed, **spec.get("disk", {})}
    rules = [{**rule, "id": f"{live.id}-{rule['name']}"} for rule in spec.get("rules", [])]
    return {"disk": {**disk, "id": f"{live.id}-{disk.get('size')}"}, "rules": rules}


def _compute_note(spec: Mapping[str, Tree]) -> dict[str, Tree]:
    return deepcopy({**spec, "output": spec.get("input")})


def _observe_live(live: Live) -> Present:
    return Present(deepcopy(dict(live.attributes)), live.mark)


def _get_kind(name: str) -> Kind:
    if name not in KINDS:
        raise ProviderError(f"the provider {NAME} has no kind {name}")
    return KINDS[name]


def _check_spec(call: Call) -> Kind:
    kind = _get_kind(call.kind)
    for problem in kind.find_problems(call.spec, set()):
        where = ".".join(str(step) for step in problem.path)
        raise ProviderError(f"{call.id}: the fake cloud refuses {where}: {problem.message}")
    return kind


def _build_conflict(call: Call, there: Live) -> ProviderConflict:
    owner = f"bears the mark {there.mark}" if there.mark else "bears no mark"
    return ProviderConflict(
        f"{call.id}: {there.id} stands in its place and {owner}",
        hint="choose another place, or adopt it",
    )


def _is_own_work(kind: Kind, there: Live, call: Call) -> bool:
    if kind.identity:
        return there.mark is not None and there.mark.owner == call.mark.owner
    return there.mark == call.mark


def _get_ready_after(attributes: Mapping[str, Tree]) -> int:
    return int(attributes.get("ready_after", 0))
