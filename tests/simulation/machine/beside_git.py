"""A state log that says what the in-memory one says, and makes sure that real Git says the same."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from memory_statelogs import MemoryStateLog, SharedBranch
from msgspec.structs import replace

from provisioning.core.model.errors import HeadMoved
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.records import Record
from provisioning.core.statelog.fsck import compute_findings
from provisioning.core.statelog.transitions import LogEntry, LogView
from provisioning.gitstore.repository.git_program import run_git
from provisioning.gitstore.repository.repository import Repository
from provisioning.gitstore.statelog.git_statelog import GitStateLog


class Differs(AssertionError):
    """Git and the log in memory do not say the same."""


class LogBesideGit(MemoryStateLog):
    """Answers from memory; every entry is appended to a repository, too, from the same view."""

    def __init__(self, infra: str, branch: SharedBranch) -> None:
        super().__init__(infra, branch)
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        run_git(folder, "init", "--quiet", "--bare")
        self._git = GitStateLog(
            Repository(folder), infra, remote=None, author="simulated", now=lambda: 0.0
        )
        self._heads: dict[CommitId | None, CommitId | None] = {None: None}

    def read(self) -> LogView:
        """See `StateLog.read`."""
        view = super().read()
        self._compare(view, self._git.read())
        return view

    def append(
        self,
        view: LogView,
        entry: LogEntry,
        records: Mapping[ResourceId, Record | None] | None = None,
    ) -> LogView:
        """See `StateLog.append`."""
        there = replace(view, head=self._heads[view.head])
        try:
            new = super().append(view, entry, records)
        except HeadMoved:
            self._check_refused(there, entry)
            raise
        made = self._git.append(there, entry, records)
        self._heads[new.head] = made.head
        self._compare(new, made)
        return new

    def _check_refused(self, view: LogView, entry: LogEntry) -> None:
        try:
            self._git.append(view, entry)
        except HeadMoved:
            return
        raise Differs(f"Git took {entry.subject!r} on top of an old head")

    def _compare(self, view: LogView, there: LogView) -> None:
        if there != replace(view, head=self._heads[view.head]):
            raise Differs(f"{view} in memory is {there} in Git")

    def check_history(self) -> int:
        """Make sure that Git's history is sound and tells the same; return how long it is.

        Raises:
            Differs: If it is not.
        """
        memory, git = list(self.read_history()), list(self._git.read_history())
        stories = [[(each.subject, dict(each.trailers)) for each in log] for log in (memory, git)]
        if stories[0] != stories[1]:
            raise Differs("Git's history tells another story")
        if not all(one.changed <= other.changed for one, other in zip(git, memory, strict=True)):
            raise Differs("an entry changed in Git what it did not write")
        if self.read_records(self.read()) != self._git.read_records(self._git.read()):
            raise Differs("Git has other records")
        findings = list(compute_findings(git))
        if findings:
            raise Differs(str(findings[0]))
        return len(git)
