"""Observes live resources: one bulk call for each provider, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import find_kind
from provisioning.core.model.providers import (
    Absent,
    Observation,
    ObservationTarget,
    Present,
    Provider,
)
from provisioning.core.model.states import LiveState
from provisioning.core.plan.observation_targets import Places
from provisioning.reconciler.context import InfraContext
from provisioning.reconciler.execution.provider_calls import observe_targets

Question = tuple[int, ResourceId | int, ObservationTarget]
"""Which of the three maps of `Places` it is from, under which key, and the target."""


def observe_live(context: InfraContext, places: Places) -> LiveState:
    """Ask each provider for all of its targets of one infra in one call.

    What a provider could not read is `Unreadable`; what no provider serves is missing. A
    kind that lives in the state log alone is there if it is recorded.
    """
    questions: dict[tuple[str, str], list[Question]] = {}
    maps: tuple[dict[Any, Observation], ...] = ({}, {}, {})
    all_places: list[Mapping[Any, ObservationTarget]]
    all_places = [places.current, places.elsewhere, places.leftovers]
    for number, targets in enumerate(all_places):
        for name, target in targets.items():
            kind = find_kind(context.kinds, target)
            if kind is None:
                continue
            if kind.recorded_only:
                known = target.attributes
                maps[number][name] = Present(known, None) if known else Absent()
            else:
                infra = places.infras.get(name) if targets is places.current else None
                asked_of = f"{context.workspace}/{infra}" if infra else context.owner
                questions.setdefault((kind.provider, asked_of), []).append((number, name, target))
    for asked, answers in _ask(questions, context.providers):
        for (number, name, _), answer in zip(asked, answers, strict=True):
            maps[number][name] = answer
    return LiveState(current=maps[0], elsewhere=maps[1], leftovers=maps[2])


def _ask(
    questions: Mapping[tuple[str, str], list[Question]], providers: Mapping[str, Provider]
) -> list[tuple[list[Question], list[Observation]]]:
    def ask(call: tuple[str, str]) -> tuple[list[Question], list[Observation]]:
        asked, (provider, owner) = questions[call], call
        targets = [target for _, _, target in asked]
        return asked, list(observe_targets(providers[provider], owner, targets))

    if len(questions) < 2:  # noqa: PLR2004  one call needs no thread
        return [ask(call) for call in questions]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(questions)) as pool:
        return list(pool.map(ask, questions))
