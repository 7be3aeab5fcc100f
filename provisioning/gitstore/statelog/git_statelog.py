"""The state log of one infra: read at its head, appended to by compare-and-swap."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from provisioning.core.model.errors import HeadMoved
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.records import LogSnapshot, Record
from provisioning.core.statelog.entries import compute_compaction, compute_snapshot
from provisioning.core.statelog.fsck import LogCommit
from provisioning.core.statelog.transitions import (
    RESOURCES,
    LogEntry,
    LogView,
    check_transition,
    get_ref,
)
from provisioning.gitstore.repository.rewrite import write_bundle
from provisioning.gitstore.statelog.history import read_log_commits, read_view
from provisioning.gitstore.statelog.recorded import GitRecords, Records
from provisioning.gitstore.statelog.shards import compute_shard_changes

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.core.statelog.compaction import Survey
    from provisioning.gitstore.objects.commits import Commit
    from provisioning.gitstore.repository.remote import Remote
    from provisioning.gitstore.repository.repository import Repository


class StateLog(Protocol):
    """The state log of one infra. Every method may be called from any thread."""

    infra: str

    def read(self) -> LogView:
        """Return the log as it stands where it is shared: on the remote, if there is one.

        Raises:
            RemoteUnreachable: If the remote does not answer.
            StateLogDamaged: If a file is of no known format.
        """

    def read_local(self) -> LogView:
        """Return the log as it was when it was last fetched."""

    def read_at(self, head: CommitId | None) -> LogView:
        """Return the log as it stood when *head* was its newest entry."""

    def read_records(self, view: LogView) -> dict[ResourceId, Record]:
        """Return every resource recorded at *view*."""

    def open_records(self, view: LogView) -> Records:
        """Return what is recorded at *view*, to be read as it is needed."""

    def append(
        self,
        view: LogView,
        entry: LogEntry,
        records: Mapping[ResourceId, Record | None] | None = None,
    ) -> LogView:
        """Append *entry* on top of *view*, with the new *records* (None: gone).

        Raises:
            TransitionRefused: If *entry* may not follow *view*; nothing was written.
            HeadMoved: If *view* is not the head; nothing was written.
            RemoteUnreachable: If it cannot be known whether the entry arrived.
        """

    def read_history(self, limit: int | None = None) -> Iterator[LogCommit]:
        """Yield the log's commits, newest first, from its head."""


class GitStateLog:
    """The state log as a branch of *repository*, and of *remote* if there is one."""

    def __init__(
        self,
        repository: Repository,
        infra: str,
        *,
        remote: Remote | None,
        author: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.infra = infra
        self._repository = repository
        self._remote = remote
        self._author = author
        self._now = now
        self._ref = get_ref(infra)

    def read(self) -> LogView:
        """See `StateLog.read`."""
        if self._remote:
            self._remote.fetch(f"{self._ref}*")
        return self.read_local()

    def read_local(self) -> LogView:
        """See `StateLog.read_local`."""
        return read_view(self._repository, self._repository.read_ref(self._ref))

    def read_at(self, head: CommitId | None) -> LogView:
        """See `StateLog.read_at`."""
        return read_view(self._repository, head)

    def has_records(self) -> bool:
        """Tell whether anything is recorded, as the log was when it was last fetched."""
        head = self._repository.read_ref(self._ref)
        return head is not None and self._repository.find_id(head, RESOURCES) is not None

    def read_records(self, view: LogView) -> dict[ResourceId, Record]:
        """See `StateLog.read_records`."""
        return self.open_records(view).read_all()

    def open_records(self, view: LogView) -> GitRecords:
        """See `StateLog.open_records`."""
        tree = self._repository.find_id(view.head, RESOURCES) if view.head else None
        return GitRecords(self._repository, view.head, tree or "")

    def _list_leaves(self, head: CommitId | None) -> dict[str, str]:
        tree = self._repository.find_id(head, RESOURCES) if head else None
        if tree is None:
            return {}
        files = self._repository.walk_files(tree)
        return {f"{RESOURCES}/{file.path}": file.blob for file in files}

    def append(
        self,
        view: LogView,
        entry: LogEntry,
        records: Mapping[ResourceId, Record | None] | None = None,
    ) -> LogView:
        """See `StateLog.append`."""
        check_transition(view, entry)
        self._fetch_missing(view)
        files = dict(entry.files)
        if records:
            files |= compute_shard_changes(
                self._list_leaves(view.head), self._repository.read_blob, records
            )
        moment = self._now()
        commit = self._repository.write_commit(
            view.head, files, entry.message, self._author, moment
        )
        if self._remote:
            commit = self._publish(self._remote, view, commit, entry, moment)
        else:
            self._repository.update_ref(self._ref, commit, view.head)
        return read_view(self._repository, commit)

    def _publish(
        self, remote: Remote, view: LogView, commit: CommitId, entry: LogEntry, moment: float
    ) -> CommitId:
        """Make *commit*, which holds *entry*, the head of the branch on *remote*."""
        del entry, moment
        remote.push(self._ref, commit, view.head)
        return commit

    def compact(self, view: LogView, survey: Survey, snapshot: LogSnapshot) -> LogView:
        """Let *snapshot* stand for all entries up to *survey*'s cut; those after it stay.

        Raises:
            HeadMoved: If *view* is not the head; nothing is lost.
        """
        assert survey.cut is not None and view.head is not None  # noqa: PT018, S101
        first = compute_snapshot(survey.cut.view, snapshot)
        last = compute_compaction(view, snapshot)
        files = {name: data for name, data in first.files.items() if data is not None}
        kept = survey.kept[::-1]
        old = self._repository.write_history(survey.cut.id, first.message, kept, files)
        new = self._repository.write_commit(
            old, last.files, last.message, self._author, self._now()
        )
        if self._remote:
            self._remote.replace(self._ref, new, view.head)
        else:
            self._repository.update_ref(self._ref, new, view.head)
        return read_view(self._repository, new)

    def archive(self, view: LogView, file: Path) -> None:
        """Write the whole log as it stands at *view* to *file*, a bundle that `git fetch` reads.

        Raises:
            HeadMoved: If *view* is not the head.
            StorageFailed: If it cannot be written, or something else is there.
        """
        assert view.head is not None  # noqa: S101  there is something to archive
        write_bundle(self._repository.folder, self._ref, view.head, file)

    def _fetch_missing(self, view: LogView) -> None:
        """Fetch *view*'s head if another mirror of the remote read it."""
        if view.head is None or self._repository.has_object(view.head):
            return
        if self.read().head != view.head:
            raise HeadMoved(f"{self._ref} is no longer at {view.head[:10]}")

    def read_history(self, limit: int | None = None) -> Iterator[LogCommit]:
        """See `StateLog.read_history`."""
        head = self._repository.read_ref(self._ref)
        return read_log_commits(self._repository, head, limit) if head else iter(())

    def read_story(self, limit: int | None = None) -> Iterator[Commit]:
        """Yield the log's commits, newest first, without their files."""
        head = self._repository.read_ref(self._ref)
        return self._repository.read_history(head, limit) if head else iter(())
