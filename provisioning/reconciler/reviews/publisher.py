"""Publishes a review at the forge: one comment, the statuses and labels, and its record.

All of it follows from the current state and is written only where it differs, so that the next
review repairs what a lost webhook, a restart or a deleted comment left wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import msgspec

from provisioning.core.model.ids import CommitId
from provisioning.core.model.redaction import Redactor
from provisioning.core.model.sensitive import reveal
from provisioning.core.plan.plan import Risk
from provisioning.core.policy.review_records import (
    PLANS,
    PendingApproval,
    ReviewRecord,
    build_reviewed_plan,
    get_review_ref,
)
from provisioning.core.reviews.comment import MARKER, render_comment, render_whole_plan
from provisioning.core.reviews.findings import CONTEXT, PullReview
from provisioning.core.reviews.forge import CommitStatus, PullComment, State
from provisioning.core.reviews.redaction import redact_review
from provisioning.reconciler.reviews.context import ReviewContext

WAITING, DESTRUCTIVE = "provisioning/waiting", "provisioning/destructive"
LABELS = {
    WAITING: "the plan waits for an approval",
    DESTRUCTIVE: "the plan destroys something that cannot be recreated",
}
"""The labels of a pull request, and their descriptions."""

PARALLELISM = 4
"""Calls to the forge at once."""


class Publisher(msgspec.Struct, frozen=True, kw_only=True):
    """Publishes reviews."""

    context: ReviewContext

    def publish(self, review: PullReview, record: ReviewRecord | None) -> ReviewRecord:
        """Publish *review*, and return its new record; *record* is the one before.

        The record is written before a status says that the pull request may be merged.

        Raises:
            HeadMoved: If somebody else published a review meanwhile.
        """
        shown = redact_review(review, self._build_redact(review))
        comments = self.context.forge.list_comments(review.pull.number)
        own = [comment for comment in comments if self._is_ours(comment)]
        url = "" if review.pull.is_closed and not own else self._write_comment(shown, own)
        new = self._record(review, shown, record)
        if not review.pull.is_closed:  # else another pull request may have the same head
            self._write_statuses(shown, url)
        self._write_labels(review)
        return new

    def _build_redact(self, review: PullReview) -> Callable[[str], str]:
        """Return what redacts for this review alone: nothing of it is known afterwards."""
        own = Redactor(map(str, cast("list[str]", reveal(review.hidden))))
        return lambda text: own.redact(self.context.redact(text))

    def _record(
        self, review: PullReview, shown: PullReview, old: ReviewRecord | None
    ) -> ReviewRecord:
        """Record what the comment shows; only later comments can approve it."""
        is_waiting = any(infra.unreviewed for infra in review.infras)
        comments = self.context.forge.list_comments(review.pull.number) if is_waiting else []
        new = build_record(review, old, max((comment.id for comment in comments), default=0))
        if new != old:
            texts = {infra.infra: render_whole_plan(infra) for infra in shown.infras}
            subject = f"review #{review.pull.number} at {review.pull.head[:10]}"
            self.context.reviews.append(new, texts, f"{subject}: {review.headline}")
        return new

    def _is_ours(self, comment: PullComment) -> bool:
        return comment.body.startswith(MARKER) and comment.author == self.context.forge.read_login()

    def _write_comment(self, review: PullReview, own: Sequence[PullComment]) -> str:
        """Write the one comment, and delete others that a race left."""
        forge, branch = self.context.forge, get_review_ref(review.pull.number)
        branch = branch.removeprefix("refs/heads/")
        body = render_comment(review, lambda it: forge.get_file_url(branch, f"{PLANS}/{it}.md"))
        if not own:
            return forge.create_comment(review.pull.number, body).url
        first, *others = own
        if first.body.strip() != body.strip():
            forge.update_comment(first.id, body)
        for other in others:
            forge.delete_comment(other.id)
        return first.url

    def _write_statuses(self, review: PullReview, url: str) -> None:
        commit = review.pull.merged or review.pull.head
        wanted = {status.context: status for status in review.build_statuses(url)}
        there = self.context.forge.list_statuses(commit)
        for context in there.keys() - wanted.keys():
            if context.startswith(f"{CONTEXT}/"):
                wanted[context] = CommitStatus(
                    context=context, state=State.SUCCESS, description="no longer touched", url=url
                )
        changed = [item for context, item in wanted.items() if item != there.get(context)]
        with ThreadPoolExecutor(PARALLELISM) as threads:
            list(threads.map(lambda status: self.context.forge.set_status(commit, status), changed))

    def _write_labels(self, review: PullReview) -> None:
        is_waiting = any(infra.unreviewed for infra in review.infras)
        is_destructive = any(infra.risk is Risk.DESTRUCTIVE for infra in review.infras)
        labels = {WAITING: is_waiting, DESTRUCTIVE: is_destructive and not review.pull.merged}
        changed = {
            name: is_on for name, is_on in labels.items() if is_on != (name in review.pull.labels)
        }
        if changed:
            self.context.forge.set_labels(review.pull.number, changed)


def build_record(review: PullReview, old: ReviewRecord | None, last: int) -> ReviewRecord:
    """Return the record of *review*; *last* is the id of the newest comment.

    After the merge the reviewed plans stay as they were. A plan that waits for an approval keeps
    the comment after which it was shown.
    """
    pull = review.pull
    record = old or ReviewRecord(pull=pull.number, head=pull.head)
    if pull.merged or not pull.is_open:
        waiting = tuple(
            PendingApproval(infra=infra.infra, digest=infra.plan.digest, after=last)
            for infra in review.infras
            if infra.unreviewed and infra.plan
        )
        known = {(item.infra, item.digest): item for item in record.waiting}
        waiting = tuple(known.get((item.infra, item.digest), item) for item in waiting)
        is_settled = all(infra.is_done for infra in review.infras)
        return msgspec.structs.replace(record, waiting=waiting, is_settled=is_settled)
    plans = tuple(build_reviewed_plan(infra.plan) for infra in review.infras if infra.plan)
    return msgspec.structs.replace(
        record, head=CommitId(pull.head), plans=plans, waiting=(), is_settled=False
    )
