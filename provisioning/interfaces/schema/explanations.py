"""The documents of where things come from, and of what they affect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from msgspec import to_builtins

from provisioning.core.status.dependency_graph import Name, Node
from provisioning.core.status.impact import Impact
from provisioning.core.status.provenance import Authorship, Provenance
from provisioning.core.status.secret_usage import Usage
from provisioning.interfaces.schema.documents import Fields, JsonDocument, PlaceDocument
from provisioning.interfaces.schema.plans import PlanDocument

if TYPE_CHECKING:
    from provisioning.application.inspect.explain import Impacts
    from provisioning.application.inspect.history import InfraReplay
    from provisioning.application.runs.undo import UndoResult
    from provisioning.config.provenance import Explained


class NameDocument(JsonDocument, frozen=True, kw_only=True):
    """A resource of an infra."""

    infra: str
    id: str

    @classmethod
    def _derive(cls, value: Name) -> Fields:
        return {"infra": value[0], "id": value[1]}


class NodeDocument(JsonDocument, frozen=True, kw_only=True):
    """A resource, its condition, and the resources that it needs."""

    infra: str
    id: str
    condition: str
    message: str
    needs: list[NameDocument]

    @classmethod
    def _derive(cls, value: Node) -> Fields:
        return {"infra": value.name[0], "id": value.name[1]}


class ImpactDocument(JsonDocument, frozen=True, kw_only=True):
    """A resource that can be affected: why, and through which other one, if through one."""

    id: str
    why: str
    cause: str
    via: NameDocument | None

    @classmethod
    def _derive(cls, value: Impact) -> Fields:
        return {"id": value.name[1]}


class AffectedInfraDocument(JsonDocument, frozen=True, kw_only=True):
    """The resources of one infra that can be affected."""

    infra: str
    resources: list[ImpactDocument]


class ImpactsDocument(JsonDocument, frozen=True, kw_only=True):
    """Everything that a change can affect, and files that are part of no desired state."""

    infras: list[AffectedInfraDocument]
    ignored: list[str]

    @classmethod
    def _derive(cls, value: Impacts) -> Fields:
        infras = value.infras.items()
        return {"infras": [AffectedInfraDocument.of(None, infra=k, resources=v) for k, v in infras]}


class LinkDocument(JsonDocument, frozen=True, kw_only=True):
    """One place that says something, and the commit that wrote it."""

    what: str
    layer: str
    written: Any
    source: PlaceDocument | None
    by: Authorship | None


class WhyDocument(JsonDocument, frozen=True, kw_only=True):
    """Where a resource or a field comes from, and the run that applied it."""

    infra: str
    id: str
    field: str | None
    value: Any
    desired: bool
    newer: bool
    links: list[LinkDocument]
    applied: dict[str, Any] | None

    @classmethod
    def _derive(cls, value: Provenance) -> Fields:
        return {"applied": to_builtins(value.applied)}


class SecretFileDocument(JsonDocument, frozen=True, kw_only=True):
    """A file that holds a secret, and the commit that changed it last."""

    file: str
    key: str | None
    there: bool
    fingerprint: str | None
    created: str | None
    by: Authorship | None


class SecretReadDocument(JsonDocument, frozen=True, kw_only=True):
    """A reference to a secret, and the settings that lead to it."""

    secret: str
    through: list[str]


class UsedSecretDocument(JsonDocument, frozen=True, kw_only=True):
    """A field that reads a secret, and the run that applied it last."""

    infra: str
    id: str
    what: str
    layer: str
    written: Any
    source: PlaceDocument | None
    by: Authorship | None
    file: str | None
    reads: list[SecretReadDocument]
    newer: bool
    applied: dict[str, Any] | None

    @classmethod
    def _derive(cls, value: Usage) -> Fields:
        link = {name: getattr(value.link, name) for name in LinkDocument.__struct_fields__}
        reads = [
            SecretReadDocument.of(None, secret=name, through=way)
            for name, way in value.reads.items()
        ]
        return {**link, "reads": reads, "applied": to_builtins(value.applied)}


class SecretUsageDocument(JsonDocument, frozen=True, kw_only=True):
    """Where a secret is kept, the settings that name it, and who uses it."""

    secret: str
    files: list[SecretFileDocument]
    settings: list[LinkDocument]
    used: list[UsedSecretDocument]


class ReplayDocument(JsonDocument, frozen=True, kw_only=True):
    """The plan of a past run, computed again, and why it is another one, if it is."""

    infra: str
    run: str
    same: bool
    recorded: str
    digest: str | None
    reasons: list[str]
    plan: PlanDocument | None

    @classmethod
    def _derive(cls, value: InfraReplay) -> Fields:
        replay = value.replay
        return {
            "run": replay.begin.run,
            "same": replay.is_same,
            "recorded": replay.begin.digest,
            "digest": replay.digest,
            "reasons": replay.reasons,
            "plan": replay.plan,
        }


class UndoDocument(JsonDocument, frozen=True, kw_only=True):
    """The commit that undoes a run, the files it brings back, and the plan it leads to."""

    infra: str
    run: str
    commit: str
    before: str
    paths: list[str]
    url: str | None
    plan: PlanDocument

    @classmethod
    def _derive(cls, value: UndoResult) -> Fields:
        return {name: getattr(value.undo_plan, name) for name in ("commit", "before", "paths")}


class LayerDocument(JsonDocument, frozen=True, kw_only=True, rename={"origin": "from"}):
    """The value that one layer gives a setting; `set` is false if it gives none."""

    layer: str
    set: bool
    value: Any
    origin: str | None
    wins: bool

    @classmethod
    def from_layer(cls, value: Explained) -> Self:
        """Return the document of *value*, which stays as it was written."""
        origin = str(value.origin) if value.origin else value.place or None
        is_set = value.origin is not None
        return cls(layer=value.layer, set=is_set, value=value.value, origin=origin, wins=value.wins)
