"""The file of a secret, and its users; never its value."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from provisioning.core.expressions.interpolation import Reference, parse_text
from provisioning.core.expressions.reference_paths import Settings, Ways, find_ways, is_related
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import Path, read_at
from provisioning.core.status.provenance import Application, Authorship, Compacted, Link


class SecretFile(msgspec.Struct, frozen=True, kw_only=True):
    """The SOPS file that holds a secret, and who changed it last.

    `key` is the place in it, "" for the whole; `is_there` tells whether the key exists.
    `fingerprint` and `created` are those of a generated SSH key or token, else "".
    """

    file: str
    key: str
    is_there: bool
    by: Authorship | None
    fingerprint: str = ""
    created: str = ""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """A field that reads a secret, and the run that applied it last.

    `file` holds the secret for its infra, "" if none does. `reads` are the references to the
    secret, each with the settings that lead to it. `is_newer` tells that the field or the file
    changed after the last run.
    """

    infra: str
    id: ResourceId
    link: Link
    file: str
    reads: Ways
    applied: Application | Compacted | None
    is_newer: bool


class SecretUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The files that hold *secret*, the settings that name it, and the fields that use it."""

    secret: str
    files: tuple[SecretFile, ...]
    settings: tuple[Link, ...]
    used: tuple[Usage, ...]


def find_readers(
    resource: Resource, secret: str, settings: Settings
) -> Iterator[tuple[Path, Ways]]:
    """Yield the path below `spec` of each text in *resource* that reads *secret*, and how.

    A reference to a map reads all of its values.
    """
    for hole in resource.templated:
        reads: dict[str, tuple[str, ...]] = {}
        for part in parse_text(read_at(resource.spec, hole.path)):
            if isinstance(part, Reference):
                ways = find_ways(str(part), settings)
                reads |= {name: way for name, way in ways.items() if is_related(name, secret)}
        if reads:
            yield hole.path, reads
