"""Suspends and resumes an infra or a resource: runs leave it alone meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Suspension, Suspensions
from provisioning.core.policy.conflicts import REACH, find_conflicts
from provisioning.core.policy.suspensions import with_resumption, with_suspension
from provisioning.core.statelog.entries import compute_suspension
from provisioning.core.statelog.transitions import EntryKind, LogEntry, LogView, next_token
from provisioning.gitstore.statelog.git_statelog import StateLog
from provisioning.reconciler.operations.lock import Judge, append_entry, check_view_unlocked


def suspend(
    log: StateLog, name: ResourceId | None, suspension: Suspension, *, judge: Judge
) -> LogView:
    """Suspend *name*, or the whole infra; a new suspension replaces an old one.

    Raises:
        LockHeld: If a run is under way, or somebody holds the lock.
    """
    reason = f": {suspension.reason}" if suspension.reason else ""
    story = f"{name or log.infra}{reason}"

    def change(view: LogView) -> Suspensions:
        return with_suspension(view.suspended, name, suspension)

    return _write(log, change, EntryKind.SUSPEND, story, suspension.by, judge)


def resume(log: StateLog, name: ResourceId | None, actor: str, *, judge: Judge) -> LogView:
    """End the suspension of *name*, or of the whole infra.

    If *name* is in conflict with another program, runs correct it again from now on.

    Raises:
        InvalidArgument: If it is neither suspended nor in conflict.
        LockHeld: If a run is under way, or somebody holds the lock.
    """
    suspended = log.read().suspended
    conflicts = find_conflicts(log.read_history(REACH), suspended, [name]) if name else {}
    if not conflicts and ((name not in suspended.resources) if name else (suspended.infra is None)):
        raise InvalidArgument(
            f"{name or log.infra} is not suspended", hint="`provisioning status` tells what is"
        )

    def change(view: LogView) -> Suspensions:
        ended = with_suspension(view.suspended, name, None)
        return with_resumption(ended, conflicts, next_token(view)) if conflicts else ended

    return _write(log, change, EntryKind.RESUME, name or log.infra, actor, judge)


def _write(
    log: StateLog,
    change: Callable[[LogView], Suspensions],
    kind: EntryKind,
    story: str,
    actor: str,
    judge: Judge,
) -> LogView:
    def compute(view: LogView) -> LogEntry:
        check_view_unlocked(log.infra, view, judge)
        return compute_suspension(view, change(view), kind, story, actor)

    return append_entry(log, compute)
