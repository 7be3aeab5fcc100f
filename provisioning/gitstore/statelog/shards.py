"""The resources of a state log, sharded so that a small change writes little.

Below `resources/` lies a tree over the hexadecimal SHA-256 of the ids, one digit a level.
A leaf `…/a.jsonl` holds a record a line, sorted by id; a leaf of more than `LEAF` records is
split into the folder `…/a/`. So a reader of `git diff` sees one line a changed resource, and
one change among 100,000 writes one leaf of at most `LEAF` lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping

import msgspec

from provisioning.core.model.errors import StateLogDamaged
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Record
from provisioning.core.model.values import UNDECODABLE, as_json, from_json
from provisioning.core.statelog.transitions import RESOURCES

LEAF = 256

LEAF_SUFFIX = ".jsonl"

_decoder = msgspec.json.Decoder(Record)
_encoder = msgspec.json.Encoder(order="deterministic")


def parse_leaf(data: bytes, name: str) -> list[Record]:
    """Read one leaf.

    Raises:
        StateLogDamaged: If a line is not a record; the message tells which.
    """
    try:
        records = _decoder.decode_lines(data)
        return [_revive(record) for record in records] if b'"$' in data else records
    except UNDECODABLE as exc:
        raise StateLogDamaged(
            f"{name} of the state log cannot be read: {exc}",
            hint="`provisioning fsck` names the commit that did it",
        ) from exc


def _revive(record: Record) -> Record:
    return msgspec.structs.replace(
        record,
        spec=from_json(record.spec),
        attributes=from_json(record.attributes),
        leftovers=tuple(map(from_json, record.leftovers)),
    )


def render_leaf(records: Iterable[Record]) -> bytes:
    """Write one leaf."""
    lines = (
        _encoder.encode(_embalm(record)) for record in sorted(records, key=lambda item: item.id)
    )
    return b"".join(line + b"\n" for line in lines)


def _embalm(record: Record) -> Record:
    return msgspec.structs.replace(
        record,
        spec=as_json(record.spec),
        attributes=as_json(record.attributes),
        leftovers=tuple(map(as_json, record.leftovers)),
    )


def get_digits(name: ResourceId) -> str:
    """Return the digits that lead to the leaf of *name*."""
    return hashlib.sha256(name.encode()).hexdigest()


def compute_shard_changes(
    leaves: Mapping[str, str],
    read: Callable[[str], bytes],
    updates: Mapping[ResourceId, Record | None],
) -> dict[str, bytes | None]:
    """Return the files to write (None removes) so that *updates* hold.

    Args:
        leaves: The path of each leaf, and whatever *read* takes to read it.
        read: Reads one leaf.
        updates: The new record of each changed resource, None for one that is gone.
    """
    touched: dict[str, dict[ResourceId, Record | None]] = {}
    folders = _list_folders(leaves)
    for name, record in updates.items():
        touched.setdefault(_find_leaf(folders, get_digits(name)), {})[name] = record
    files: dict[str, bytes | None] = {}
    for path, changes in touched.items():
        old = parse_leaf(read(leaves[path]), path) if path in leaves else []
        kept = {item.id: item for item in old} | changes
        records = [record for record in kept.values() if record is not None]
        new = _split(path.removesuffix(LEAF_SUFFIX), records)
        if path in leaves and path not in new:
            files[path] = None
        files |= new
    return files


def _list_folders(leaves: Iterable[str]) -> set[str]:
    folders: set[str] = set()
    for path in leaves:
        while "/" in path:
            path = path.rpartition("/")[0]  # noqa: PLW2901  climbing is the point
            folders.add(path)
    return folders


def _find_leaf(folders: set[str], digits: str) -> str:
    depth = 1
    while f"{RESOURCES}/{'/'.join(digits[:depth])}" in folders:
        depth += 1
    return f"{RESOURCES}/{'/'.join(digits[:depth])}{LEAF_SUFFIX}"


def _split(stem: str, records: list[Record]) -> dict[str, bytes | None]:
    if not records:
        return {}
    depth = stem.count("/")
    if len(records) <= LEAF:
        return {f"{stem}{LEAF_SUFFIX}": render_leaf(records)}
    parts: dict[str, list[Record]] = {}
    for record in records:
        parts.setdefault(get_digits(record.id)[depth], []).append(record)
    files: dict[str, bytes | None] = {}
    for digit, part in parts.items():
        files |= _split(f"{stem}/{digit}", part)
    return files
