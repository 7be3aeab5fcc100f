"""Conditions: the state of an infra and its resources, from the state log alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.records import Lock, Record, Result, Run, Suspension
from provisioning.core.policy.conflicts import FieldConflict
from provisioning.core.policy.suspensions import describe_suspension, get_suspension, list_suspended
from provisioning.core.statelog.lock_expiry import LockState, LockStatus
from provisioning.core.statelog.transitions import LogView


class Condition(StrEnum):
    """The condition of an infra or a resource."""

    READY = "ready"
    RECONCILING = "reconciling"
    STALLED = "stalled"
    BLOCKED = "blocked"
    PENDING = "pending"
    """It is desired, and was never applied."""
    LEAVING = "leaving"
    """It is recorded, and no longer desired."""
    CONFLICT = "conflict"
    """Another program changes it after each run."""


class ConditionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One condition: its status, the reason as one word, and a message."""

    type: Condition
    status: bool
    reason: str
    message: str


class ResourceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One resource and its condition."""

    id: ResourceId
    condition: Condition
    message: str


class InfraStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One infra: its conditions, its lock, and its resources.

    `head` is that of the state log, `applied` the last commit applied, `commit` the desired one.
    """

    infra: str
    conditions: tuple[ConditionStatus, ...]
    lock: Lock | None
    head: CommitId | None
    applied: CommitId | None
    commit: CommitId
    resources: tuple[ResourceStatus, ...]

    @property
    def is_ready(self) -> bool:
        """Whether the last run applied everything."""
        return any(
            condition.type is Condition.READY and condition.status for condition in self.conditions
        )


def compute_status(
    infra: str,
    commit: CommitId,
    view: LogView,
    records: Iterable[Record],
    lock_status: LockStatus | None,
    now: str = "",
    conflicts: Mapping[ResourceId, FieldConflict] = MappingProxyType({}),
) -> InfraStatus:
    """Compute the status of *infra*, whose desired state is at *commit*.

    A suspension that has ended at *now* (RFC 3339, UTC) does not count. *conflicts* are the
    resources that another program changes, too.
    """
    suspended = list_suspended(view.suspended, now)
    found = (
        _compute_resource(record, suspended.get(record.id), conflicts.get(record.id))
        for record in records
    )
    resources = tuple(sorted(found, key=lambda item: item.id))
    return InfraStatus(
        infra=infra,
        conditions=(
            _compute_ready(commit, view, resources),
            _compute_reconciling(view, lock_status),
            _compute_stalled(view),
            _compute_blocked(view, lock_status, get_suspension(view.suspended, now)),
        ),
        lock=view.lock,
        head=view.head,
        applied=view.run.commit if view.run else None,
        commit=commit,
        resources=resources,
    )


def _compute_resource(
    record: Record, suspension: Suspension | None, conflict: FieldConflict | None
) -> ResourceStatus:
    if suspension is not None:
        message = describe_suspension(suspension)
        return ResourceStatus(id=record.id, condition=Condition.BLOCKED, message=message)
    if conflict is not None:
        return ResourceStatus(id=record.id, condition=Condition.CONFLICT, message=str(conflict))
    condition = Condition.STALLED if record.error else Condition.READY
    return ResourceStatus(id=record.id, condition=condition, message=record.error or "applied")


def _compute_ready(
    commit: CommitId, view: LogView, resources: tuple[ResourceStatus, ...]
) -> ConditionStatus:
    run = view.run
    failing = [resource.id for resource in resources if resource.condition is Condition.STALLED]
    if run is None:
        return _lacks(Condition.READY, "never-applied", "nothing was applied yet")
    if view.is_cut_off:
        return _lacks(Condition.READY, "unfinished", "a run has begun and not ended")
    if run.result is not Result.DONE or failing:
        names = ", ".join(failing) or _name_failed(run)
        return _lacks(Condition.READY, "failed", f"run {run.number} {run.result}: {names}")
    if run.commit != commit:
        message = f"run {run.number} applied {run.commit[:10]}; see `plan` for {commit[:10]}"
        return _holds(Condition.READY, "applied", message)
    return _holds(Condition.READY, "applied", f"run {run.number} applied {commit[:10]}")


def _name_failed(run: Run) -> str:
    return ", ".join(change.id for change in run.changes if change.error) or "see its log"


def _compute_reconciling(view: LogView, lock_status: LockStatus | None) -> ConditionStatus:
    if view.lock and view.lock.run and lock_status and lock_status.is_held:
        message = f"run {view.lock.token} by {view.lock.holder}"
        return _holds(Condition.RECONCILING, "running", message)
    return _lacks(Condition.RECONCILING, "idle", "no run is under way")


def _compute_stalled(view: LogView) -> ConditionStatus:
    run = view.run
    if run and run.result is Result.FAILED:
        first = next((change for change in run.changes if change.error), None)
        message = f"{first.id}: {first.error}" if first else "the last run failed"
        return _holds(Condition.STALLED, "failed", message)
    return _lacks(Condition.STALLED, "ok", "the last run did not fail")


def _compute_blocked(
    view: LogView, lock_status: LockStatus | None, suspension: Suspension | None
) -> ConditionStatus:
    lock = view.lock
    if suspension is not None:
        return _holds(Condition.BLOCKED, "suspended", describe_suspension(suspension))
    if lock and not lock.run and lock_status and lock_status.is_held:
        return _holds(Condition.BLOCKED, "held", f"held by {lock.holder}: {lock.reason}")
    if lock and lock_status and lock_status.standing is not LockState.HELD:
        return _lacks(Condition.BLOCKED, lock_status.standing, "the next run takes over")
    return _lacks(Condition.BLOCKED, "free", "it is not locked")


def _holds(type_: Condition, reason: str, message: str) -> ConditionStatus:
    return ConditionStatus(type=type_, status=True, reason=reason, message=message)


def _lacks(type_: Condition, reason: str, message: str) -> ConditionStatus:
    return ConditionStatus(type=type_, status=False, reason=reason, message=message)
