"""An in-memory state log: the same rules as the one in Git, and faults on demand."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from provisioning.core.model.errors import HeadMoved
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.records import Record
from provisioning.core.statelog.fsck import LogCommit
from provisioning.core.statelog.transitions import (
    FILES,
    RESOURCES,
    LogEntry,
    LogView,
    check_transition,
    parse_view,
)
from provisioning.gitstore.statelog.recorded import RecordChanges


class Written(msgspec.Struct, frozen=True):
    """One entry as it was written, and all that stands after it."""

    commit: LogCommit
    files: Mapping[str, bytes | None]
    records: Mapping[ResourceId, Record]


@dataclass(slots=True)
class SharedBranch:
    """What several `MemoryStateLog`s share, as several clones share a branch. Thread-safe."""

    entries: list[Written] = field(default_factory=list)
    mutex: threading.Lock = field(default_factory=threading.Lock)


class MemoryStateLog:
    """See `provisioning.gitstore.statelog.git_statelog.StateLog`; *branch* is the shared truth."""

    def __init__(self, infra: str, branch: SharedBranch) -> None:
        self.infra = infra
        self._branch = branch

    def read(self) -> LogView:
        """See `StateLog.read`."""
        entries = self._branch.entries
        return entries[-1].commit.view if entries else LogView()

    def read_local(self) -> LogView:
        """See `StateLog.read_local`."""
        return self.read()

    def read_at(self, head: CommitId | None) -> LogView:
        """See `StateLog.read_at`."""
        found = self._find(LogView(head=head)) if head else None
        return found.commit.view if found else LogView()

    def read_records(self, view: LogView) -> dict[ResourceId, Record]:
        """See `StateLog.read_records`."""
        found = self._find(view)
        return dict(found.records) if found else {}

    def open_records(self, view: LogView) -> MemoryRecords:
        """See `StateLog.open_records`."""
        return MemoryRecords(self, view.head, view.head or "")

    def has_entry(self, name: str) -> bool:
        """Tell whether an entry of the log has the id *name*."""
        return any(entry.commit.id == name for entry in self._branch.entries)

    def _find(self, view: LogView) -> Written | None:
        entries = reversed(self._branch.entries)
        return next((entry for entry in entries if entry.commit.id == view.head), None)

    def append(
        self,
        view: LogView,
        entry: LogEntry,
        records: Mapping[ResourceId, Record | None] | None = None,
    ) -> LogView:
        """See `StateLog.append`."""
        check_transition(view, entry)
        with self._branch.mutex:
            if self.read().head != view.head:
                raise HeadMoved(f"{self.infra} is no longer at {view.head}")
            written = self._build(view, entry, records or {})
            self._branch.entries.append(written)
            return written.commit.view

    def _build(
        self, view: LogView, entry: LogEntry, records: Mapping[ResourceId, Record | None]
    ) -> Written:
        before = self._find(view)
        files = {**(before.files if before else {}), **entry.files}
        kept = {**(before.records if before else {}), **records}
        head = CommitId(hashlib.sha1(f"{view.head}{entry.message}".encode()).hexdigest())
        changed = {name for name in FILES if name in entry.files}
        commit = LogCommit(
            id=head,
            parents=(view.head,) if view.head else (),
            time=0,
            subject=entry.subject,
            trailers=entry.trailers,
            changed=frozenset(changed | ({RESOURCES} if records else set())),
            view=parse_view(head, files),
        )
        live = {name: record for name, record in kept.items() if record is not None}
        return Written(commit, files, live)

    def read_history(self, limit: int | None = None) -> Iterator[LogCommit]:
        """See `StateLog.read_history`."""
        entries = self._branch.entries
        for written in reversed(entries[-limit:] if limit else entries):
            yield written.commit


class MemoryRecords(msgspec.Struct, frozen=True):
    """See `provisioning.gitstore.statelog.recorded.Records`; each entry has an id of its own."""

    log: MemoryStateLog
    head: CommitId | None
    id: str

    def get(self, name: ResourceId) -> Record | None:
        """See `Records.get`."""
        return self.read_all().get(name)

    def read_all(self) -> dict[ResourceId, Record]:
        """See `Records.read_all`."""
        return self.log.read_records(LogView(head=self.head))

    def compute_changes(self, since: str) -> RecordChanges | None:
        """See `Records.compute_changes`."""
        if since and not self.log.has_entry(since):
            return None
        after = self.read_all()
        before = self.log.read_records(LogView(head=CommitId(since))) if since else {}
        names = {name for name in {**before, **after} if before.get(name) != after.get(name)}
        return RecordChanges(frozenset(names), len(after) - len(before))
