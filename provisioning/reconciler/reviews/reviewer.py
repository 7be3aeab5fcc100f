"""Reviews pull requests from end to end: fetch, inspect, answer, publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
from msgspec.structs import replace

from provisioning.core.model.errors import Blocked, InvalidArgument
from provisioning.core.policy.review_records import ALL, ReviewRecord
from provisioning.core.reviews.findings import PullReview
from provisioning.core.reviews.forge import PullRequest
from provisioning.reconciler.planning.plan_result import Report
from provisioning.reconciler.retries import retry_moved
from provisioning.reconciler.reviews.applier import Applier
from provisioning.reconciler.reviews.context import ReviewContext
from provisioning.reconciler.reviews.drift_pulls import DriftPublisher
from provisioning.reconciler.reviews.inspector import Inspector
from provisioning.reconciler.reviews.publisher import PARALLELISM, Publisher
from provisioning.reconciler.reviews.responder import Responder

MAX_ATTEMPTS = 5
"""How often a review is tried while somebody else reviews the same pull request."""


class Reviewer(msgspec.Struct, frozen=True, kw_only=True):
    """Keeps the reviews at a forge up to date."""

    context: ReviewContext
    inspector: Inspector
    applier: Applier
    responder: Responder
    publisher: Publisher
    drift_publisher: DriftPublisher

    def review(self, number: int) -> PullReview:
        """Review one pull request, and those that change the same resources.

        Raises:
            HeadMoved: If somebody else reviewed it during each attempt.
        """
        found = self._review(number)
        for other in found.overlaps:
            self._review(other)
        return found

    def apply(self, number: int, infra: str | None) -> list[Report]:
        """Apply a pull request, *infra* alone or all it touches, and publish the result.

        Raises:
            Blocked: If an approval or a merge is missing.
            PlanChanged: If the plan is no longer the one that was shown.
        """
        pull, record = self._read(number)
        found = self.inspector.inspect(pull, record)
        if found.is_foreign or pull.is_closed:
            raise Blocked(f"#{number}: {found.headline}", hint="`provisioning review` lists others")
        names = list(found.names)
        if infra is not None and infra not in names:
            touched = ", ".join(names) or "none"
            raise InvalidArgument(
                f"#{number} does not touch {infra!r}", hint=f"it touches: {touched}"
            )
        try:
            return self.applier.apply(found, record, [infra] if infra else names)
        finally:
            self._sync_drift(found)
            self._review(number)

    def review_closed(self) -> list[PullReview]:
        """Review the recently closed pull requests that are not finished."""
        finished = self._list_finished()
        return [self._review(number) for number, is_finished in finished.items() if not is_finished]

    def _list_finished(self) -> dict[int, bool]:
        """Return each recently closed pull request: is it finished, or never reviewed?"""
        branch = self.context.branch
        self.context.reviews.fetch(branch)
        closed = self.context.forge.list_closed_pulls()
        pulls = [item.number for item in closed if item.base_branch == branch]
        records = {number: self.context.reviews.read(number) for number in pulls}
        return {number: record is None or record.is_settled for number, record in records.items()}

    def review_all(self) -> list[PullReview]:
        """Review every pull request that is open, not finished, or has a new command."""
        finished = self._list_finished()
        asked = self._list_asked([number for number in finished if finished[number]])
        wanted = [number for number in finished if number in asked or not finished[number]]
        closed = [self._review(number) for number in wanted]
        pulls = self.context.forge.list_open_pulls()
        found = {pull.number: self._review(pull.number) for pull in pulls}
        for other in _list_outdated(found):
            found[other] = self._review(other)
        return [*closed, *found.values()]

    def _list_asked(self, pulls: Sequence[int]) -> set[int]:
        records = [self.context.reviews.read(number) for number in pulls]
        with ThreadPoolExecutor(PARALLELISM) as threads:
            answers = threads.map(self.responder.has_commands, pulls, records)
            return {
                number for number, has_commands in zip(pulls, answers, strict=True) if has_commands
            }

    def _review(self, number: int) -> PullReview:
        return retry_moved(lambda: self._review_once(number), MAX_ATTEMPTS)

    def _review_once(self, number: int) -> PullReview:
        pull, record = self._read(number)
        found = self.inspector.inspect(pull, record)
        if found.is_foreign:
            return found
        answered = self.responder.respond(found, record)
        if answered != record:
            self._sync_drift(found)
            pull, _ = self._read(number)
            found = self.inspector.inspect(pull, answered)
        is_reviewed = answered is not None or not pull.is_closed
        if is_reviewed and not found.is_foreign:
            self.publisher.publish(found, answered)
        return found

    def _read(self, number: int) -> tuple[PullRequest, ReviewRecord | None]:
        pull = self.context.forge.read_pull(number)
        self.context.reviews.fetch(self.context.branch, number)
        record = self.context.reviews.read(number)
        if record and record.answered == ALL:
            comments = self.context.forge.list_comments(number)
            last = max((comment.id for comment in comments), default=0)
            record = replace(record, answered=last)
        return pull, record

    def _sync_drift(self, review: PullReview) -> None:
        if review.drift:
            self.drift_publisher.sync_infra(review.drift.infra)


def _list_outdated(found: Mapping[int, PullReview]) -> list[int]:
    """Return the reviews that miss an overlap with a pull request reviewed after them."""
    return sorted(
        {
            other
            for number, review in found.items()
            for other in review.overlaps
            if other in found and number not in found[other].overlaps
        }
    )
