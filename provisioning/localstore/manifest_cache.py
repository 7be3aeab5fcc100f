"""The cache of compiled manifests, by blob: only changed files are compiled again.

One file an infra, a MessagePack `ManifestSnapshot`. A damaged file is ignored and replaced.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from provisioning.core.model.ids import BlobId
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import UNDECODABLE, Digest
from provisioning.localstore.plan_cache import load_cache

_resources_decoder = msgspec.msgpack.Decoder(tuple[Resource, ...])
_encoder = msgspec.msgpack.Encoder()


class CompiledFile(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One manifest file: its blob, and its resources, unpacked on demand.

    `reads` are the digests of the settings that decided which resources are in it; `claims` tells
    that one of them comes from another infra.
    """

    blob: BlobId
    packed: msgspec.Raw
    reads: dict[str, Digest] = {}
    claims: bool = False

    @property
    def identity(self) -> BlobId:
        """The identity of its resources: equal identities, equal resources."""
        read = "".join(f"+{name}={digest}" for name, digest in sorted(self.reads.items()))
        return BlobId(f"{self.blob}{read}")

    def unpack(self) -> tuple[Resource, ...] | None:
        """Return the resources; None if the cache is damaged."""
        try:
            return _resources_decoder.decode(self.packed)
        except UNDECODABLE:
            return None


def pack_file(
    blob: BlobId, resources: tuple[Resource, ...], reads: dict[str, Digest]
) -> CompiledFile:
    """Return the file of *blob* with its *resources*, which depend on *reads*."""
    claims = any(resource.moved_infra for resource in resources)
    return CompiledFile(blob, msgspec.Raw(_encoder.encode(resources)), reads, claims)


class ManifestSnapshot(msgspec.Struct, frozen=True):
    """Every manifest of an infra at one tree; *version* is that of code and kinds."""

    version: str
    tree: str
    files: dict[str, CompiledFile]


_decoder = msgspec.msgpack.Decoder(ManifestSnapshot)


def load_snapshot(path: Path, version: str) -> ManifestSnapshot:
    """Read the snapshot at *path*; an empty one if there is none of this *version*."""
    return load_cache(path, _decoder, ManifestSnapshot(version, "", {}))
