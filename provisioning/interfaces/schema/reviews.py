"""The documents of pull requests, and of the repository's rules at its forge."""

from __future__ import annotations

from provisioning.core.reviews.findings import Exposure, InfraReview, PullReview
from provisioning.forges.setup.findings import SetupStep
from provisioning.interfaces.schema.documents import Fields, JsonDocument
from provisioning.interfaces.schema.plans import ErrorDocument, PlanDocument, ViolationDocument


class InfraReviewDocument(JsonDocument, frozen=True, kw_only=True):
    """The changes of a pull request to one infra, planned or made."""

    infra: str
    state: str
    message: str
    plan: PlanDocument | None
    violations: list[ViolationDocument]
    error: ErrorDocument | None
    waiting: list[str]
    run: str | None

    @classmethod
    def _derive(cls, value: InfraReview) -> Fields:
        return {
            "message": value.headline,
            "waiting": [change.id for change in value.unreviewed],
            "run": value.run.run if value.run else None,
        }


class ReviewDocument(JsonDocument, frozen=True, kw_only=True):
    """The findings of one pull request."""

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
    def _derive(cls, value: PullReview) -> Fields:
        return {
            "pull": value.pull.number,
            "url": value.pull.url,
            "head": value.pull.head,
            "merged": value.pull.merged,
            "message": value.headline,
            "overlaps": {str(pull): places for pull, places in value.overlaps.items()},
        }


class FindingDocument(JsonDocument, frozen=True, kw_only=True):
    """One rule of the repository: how it is, and what to do."""

    subject: str
    standing: str
    told: str
    hint: str


class StepDocument(JsonDocument, frozen=True, kw_only=True):
    """One step that was done at the forge."""

    action: str
    subject: str
    details: list[str]
    outcome: str

    @classmethod
    def _derive(cls, value: SetupStep) -> Fields:
        return {"outcome": f"{value.action}d"}


class SetupDocument(JsonDocument, frozen=True, kw_only=True):
    """The steps that were done, and what is left; None if a step failed."""

    steps: list[StepDocument]
    left: list[FindingDocument] | None
