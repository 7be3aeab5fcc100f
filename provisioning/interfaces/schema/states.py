"""The documents of what state logs record: status, resources, locks, entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from provisioning.core.model.records import Lock, LogSnapshot, Record
from provisioning.core.model.values import as_json
from provisioning.core.statelog.fsck import LogFinding
from provisioning.core.status.conditions import ConditionStatus, InfraStatus, ResourceStatus
from provisioning.interfaces.schema.plans import (
    FieldDocument,
    JsonDocument,
    PlaceDocument,
    list_fields,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioning.application.inspect.at import PastRecords
    from provisioning.application.inspect.history import LogEntries, LogProof
    from provisioning.application.inspect.manifests import ValidatedInfras
    from provisioning.application.runs.gc import CompactedLog
    from provisioning.application.runs.lock import InfraLock
    from provisioning.gitstore.statelog.points_in_time import Moment
    from provisioning.reconciler.explain.drift import DriftReport


class MomentDocument(JsonDocument, frozen=True, kw_only=True):
    """A commit of the past; `time`, in seconds since the epoch, if a time was asked for."""

    commit: str
    time: float | None

    @classmethod
    def from_moment(cls, moment: Moment | None) -> MomentDocument | UnsetType:
        """Return the document of *moment*; UNSET without one."""
        return cls(commit=moment.commit, time=moment.time) if moment else UNSET


class StatusDocument(JsonDocument, frozen=True, kw_only=True):
    """The status of one infra, now or `at` a moment."""

    infra: str
    ready: bool
    conditions: tuple[ConditionStatus, ...]
    lock: Lock | None
    head: str | None
    applied: str | None
    commit: str
    resources: tuple[ResourceStatus, ...]
    at: MomentDocument | UnsetType = UNSET

    @classmethod
    def from_status(cls, status: InfraStatus, moment: Moment | None = None) -> StatusDocument:
        """Return the document of *status*, as it was at *moment*."""
        return cls(
            infra=status.infra,
            ready=status.is_ready,
            conditions=status.conditions,
            lock=status.lock,
            head=status.head,
            applied=status.applied,
            commit=status.commit,
            resources=status.resources,
            at=MomentDocument.from_moment(moment),
        )


class RecordDocument(JsonDocument, frozen=True, kw_only=True):
    """One recorded resource."""

    id: str
    kind: str
    provider: str
    spec: Any
    attributes: Any
    depends_on: list[str]
    run: str
    source: PlaceDocument | None
    error: str | None

    @classmethod
    def from_record(cls, record: Record) -> RecordDocument:
        """Return the document of *record*."""
        return cls(
            id=record.id,
            kind=record.kind,
            provider=record.provider,
            spec=as_json(record.spec),
            attributes=as_json(record.attributes),
            depends_on=list(record.depends_on),
            run=record.run,
            source=PlaceDocument.from_source(record.source),
            error=record.error,
        )


class ResourcesDocument(JsonDocument, frozen=True, kw_only=True):
    """The recorded resources of one infra, now or `at` a moment, with the ids desired then."""

    infra: str
    resources: list[RecordDocument]
    desired: list[str] | UnsetType = UNSET
    at: MomentDocument | UnsetType = UNSET

    @classmethod
    def from_records(cls, infra: str, records: Iterable[Record]) -> ResourcesDocument:
        """Return the document of *records*."""
        return cls(infra=infra, resources=[*map(RecordDocument.from_record, records)])

    @classmethod
    def from_past(cls, past: PastRecords, moment: Moment) -> ResourcesDocument:
        """Return the document of what was recorded and desired at *moment*."""
        return cls(
            infra=past.infra,
            resources=[*map(RecordDocument.from_record, past.records)],
            desired=sorted(past.desired),
            at=MomentDocument.from_moment(moment),
        )


class ChangedResourceDocument(JsonDocument, frozen=True, kw_only=True):
    """A resource whose live fields are not as recorded."""

    id: str
    fields: list[FieldDocument]


class DriftDocument(JsonDocument, frozen=True, kw_only=True):
    """The difference between live and recorded resources of one infra."""

    infra: str
    changed: list[ChangedResourceDocument]
    missing: list[str]

    @classmethod
    def from_report(cls, infra: str, report: DriftReport) -> DriftDocument:
        """Return the document of *report*."""
        return cls(
            infra=infra,
            changed=[
                ChangedResourceDocument(id=name, fields=list_fields(fields))
                for name, fields in report.changed.items()
            ],
            missing=list(report.missing),
        )


class EntryDocument(JsonDocument, frozen=True, kw_only=True):
    """One entry of a state log."""

    commit: str
    subject: str
    trailers: dict[str, str]


class LogDocument(JsonDocument, frozen=True, kw_only=True):
    """Entries of one state log, newest first; `more` if older ones were left out."""

    infra: str
    entries: list[EntryDocument]
    more: bool

    @classmethod
    def from_entries(cls, log: LogEntries) -> LogDocument:
        """Return the document of *log*."""
        return cls(
            infra=log.infra,
            entries=[
                EntryDocument(commit=it.id, subject=it.subject, trailers=dict(it.trailers))
                for it in log.entries
            ],
            more=log.has_more,
        )


class ProofDocument(JsonDocument, frozen=True, kw_only=True):
    """The proof of one state log; without findings it is linear, fenced and complete."""

    infra: str
    entries: int
    findings: tuple[LogFinding, ...]
    snapshot: LogSnapshot | None

    @classmethod
    def from_proof(cls, log: LogProof) -> ProofDocument:
        """Return the document of *log*."""
        return cls(
            infra=log.infra,
            entries=log.proof.entries,
            findings=log.proof.findings,
            snapshot=log.snapshot,
        )


class CompactionDocument(JsonDocument, frozen=True, kw_only=True):
    """The snapshot that one state log now begins with, and the file that keeps all of it."""

    infra: str
    snapshot: LogSnapshot
    archive: str | None

    @classmethod
    def from_log(cls, log: CompactedLog) -> CompactionDocument:
        """Return the document of *log*."""
        return cls(infra=log.infra, snapshot=log.snapshot, archive=log.archive)


class LockDocument(JsonDocument, frozen=True, kw_only=True):
    """The lock of one infra; `remaining` are the seconds until it expires, if it does."""

    infra: str
    lock: Lock | None
    standing: str
    remaining: float | None

    @classmethod
    def from_lock(cls, found: InfraLock) -> LockDocument:
        """Return the document of *found*."""
        return cls(
            infra=found.infra,
            lock=found.lock,
            standing=found.status.standing if found.status else "free",
            remaining=found.status.remaining if found.status else None,
        )


class ValidDocument(JsonDocument, frozen=True, kw_only=True):
    """The number of valid resources of one infra."""

    infra: str
    resources: int


def describe_validated(found: ValidatedInfras) -> list[ValidDocument]:
    """Return the document of each infra whose manifests are valid."""
    return [ValidDocument(infra=name, resources=count) for name, count in found.counts.items()]
