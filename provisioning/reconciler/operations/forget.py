"""Forgets a resource: it is no longer managed, and is not deleted."""

from __future__ import annotations

from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.records import Action
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import find_nearest
from provisioning.core.plan.plan import Plan, PlannedChange, Risk
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.operations.state_only_run import StateOnlyPlan, check_idle


def plan_forget(
    reconciler: Reconciler, commit: CommitId, name: ResourceId, desired: Resource | None
) -> StateOnlyPlan:
    """Plan to forget *name*, which must no longer be desired: *desired* is None.

    Raises:
        InvalidArgument: If it is not recorded, or still desired.
        LockHeld: If a run is in progress.
    """
    infra, log = reconciler.context.infra, reconciler.context.log
    view = log.read()
    records = log.read_records(view)
    if name not in records:
        nearest = find_nearest(name, set(records))
        raise InvalidArgument(
            f"{name} is not recorded in {infra}: there is nothing to forget",
            hint=f"did you mean {nearest}?" if nearest else "`provisioning get` lists the records",
        )
    if desired is not None:
        raise InvalidArgument(
            f"{name} is still desired, so the next run would take it back",
            hint=f"`provisioning suspend {infra}`, remove it from {desired.source} in a commit, "
            f"`provisioning forget {infra} {name}`, `provisioning resume {infra}`",
            source=desired.source,
        )
    check_idle(reconciler, view)
    record = records[name]
    change = PlannedChange(
        id=name,
        action=Action.FORGET,
        reason="forget was requested",
        kind=record.kind,
        provider=record.provider,
        api_version=record.api_version,
        provider_type=record.provider_type,
        risk=Risk.SAFE,
        source=record.source,
        record=record,
        warning="it is not deleted, and nothing manages it",
    )
    applied = view.run.commit if view.run else commit
    plan = Plan(infra=infra, commit=applied, changes=(change,))
    return StateOnlyPlan(plan, {name: None}, view)
