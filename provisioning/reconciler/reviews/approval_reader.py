"""Reads from the forge which effects were reviewed, for the gate before an apply."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.ids import CommitId
from provisioning.core.model.records import Result, Run
from provisioning.core.policy.approvals import ReviewedEffects, compute_reviewed
from provisioning.core.policy.review_records import NOTHING, ReviewRecord
from provisioning.core.reviews.forge import Forge, PullRequest
from provisioning.core.statelog.transitions import LogView
from provisioning.gitstore.branches.review_log import ReviewLog
from provisioning.gitstore.statelog.git_statelog import StateLog

if TYPE_CHECKING:
    from provisioning.gitstore.repository.repository import Repository

MAX_ENTRIES = 100
"""Entries of a state log that are searched for the last run that succeeded."""

MAX_COMMITS = 200
"""Commits of the branch that are searched for merges, newest first: a call of the forge each."""

MAX_FIRST = 50
"""The same, where nothing was applied yet."""


class ApprovalReader(msgspec.Struct, frozen=True, kw_only=True):
    """Reads what the merged pull requests of a commit have shown.

    *reviews* were fetched with the commit or after it. With *is_required*, every change must come
    by a pull request to *branch*.
    """

    forge: Forge
    reviews: ReviewLog
    history: Repository
    branch: str
    is_required: bool

    def read_reviewed(
        self, log: StateLog, view: LogView, commit: CommitId
    ) -> ReviewedEffects | None:
        """Return the effects reviewed between the last commit applied and *commit*.

        None means that no pull request is there, and none is required.
        """
        run = find_converged(log, view)
        since = run.commit if run else None
        if run and not self.history.has_object(run.commit):  # only its base was fetched
            since = run.base
        records = list(self._list_records(since, commit))[::-1]
        if not records and not self.is_required:
            return None
        return compute_reviewed(log.infra, records)

    def _list_records(self, since: CommitId | None, commit: CommitId) -> Iterator[ReviewRecord]:
        for number, found in enumerate(self.history.read_history(commit)):
            if since is not None and self.history.is_ancestor(found.id, since):
                return
            if number == (MAX_FIRST if since is None else MAX_COMMITS):
                if since is not None:  # what lies further back was not read, and not reviewed
                    yield ReviewRecord(pull=0, head=commit)
                return
            pull = self.forge.find_merged_pull(found.id)
            if pull and pull.base_branch == self.branch and not self._is_applied(pull, since):
                record = self.reviews.read(pull.number)
                if record is None or record.head not in {NOTHING, pull.head}:
                    record = ReviewRecord(pull=pull.number, head=pull.head)
                yield record

    def _is_applied(self, pull: PullRequest, since: CommitId | None) -> bool:
        """Return whether *pull* was applied before it was merged."""
        return since is not None and self.history.is_ancestor(pull.head, since)


def find_converged(log: StateLog, view: LogView) -> Run | None:
    """Return the last run that succeeded; None if no recent one did."""
    if view.run is None or view.run.result is Result.DONE:
        return view.run
    runs = (entry.view.run for entry in log.read_history(MAX_ENTRIES))
    return next((run for run in runs if run and run.result is Result.DONE), None)
