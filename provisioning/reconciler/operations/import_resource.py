"""Imports one live resource that nothing manages."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from provisioning.core.model.errors import Blocked, InvalidArgument, ProviderError
from provisioning.core.model.ids import Mark, ResourceId, RunId, build_owner
from provisioning.core.model.kinds import Kind, get_kind
from provisioning.core.model.providers import (
    Absent,
    Finds,
    Observation,
    ObservationTarget,
    Present,
    Unreadable,
)
from provisioning.core.model.records import Action
from provisioning.core.model.values import Tree
from provisioning.core.plan.observation_targets import compute_places
from provisioning.core.plan.plan import Plan, PlannedChange
from provisioning.core.policy.targeting import target_plan
from provisioning.providers.instance import find_ability
from provisioning.reconciler.context import InfraContext
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.execution.provider_calls import (
    call_provider,
    observe_targets,
)
from provisioning.reconciler.planning.plan_result import PlanResult, RunRequest


def plan_import(
    reconciler: Reconciler, request: RunRequest, name: ResourceId, place: str
) -> PlanResult:
    """Plan to import the live resource at *place* as *name*; `Reconciler.apply` does it.

    *place* is its path, for a kind with an identity; else the provider's own id.

    Raises:
        InvalidArgument: If *name* is not desired, or recorded already, or desired elsewhere.
        Blocked: If it has another owner, or differs in fields that need a replacement.
        ProviderError: If it does not exist, or cannot be observed.
    """
    context, planned = reconciler.context, reconciler.plan(request)
    resource = planned.desired.resources.get(name)
    if resource is None:
        raise _build_undesired_error(context, name, place)
    if name in planned.recorded.records:
        raise InvalidArgument(
            f"{name} is managed already",
            hint=f"`provisioning get {context.infra} {name} -o yaml` shows it",
        )
    seen = _observe(context, planned, get_kind(context.kinds, resource), name, place)
    live = _check_free(context, name, place, seen)
    return replace(planned, plan=_plan(context, planned, name, live))


def _observe(
    context: InfraContext, planned: PlanResult, kind: Kind, name: ResourceId, place: str
) -> Observation:
    if kind.recorded_only:
        raise InvalidArgument(
            f"a {kind.name} exists in the state log alone", hint="`provisioning apply` creates it"
        )
    if not kind.identity:
        return _find(context, kind, place)
    places = compute_places(planned.desired, planned.recorded, context.kinds)
    wanted = places.current[name].attributes
    desired = " ".join(str(wanted.get(field)) for field in kind.identity)
    if desired != place:
        raise InvalidArgument(
            f"{name} is desired at {desired}, not at {place}",
            hint=f"write {place} into its manifest, and commit it",
            source=planned.desired.resources[name].source,
        )
    return planned.live.current[name]


def _find(context: InfraContext, kind: Kind, place: str) -> Observation:
    provider = context.providers[kind.provider]
    finds = find_ability(provider, Finds)
    if finds is None:
        raise InvalidArgument(
            f"provider {kind.provider!r} cannot import a {kind.name}",
            hint="let a run create it, and remove the other one",
        )
    return call_provider(provider, lambda: finds.find(kind.name, place))


def _check_free(context: InfraContext, name: ResourceId, place: str, seen: Observation) -> Present:
    match seen:
        case Absent():
            raise ProviderError(
                f"there is no {name.partition('/')[0]} {place}",
                hint="`provisioning apply` creates it",
            )
        case Unreadable(reason):
            raise ProviderError(f"{place} cannot be observed: {reason}")
    if seen.mark is None:
        return seen
    owner = seen.mark.owner
    if owner == build_owner(context.workspace, context.infra, name):
        hint = "`provisioning apply` takes it back"
    elif owner.startswith(f"{context.owner}/"):
        hint = f"if it has a new name, write `moved: {{from: {seen.mark.resource}}}`"
    else:
        hint = "its owner must forget it first, and its mark must go"
    raise Blocked(f"{place} belongs to {owner}", hint=hint)


def _plan(context: InfraContext, planned: PlanResult, name: ResourceId, live: Present) -> Plan:
    """Plan as if it had our mark already; the run writes the mark."""
    mark = Mark(build_owner(context.workspace, context.infra, name), RunId("0-import"), 0)
    current = {**planned.live.current, name: Present(live.attributes, mark)}
    live_state = replace(planned.live, current=current)
    plan = context.compute_plan(planned.desired, planned.recorded, live_state)
    plan = target_plan(plan, [name])
    return replace(plan, changes=tuple(_import(change, name, live) for change in plan.changes))


def _import(change: PlannedChange, name: ResourceId, live: Present) -> PlannedChange:
    if change.id != name:
        return change
    if change.action is not Action.ADOPT:
        fields = ", ".join(sorted({field.path for field in change.fields if field.replaces}))
        raise Blocked(
            f"{name} cannot be imported as it is: {fields} cannot be changed in place",
            hint="write the live values into the manifest, and commit it",
        )
    return replace(change, reason="import was requested", live=live)


def _build_undesired_error(context: InfraContext, name: ResourceId, place: str) -> InvalidArgument:
    kind = context.kinds.get(name.partition("/")[0])
    if kind is None:
        return InvalidArgument(
            f"no kind is called {name.partition('/')[0]!r}", hint="`provisioning schema` lists them"
        )
    seen: Observation = Absent()
    if kind.identity:
        target = ObservationTarget(id=name, kind=kind.name, attributes={kind.identity[0]: place})
        provider = context.providers[kind.provider]
        seen = observe_targets(provider, context.owner, [target])[0]
    elif not kind.recorded_only:
        seen = _find(context, kind, place)
    hint = "write one, and commit it"
    if isinstance(seen, Present):
        hint += f":\n{render_manifest(kind, name, seen.attributes)}"
    return InvalidArgument(f"no manifest of {context.infra} describes {name}", hint=hint)


def render_manifest(kind: Kind, name: ResourceId, attributes: Mapping[str, Tree]) -> str:
    """Return a manifest that describes the live resource, as far as anybody may see it."""
    import yaml

    known = set(kind.get_known_fields())
    spec = {
        key: shown
        for key, value in attributes.items()
        if key in known and (shown := kind.tree.get_key(key).pick_open(value)) is not None
    }
    tree = {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": name.partition("/")[2]},
        "spec": spec,
    }
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
