"""The cache of compiled manifests: what each blob says, so that cost follows the change.

One file an infra, a MessagePack `Snapshot`. It is only ever a shortcut: whatever is wrong
with it, it is ignored and written anew.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from provisioning.core.ids import BlobId
from provisioning.core.resources import Resource
from provisioning.core.values import UNDECODABLE


class CompiledFile(msgspec.Struct, frozen=True, gc=False):
    """One manifest file: the blob it was, and the resources in it."""

    blob: BlobId
    resources: tuple[Resource, ...]


class Snapshot(msgspec.Struct, frozen=True):
    """Every manifest of an infra at one tree; *version* names the code and kinds that read it."""

    version: str
    tree: str
    files: dict[str, CompiledFile]


_decoder = msgspec.msgpack.Decoder(Snapshot)
_encoder = msgspec.msgpack.Encoder()


def load_snapshot(path: Path, version: str) -> Snapshot:
    """Read the snapshot at *path*; an empty one if there is none of this *version*."""
    try:
        snapshot = _decoder.decode(path.read_bytes())
    except (OSError, *UNDECODABLE):
        return Snapshot(version, "", {})
    return snapshot if snapshot.version == version else Snapshot(version, "", {})


def save_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Replace the snapshot at *path*; a disk that cannot take it costs only the shortcut."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(_encoder.encode(snapshot))
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)


def list_resources(files: Mapping[str, CompiledFile]) -> list[Resource]:
    """Return the resources of all *files*."""
    return [resource for file in files.values() for resource in file.resources]
