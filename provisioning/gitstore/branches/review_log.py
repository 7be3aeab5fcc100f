"""The branches of reviews of pull requests; see `core.policy.review_records`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from provisioning.core.model.ids import CommitId
from provisioning.core.policy.review_records import (
    ALL,
    NOTHING,
    PLANS,
    REVIEW,
    REVIEWS,
    ReviewRecord,
    get_review_ref,
    parse_review,
    render_review,
)

if TYPE_CHECKING:
    from provisioning.gitstore.repository.remote import Remote


MAX_UNSIGNED = 100
"""Commits of a review that are searched for a signed one."""


class ReviewLog:
    """The reviews of all pull requests, in the mirror of *remote*."""

    def __init__(
        self,
        remote: Remote,
        author: str,
        read_key: Callable[[], bytes],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._read_key = read_key
        self._remote = remote
        self._repository = remote.mirror
        self._author = author
        self._now = now

    def fetch(self, branch: str, pull: int | None = None) -> None:
        """Fetch *branch*, every review, and the head of *pull*."""
        heads = [f"refs/pull/{pull}/head"] if pull else []
        self._remote.fetch(f"refs/heads/{branch}", f"{REVIEWS}*", *heads)

    def read(self, pull: int) -> ReviewRecord | None:
        """Return the newest signed review of *pull*; None if there is no review.

        If none of the newest `MAX_UNSIGNED` is signed, the answer says that nothing was shown, and
        that all comments up to now are answered.

        Raises:
            StateLogDamaged: If its format is unknown.
        """
        head = self._read_head(pull)
        if head is None:
            return None
        key, commit = self._read_key(), head
        for _ in range(MAX_UNSIGNED):
            data = self._repository.read_file(commit, REVIEW)
            parents = self._repository.read_commit(commit).parents
            parent = parents[0] if parents else None
            record = parse_review(data, key, parent) if data else None
            if record and record.pull == pull:
                return record
            if parent is None:
                break
            commit = parent
        return ReviewRecord(pull=pull, head=NOTHING, answered=ALL)

    def _read_head(self, pull: int) -> CommitId | None:
        return self._repository.read_ref(get_review_ref(pull))

    def append(self, record: ReviewRecord, plans: Mapping[str, str], subject: str) -> None:
        """Write *record* and the texts of *plans* as the next commit of its branch.

        Raises:
            HeadMoved: If somebody else reviewed it meanwhile; nothing was written.
        """
        old = self._read_head(record.pull)
        before = self._repository.read_folder(old, PLANS) if old else []
        gone: dict[str, bytes | None] = {f"{PLANS}/{entry.name}": None for entry in before}
        texts = {f"{PLANS}/{infra}.md": text.encode() for infra, text in plans.items()}
        files = (
            (gone if plans else {}) | texts | {REVIEW: render_review(record, self._read_key(), old)}
        )
        message = f"{subject}\n\nPull: {record.pull}\nHead: {record.head}\n"
        new = self._repository.write_commit(old, files, message, self._author, self._now())
        self._remote.push(get_review_ref(record.pull), new, old)
