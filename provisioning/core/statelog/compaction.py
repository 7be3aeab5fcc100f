"""Decides where a state log can be cut: a snapshot replaces the entries before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from provisioning.core.model.ids import CommitId, RunId
from provisioning.core.model.records import LogSnapshot, Result
from provisioning.core.statelog.fsck import LogCommit
from provisioning.core.statelog.transitions import RUN, LogView


@dataclass(slots=True)
class Survey:
    """Searches the entries of a state log, newest first, for the place to cut.

    The cut is the newest entry that is old enough, at which nobody held the lock, no run was
    under way and the last one had succeeded, and after which another run ended: so the last
    run can be replayed and undone as before. Before it lies nothing that is younger, as the
    clock of another machine may tell.

    Args:
        before: Entries of that time and older may go, in seconds since the epoch.
        cut: The last entry to go, once it is found.
        kept: The ids of the newer ones, newest first.
        entries: How many go, those that an earlier snapshot stands for included.
        until: The time of the youngest of them.
    """

    before: float
    cut: LogCommit | None = None
    kept: list[CommitId] = field(default_factory=list)
    entries: int = 0
    until: int = 0
    _gone: list[CommitId] = field(default_factory=list)
    _runs: list[RunId] = field(default_factory=list)  # the last one that goes, and the first
    _has_later_run: bool = False

    def watch(self, commits: Iterable[LogCommit]) -> Iterator[LogCommit]:
        """Yield *commits*, having looked at each."""
        for commit in commits:
            self._look(commit)
            yield commit

    def _look(self, commit: LogCommit) -> None:
        if self.cut is not None and commit.time > self.before:
            self._take_back()
        if self.cut is None and self._can_cut(commit):
            self.cut = commit
        if self.cut is None:
            self.kept.append(commit.id)
            self._has_later_run |= RUN in commit.changed
            return
        self._gone.append(commit.id)
        self.until = max(self.until, commit.time)
        before = commit.view.snapshot if not commit.parents else None
        self.entries += before.entries if before else 1
        runs = [before.last, before.first] if before else [_get_run(commit.view)]
        for run in filter(None, runs):
            self._runs[1:] = [run]

    def _take_back(self) -> None:
        """Keep what was to go: something before it is younger."""
        self.kept += self._gone
        self.cut, self.entries, self.until, self._gone, self._runs = None, 0, 0, [], []

    def _can_cut(self, commit: LogCommit) -> bool:
        view = commit.view
        return (
            self._has_later_run
            and bool(commit.parents)
            and commit.time <= self.before
            and view.lock is None
            and view.begin is None
            and (view.run is None or view.run.result is Result.DONE)
        )

    def build_snapshot(self, *, until: str, made_at: str, by: str) -> LogSnapshot:
        """Return the snapshot that stands for the cut and all before it; times are RFC 3339."""
        assert self.cut is not None  # noqa: S101  the caller has looked
        return LogSnapshot(
            of=self.cut.id,
            entries=self.entries,
            fence=self.cut.view.fence,
            until=until,
            made_at=made_at,
            by=by,
            first=self._runs[-1] if self._runs else None,
            last=self._runs[0] if self._runs else None,
        )


def _get_run(view: LogView) -> RunId | None:
    return view.run.run if view.run else None
