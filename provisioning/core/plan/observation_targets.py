"""Computes where to look: the recorded places, the desired ones, and those of cut-off runs."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from provisioning.core.expressions.interpolation import Reference
from provisioning.core.expressions.references import KnownValues, resolve_spec
from provisioning.core.model.errors import ProvisioningError, Source
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import HANDLE, Kind, find_kind, get_kind
from provisioning.core.model.providers import ObservationTarget
from provisioning.core.model.records import Record
from provisioning.core.model.resources import Resource
from provisioning.core.model.states import DesiredState, RecordedState
from provisioning.core.model.values import Tree, Unknown, has_unknown
from provisioning.core.plan.plan import PlannedChange

Targets = Mapping[ResourceId, ObservationTarget]


class Places(msgspec.Struct, frozen=True):
    """The targets of one look at the world, under the id each answer is for.

    The first three maps are those of `LiveState`; `infras` tells of those of `current` that bear
    the mark of another infra, which it is. A moved resource is looked for under its old id,
    and under its new one too, for a run that moved it may have been cut off.
    """

    current: dict[ResourceId, ObservationTarget] = msgspec.field(default_factory=dict)
    elsewhere: dict[ResourceId, ObservationTarget] = msgspec.field(default_factory=dict)
    leftovers: dict[int, ObservationTarget] = msgspec.field(default_factory=dict)
    infras: dict[ResourceId, str] = msgspec.field(default_factory=dict)


def compute_places(
    desired: DesiredState, recorded: RecordedState, kinds: Mapping[str, Kind]
) -> Places:
    """Compute every place that must be looked at before *desired* can be planned."""
    places = Places()
    other_names = recorded.half_moved
    handles = {
        item.id: {HANDLE: item.attributes[HANDLE]}
        for item in recorded.unfinished
        if HANDLE in item.attributes
    }
    for resource in desired.resources.values():
        record = recorded.find(resource)
        wanted = _find_wanted_place(resource, desired, recorded, get_kind(kinds, resource))
        if record is None:
            wanted = {**wanted, **handles.get(resource.id, {})}
            places.current[resource.id] = build_target(resource, wanted)
            continue
        places.current[resource.id] = build_target(record, record.attributes)
        if resource.id in recorded.origins:
            places.infras[resource.id] = recorded.origins[resource.id].infra
        if (other := other_names.get(resource.id)) or resource.id not in recorded.records:
            name = other or resource.id
            places.elsewhere[resource.id] = build_target(record, record.attributes, name)
        is_elsewhere = record.provider != resource.provider or (
            wanted and wanted != _get_place(record, get_kind(kinds, resource))
        )
        if is_elsewhere:
            places.elsewhere[resource.id] = build_target(resource, wanted)
    for record in (*recorded.records.values(), *recorded.unfinished):
        places.current.setdefault(record.id, build_target(record, record.attributes))
    for position, record in enumerate(recorded.unfinished):
        _add_leftover(places, position, record, kinds)
    return places


def build_target(
    subject: Resource | Record | PlannedChange,
    attributes: Mapping[str, Tree],
    name: ResourceId | None = None,
) -> ObservationTarget:
    """Return the target for *subject*, at *attributes*; *name* is its id if it had another."""
    return ObservationTarget(
        id=name or subject.id,
        kind=subject.kind,
        provider=subject.provider,
        attributes=attributes,
        api_version=subject.api_version,
        provider_type=subject.provider_type,
    )


def _add_leftover(places: Places, position: int, record: Record, kinds: Mapping[str, Kind]) -> None:
    kind = find_kind(kinds, record)
    place = kind and _get_place(record, kind)
    if kind is None or not place:
        return
    known = [item.get(record.id) for item in (places.current, places.elsewhere)]
    if place not in [kind.pick_place(target.attributes) for target in known if target]:
        places.leftovers[position] = build_target(record, record.attributes)


def _get_place(record: Record, kind: Kind) -> dict[str, Tree]:
    return kind.pick_place({**record.spec, **record.attributes})


def _find_wanted_place(
    resource: Resource, desired: DesiredState, recorded: RecordedState, kind: Kind
) -> dict[str, Tree]:
    """Return the desired identity as far as it can be known before the plan; else nothing."""
    if not kind.identity or not any(hole.path[0] in kind.identity for hole in resource.templated):
        return kind.pick_place(resource.spec)
    place = kind.pick_place(resolve_spec(resource, _Guess(desired, recorded)))
    return {} if has_unknown(place) else place


class _Guess(msgspec.Struct, frozen=True):
    """Answers references from what is recorded, or else from what is desired."""

    desired: DesiredState
    recorded: RecordedState

    def __call__(self, reference: Reference, source: Source) -> Tree:
        name = reference.resource
        if name is None:
            return self.desired.secrets.get(str(reference), Unknown(str(reference)))
        target, record = self.desired.resources.get(name), self.recorded.records.get(name)
        values = {**(record.attributes if record else {}), **(target.spec if target else {})}
        holes = {str(hole.path[0]) for hole in target.templated} if target else set()
        try:
            return KnownValues(name, values, frozenset(holes)).get(
                reference.steps[1:], reference, source
            )
        except ProvisioningError:
            return Unknown(str(reference))
