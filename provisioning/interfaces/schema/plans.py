"""The documents of plans, runs and errors, one an infra."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from provisioning.core.model.records import Change, Run
from provisioning.core.plan.plan import Plan
from provisioning.interfaces.schema.documents import JsonDocument, PlaceDocument
from provisioning.reconciler.planning.plan_result import Conclusion
from provisioning.reconciler.resync import ResyncResult


class ErrorDocument(JsonDocument, frozen=True, kw_only=True):
    """An error, the same everywhere it is shown; `problems` are the errors it is made of."""

    code: str
    message: str
    hint: str | None
    retryable: bool
    source: PlaceDocument | None
    problems: list[ErrorDocument] | UnsetType = UNSET


class FieldDocument(JsonDocument, frozen=True, kw_only=True):
    """One changed field; content that is not text becomes its digest and size."""

    path: str
    before: Any
    after: Any


class ChangeDocument(JsonDocument, frozen=True, kw_only=True):
    """One planned change; after a run with its outcome, None if it was not tried."""

    id: str
    action: str
    reason: str
    risk: str
    fields: list[FieldDocument]
    source: PlaceDocument | None
    outcome: str | UnsetType | None = UNSET
    seconds: float | UnsetType = UNSET
    error: str | UnsetType = UNSET
    hint: str | UnsetType | None = UNSET

    def with_outcome(self, change: Change | None) -> ChangeDocument:
        """Return it with the outcome that a run recorded as *change*."""
        if change is None:
            return msgspec.structs.replace(self, outcome=None)
        return msgspec.structs.replace(
            self,
            outcome=change.outcome,
            seconds=change.seconds,
            error=change.error or UNSET,
            hint=change.hint if change.error else UNSET,
        )


class BlockedDocument(JsonDocument, frozen=True, kw_only=True):
    """A resource that must not be changed now."""

    id: str
    reason: str
    source: PlaceDocument | None
    hint: str | None


class DriftedDocument(JsonDocument, frozen=True, kw_only=True):
    """A resource whose drift is left alone."""

    id: str
    policy: str
    fields: list[FieldDocument]


class ViolationDocument(JsonDocument, frozen=True, kw_only=True):
    """A gate that the plan does not pass."""

    code: str
    reason: str


class PlanDocument(JsonDocument, frozen=True, kw_only=True):
    """The plan of one infra."""

    infra: str
    commit: str
    digest: str
    summary: dict[str, int]
    changes: list[ChangeDocument]
    blocked: list[BlockedDocument]
    drifted: list[DriftedDocument]


class GatedPlanDocument(PlanDocument, frozen=True, kw_only=True):
    """The plan of one infra, with the gates that it does not pass: the answer of `plan`."""

    violations: list[ViolationDocument]


class RunDocument(PlanDocument, frozen=True, kw_only=True):
    """The plan of one infra, its result, and the run that recorded it, if there is one."""

    result: str
    run: str | None

    @classmethod
    def from_run(cls, plan: Plan, result: str, run: Run | None) -> RunDocument:
        """Return the document of *plan* and its outcome."""
        outcomes = {change.id: change for change in run.changes} if run else {}
        changes = [
            ChangeDocument.of(change).with_outcome(outcomes.get(change.id))
            for change in plan.changes
        ]
        return cls.of(plan, changes=changes, result=result, run=run.run if run else None)


class FailedInfraDocument(JsonDocument, frozen=True, kw_only=True):
    """An infra that could not be planned."""

    infra: str
    result: str
    error: ErrorDocument


class SkippedInfraDocument(JsonDocument, frozen=True, kw_only=True):
    """An infra that was left alone, and the infra that it waits for."""

    infra: str
    result: str
    waits_for: str | None


ResyncDocument = RunDocument | FailedInfraDocument | SkippedInfraDocument
"""The end of one infra's run: the answer of `apply` and `reconcile`."""


def describe_resync(result: ResyncResult) -> ResyncDocument:
    """Return the document of the end of one infra's run."""
    if result.report:
        report = result.report
        return RunDocument.from_run(report.plan_result.plan, report.conclusion, report.run)
    if result.error:
        return FailedInfraDocument.of(result, result=Conclusion.FAILED)
    return SkippedInfraDocument.of(result, result="skipped")
