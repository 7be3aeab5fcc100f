"""Reads from the forge which effects were reviewed, for the gate before an apply."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from provisioning.core.model.ids import CommitId
from provisioning.core.model.records import Result, Run
from provisioning.core.policy.approvals import ReviewedEffects, compute_reviewed
from provisioning.core.policy.review_records import ReviewRecord
from provisioning.core.reviews.forge import Forge, PullRequest
from provisioning.core.statelog.transitions import LogView
from provisioning.gitstore.branches.review_log import ReviewLog
from provisioning.gitstore.statelog.git_statelog import StateLog
from provisioning.reconciler.gatekeeper import CommitHistory

MAX_ENTRIES = 100
"""Entries of a state log that are searched for the last run that succeeded."""


class ApprovalReader(msgspec.Struct, frozen=True, kw_only=True):
    """Reads what the merged pull requests of a commit have shown.

    *reviews* were fetched with the commit or after it. With *is_required*, every change must come
    by a pull request to *branch*.
    """

    forge: Forge
    reviews: ReviewLog
    history: CommitHistory
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
        records = list(self._list_records(since, commit))
        if not records and not self.is_required:
            return None
        return compute_reviewed(log.infra, records)

    def _list_records(self, since: CommitId | None, commit: CommitId) -> Iterator[ReviewRecord]:
        for pull in self.forge.list_closed_pulls():
            if pull.base_branch != self.branch or not self._lies_between(pull, since, commit):
                continue
            record = self.reviews.read(pull.number)
            if record is None or record.head != pull.head:
                yield ReviewRecord(pull=pull.number, head=pull.head)
            else:
                yield record

    def _lies_between(self, pull: PullRequest, since: CommitId | None, commit: CommitId) -> bool:
        merged = pull.merged
        if merged is None or not self.history.has_object(merged):
            return False
        if not self.history.is_ancestor(merged, commit):
            return False
        if since is None:
            return True
        return not any(self.history.is_ancestor(item, since) for item in (merged, pull.head))


def find_converged(log: StateLog, view: LogView) -> Run | None:
    """Return the last run that succeeded; None if no recent one did."""
    if view.run is None or view.run.result is Result.DONE:
        return view.run
    runs = (entry.view.run for entry in log.read_history(MAX_ENTRIES))
    return next((run for run in runs if run and run.result is Result.DONE), None)
