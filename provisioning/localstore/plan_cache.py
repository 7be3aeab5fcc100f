"""The cache of what looks found settled: below the home, and deletable at any time.

One file an infra, a MessagePack `Settlement`. Whatever is wrong with it, it is ignored, and the
next look looks at everything.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from provisioning.core.model.values import UNDECODABLE
from provisioning.core.plan.plan_cache import Settlement

_decoder = msgspec.msgpack.Decoder(Settlement)
_encoder = msgspec.msgpack.Encoder()


def load_settlement(path: Path, version: str) -> Settlement:
    """Read the settlement at *path*; one in which nothing is settled if there is none."""
    try:
        settlement = _decoder.decode(path.read_bytes())
    except (OSError, *UNDECODABLE):
        return Settlement(version=version)
    return settlement if settlement.version == version else Settlement(version=version)


def save_settlement(path: Path, settlement: Settlement) -> None:
    """Replace the settlement at *path*; a disk that cannot take it costs only the shortcut."""
    replace_cache(path, _encoder.encode(settlement))


def replace_cache(path: Path, data: bytes) -> None:
    """Replace the file at *path* as a whole, if the disk takes it."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
