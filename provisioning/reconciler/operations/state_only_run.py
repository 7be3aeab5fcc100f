"""Runs that change the state log alone, and nothing in the world, as that of `forget`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.records import DONE, Action, Change, Record, Run
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import find_nearest
from provisioning.core.plan.plan import Plan, PlannedChange, Risk
from provisioning.core.statelog.transitions import LogView
from provisioning.localstore.journal import list_journals
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.operations.lock import check_view_unlocked


class StateOnlyPlan(msgspec.Struct, frozen=True):
    """The plan, the new record of each resource (None: gone), and the log it was computed from."""

    plan: Plan
    records: Mapping[ResourceId, Record | None]
    view: LogView


def build_change(record: Record, action: Action, reason: str, warning: str | None) -> PlannedChange:
    """Plan *action* for the resource of *record*: it changes nothing in the world."""
    return PlannedChange(
        id=record.id,
        action=action,
        reason=reason,
        kind=record.kind,
        provider=record.provider,
        api_version=record.api_version,
        provider_type=record.provider_type,
        risk=Risk.SAFE,
        source=record.source,
        record=record,
        warning=warning,
    )


def check_idle(reconciler: Reconciler, view: LogView) -> None:
    """Make sure that no run is in progress, and none was cut off that changes the world.

    A run that was cut off and changes the state log alone may be repeated; an ordinary run in its
    place would delete the resource that it was about to forget.

    Raises:
        LockHeld: If a run is in progress, or somebody holds the lock.
        InvalidArgument: If a run was cut off whose effects are not recorded.
    """
    infra = reconciler.context.infra
    check_view_unlocked(infra, view, reconciler.gatekeeper.judge)
    if not view.is_settled or list_journals(reconciler.context.journals):
        raise InvalidArgument(
            f"a run of {infra} was cut off, and its effects are not recorded yet",
            hint=f"`provisioning reconcile {infra}` finishes it",
        )


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
    warning = "it is not deleted, and nothing manages it"
    change = build_change(records[name], Action.FORGET, "forget was requested", warning)
    applied = view.run.commit if view.run else commit
    plan = Plan(infra=infra, commit=applied, changes=(change,))
    return StateOnlyPlan(plan, {name: None}, view)


def record_state_only(reconciler: Reconciler, planned: StateOnlyPlan, reason: str) -> Run:
    """Record *planned* as a run that made its changes in the log alone.

    Raises:
        HeadMoved: If the log is no longer at the view of *planned*; nothing was written.
    """
    plan, view, runner = planned.plan, planned.view, reconciler.runner
    check_idle(reconciler, view)
    lease = runner.begin(view, plan, reason)
    changes = tuple(
        Change(
            id=change.id, action=change.action, outcome=DONE[change.action], reason=change.reason
        )
        for change in plan.changes
    )
    base = view.run.base if view.run and view.run.commit == plan.commit else None
    run = runner.build_run(lease, changes, base=base)
    try:
        lease.record(run, planned.records)
    finally:
        lease.close()
    return run
