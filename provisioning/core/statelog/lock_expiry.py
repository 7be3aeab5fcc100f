"""The status of a lock: held, expired or orphaned. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from provisioning.core.model.records import Lock


class LockState(StrEnum):
    """The states of a lock, as an observer may conclude them."""

    HELD = "held"
    EXPIRED = "expired"
    """Its record has not changed for its whole ttl, by the observer's own clock."""
    ORPHANED = "orphaned"
    """Its holder ran on this machine, in this boot, and is gone."""


class LockStatus(msgspec.Struct, frozen=True):
    """A lock's standing, and how many seconds remain until it expires (None: never)."""

    standing: LockState
    remaining: float | None

    @property
    def is_held(self) -> bool:
        """Whether nobody else may take it."""
        return self.standing is LockState.HELD


def compute_lock_status(lock: Lock, *, is_gone: bool, seen_for: float) -> LockStatus:
    """Judge *lock*.

    Wall clocks of two machines are never compared: *seen_for* is how many seconds, by the
    observer's own monotonic clock, the record has been seen without a change.

    Args:
        lock: The record.
        is_gone: The holder is known to be a process of this machine that has ended.
        seen_for: Seconds since the observer first saw this very record.
    """
    if is_gone:
        return LockStatus(LockState.ORPHANED, 0.0)
    if not lock.ttl:
        return LockStatus(LockState.HELD, None)
    remaining = lock.ttl - seen_for
    if remaining <= 0:
        return LockStatus(LockState.EXPIRED, 0.0)
    return LockStatus(LockState.HELD, remaining)
