"""The branches of pull requests about drift; see `core.reviews.drift_pulls`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.ids import CommitId
from provisioning.core.reviews.drift_pulls import (
    DRIFT_REFS,
    DriftNote,
    DriftPlace,
    parse_drift_ref,
    parse_note,
)

if TYPE_CHECKING:
    from provisioning.gitstore.repository.remote import Remote

MAX_COMMITS = 50
"""Commits of a branch that are searched for ours."""


class DriftBranch(msgspec.Struct, frozen=True, kw_only=True):
    """A fetched branch; `is_ours` tells that this program wrote its newest commit.

    `note` is that of our newest commit, None if there is none; `time` is that of the newest
    commit, in seconds since the epoch.
    """

    head: CommitId
    note: DriftNote | None
    is_ours: bool
    time: float


class DriftBranches:
    """The branches of all drifts, in the mirror of *remote*."""

    def __init__(self, remote: Remote, author: str, now: Callable[[], float] = time.time) -> None:
        self._remote = remote
        self._repository = remote.mirror
        self._author = author
        self.now = now

    def fetch(self, branch: str) -> None:
        """Fetch *branch*, and that of every drift."""
        self._remote.fetch(f"refs/heads/{branch}", f"{DRIFT_REFS}*")

    def list_places(self) -> list[DriftPlace]:
        """Return the drifts that have a branch, sorted."""
        found = (parse_drift_ref(ref) for ref in self._repository.list_refs(DRIFT_REFS))
        return sorted(filter(None, found))

    def read(self, place: DriftPlace) -> DriftBranch | None:
        """Return the branch of *place*; None if there is none."""
        head = self._repository.read_ref(place.ref)
        if head is None:
            return None
        newest, *older = self._repository.read_history(head, MAX_COMMITS)
        notes = [parse_note(commit.trailers) for commit in (newest, *older)]
        return DriftBranch(
            head=head,
            note=next((note for note in notes if note), None),
            is_ours=notes[0] is not None,
            time=newest.time,
        )

    def build_commit(
        self, place: DriftPlace, base: CommitId, files: Mapping[str, bytes], note: DriftNote
    ) -> CommitId:
        """Write the commit that changes *files* of *base*; no ref points to it yet."""
        what = f"accept {place.id}" if files else f"{place.id} drifted"
        message = f"{place.infra}: {what}\n\n{note.trailers}"
        return self._repository.write_commit(base, files, message, self._author, self.now())

    def write(self, place: DriftPlace, new: CommitId, old: CommitId | None) -> None:
        """Move the branch of *place* from *old* (None: there is none) to *new*.

        Raises:
            HeadMoved: If it is not at *old*.
        """
        self._remote.push(place.ref, new, old)

    def delete(self, place: DriftPlace, old: CommitId) -> None:
        """Delete the branch of *place*.

        Raises:
            HeadMoved: If it is not at *old*.
        """
        self._remote.delete(place.ref, old)
