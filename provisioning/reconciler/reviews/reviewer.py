"""Reviews a pull request from end to end: fetch, look, listen, show."""

from __future__ import annotations

from dataclasses import dataclass

from provisioning.core.errors import HeadMoved
from provisioning.core.forges import Forge
from provisioning.core.reviews.findings import PullReview
from provisioning.gitstore.reviews import ReviewLog
from provisioning.reconciler.reviews.answering import Responder
from provisioning.reconciler.reviews.looking import Inspector
from provisioning.reconciler.reviews.publishing import Publisher

ATTEMPTS = 5
"""How often a review is begun anew because somebody else reviewed the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewer:
    """Keeps what a forge shows of its pull requests equal to what is true."""

    forge: Forge
    reviews: ReviewLog
    inspector: Inspector
    responder: Responder
    publisher: Publisher

    def review(self, number: int) -> PullReview:
        """Review one pull request, and those that change the same resources.

        Raises:
            HeadMoved: If somebody else reviewed it at the same time, each time.
        """
        found = self._review(number)
        for other in found.overlaps:
            self._review(other)
        return found

    def review_all(self) -> list[PullReview]:
        """Review every pull request that is open, or was merged and still waits."""
        self.reviews.fetch(self.inspector.branch)
        numbers = [each.number for each in self.forge.list_open_pulls()]
        for pull in self.forge.list_merged_pulls():
            record = self.reviews.read(pull.number)
            if record and record.waiting:
                numbers.append(pull.number)
        return [self._review(number) for number in numbers]

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
            pull = self.forge.read_pull(number)
            self.reviews.fetch(self.inspector.branch, number)
            found = self.inspector.inspect(pull, said)
        self.publisher.publish(found, said)
        return found
