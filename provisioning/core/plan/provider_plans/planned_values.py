"""The plan of a provider, checked against the desired spec. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from provisioning.core.model.errors import InvalidArgument, ProviderError, ProviderMisbehaved
from provisioning.core.model.kinds import Kind
from provisioning.core.model.providers import PlannedValues, PlanningRequest
from provisioning.core.model.redaction import Redactor
from provisioning.core.model.schemas.field_tree import touches
from provisioning.core.model.sensitive import list_secret_texts, mark_secrets, reveal
from provisioning.core.model.values import Tree, Unknown
from provisioning.core.plan.diff import FieldChange, compute_diff

PlanByProvider = Callable[[PlanningRequest], PlannedValues | None]
"""Asks a provider to plan a change; None if it leaves that to the engine."""


def ask_provider(
    plan_by_provider: PlanByProvider, request: PlanningRequest, kind: Kind, key: bytes
) -> PlannedValues | None:
    """Return what the provider plans for *request*, whose secrets it is shown.

    Raises:
        ProviderError: If the provider could not, or contradicts what is desired.
    """
    spec, live = request.spec, request.live or {}
    try:
        planned = plan_by_provider(replace(request, spec=reveal(spec), live=reveal(request.live)))
        if planned is not None:
            _check(planned, request, kind, key)
    except ProviderError as exc:
        known = [mark_secrets(kind, values, spec) for values in (spec, live)]
        Redactor(list_secret_texts(known)).redact_error(exc)
        raise
    return planned


def _check(planned: PlannedValues, request: PlanningRequest, kind: Kind, key: bytes) -> None:
    wanted, found = ({**_level(dict(it))} for it in (request.spec, planned.attributes))
    other = compute_diff(kind, wanted, wanted, found, key)
    if other:
        raise _blame(request, f"plans another {other[0].path} than is desired")
    try:
        any(touches(name, "") for name in planned.replaces)
    except InvalidArgument as exc:
        raise _blame(request, f"plans a replacement: {exc.message}") from None


def _blame(request: PlanningRequest, what: str) -> ProviderMisbehaved:
    return ProviderMisbehaved(
        f"provider {request.provider!r} {what}, for {request.id}",
        hint="this is a defect of the provider; report it",
    )


def _level(value: Tree) -> Tree:
    """Return *value* with all that is not known yet alike."""
    match value:
        case dict():
            return {name: _level(item) for name, item in value.items()}
        case list() | tuple():
            return [_level(item) for item in value]
    return Unknown("") if isinstance(value, Unknown) else value


def mark_replacing(
    fields: tuple[FieldChange, ...], names: Sequence[str]
) -> tuple[FieldChange, ...]:
    """Return *fields* as replacing the resource where they touch a field of *names*."""
    return tuple(
        replace(field, replaces=True) if any(touches(it, field.path) for it in names) else field
        for field in fields
    )


def get_attributes(planned: PlannedValues | None) -> Mapping[str, Tree]:
    """Return the planned attributes; none if the engine plans."""
    return planned.attributes if planned else {}
