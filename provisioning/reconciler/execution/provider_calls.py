"""Calls providers; whatever breaks their contract is blamed on them by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from provisioning.core.formats.documents import MAX_DEPTH, TOO_DEEP
from provisioning.core.model.errors import ProviderError, ProviderMisbehaved
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import Kind
from provisioning.core.model.providers import (
    Absent,
    Observation,
    ObservationTarget,
    Present,
    Provider,
    Unreadable,
)
from provisioning.core.model.values import Tree, find_strange, is_deeper
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
    if not isinstance(attributes, Mapping):
        raise blame(provider, f"answered {type(attributes).__name__} for {name}, not a map")
    if fault := _find_fault(attributes):
        raise blame(provider, f"answered for {name} {fault}")
    missing = [
        field.name for field in kind.fields if field.computed and field.name not in attributes
    ]
    if missing:
        raise blame(provider, f"gave {name} no {', '.join(missing)}")
    if other := compute_diff(kind, spec, spec, attributes, key):
        raise blame(provider, f"did not give {name} the {other[0].path} it was asked for")
    return dict(attributes)
