"""`review`: pull requests are planned, and shown what they would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from provisioning.application.context import Context, UseCaseRequest

if TYPE_CHECKING:
    from provisioning.core.model.errors import ProvisioningError
    from provisioning.core.reviews.findings import PullReview


class ReviewResults(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of each pull request; drift is not shown because of `problems`."""

    reviews: tuple[PullReview, ...]
    problems: tuple[ProvisioningError, ...] = ()


class ReviewRequest(UseCaseRequest[ReviewResults], frozen=True, kw_only=True):
    """Review pull request *number*, or all that are open or wait for an answer."""

    number: int | None = None


def review(request: ReviewRequest, context: Context) -> ReviewResults:
    """Plan pull requests, answer their commands, and comment; open those about drift."""
    workspace = context.open_workspace()
    reviewer = workspace.builders.reviewer(workspace)
    if request.number:
        return ReviewResults(reviews=(reviewer.review(request.number),))
    problems = tuple(reviewer.drift_publisher.sync_all())
    return ReviewResults(reviews=tuple(reviewer.review_all()), problems=problems)
