"""The documents of plans, runs and errors, one an infra."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from provisioning.core.model.errors import InvalidWorkspace, ProvisioningError, Source
from provisioning.core.model.records import Change, Run
from provisioning.core.model.values import as_json
from provisioning.core.plan.diff import FieldChange
from provisioning.core.plan.plan import Plan, PlannedChange
from provisioning.core.policy.gates import GateViolation
from provisioning.reconciler.planning.plan_result import Conclusion
from provisioning.reconciler.resync import ResyncResult


class JsonDocument(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A document with stable keys; a key that is absent for a reason is UNSET."""


class PlaceDocument(JsonDocument, frozen=True, kw_only=True):
    """A place in the workspace."""

    file: str
    line: int

    @classmethod
    def from_source(cls, source: Source | None) -> PlaceDocument | None:
        """Return the place of *source*, if it has a file."""
        return cls(file=source.file, line=source.line) if source and source.file else None


class ErrorDocument(JsonDocument, frozen=True, kw_only=True):
    """An error, the same everywhere it is shown; `problems` are the errors it is made of."""

    code: str
    message: str
    hint: str | None
    retryable: bool
    source: PlaceDocument | None
    problems: list[ErrorDocument] | UnsetType = UNSET

    @classmethod
    def from_error(cls, error: ProvisioningError) -> ErrorDocument:
        """Return the document of *error*."""
        problems = error.problems if isinstance(error, InvalidWorkspace) else None
        return cls(
            code=error.code,
            message=error.message,
            hint=error.hint,
            retryable=error.retryable,
            source=PlaceDocument.from_source(error.source),
            problems=UNSET if problems is None else [*map(cls.from_error, problems)],
        )


class FieldDocument(JsonDocument, frozen=True, kw_only=True):
    """One changed field; content that is not text becomes its digest and size."""

    path: str
    before: Any
    after: Any

    @classmethod
    def from_field(cls, field: FieldChange) -> FieldDocument:
        """Return the document of *field*."""
        return cls(path=field.path, before=as_json(field.before), after=as_json(field.after))


def list_fields(fields: Iterable[FieldChange]) -> list[FieldDocument]:
    """Return the documents of *fields*."""
    return [FieldDocument.from_field(field) for field in fields]


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

    @classmethod
    def from_change(cls, change: PlannedChange) -> ChangeDocument:
        """Return the document of *change*."""
        return cls(
            id=change.id,
            action=change.action,
            reason=change.reason,
            risk=change.risk,
            fields=list_fields(change.fields),
            source=PlaceDocument.from_source(change.source),
        )

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


class VerdictDocument(JsonDocument, frozen=True, kw_only=True):
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

    @classmethod
    def from_plan(cls, plan: Plan) -> PlanDocument:
        """Return the document of *plan*."""
        return PlanDocument(**_describe(plan))


class GatedPlanDocument(PlanDocument, frozen=True, kw_only=True):
    """The plan of one infra, with the gates that it does not pass: the answer of `plan`."""

    verdicts: list[VerdictDocument]

    @classmethod
    def from_gated(cls, plan: Plan, violations: Iterable[GateViolation]) -> GatedPlanDocument:
        """Return the document of *plan* with *violations*."""
        return cls(**_describe(plan), verdicts=list_verdicts(violations))


class RunDocument(PlanDocument, frozen=True, kw_only=True):
    """The plan of one infra, its result, and the run that recorded it, if there is one."""

    result: str
    run: str | None

    @classmethod
    def from_run(cls, plan: Plan, result: str, run: Run | None) -> RunDocument:
        """Return the document of *plan* and what became of it."""
        fields = _describe(plan)
        outcomes = {change.id: change for change in run.changes} if run else {}
        fields["changes"] = [
            change.with_outcome(outcomes.get(change.id)) for change in fields["changes"]
        ]
        return cls(**fields, result=result, run=run.run if run else None)


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
        error = ErrorDocument.from_error(result.error)
        return FailedInfraDocument(infra=result.infra, result=Conclusion.FAILED, error=error)
    return SkippedInfraDocument(infra=result.infra, result="skipped", waits_for=result.waits_for)


def list_verdicts(violations: Iterable[GateViolation]) -> list[VerdictDocument]:
    """Return the documents of *violations*."""
    return [VerdictDocument(code=item.code, reason=item.reason) for item in violations]


def _describe(plan: Plan) -> dict[str, Any]:
    return {
        "infra": plan.infra,
        "commit": plan.commit,
        "digest": plan.digest,
        "summary": dict(plan.summary),
        "changes": [ChangeDocument.from_change(change) for change in plan.changes],
        "blocked": [
            BlockedDocument(
                id=item.id,
                reason=item.reason,
                source=PlaceDocument.from_source(item.source),
                hint=item.hint,
            )
            for item in plan.blocked
        ],
        "drifted": [
            DriftedDocument(id=item.id, policy=item.policy, fields=list_fields(item.fields))
            for item in plan.drifted
        ],
    }
