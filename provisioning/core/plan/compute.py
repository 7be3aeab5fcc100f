"""Computes the plan. Pure: everything it knows is in its arguments."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from provisioning.core.expressions.interpolation import Reference
from provisioning.core.expressions.references import (
    KnownValues,
    compute_known_values,
    expand_spec,
    resolve_spec,
)
from provisioning.core.model.errors import ProviderError, Source
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import HANDED_OVER, LOCATION, Kind, get_kind
from provisioning.core.model.providers import (
    Absent,
    Observation,
    PlannedValues,
    PlanningRequest,
    Present,
    Unreadable,
)
from provisioning.core.model.records import Action, Record
from provisioning.core.model.resources import DriftPolicy, Resource
from provisioning.core.model.sensitive import has_secret, mark_secrets
from provisioning.core.model.states import DesiredState, LiveState, RecordedState
from provisioning.core.model.values import Tree
from provisioning.core.plan.change_reasons import BEHIND, explain_change
from provisioning.core.plan.diff import Cause, FieldChange, compute_diff
from provisioning.core.plan.ignored_fields import keep_ignored, leave_ignored
from provisioning.core.plan.ownership import Ownership, describe_standing
from provisioning.core.plan.plan import BlockedResource, Drifted, Plan, PlannedChange, Risk
from provisioning.core.plan.provider_plans.planned_values import (
    PlanByProvider,
    ask_provider,
    get_attributes,
    mark_replacing,
)
from provisioning.core.plan.prune import UNSEEN, compute_removals
from provisioning.core.plan.stale_records import is_behind, renew_fingerprints


def compute_plan(
    desired: DesiredState,
    recorded: RecordedState,
    live: LiveState,
    *,
    kinds: Mapping[str, Kind],
    workspace: str,
    key: bytes,
    corrects: Collection[ResourceId] = (),
    plan_by_provider: PlanByProvider | None = None,
) -> Plan:
    """Compute the changes that take *live* to *desired*.

    Only what *recorded* shows to be ours may be deleted, so a resource made by hand is
    never touched. A resource the provider could not read, and everything that depends on
    it, is blocked and not planned.

    Args:
        desired: What the workspace asks for.
        recorded: What was applied last.
        live: What the providers answered.
        kinds: The kinds of all providers, by name.
        workspace: The workspace's id, a part of every ownership mark.
        key: The key of the fingerprints that stand for sensitive values.
        corrects: The resources whose drift is corrected, whatever their manifests say.
        plan_by_provider: Asks the provider of what is to be created, updated or replaced; a
            resource for which it raises `ProviderError` is blocked.

    Raises:
        InvalidManifest: If a reference names a field that does not exist.
    """
    ownership = Ownership(workspace, desired.infra)
    planner = _Planner(desired, recorded, live, kinds, ownership, key, corrects, plan_by_provider)
    for name in desired.order:
        planner.plan_desired(desired.resources[name])
    return planner.finish()


@dataclass(slots=True)
class _Planner:
    desired: DesiredState
    recorded: RecordedState
    live: LiveState
    kinds: Mapping[str, Kind]
    ownership: Ownership
    key: bytes = field(repr=False)
    corrects: Collection[ResourceId]
    plan_by_provider: PlanByProvider | None
    changes: list[PlannedChange] = field(default_factory=list)
    blocked: dict[ResourceId, BlockedResource] = field(default_factory=dict)
    drifted: list[Drifted] = field(default_factory=list)
    unchanged: list[ResourceId] = field(default_factory=list)
    known_values_by_infra: dict[ResourceId, KnownValues] = field(default_factory=dict)
    secretive: set[ResourceId] = field(default_factory=set)
    renewed: set[ResourceId] = field(default_factory=set)
    half_moved: dict[ResourceId, ResourceId] = field(init=False)

    def __post_init__(self) -> None:
        self.half_moved = self.recorded.half_moved

    def finish(self) -> Plan:
        removals = compute_removals(
            self.desired,
            self.recorded,
            self.live,
            kinds=self.kinds,
            ownership=self.ownership,
            blocked=self.blocked,
        )
        changes = [*self.changes, *removals.changes]
        return Plan(
            infra=self.desired.infra,
            commit=self.desired.commit,
            changes=tuple(sorted(changes, key=lambda each: (each.id, each.leftover))),
            blocked=tuple(sorted(removals.blocked.values(), key=lambda item: item.id)),
            drifted=tuple(sorted(self.drifted, key=lambda item: item.id)),
            unchanged=tuple(sorted(self.unchanged)),
            known_values={
                name: self.known_values_by_infra[name].values
                for name in self.unchanged
                if name in self.known_values_by_infra
            },
        )

    # What is desired

    def plan_desired(self, resource: Resource) -> None:
        if stuck := next((need for need in resource.dependencies if need in self.blocked), None):
            self._block(resource.id, f"it depends on {stuck}, which is blocked", resource.source)
            return
        kind = get_kind(self.kinds, resource)
        written = resolve_spec(resource, self._look_up)
        has_secrets = self.desired.has_secrets or bool(resource.references)
        is_secret = has_secrets and has_secret(written)
        if is_secret:
            self.secretive.add(resource.id)
            for _, reason in kind.find_exposures(written):
                self._block(resource.id, reason, resource.source, HANDED_OVER)
                return
        spec = expand_spec(kind, written, self.desired.files, is_secret=is_secret)
        origin = self.recorded.origins.get(resource.id)
        if origin is not None and origin.trouble:
            self._block(resource.id, origin.trouble, resource.source, origin.hint)
            return
        record = self._find_record(resource, kind, spec)
        observation = self._get_observation(resource, record)
        try:
            self._plan_observed(resource, kind, spec, record, observation)
        except ProviderError as exc:
            reason = f"it cannot be planned: {exc.message}"
            self._block(resource.id, reason, resource.source, exc.hint)

    def _plan_observed(
        self,
        resource: Resource,
        kind: Kind,
        spec: dict[str, Tree],
        record: Record | None,
        observation: Observation,
    ) -> None:
        match observation:
            case Unreadable(reason):
                self._block(resource.id, f"it cannot be read: {reason}", resource.source)
            case Absent():
                self._plan_creation(resource, kind, spec, record)
            case Present() if self._is_foreign(resource, kind, observation, record):
                self._block_foreign(resource, observation)
            case Present():
                self._plan_update(resource, kind, spec, record, observation)

    def _find_record(
        self, resource: Resource, kind: Kind, spec: Mapping[str, Tree]
    ) -> Record | None:
        found = self.recorded.find(resource)
        record = found and renew_fingerprints(found, kind, spec, self.key)
        if record is not found:
            self.renewed.add(resource.id)
        return record

    def _ask(
        self,
        resource: Resource,
        kind: Kind,
        spec: dict[str, Tree],
        record: Record | None,
        live: Present | None,
    ) -> PlannedValues | None:
        if self.plan_by_provider is None:
            return None
        if live:
            spec = keep_ignored(resource.lifecycle, spec, live.attributes)
        request = PlanningRequest(
            id=resource.id,
            kind=resource.kind,
            provider=kind.provider,
            spec=spec,
            recorded_spec=record.spec if record else None,
            recorded_attributes=record.attributes if record else None,
            live=live.attributes if live else None,
        )
        return ask_provider(self.plan_by_provider, request, kind, self.key)

    def _get_observation(self, resource: Resource, record: Record | None) -> Observation:
        """Return what is there; an interrupted run may have left it under another id.

        A resource with our ownership mark at the new location, and not at the old one, was moved.
        """
        seen = self.live.current.get(resource.id, UNSEEN)
        other = self.live.elsewhere.get(resource.id)
        if record is None or other is None or isinstance(seen, Present):
            return seen
        is_moving = resource.id not in self.recorded.records or resource.id in self.half_moved
        if is_moving and isinstance(seen, Absent):
            return other
        is_ours = isinstance(other, Present) and self.ownership.is_ours(resource.id, other)
        return other if is_ours and self._is_relocated(resource, record) else seen

    def _is_relocated(self, resource: Resource, record: Record) -> bool:
        """Return whether *resource* and *record* differ in their location alone."""
        kind = get_kind(self.kinds, resource)
        location = record.attributes.get(LOCATION)
        return record.provider == resource.provider and location not in (None, kind.location)

    def _look_up(self, reference: Reference, source: Source) -> Tree:
        if reference.resource is None:
            return self.desired.secrets[str(reference)]
        return self.known_values_by_infra[reference.resource].get(
            reference.steps[1:], reference, source
        )

    def _plan_creation(
        self, resource: Resource, kind: Kind, spec: dict[str, Tree], record: Record | None
    ) -> None:
        if record is not None and self._get_policy(resource) is not DriftPolicy.CORRECT:
            self._note_drift(
                resource, (FieldChange(path="", before="present", after=None, cause=Cause.DRIFT),)
            )
            self._settle(resource, record.spec, record.attributes)
            return
        known = self.recorded.records.get(resource.id)
        fields = compute_diff(kind, spec, None, {}, self.key)
        planned = self._ask(resource, kind, spec, record, None)
        self.known_values_by_infra[resource.id] = compute_known_values(
            resource.id, kind, spec, None, frozenset(), planned=get_attributes(planned)
        )
        self._change(
            resource,
            Action.CREATE,
            "it is gone" if record is not None else "it is new",
            fields=fields,
            record=record,
            moved_from=record.id if record and not known else None,
            heals=known is not None
            and not compute_diff(kind, spec, known.spec, known.attributes, self.key),
        )

    def _plan_update(
        self,
        resource: Resource,
        kind: Kind,
        spec: dict[str, Tree],
        record: Record | None,
        live: Present,
    ) -> None:
        stated = record.spec if record else None
        fields = compute_diff(kind, spec, stated, live.attributes, self.key)
        fields = leave_ignored(resource.lifecycle, fields)
        fields = self._apply_drift_policy(resource, fields)
        fields = (*_compare_provider(resource, record), *fields)
        origin = self._find_origin(resource, record, live)
        is_corrected = self._get_policy(resource) is DriftPolicy.CORRECT
        old = f"{origin} of {resource.moved_infra}" if resource.moved_infra else origin
        reason = explain_change(
            kind, record, live, fields, origin and old, is_corrected=is_corrected
        )
        if not reason:
            self._settle(resource, spec, live.attributes)
            self._catch_up(resource, kind, spec, record, live)
            return
        planned = None
        if not any(item.replaces for item in fields):
            planned = self._ask(resource, kind, spec, record, live)
            fields = mark_replacing(fields, planned.replaces if planned else ())
        if any(item.replaces for item in fields):
            self._plan_replacement(resource, kind, spec, record, live, fields, origin)
            return
        changed = frozenset(item.path for item in fields)
        self.known_values_by_infra[resource.id] = compute_known_values(
            resource.id,
            kind,
            spec,
            live.attributes,
            changed,
            is_secret=resource.id in self.secretive,
            planned=get_attributes(planned),
        )
        self._change(
            resource,
            Action.UPDATE if record else Action.ADOPT,
            reason,
            fields=fields,
            record=record,
            live=live,
            moved_from=origin,
            heals=origin is None and all(item.cause is Cause.DRIFT for item in fields),
        )

    def _catch_up(
        self,
        resource: Resource,
        kind: Kind,
        spec: dict[str, Tree],
        record: Record | None,
        live: Present,
    ) -> None:
        """Let the record of what needs no change say what Git asks for."""
        is_renewed = resource.id in self.renewed
        if not record or not (is_renewed or is_behind(record, resource, kind, spec, self.key)):
            self.unchanged.append(resource.id)
            return
        self._change(
            resource, Action.ADOPT, BEHIND, fields=(), record=record, live=live, heals=True
        )

    def _plan_replacement(
        self,
        resource: Resource,
        kind: Kind,
        spec: dict[str, Tree],
        record: Record | None,
        live: Present,
        fields: tuple[FieldChange, ...],
        origin: ResourceId | None,
    ) -> None:
        there = self.live.elsewhere.get(resource.id, Absent())
        if isinstance(there, Unreadable):
            self._block(
                resource.id, f"its new place cannot be read: {there.reason}", resource.source
            )
            return
        if isinstance(there, Present) and not self.ownership.is_ours(resource.id, there):
            self._block_foreign(resource, there)
            return
        planned = self._ask(resource, kind, spec, None, None)
        self.known_values_by_infra[resource.id] = compute_known_values(
            resource.id, kind, spec, None, frozenset(), planned=get_attributes(planned)
        )
        self._change(
            resource,
            Action.REPLACE,
            _explain_replacement(resource, record, fields),
            fields=fields,
            record=record,
            live=live,
            risk=Risk.DESTRUCTIVE if kind.stateful else Risk.DISRUPTIVE,
            moved_from=origin,
            old_first=_goes_first(resource, kind),
            heals=origin is None and all(item.cause is Cause.DRIFT for item in fields),
        )

    def _apply_drift_policy(
        self, resource: Resource, fields: tuple[FieldChange, ...]
    ) -> tuple[FieldChange, ...]:
        if self._get_policy(resource) is DriftPolicy.CORRECT:
            return fields
        drift = tuple(item for item in fields if item.cause is Cause.DRIFT)
        if drift:
            self._note_drift(resource, drift)
        return tuple(item for item in fields if item.cause is not Cause.DRIFT)

    def _note_drift(self, resource: Resource, fields: tuple[FieldChange, ...]) -> None:
        policy = self._get_policy(resource)
        if policy is not DriftPolicy.IGNORE:
            self.drifted.append(
                Drifted(id=resource.id, fields=fields, source=resource.source, policy=policy)
            )

    def _get_policy(self, resource: Resource) -> DriftPolicy:
        is_to_be_corrected = resource.id in self.corrects
        return DriftPolicy.CORRECT if is_to_be_corrected else resource.lifecycle.drift

    def _settle(
        self, resource: Resource, spec: Mapping[str, Tree], attributes: Mapping[str, Tree]
    ) -> None:
        kind, values = get_kind(self.kinds, resource), {**spec, **attributes}
        if resource.id in self.secretive or kind.tree.hides:
            values = mark_secrets(kind, values, spec)
        self.known_values_by_infra[resource.id] = KnownValues(resource.id, values)

    # Whose is it?

    def _is_foreign(
        self, resource: Resource, kind: Kind, live: Present, record: Record | None
    ) -> bool:
        if kind.recorded_only or self.ownership.is_ours(resource.id, live):
            return False
        if record is not None and self._bears_other(resource, live):
            return False
        return live.mark is not None or record is None

    def _find_origin(
        self, resource: Resource, record: Record | None, live: Present
    ) -> ResourceId | None:
        """Return the id that the resource is to be moved from; None if it has its own already."""
        if record is None:
            return None
        if resource.id not in self.recorded.records:
            return record.id
        is_marked = self._bears_other(resource, live)
        return self.half_moved.get(resource.id, resource.moved_from) if is_marked else None

    def _bears_other(self, resource: Resource, live: Present) -> bool:
        """Tell whether *live* bears our mark under the other id of a move."""
        half = self.half_moved.get(resource.id)
        return self.ownership.was_ours(resource, live, {half} if half else ())

    def _block_foreign(self, resource: Resource, live: Present) -> None:
        name = self.ownership.find_own(live)
        is_leaving = name not in self.desired.resources
        old = self.recorded.find_old_name(resource, name) if is_leaving else None
        standing = describe_standing(self.ownership, live, is_renamed=old is not None)
        self._block(resource.id, standing.reason, resource.source, standing.hint)
        if old is not None:
            self._block(old.id, f"{resource.id} is to be in its place", old.source, standing.hint)

    # Entries

    def _block(
        self, name: ResourceId, reason: str, source: Source | None, hint: str | None = None
    ) -> None:
        self.blocked[name] = BlockedResource(id=name, reason=reason, source=source, hint=hint)

    def _change(
        self,
        resource: Resource,
        action: Action,
        reason: str,
        *,
        fields: tuple[FieldChange, ...],
        record: Record | None,
        live: Present | None = None,
        moved_from: ResourceId | None = None,
        risk: Risk = Risk.SAFE,
        old_first: bool = True,
        heals: bool = False,
    ) -> None:
        self.changes.append(
            PlannedChange(
                id=resource.id,
                action=action,
                reason=reason,
                kind=resource.kind,
                provider=resource.provider,
                api_version=resource.api_version,
                provider_type=resource.provider_type,
                risk=risk,
                source=resource.source,
                fields=fields,
                resource=resource,
                record=record,
                live=live,
                moved_from=moved_from,
                moved_infra=resource.moved_infra if moved_from else None,
                old_first=old_first,
                heals=heals,
            )
        )


def _compare_provider(resource: Resource, record: Record | None) -> tuple[FieldChange, ...]:
    if record is None or record.provider == resource.provider:
        return ()
    return (
        FieldChange(
            path="provider",
            before=record.provider,
            after=resource.provider,
            cause=Cause.MANIFEST,
            replaces=True,
        ),
    )


def _explain_replacement(
    resource: Resource, record: Record | None, fields: tuple[FieldChange, ...]
) -> str:
    if record and record.provider != resource.provider:
        return "its provider changed"
    replacing = [field for field in fields if field.replaces]
    if any(field.path.partition(".")[0] == LOCATION for field in replacing):
        return "its location changed"
    names = ", ".join(sorted({field.path for field in replacing}))
    is_drift = all(field.cause is Cause.DRIFT for field in replacing)
    why = "it was changed outside of Git, and" if is_drift else "the manifest changed, and"
    return f"{why} {names} cannot be changed in place"


def _goes_first(resource: Resource, kind: Kind) -> bool:
    """Tell whether what is there must go before its replacement comes."""
    asked = resource.lifecycle.create_before_delete
    return not (kind.create_before_delete if asked is None else asked)
