"""A provider under the name and with the settings that a workspace gives it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from provisioning.core.model.errors import ProviderError
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import LOCATION, Field, Kind
from provisioning.core.model.providers import (
    Absent,
    Call,
    Observation,
    ObservationTarget,
    Observed,
    PlannedValues,
    PlanningRequest,
    Plans,
    Present,
    Provider,
    Unreadable,
)
from provisioning.core.model.values import Tree, compute_digest

Ability = TypeVar("Ability")

Connect = Callable[[Mapping[str, Tree]], Provider]
"""Builds the provider for the location that it is given."""


class ProviderInstance:
    """Routes each call to the provider of the location that the call names.

    What is made is made at the instance's own location. What is observed, changed or deleted is
    so where it was made: a record keeps its location, so that new settings never make a
    resource look absent.

    Args:
        name: The instance's name, as `spec.provider` and records have it.
        kinds: The kinds that its provider serves.
        location: The settings that locate resources, as root, account or region.
        connect: Builds the provider for a location; raises `ProviderError` if it cannot be
            reached.
    """

    def __init__(
        self,
        name: str,
        kinds: Sequence[Kind],
        location: Mapping[str, Tree],
        connect: Connect,
    ) -> None:
        self.name, self.location, self._connect = name, dict(location), connect
        self._mutex = threading.Lock()
        self._providers: dict[str, Provider] = {}
        self._kinds = [_bind(kind, name, self.location) for kind in kinds]

    @property
    def current(self) -> Provider:
        """The provider at the instance's own location."""
        return self._at(self.location)

    def _at(self, location: Mapping[str, Tree]) -> Provider:
        key = compute_digest(dict(location))
        with self._mutex:
            if key not in self._providers:
                self._providers[key] = self._connect(location)
            return self._providers[key]

    def _choose(self, attributes: Mapping[str, Tree]) -> Provider:
        return self._at(attributes.get(LOCATION, self.location))

    def describe(self) -> Sequence[Kind]:
        """Return the kinds, bound to this instance and its location."""
        return self._kinds

    def observe(self, owner: str, targets: Sequence[ObservationTarget]) -> Observed:
        """Observe each target where it was made, in one call for each location.

        A location that cannot be reached leaves its own targets unreadable, and no others.
        """
        groups: dict[str, list[int]] = {}
        for position, target in enumerate(targets):
            location = target.attributes.get(LOCATION, self.location)
            groups.setdefault(compute_digest(location), []).append(position)
        answers: list[Observation] = [Absent()] * len(targets)
        strays: dict[ResourceId, Present] = {}
        for positions in groups.values() or [[]]:
            attributes = targets[positions[0]].attributes if positions else {}
            location = attributes.get(LOCATION, self.location)
            asked = [_strip_target(targets[position]) for position in positions]
            try:
                observed = self._choose(attributes).observe(owner, asked)
            except ProviderError as exc:
                observed = Observed(answers=[Unreadable(exc.message)] * len(asked))
            strays.update(observed.strays)
            for position, answer in zip(positions, observed.answers, strict=True):
                answers[position] = _place(answer, location)
        return Observed(answers=answers, strays=strays)

    def create(self, call: Call) -> Mapping[str, Tree]:
        """Make it at this instance's location."""
        return {**self._choose(call.spec).create(_strip(call)), **_pick(call.spec)}

    def update(self, call: Call) -> Mapping[str, Tree]:
        """Change it where it is."""
        return {**self._choose(call.attributes).update(_strip(call)), **_pick(call.attributes)}

    def delete(self, call: Call) -> None:
        """Delete it where it was made."""
        self._choose(call.attributes).delete(_strip(call))

    def plan(self, request: PlanningRequest) -> PlannedValues | None:
        """Plan it where it is, or at this instance's location; None if its provider does not."""
        place = request.spec if request.live is None else request.live
        provider = self._choose(place)
        if not isinstance(provider, Plans):
            return None
        planned = provider.plan(_strip_request(request))
        if not isinstance(planned, PlannedValues) or not isinstance(planned.attributes, Mapping):
            return planned
        return replace(planned, attributes={**planned.attributes, **_pick(request.spec)})

    def close(self) -> None:
        """Close the providers of all locations."""
        with self._mutex:
            for provider in self._providers.values():
                provider.close()
            self._providers.clear()


def find_ability(provider: Provider, ability: type[Ability]) -> Ability | None:
    """Return *provider*, or the one behind an instance, if it has the optional *ability*."""
    inner = provider.current if isinstance(provider, ProviderInstance) else provider
    return inner if isinstance(inner, ability) else None


def _bind(kind: Kind, name: str, location: Mapping[str, Tree]) -> Kind:
    if kind.recorded_only or not location:
        return replace(kind, provider=name)
    fields = (*kind.fields, Field(name=LOCATION, immutable=True))
    return replace(kind, provider=name, fields=fields, location=dict(location))


def _pick(values: Mapping[str, Tree]) -> dict[str, Tree]:
    return {LOCATION: values[LOCATION]} if LOCATION in values else {}


def _drop(values: Mapping[str, Tree]) -> dict[str, Tree]:
    return {name: value for name, value in values.items() if name != LOCATION}


def _strip(call: Call) -> Call:
    return replace(call, spec=_drop(call.spec), attributes=_drop(call.attributes))


def _strip_request(request: PlanningRequest) -> PlanningRequest:
    return replace(
        request,
        spec=_drop(request.spec),
        recorded_spec=_drop_if(request.recorded_spec),
        recorded_attributes=_drop_if(request.recorded_attributes),
        live=_drop_if(request.live),
    )


def _drop_if(values: Mapping[str, Tree] | None) -> dict[str, Tree] | None:
    return None if values is None else _drop(values)


def _strip_target(target: ObservationTarget) -> ObservationTarget:
    if LOCATION not in target.attributes:
        return target
    return replace(target, attributes=_drop(target.attributes))


def _place(answer: Observation, location: Mapping[str, Tree]) -> Observation:
    if not location or not isinstance(answer, Present):
        return answer
    return Present({**answer.attributes, LOCATION: dict(location)}, answer.mark)
