"""A provider under the name and with the settings that a workspace gives it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from msgspec.structs import replace

from provisioning.core.model.errors import ProviderError
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import LOCATION, PRIVATE, Field, Kind
from provisioning.core.model.providers import (
    Absent,
    Answer,
    Call,
    Observation,
    ObservationTarget,
    Observed,
    Pending,
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
        provider: The name of the provider; "" if the instance has it.
    """

    def __init__(
        self,
        name: str,
        kinds: Sequence[Kind],
        location: Mapping[str, Tree],
        connect: Connect,
        provider: str = "",
    ) -> None:
        self.name, self.location, self._connect = name, dict(location), connect
        self._mutex = threading.Lock()
        self._providers: dict[str, Provider] = {}
        self._kinds = [_bind(kind, name, provider or name, self.location) for kind in kinds]

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
                answers[position] = _place(answer, location, targets[position].attributes)
        return Observed(answers=answers, strays=strays)

    def create(self, call: Call) -> Answer:
        """Make it at this instance's location."""
        return _complete(self._choose(call.spec).create(_strip(call)), _pick(call.spec))

    def update(self, call: Call) -> Answer:
        """Change it where it is."""
        kept = _pick(call.attributes, (LOCATION, PRIVATE))
        return _complete(self._choose(call.attributes).update(_strip(call)), kept)

    def delete(self, call: Call) -> Pending | None:
        """Delete it where it was made."""
        return self._choose(call.attributes).delete(_strip(call))

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


def _bind(kind: Kind, name: str, provider: str, location: Mapping[str, Tree]) -> Kind:
    bound = replace(kind, provider=name, provider_type="" if provider == name else provider)
    if kind.recorded_only or not location:
        return bound
    fields = (*kind.fields, Field(name=LOCATION, immutable=True))
    return replace(bound, fields=fields, location=dict(location))


def _pick(values: Mapping[str, Tree], names: Sequence[str] = (LOCATION,)) -> dict[str, Tree]:
    return {name: values[name] for name in names if name in values}


def _complete(answer: Answer, kept: Mapping[str, Tree]) -> Answer:
    """Return *answer* with the location, and with the provider's data if it gave no new ones."""
    if isinstance(answer, Pending):
        return replace(answer, attributes={**kept, **answer.attributes})
    return {**kept, **answer}


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


def _place(
    answer: Observation, location: Mapping[str, Tree], recorded: Mapping[str, Tree]
) -> Observation:
    if not isinstance(answer, Present) or not (location or PRIVATE in recorded):
        return answer
    own = {LOCATION: dict(location)} if location else {}
    return Present({**_pick(recorded, (PRIVATE,)), **answer.attributes, **own}, answer.mark)
