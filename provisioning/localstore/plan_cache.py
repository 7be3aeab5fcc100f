"""Cache files of this machine, and the plan cache, which may be deleted at any time.

One MessagePack file an infra. A damaged file is ignored and replaced.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from provisioning.core.model.values import UNDECODABLE
from provisioning.core.plan.plan_cache import PlanCache


class Versioned(Protocol):
    """A cache that another version of the code or the kinds cannot use."""

    @property
    def version(self) -> str:
        """The version that wrote it."""


Cache = TypeVar("Cache", bound=Versioned)

_decoder = msgspec.msgpack.Decoder(PlanCache)
_encoder = msgspec.msgpack.Encoder()


def load_plan_cache(path: Path, version: str) -> PlanCache:
    """Read the plan cache at *path*; an empty one if there is none of this *version*."""
    return load_cache(path, _decoder, PlanCache(version=version))


def load_cache(path: Path, decoder: msgspec.msgpack.Decoder[Cache], empty: Cache) -> Cache:
    """Read the cache at *path*; *empty* if there is none of its version."""
    try:
        cache = decoder.decode(path.read_bytes())
    except (OSError, *UNDECODABLE):
        return empty
    return cache if cache.version == empty.version else empty


def save_cache(path: Path, cache: object) -> None:
    """Replace the file at *path* as a whole, if the disk has space."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(_encoder.encode(cache))
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
