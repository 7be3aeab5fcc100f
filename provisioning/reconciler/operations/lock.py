"""Holds, releases and steals locks for people."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from provisioning.core.model.errors import HeadMoved, InvalidArgument
from provisioning.core.model.records import Lock
from provisioning.core.statelog.entries import compute_hold, compute_release
from provisioning.core.statelog.lock_expiry import LockStatus
from provisioning.core.statelog.transitions import LogView, next_token
from provisioning.gitstore.statelog.git_statelog import StateLog
from provisioning.reconciler.refusals import describe_held

ATTEMPTS = 8


def hold_lock(
    log: StateLog, hold: Lock, *, judge: Callable[[Lock], LockStatus], steals: bool
) -> LogView:
    """Take the lock of *log* for a person; return the log as it is then.

    Raises:
        LockHeld: If somebody holds it, and *steals* is not set.
        HeadMoved: If somebody else was quicker each time.
    """
    for attempt in range(ATTEMPTS):
        view = log.read()
        if view.lock and not steals:
            lock_status = judge(view.lock)
            if lock_status.is_held:
                raise describe_held(log.infra, view.lock, lock_status)
        lock = msgspec.structs.replace(hold, token=next_token(view))
        try:
            return log.append(view, compute_hold(view, lock))
        except HeadMoved:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def release_lock(log: StateLog, actor: str) -> LogView:
    """Release a person's hold; return the log as it is then.

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
