"""The documents of what state logs record: status, resources, locks, entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, UnsetType

from provisioning.core.model.kinds import PRIVATE
from provisioning.core.model.records import Lock, LogSnapshot, Record
from provisioning.core.statelog.fsck import LogFinding
from provisioning.core.status.conditions import ConditionStatus, ResourceStatus
from provisioning.interfaces.schema.documents import Fields, JsonDocument, PlaceDocument
from provisioning.interfaces.schema.plans import FieldDocument

if TYPE_CHECKING:
    from provisioning.application.inspect.at import PastRecords
    from provisioning.application.inspect.history import LogProof
    from provisioning.application.inspect.status import InfraRecords, LiveDrift
    from provisioning.application.runs.lock import InfraLock
    from provisioning.gitstore.objects.commits import Commit


class MomentDocument(JsonDocument, frozen=True, kw_only=True):
    """A commit of the past; `time`, in seconds since the epoch, if a time was asked for."""

    commit: str
    time: float | None


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
    def _derive(cls, value: Record) -> Fields:
        """Return the attributes without the provider's own data."""
        return {"attributes": {n: it for n, it in value.attributes.items() if n != PRIVATE}}


class ResourcesDocument(JsonDocument, frozen=True, kw_only=True):
    """The recorded resources of one infra, now or `at` a moment, with the ids desired then."""

    infra: str
    resources: list[RecordDocument]
    desired: list[str] | UnsetType = UNSET
    at: MomentDocument | UnsetType = UNSET

    @classmethod
    def _derive(cls, value: InfraRecords | PastRecords) -> Fields:
        return {"resources": value.records}


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
    def _derive(cls, value: LiveDrift) -> Fields:
        changed = [
            ChangedResourceDocument.of(None, id=name, fields=fields)
            for name, fields in value.report.changed.items()
        ]
        return {"changed": changed, "missing": value.report.missing}


class EntryDocument(JsonDocument, frozen=True, kw_only=True):
    """One entry of a state log."""

    commit: str
    subject: str
    trailers: dict[str, str]

    @classmethod
    def _derive(cls, value: Commit) -> Fields:
        return {"commit": value.id}


class LogDocument(JsonDocument, frozen=True, kw_only=True):
    """Entries of one state log, newest first; `more` if older ones were left out."""

    infra: str
    entries: list[EntryDocument]
    more: bool


class ProofDocument(JsonDocument, frozen=True, kw_only=True):
    """The proof of one state log; without findings it is linear, fenced and complete."""

    infra: str
    entries: int
    findings: tuple[LogFinding, ...]
    snapshot: LogSnapshot | None

    @classmethod
    def _derive(cls, value: LogProof) -> Fields:
        return {"entries": value.proof.entries, "findings": value.proof.findings}


class CompactionDocument(JsonDocument, frozen=True, kw_only=True):
    """The snapshot that one state log now begins with, and the file that keeps all of it."""

    infra: str
    snapshot: LogSnapshot
    archive: str | None


class LockDocument(JsonDocument, frozen=True, kw_only=True):
    """The lock of one infra; `remaining` are the seconds until it expires, if it does."""

    infra: str
    lock: Lock | None
    standing: str
    remaining: float | None

    @classmethod
    def _derive(cls, value: InfraLock) -> Fields:
        status = value.status
        return {
            "standing": status.standing if status else "free",
            "remaining": status.remaining if status else None,
        }


class ValidDocument(JsonDocument, frozen=True, kw_only=True):
    """The number of valid resources of one infra."""

    infra: str
    resources: int


class GeneratedSecretDocument(JsonDocument, frozen=True, kw_only=True):
    """A generated secret; `previous` while the one that it replaced is still there."""

    name: str
    fingerprint: str
    created: str
    previous: bool
