"""Finds, in a state log, the run that applied a resource or one of its fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.ids import CommitId, ResourceId, RunId
from provisioning.core.model.records import Begin, Change, Record, Run, decode_record
from provisioning.core.model.values import Path, Tree, is_equal, read_at
from provisioning.core.statelog.transitions import BEGIN, RESOURCES, RUN
from provisioning.core.status.provenance import Application, Compacted
from provisioning.gitstore.statelog.entries import EntryHead, walk_entries
from provisioning.gitstore.statelog.shards import get_digits, parse_leaf

if TYPE_CHECKING:
    from provisioning.gitstore.repository.repository import Repository


class Recorded(msgspec.Struct, frozen=True):
    """The entry with which a run ended, and the run."""

    entry: EntryHead
    run: Run


def read_record(repository: Repository, head: CommitId, name: ResourceId) -> Record | None:
    """Return the record of *name* at *head*, reading one leaf; None if there is none."""
    stem, leaf = RESOURCES, None
    for digit in get_digits(name):
        stem = f"{stem}/{digit}"
        leaf = repository.find_id(head, f"{stem}.jsonl")
        if leaf or repository.find_id(head, stem) is None:
            break
    if leaf is None:
        return None
    lines = repository.read_blob(leaf).splitlines(keepends=True)
    wanted = b"".join(line for line in lines if f'"{name}"'.encode() in line)
    records = parse_leaf(wanted, f"{stem}.jsonl")
    return next((record for record in records if record.id == name), None)


def find_application(
    repository: Repository, head: CommitId | None, name: ResourceId, path: Path | None
) -> tuple[Application | Compacted | None, Record | None]:
    """Return the run that gave *name*, or its field at *path*, the recorded value; and the record.

    Only the runs that touched the resource are read, as far back as a snapshot. A renamed
    resource is followed to the name it had before. Of one that is not recorded any more, the
    run that ended it is found.
    """
    record = read_record(repository, head, name) if head else None
    entries = walk_entries(repository, head)
    if record is None:
        return _find_ending(repository, entries, name), None
    now, found, entry = record, None, None
    for entry in entries:
        is_named = now.run in entry.message and entry.is_record
        if not is_named or entry.trailers.get("Run-Id") != now.run:
            continue
        found = Recorded(entry, _read_run(repository, entry.id))
        applied = _describe(found, now.id)
        before = _read_before(repository, entry, now)
        if path is None or before is None or _differs(now, before, path):
            return applied, record
        now = before
    if entry is not None and entry.is_snapshot:
        return Compacted(now.run), record
    return (_describe(found, now.id) if found else None), record


def _differs(now: Record, before: Record, path: Path) -> bool:
    """Compare the field; one that its kind expands into others stands for all of them."""
    if path[0] in now.spec or path[0] in now.attributes:
        return not is_equal(_get(now, path), _get(before, path))
    return not is_equal(now.spec, before.spec)


def _get(record: Record, path: Path) -> Tree:
    try:
        return read_at({**record.attributes, **record.spec}, path)
    except KeyError:
        return None


def _read_before(repository: Repository, entry: EntryHead, now: Record) -> Record | None:
    """Return the record that the run of *entry* found, under the name it had then."""
    if entry.parent is None:
        return None
    before = read_record(repository, entry.parent, now.id)
    if before is not None:
        return before
    data = repository.read_file(entry.parent, BEGIN)
    begin = decode_record(data, Begin) if data else None
    intents = begin.intents if begin else ()
    old = next(
        (intent.moved_from for intent in intents if intent.id == now.id and intent.moved_from), None
    )
    return read_record(repository, entry.parent, old) if old else None


def _find_ending(
    repository: Repository, entries: Iterator[EntryHead], name: ResourceId
) -> Application | None:
    needle = f'"{name}"'.encode()
    for entry in entries:
        if not entry.is_record:
            continue
        data = repository.read_file(entry.id, RUN)
        if data and needle in data:
            found = _describe(Recorded(entry, decode_record(data, Run)), name)
            if found.action is not None:
                return found
    return None


def _read_run(repository: Repository, commit: CommitId) -> Run:
    return decode_record(repository.read_file(commit, RUN) or b"", Run)


def _describe(recorded: Recorded, name: ResourceId) -> Application:
    run = recorded.run
    change: Change | None = next((item for item in run.changes if item.id == name), None)
    return Application(
        run=RunId(run.run),
        actor=run.actor,
        reason=run.reason,
        commit=run.commit,
        time=run.finished_at,
        entry=recorded.entry.id,
        action=change.action if change else None,
        outcome=change.outcome if change else None,
        because=change.reason if change else "",
    )
