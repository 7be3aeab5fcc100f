"""Calls providers; whatever breaks their contract is blamed on them by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import TypeVar

from provisioning.core.formats.documents import MAX_DEPTH, TOO_DEEP
from provisioning.core.model.errors import ProviderError, ProviderMisbehaved
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import PRIVATE, Kind
from provisioning.core.model.providers import (
    Absent,
    Observation,
    ObservationTarget,
    Pending,
    PlannedValues,
    PlanningRequest,
    Plans,
    Present,
    Provider,
    Unreadable,
)
from provisioning.core.model.sensitive import list_secret_texts
from provisioning.core.model.values import Tree, Unknown, find_strange, is_deeper, render_path
from provisioning.core.plan.diff import compute_diff

Answer = TypeVar("Answer")


def call_provider(provider: Provider, call: Callable[[], Answer]) -> Answer:
    """Return the answer of *call*.

    Raises:
        ProviderError: What the provider raised, or that it raised something else.
    """
    try:
        return call()
    except ProviderError:
        raise
    except Exception as exc:
        raise blame(provider, f"raised {type(exc).__name__}: {exc}") from exc


def blame(provider: Provider, what: str) -> ProviderMisbehaved:
    """Build the error for a broken contract."""
    return ProviderMisbehaved(
        f"provider {provider.name!r} {what}", hint="this is a defect of the provider; report it"
    )


def observe_targets(
    provider: Provider, owner: str, targets: Sequence[ObservationTarget]
) -> Sequence[Observation]:
    """Observe *targets*; a provider that fails leaves each of them unreadable, never absent."""
    try:
        observed = call_provider(provider, lambda: provider.observe(owner, targets))
    except ProviderError as exc:
        return [Unreadable(exc.message)] * len(targets)
    answers = list(observed.answers)
    if len(answers) != len(targets):
        what = f"gave {len(answers)} answers to {len(targets)} questions"
        return [Unreadable(blame(provider, what).message)] * len(targets)
    return [_check_observation(provider, answer) for answer in answers]


def _check_observation(provider: Provider, answer: object) -> Observation:
    match answer:
        case Present(attributes) if isinstance(attributes, Mapping):
            fault = _find_fault(attributes)
            return Unreadable(blame(provider, f"answered {fault}").message) if fault else answer
        case Absent() | Unreadable():
            return answer
    return Unreadable(blame(provider, f"answered {type(answer).__name__}").message)


def _find_fault(attributes: Mapping[str, Tree]) -> str | None:
    """Say what of *attributes* could be neither compared nor recorded; None if all can."""
    tree = dict(attributes)
    if is_deeper(tree, MAX_DEPTH):
        return f"what nobody can record: {TOO_DEEP}"
    strange = find_strange(tree)
    return None if strange is None else f"{strange!r:.60}, which JSON cannot say"


def plan_by_provider(
    providers: Mapping[str, Provider],
) -> Callable[[PlanningRequest], PlannedValues | None]:
    """Return what asks those of *providers* that plan by themselves."""

    def ask(request: PlanningRequest) -> PlannedValues | None:
        provider = providers.get(request.provider)
        if not isinstance(provider, Plans):
            return None
        planner: Provider = provider
        answer = call_provider(planner, lambda: provider.plan(request))
        if answer is None:
            return None
        if not _is_plan(answer):
            raise blame(planner, f"planned {type(answer).__name__} for {request.id}")
        tree = dict(answer.attributes)
        if fault := _find_fault(tree if is_deeper(tree, MAX_DEPTH) else _fill(tree)):
            raise blame(planner, f"planned for {request.id} {fault}")
        return answer

    return ask


def _is_plan(answer: object) -> bool:
    return (
        isinstance(answer, PlannedValues)
        and isinstance(answer.attributes, Mapping)
        and isinstance(answer.replaces, list | tuple)
        and all(isinstance(name, str) for name in answer.replaces)
    )


def _fill(value: Tree) -> Tree:
    """Return *value* with nothing in place of what is known only after apply."""
    match value:
        case dict():
            return {name: _fill(item) for name, item in value.items()}
        case list() | tuple():
            return [_fill(item) for item in value]
    return None if isinstance(value, Unknown) else value


def check_attributes(
    provider: Provider,
    name: ResourceId,
    kind: Kind,
    spec: Mapping[str, Tree],
    attributes: object,
    key: bytes,
) -> dict[str, Tree]:
    """Return *attributes*, which a create or an update answered, if they are what was asked for.

    Raises:
        ProviderMisbehaved: If they are not.
    """
    attributes = check_recordable(provider, name, attributes)
    missing = [*kind.tree.find_missing({**spec, **attributes})]
    if missing:
        raise blame(provider, f"gave {name} no {', '.join(map(render_path, missing))}")
    if any(text in attributes.get(PRIVATE, "") for text in list_secret_texts(dict(spec))):
        raise blame(provider, f"put a secret into the private data of {name}")
    if other := compute_diff(kind, spec, spec, attributes, key):
        raise blame(provider, f"did not give {name} the {other[0].path} it was asked for")
    return attributes


def check_recordable(provider: Provider, name: ResourceId, attributes: object) -> dict[str, Tree]:
    """Return *attributes*, which a provider gave for the resource *name*, if they can be recorded.

    Raises:
        ProviderMisbehaved: If they cannot.
    """
    if not isinstance(attributes, Mapping):
        raise blame(provider, f"answered {type(attributes).__name__} for {name}, not a map")
    if fault := _find_fault(attributes):
        raise blame(provider, f"answered for {name} {fault}")
    private = attributes.get(PRIVATE, "")
    if not isinstance(private, str):
        raise blame(provider, f"answered for {name} private data that are not a text")
    return dict(attributes)


def check_pending(provider: Provider, name: ResourceId, answer: Pending) -> None:
    """Make sure that *answer* can be recorded and asked about.

    Raises:
        ProviderMisbehaved: If it cannot.
    """
    times = (answer.seconds, answer.timeout)
    if not (isinstance(answer.handle, str) and answer.handle):
        raise blame(provider, f"answered for {name} that it is pending, without a handle")
    if not all(isinstance(item, int | float) and 0 <= item < inf for item in times):
        raise blame(provider, f"answered for {name} that it is pending, without a usable time")
