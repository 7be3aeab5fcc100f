"""How long this machine has observed a lock unchanged, by its own monotonic clock.

A file keeps the observation, so that one command goes on counting where another stopped; after
a reboot it counts from zero.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from provisioning.core.model.records import Lock
from provisioning.core.model.values import UNDECODABLE, compute_digest


class LockObservation(msgspec.Struct, frozen=True):
    """The digest of the lock, the boot, and since when it is unchanged (CLOCK_BOOTTIME)."""

    digest: str
    boot: str
    since: float


_DECODER = msgspec.json.Decoder(LockObservation)
"""Built once: msgspec crashes if two threads decode into one type for the first time."""


def observe_lock(path: Path, lock: Lock, boot: str) -> float:
    """Record *lock* at *path*; return for how many seconds it is unchanged.

    If the file cannot be written, the lock counts as new.
    """
    digest = compute_digest(msgspec.to_builtins(lock))
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    seen = _read(path)
    if seen and seen.digest == digest and seen.boot == boot and seen.since <= now:
        return now - seen.since
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(LockObservation(digest, boot, now)))
    except OSError:
        return 0.0
    return 0.0


def _read(path: Path) -> LockObservation | None:
    try:
        return _DECODER.decode(path.read_bytes())
    except (OSError, *UNDECODABLE):
        return None
