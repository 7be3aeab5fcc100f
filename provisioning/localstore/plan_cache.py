"""The cache of what looks found settled: below the home, and deletable at any time.

One file an infra, a MessagePack `PlanCache`. Whatever is wrong with it, it is ignored, and the
next look looks at everything.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from provisioning.core.model.values import UNDECODABLE
from provisioning.core.plan.plan_cache import PlanCache

_decoder = msgspec.msgpack.Decoder(PlanCache)
_encoder = msgspec.msgpack.Encoder()


def load_plan_cache(path: Path, version: str) -> PlanCache:
    """Read the settlement at *path*; one in which nothing is settled if there is none."""
    try:
        plan_cache = _decoder.decode(path.read_bytes())
    except (OSError, *UNDECODABLE):
        return PlanCache(version=version)
    return plan_cache if plan_cache.version == version else PlanCache(version=version)


def save_plan_cache(path: Path, plan_cache: PlanCache) -> None:
    """Replace the settlement at *path*; a disk that cannot take it costs only the shortcut."""
    replace_cache(path, _encoder.encode(plan_cache))


def replace_cache(path: Path, data: bytes) -> None:
    """Replace the file at *path* as a whole, if the disk takes it."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
