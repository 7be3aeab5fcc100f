"""Rebuilds lost records of a state log from the ownership marks of live resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from msgspec.structs import replace

from provisioning.core.expressions.interpolation import Reference
from provisioning.core.expressions.references import KnownValues, expand_spec, resolve_spec
from provisioning.core.model.errors import Blocked, ProviderError, ProvisioningError, Source
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.kinds import LOCATION, get_kind
from provisioning.core.model.providers import FoundResource, Surveys
from provisioning.core.model.records import Action, Record
from provisioning.core.model.resources import Lifecycle, Resource
from provisioning.core.model.sensitive import has_secret, mark_secrets
from provisioning.core.model.states import DesiredState
from provisioning.core.model.values import Tree, Unknown, compute_digest, has_unknown
from provisioning.core.plan.diff import compute_recorded
from provisioning.core.plan.plan import BlockedResource, Plan
from provisioning.providers.instance import find_ability
from provisioning.reconciler.context import InfraContext
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.execution.provider_calls import call_provider
from provisioning.reconciler.operations.state_only_run import (
    StateOnlyPlan,
    build_change,
    check_idle,
)

NO_SOURCE = Source("", 0)


def plan_adopt(reconciler: Reconciler, commit: CommitId, *, everything: bool) -> StateOnlyPlan:
    """Plan to record the live resources that have a mark of the infra and no record.

    Nothing in the world changes; the next run corrects their drift. A mark alone does not allow
    a deletion: a resource that is not desired is left out, unless *everything* is set, and then
    the next run deletes it.

    Raises:
        Blocked: If two live resources have the same mark; the message lists both.
        ProviderError: If a provider cannot list its marks.
    """
    context = reconciler.context
    view = context.log.read()
    check_idle(reconciler, view)
    records = context.log.read_records(view)
    desired = reconciler.planner.read_desired(commit)
    surveyed = _survey(context, desired)
    found = {name: live for name, live in surveyed.items() if name not in records}
    built = {
        name: _build_record(context, live, desired.resources.get(name), spec)
        for name, live, spec in _resolve(context, desired, found)
    }
    left = {} if everything else {name: built[name] for name in built.keys() - desired.resources}
    made = {name: record for name, record in built.items() if name not in left}
    plan = Plan(
        infra=context.infra,
        commit=commit,
        changes=tuple(
            build_change(
                record,
                Action.ADOPT,
                f"it has the mark of run {record.run}",
                None if name in desired.resources else "it is not desired: the next run deletes it",
            )
            for name, record in sorted(made.items())
        ),
        blocked=tuple(
            BlockedResource(
                id=name,
                reason=f"{found[name].place} has the mark of run {record.run}, and is not desired",
                hint="`provisioning adopt --all` records it, too, and then the next run deletes it",
            )
            for name, record in sorted(left.items())
        ),
    )
    return StateOnlyPlan(plan, made, view)


def _survey(context: InfraContext, desired: DesiredState) -> dict[ResourceId, FoundResource]:
    """Return each live resource with our mark, and the instance that it is of.

    Several instances may find one and the same, as a process; it is of the one that its manifest
    names.
    """
    seen: dict[ResourceId, list[FoundResource]] = {}
    for name, provider in context.providers.items():
        if surveys := find_ability(provider, Surveys):
            survey = partial(surveys.survey, context.owner)
            for item in call_provider(provider, survey):
                seen.setdefault(item.id, []).append(replace(item, provider=name))
    for name, found in seen.items():
        resource = desired.resources.get(name)
        found.sort(key=lambda item: resource is None or item.provider != resource.provider)
        own = {_get_place(context, item) for item in found if item.provider == found[0].provider}
        seen[name] = [
            item
            for item in found
            if item.provider == found[0].provider or _get_place(context, item) not in own
        ]
    twins = {name: found for name, found in seen.items() if len(found) > 1}
    if twins:
        places = "; ".join(
            f"{name}: {' and '.join(item.place for item in found)}"
            for name, found in sorted(twins.items())
        )
        raise Blocked(
            f"several live resources have the same mark: {places}",
            hint="remove the copies, or their marks, and try again",
        )
    return {name: found[0] for name, found in seen.items()}


def _get_place(context: InfraContext, found: FoundResource) -> tuple[str, str]:
    """Return what two instances that found one resource have in common.

    A resource that is found by its place is another one at another location.
    """
    kind = get_kind(context.kinds, found)
    return found.place, compute_digest(dict(kind.location)) if kind.identity else ""


def _resolve(
    context: InfraContext, desired: DesiredState, found: Mapping[ResourceId, FoundResource]
) -> Iterator[tuple[ResourceId, FoundResource, dict[str, Tree]]]:
    """Yield each live resource with its desired spec, as far as that is known without a run."""
    known: dict[ResourceId, KnownValues] = {}

    def resolve(reference: Reference, source: Source) -> Tree:
        if reference.resource is None:
            return desired.secrets[str(reference)]
        known_values = known.get(reference.resource)
        if known_values is None:
            return Unknown(str(reference))
        return known_values.get(reference.steps[1:], reference, source)

    for name in desired.order:
        resource = desired.resources[name]
        kind = get_kind(context.kinds, resource)
        try:
            written = resolve_spec(resource, resolve)
            has_secrets = desired.has_secrets or bool(resource.references)
            is_secret = has_secrets and has_secret(written)
            spec = expand_spec(kind, written, desired.files, is_secret=is_secret)
        except ProvisioningError:
            spec = {}
        if name in found:
            live = found[name].seen.attributes
            known[name] = KnownValues(name, {**spec, **mark_secrets(kind, live, spec)})
            yield name, found[name], spec
    for name in sorted(found.keys() - desired.resources.keys()):
        yield name, found[name], {}


def _build_record(
    context: InfraContext, found: FoundResource, resource: Resource | None, spec: Mapping[str, Tree]
) -> Record:
    kind = get_kind(context.kinds, found)
    mark = found.seen.mark
    if mark is None:
        raise ProviderError(f"provider {kind.provider!r} lists {found.place}, which has no mark")
    known = {name: value for name, value in spec.items() if not has_unknown(value)}
    live = mark_secrets(kind, found.seen.attributes, spec)
    live |= {LOCATION: dict(kind.location)} if kind.location else {}
    return Record(
        id=found.id,
        kind=kind.name,
        provider=kind.provider,
        api_version=kind.api_version,
        provider_type=kind.provider_type,
        schema_version=kind.schema_version,
        spec=compute_recorded(kind, known, context.key),
        attributes=compute_recorded(kind, live, context.key),
        run=mark.run,
        operation=mark.operation,
        source=resource.source if resource else NO_SOURCE,
        depends_on=resource.dependencies if resource else (),
        lifecycle=resource.lifecycle if resource else Lifecycle(),
    )
