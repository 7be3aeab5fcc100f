"""Reviews a pull request from end to end: fetch, look, listen, show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from provisioning.core.model.errors import Blocked, HeadMoved, InvalidArgument
from provisioning.core.reviews.findings import PullReview
from provisioning.core.reviews.forge import Forge
from provisioning.gitstore.branches.review_log import ReviewLog
from provisioning.reconciler.planning.plan_result import Report
from provisioning.reconciler.reviews.applier import Applier
from provisioning.reconciler.reviews.drift_pulls import Drifter
from provisioning.reconciler.reviews.inspector import Inspector
from provisioning.reconciler.reviews.publisher import AT_ONCE, Publisher
from provisioning.reconciler.reviews.responder import Responder

ATTEMPTS = 5
"""How often a review is begun anew because somebody else reviewed the same."""


class Reviewer(msgspec.Struct, frozen=True, kw_only=True):
    """Keeps what a forge shows of its pull requests equal to what is true."""

    forge: Forge
    reviews: ReviewLog
    inspector: Inspector
    applier: Applier
    responder: Responder
    publisher: Publisher
    drifter: Drifter

    def review(self, number: int) -> PullReview:
        """Review one pull request, and those that change the same resources.

        Raises:
            HeadMoved: If somebody else reviewed it at the same time, each time.
        """
        found = self._review(number)
        for other in found.overlaps:
            self._review(other)
        return found

    def apply(self, number: int, infra: str | None) -> list[Report]:
        """Apply what a pull request asks for, of *infra* or all it touches, and show what came.

        Raises:
            Blocked: If something is missing before it may be applied.
            PlanChanged: If it is no longer what was shown.
        """
        pull = self.forge.read_pull(number)
        self.reviews.fetch(self.inspector.branch, number)
        record = self.reviews.read(number)
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
            self._keep_drift(found)
            self._review(number)

    def review_closed(self) -> list[PullReview]:
        """Show in the pull requests that were closed of late what became of them."""
        settled = self._list_settled()
        return [self._review(number) for number, is_settled in settled.items() if not is_settled]

    def _list_settled(self) -> dict[int, bool]:
        """Return which of the pull requests closed of late are settled, or were never reviewed."""
        branch = self.inspector.branch
        self.reviews.fetch(branch)
        closed = self.forge.list_closed_pulls()
        pulls = [item.number for item in closed if item.base_branch == branch]
        records = {number: self.reviews.read(number) for number in pulls}
        return {number: record is None or record.is_settled for number, record in records.items()}

    def review_all(self) -> list[PullReview]:
        """Review every pull request that is open, still waits, or in which something was asked."""
        settled = self._list_settled()
        asked = self._list_asked([number for number, is_settled in settled.items() if is_settled])
        wanted = [number for number in settled if number in asked or not settled[number]]
        closed = [self._review(number) for number in wanted]
        found = {pull.number: self._review(pull.number) for pull in self.forge.list_open_pulls()}
        for other in _list_unaware(found):
            found[other] = self._review(other)
        return [*closed, *found.values()]

    def _list_asked(self, pulls: Sequence[int]) -> set[int]:
        records = [self.reviews.read(number) for number in pulls]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            answers = threads.map(self.responder.is_asked, pulls, records)
            return {number for number, is_asked in zip(pulls, answers, strict=True) if is_asked}

    def _review(self, number: int) -> PullReview:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._review_once(number)
            except HeadMoved:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError  # the last attempt returns or raises

    def _review_once(self, number: int) -> PullReview:
        pull = self.forge.read_pull(number)
        self.reviews.fetch(self.inspector.branch, number)
        record = self.reviews.read(number)
        found = self.inspector.inspect(pull, record)
        if found.is_foreign:
            return found
        said = self.responder.respond(pull, found, record)
        if said != record:
            self._keep_drift(found)
            pull = self.forge.read_pull(number)
            self.reviews.fetch(self.inspector.branch, number)
            found = self.inspector.inspect(pull, said)
        is_news = said is not None or not pull.is_closed
        if is_news and not found.is_foreign:
            self.publisher.publish(found, said)
        return found

    def _keep_drift(self, review: PullReview) -> None:
        if review.drift:
            self.drifter.keep_infra(review.drift.infra)


def _list_unaware(found: Mapping[int, PullReview]) -> list[int]:
    """Return those that were looked at before another one that changes the same was."""
    return sorted(
        {
            other
            for number, review in found.items()
            for other in review.overlaps
            if other in found and number not in found[other].overlaps
        }
    )
