"""How long this machine has seen a lock's record unchanged, by its own monotonic clock.

Kept in a file, so that one command can go on counting where another stopped; it counts
from zero again after a reboot.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from provisioning.core.model.records import Lock
from provisioning.core.model.values import UNDECODABLE, compute_digest


class Sighting(msgspec.Struct, frozen=True):
    """Which record was seen, in which boot, and since when (seconds of CLOCK_BOOTTIME)."""

    digest: str
    boot: str
    since: float


def observe_lock(path: Path, lock: Lock, boot: str) -> float:
    """Note *lock* at *path*; return for how many seconds it has been seen unchanged.

    Where the file cannot be written, the lock counts as just seen.
    """
    digest = compute_digest(msgspec.to_builtins(lock))
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    seen = _read(path)
    if seen and seen.digest == digest and seen.boot == boot and seen.since <= now:
        return now - seen.since
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(Sighting(digest, boot, now)))
    except OSError:
        return 0.0
    return 0.0


def _read(path: Path) -> Sighting | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Sighting)
    except (OSError, *UNDECODABLE):
        return None
