"""The documents of pull requests, and of the repository's rules at its forge."""

from __future__ import annotations

from collections.abc import Iterable

from provisioning.core.reviews.findings import Exposure, InfraReview, PullReview
from provisioning.forges.setup.findings import SetupFinding, SetupStep
from provisioning.interfaces.schema.plans import (
    ErrorDocument,
    JsonDocument,
    PlanDocument,
    VerdictDocument,
    list_verdicts,
)


class InfraReviewDocument(JsonDocument, frozen=True, kw_only=True):
    """What a pull request would do to one infra, or did."""

    infra: str
    state: str
    message: str
    plan: PlanDocument | None
    verdicts: list[VerdictDocument]
    error: ErrorDocument | None
    waiting: list[str]
    run: str | None

    @classmethod
    def from_review(cls, review: InfraReview) -> InfraReviewDocument:
        """Return the document of *review*."""
        return cls(
            infra=review.infra,
            state=review.state,
            message=review.headline,
            plan=PlanDocument.from_plan(review.plan) if review.plan else None,
            verdicts=list_verdicts(review.violations),
            error=ErrorDocument.from_error(review.error) if review.error else None,
            waiting=[change.id for change in review.unreviewed],
            run=review.run.run if review.run else None,
        )


class ReviewDocument(JsonDocument, frozen=True, kw_only=True):
    """What was found of one pull request."""

    pull: int
    url: str
    head: str
    merged: str | None
    state: str
    message: str
    trusted: bool
    infras: list[InfraReviewDocument]
    exposures: list[Exposure]
    overlaps: dict[str, list[str]]

    @classmethod
    def from_review(cls, review: PullReview) -> ReviewDocument:
        """Return the document of *review*."""
        return cls(
            pull=review.pull.number,
            url=review.pull.url,
            head=review.pull.head,
            merged=review.pull.merged,
            state=review.state,
            message=review.headline,
            trusted=review.is_trusted,
            infras=[*map(InfraReviewDocument.from_review, review.infras)],
            exposures=list(review.exposures),
            overlaps={str(pull): list(places) for pull, places in review.overlaps.items()},
        )


class FindingDocument(JsonDocument, frozen=True, kw_only=True):
    """One rule of the repository: how it is, and what to do."""

    subject: str
    standing: str
    told: str
    hint: str

    @classmethod
    def from_finding(cls, finding: SetupFinding) -> FindingDocument:
        """Return the document of *finding*."""
        return cls(
            subject=finding.subject,
            standing=finding.standing,
            told=finding.told,
            hint=finding.hint,
        )


class StepDocument(JsonDocument, frozen=True, kw_only=True):
    """One step that was done at the forge."""

    action: str
    subject: str
    details: list[str]
    outcome: str


class SetupDocument(JsonDocument, frozen=True, kw_only=True):
    """The steps that were done, and what is left; None if a step failed."""

    steps: list[StepDocument]
    left: list[FindingDocument] | None

    @classmethod
    def from_steps(
        cls, steps: Iterable[SetupStep], left: Iterable[SetupFinding] | None
    ) -> SetupDocument:
        """Return the document of *steps* and *left*."""
        done = [
            StepDocument(
                action=step.action,
                subject=step.subject,
                details=list(step.details),
                outcome=f"{step.action}d",
            )
            for step in steps
        ]
        findings = None if left is None else [*map(FindingDocument.from_finding, left)]
        return cls(steps=done, left=findings)
