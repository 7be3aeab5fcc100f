"""The cache of compiled manifests: what each blob says, so that cost follows the change.

One file an infra, a MessagePack `ManifestSnapshot`. It is only ever a shortcut: whatever is wrong
with it, it is ignored and written anew.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from provisioning.core.model.ids import BlobId
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import UNDECODABLE, Digest
from provisioning.localstore.plan_cache import replace_cache

_resources_decoder = msgspec.msgpack.Decoder(tuple[Resource, ...])
_encoder = msgspec.msgpack.Encoder()


class CompiledFile(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One manifest file: the blob it was, and the resources in it, unpacked when they are read.

    `reads` are the digests of the settings that decided which resources are in it; `claims` tells
    that one of them comes from another infra.
    """

    blob: BlobId
    packed: msgspec.Raw
    reads: dict[str, Digest] = {}
    claims: bool = False

    @property
    def identity(self) -> BlobId:
        """What decides which resources are in it: equal identities, equal resources."""
        read = "".join(f"+{name}={digest}" for name, digest in sorted(self.reads.items()))
        return BlobId(f"{self.blob}{read}")

    def unpack(self) -> tuple[Resource, ...] | None:
        """Return the resources; None if what was kept of them is damaged."""
        try:
            return _resources_decoder.decode(self.packed)
        except UNDECODABLE:
            return None


def pack_file(
    blob: BlobId, resources: tuple[Resource, ...], reads: dict[str, Digest]
) -> CompiledFile:
    """Return the file of *blob* with its *resources*, which are there because of *reads*."""
    claims = any(resource.moved_infra for resource in resources)
    return CompiledFile(blob, msgspec.Raw(_encoder.encode(resources)), reads, claims)


class ManifestSnapshot(msgspec.Struct, frozen=True):
    """Every manifest of an infra at one tree; *version* names the code and kinds that read it."""

    version: str
    tree: str
    files: dict[str, CompiledFile]


_decoder = msgspec.msgpack.Decoder(ManifestSnapshot)


def load_snapshot(path: Path, version: str) -> ManifestSnapshot:
    """Read the snapshot at *path*; an empty one if there is none of this *version*."""
    try:
        snapshot = _decoder.decode(path.read_bytes())
    except (OSError, *UNDECODABLE):
        return ManifestSnapshot(version, "", {})
    return snapshot if snapshot.version == version else ManifestSnapshot(version, "", {})


def save_snapshot(path: Path, snapshot: ManifestSnapshot) -> None:
    """Replace the snapshot at *path*; a disk that cannot take it costs only the shortcut."""
    replace_cache(path, _encoder.encode(snapshot))
