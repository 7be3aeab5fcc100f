"""Ways to break a promise on purpose, which the simulation must notice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from unittest import mock

import actors
from memory_statelogs import MemoryStateLog

from provisioning.core.model.records import Lock
from provisioning.core.statelog.lock_expiry import LockStatus
from provisioning.core.statelog.transitions import LogEntry, LogView
from provisioning.reconciler.execution import lease


def force_pushes() -> AbstractContextManager[object]:
    """Let the server take every push, whatever the head: no fencing."""
    append = MemoryStateLog.append

    def force(
        log: MemoryStateLog, view: LogView, entry: LogEntry, records: object = None
    ) -> LogView:
        del view
        return append(log, log.read(), entry, records)

    return mock.patch.object(MemoryStateLog, "append", force)


def ask_no_owner() -> AbstractContextManager[object]:
    """Let a run write on top of a lock that is not its own."""
    return mock.patch.object(lease, "is_own", return_value=True)


def compare_wall_clocks() -> AbstractContextManager[object]:
    """Judge a lock by the time that another machine wrote into it."""
    compute_lock_status = actors.compute_lock_status

    def judge(lock: Lock, *, is_gone: bool, seen_for: float) -> LockStatus:
        skewed = float(sum(map(ord, lock.renewed_at)) % 60)
        return compute_lock_status(lock, is_gone=is_gone, seen_for=seen_for + skewed)

    return mock.patch.object(actors, "judge_lock", judge)


def trust_the_lease_for_ever() -> AbstractContextManager[object]:
    """Make calls that may outlive the lease."""
    return mock.patch.object(lease.Lease, "get_remaining", return_value=100.0)


BREAKAGES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "forced pushes": force_pushes,
    "no owner": ask_no_owner,
    "wall clocks": compare_wall_clocks,
    "endless lease": trust_the_lease_for_ever,
}
