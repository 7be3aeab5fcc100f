"""Holds, releases and steals locks for people."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.records import Lock
from provisioning.core.statelog.entries import compute_hold, compute_release
from provisioning.core.statelog.lock_expiry import LockStatus
from provisioning.core.statelog.transitions import LogEntry, LogView, next_token
from provisioning.gitstore.statelog.git_statelog import StateLog
from provisioning.reconciler.execution.lease import check_unlocked
from provisioning.reconciler.retries import retry_moved

MAX_ATTEMPTS = 8

Judge = Callable[[Lock], LockStatus]
"""Tells whether a lock is held."""


def hold_lock(log: StateLog, hold: Lock, *, judge: Judge, steals: bool) -> LogView:
    """Take the lock of *log* for a person; return the new log.

    Raises:
        LockHeld: If somebody holds it, and *steals* is not set.
        HeadMoved: If somebody else wrote during each attempt.
    """

    def compute(view: LogView) -> LogEntry:
        if not steals:
            check_view_unlocked(log.infra, view, judge)
        return compute_hold(view, msgspec.structs.replace(hold, token=next_token(view)))

    return append_entry(log, compute)


def append_entry(log: StateLog, compute: Callable[[LogView], LogEntry]) -> LogView:
    """Append the entry that *compute* returns for the newest log; return the new log.

    Raises:
        HeadMoved: If somebody else wrote during each attempt.
    """

    def append() -> LogView:
        view = log.read()
        return log.append(view, compute(view))

    return retry_moved(append, MAX_ATTEMPTS)


def check_view_unlocked(infra: str, view: LogView, judge: Judge) -> None:
    """Make sure that nobody holds the lock of *infra* at *view*.

    Raises:
        LockHeld: If somebody does.
    """
    check_unlocked(infra, view.lock, judge(view.lock) if view.lock else None)


def release_lock(log: StateLog, actor: str) -> LogView:
    """Release a person's hold; return the new log.

    Raises:
        InvalidArgument: If nobody holds it, or a run does.
        HeadMoved: If somebody else wrote meanwhile.
    """
    view = log.read()
    if view.lock is None:
        raise InvalidArgument(
            f"{log.infra} is not locked", hint="`provisioning lock ls` lists locks"
        )
    if view.lock.run:
        raise InvalidArgument(
            f"{log.infra} is locked by a run, which releases it itself",
            hint=f"if it is dead: `provisioning lock explain {log.infra}`",
        )
    return log.append(view, compute_release(view, actor))
