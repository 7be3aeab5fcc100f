"""Runs that change the state log alone, and nothing in the world."""

from __future__ import annotations

from collections.abc import Mapping

from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import DONE, Begin, Change, Lock, Record, Result, Run
from provisioning.core.plan.plan import Plan
from provisioning.core.statelog.transitions import LogView, build_run_id, next_token
from provisioning.localstore.journal import list_journals
from provisioning.reconciler.cycle import Reconciler
from provisioning.reconciler.execution.lease import Lease, render_time
from provisioning.reconciler.operations.lock import check_unlocked


def check_idle(reconciler: Reconciler, view: LogView) -> None:
    """Make sure that no run is in progress, and none was cut off that changes the world.

    A run that was cut off and changes the state log alone may be repeated; an ordinary run in its
    place would delete the resource that it was about to forget.

    Raises:
        LockHeld: If a run is in progress, or somebody holds the lock.
        InvalidArgument: If a run was cut off whose effects are not recorded.
    """
    check_unlocked(reconciler.infra, view, reconciler.judge)
    if not view.is_settled or list_journals(reconciler.journals):
        raise InvalidArgument(
            f"a run of {reconciler.infra} was cut off, and its effects are not recorded yet",
            hint=f"`provisioning reconcile {reconciler.infra}` finishes it",
        )


def record_state_only(
    reconciler: Reconciler,
    view: LogView,
    plan: Plan,
    records: Mapping[ResourceId, Record | None],
    reason: str,
) -> Run:
    """Record *records* as a run that made the changes of *plan* in the log alone.

    Args:
        reconciler: The reconciler of the infra.
        view: The log that *plan* was computed from.
        plan: The plan that was shown.
        records: The new record of each resource, None to forget it.
        reason: The reason, for the state log.

    Raises:
        HeadMoved: If the log is no longer at *view*; nothing was written.
    """
    check_idle(reconciler, view)
    token = next_token(view)
    name = build_run_id(token, reconciler.nonce())
    now = render_time(reconciler.clocks.wall())
    begin = Begin(
        run=name,
        actor=reconciler.holder.user,
        reason=reason,
        commit=plan.commit,
        digest=plan.digest,
        started_at=now,
    )
    lock = reconciler.settings.lock_ttl and Lock(
        token=token,
        holder=reconciler.holder,
        reason=reason,
        acquired_at=now,
        renewed_at=now,
        ttl=reconciler.settings.lock_ttl,
        run=name,
    )
    lease = Lease(reconciler.log, view, lock or None, begin, reconciler.clocks)
    run = Run(
        run=name,
        actor=begin.actor,
        reason=reason,
        commit=plan.commit,
        digest=plan.digest,
        result=Result.DONE,
        base=view.run.base if view.run and view.run.commit == plan.commit else None,
        started_at=now,
        finished_at=render_time(reconciler.clocks.wall()),
        changes=tuple(
            Change(
                id=change.id,
                action=change.action,
                outcome=DONE[change.action],
                reason=change.reason,
            )
            for change in plan.changes
        ),
    )
    try:
        lease.record(run, records)
    finally:
        lease.close()
    return run
