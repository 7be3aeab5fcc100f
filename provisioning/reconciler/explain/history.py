"""The history of an infra: events from its state log, and from the local journals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.ids import CommitId
from provisioning.core.model.records import Begin, Run, decode_record
from provisioning.core.statelog.transitions import BEGIN, RUN, EntryKind
from provisioning.gitstore.statelog.entries import EntryHead, walk_entries
from provisioning.localstore.journal import BegunOperation, list_journals, read_entries

if TYPE_CHECKING:
    from provisioning.gitstore.repository.repository import Repository

NAMES: Mapping[str, str] = {
    EntryKind.BEGIN: "begun",
    EntryKind.HOLD: "held",
    EntryKind.RELEASE: "released",
    EntryKind.STEAL: "stolen",
    EntryKind.SUSPEND: "suspended",
    EntryKind.RESUME: "resumed",
    EntryKind.COMPACT: "compacted",
}
"""The event for the first word of a subject, where it is another word."""

NO_LIMIT = 2**31

_PREFIX = re.compile(r"\A(run )?\d+:? ?")


class HistoryEvent(msgspec.Struct, frozen=True):
    """One event: its time (RFC 3339, UTC), infra, run, resource, and what happened."""

    time: str
    infra: str
    run: str
    id: str
    what: str
    text: str


def list_history(
    repository: Repository, infra: str, head: CommitId | None, since: CommitId | None, limit: int
) -> list[HistoryEvent]:
    """Return the newest *limit* events of the entries after *since*, oldest first.

    Compaction gives *since* another id, so it is found by its subject and time.
    """
    found: list[HistoryEvent] = []
    known = repository.read_commit(since) if since else None
    for entry in walk_entries(repository, head):
        if known and (entry.subject, entry.time) == (known.subject, known.time):
            break
        if len(found) >= limit:
            break
        found += reversed(list(_read_entry(repository, infra, entry)))
    return found[:limit][::-1]


def _read_entry(repository: Repository, infra: str, entry: EntryHead) -> Iterator[HistoryEvent]:
    word, _, rest = entry.subject.partition(" ")
    run = entry.trailers.get("Run-Id", "").partition("-")[0]
    time = datetime.fromtimestamp(entry.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if word == EntryKind.RENEW:
        return
    if entry.is_record:
        data = repository.read_file(entry.id, RUN)
        changes = decode_record(data, Run).changes if data else ()
        for change in changes:
            text = change.error or change.reason
            yield HistoryEvent(time, infra, run, change.id, change.outcome, text)
    if "Plan-Digest" in entry.trailers and not entry.is_record:
        data = repository.read_file(entry.id, BEGIN)
        begin = decode_record(data, Begin) if data else None
        rest += f" ({begin.reason}) of {begin.commit[:10]}" if begin else ""
    text = _PREFIX.sub("", rest)
    yield HistoryEvent(time, infra, run, "", NAMES.get(word, word), text)


@dataclass(slots=True)
class Follower:
    """Reads the events since the last call; the first time, the newest *limit*."""

    repository: Repository
    journals: Path
    infra: str
    limit: int
    _head: CommitId | None = None
    _known: dict[Path, int] = field(default_factory=dict)

    def read(self, head: CommitId | None, now: str) -> list[HistoryEvent]:
        """Return the new events up to *head*, oldest first; those of journals happen *now*."""
        events = list_history(self.repository, self.infra, head, self._head, self.limit)
        self._head, self.limit = head, NO_LIMIT
        return [*events, *self._read_journals(now)]

    def _read_journals(self, now: str) -> Iterator[HistoryEvent]:
        for path in list_journals(self.journals):
            try:
                entries = list(read_entries(path))
            except FileNotFoundError:  # the run was recorded just now
                entries = []
            begun = [entry.intent for entry in entries if isinstance(entry, BegunOperation)]
            for intent in islice(begun, self._known.get(path, 0), None):
                run = intent.run.partition("-")[0]
                yield HistoryEvent(now, self.infra, run, intent.id, "running", intent.action)
            self._known[path] = len(begun)
