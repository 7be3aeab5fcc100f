"""The documents of where things come from, and of what they affect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioning.core.model.values import as_json
from provisioning.core.status.dependency_graph import DependencyGraph, Name
from provisioning.core.status.impact import Impact
from provisioning.core.status.provenance import (
    Application,
    Authorship,
    Compacted,
    Link,
    Provenance,
)
from provisioning.core.status.secret_usage import SecretFile, SecretUsage, Usage
from provisioning.interfaces.schema.plans import JsonDocument, PlaceDocument, PlanDocument

if TYPE_CHECKING:
    from provisioning.application.inspect.explain import Impacts
    from provisioning.application.runs.undo import UndoResult
    from provisioning.config.provenance import Explained
    from provisioning.reconciler.explain.replay import Replay


class NameDocument(JsonDocument, frozen=True, kw_only=True):
    """A resource of an infra."""

    infra: str
    id: str

    @classmethod
    def from_name(cls, name: Name) -> NameDocument:
        """Return the document of *name*."""
        return cls(infra=name[0], id=name[1])


class NodeDocument(JsonDocument, frozen=True, kw_only=True):
    """A resource, its condition, and the resources that it needs."""

    infra: str
    id: str
    condition: str
    message: str
    needs: list[NameDocument]


def list_nodes(graph: DependencyGraph) -> list[NodeDocument]:
    """Return the documents of the nodes of *graph*."""
    return [
        NodeDocument(
            infra=infra,
            id=name,
            condition=node.condition,
            message=node.message,
            needs=[*map(NameDocument.from_name, node.needs)],
        )
        for (infra, name), node in graph.items()
    ]


class ImpactDocument(JsonDocument, frozen=True, kw_only=True):
    """A resource that can be affected: why, and through which other one, if through one."""

    id: str
    why: str
    cause: str
    via: NameDocument | None

    @classmethod
    def from_impact(cls, impact: Impact) -> ImpactDocument:
        """Return the document of *impact*."""
        via = NameDocument.from_name(impact.via) if impact.via else None
        return cls(id=impact.name[1], why=impact.why, cause=impact.cause, via=via)


class AffectedInfraDocument(JsonDocument, frozen=True, kw_only=True):
    """The resources of one infra that can be affected."""

    infra: str
    resources: list[ImpactDocument]


class ImpactsDocument(JsonDocument, frozen=True, kw_only=True):
    """Everything that a change can affect, and files that are part of no desired state."""

    infras: list[AffectedInfraDocument]
    ignored: list[str]

    @classmethod
    def from_impacts(cls, found: Impacts) -> ImpactsDocument:
        """Return the document of *found*."""
        infras = [
            AffectedInfraDocument(
                infra=infra, resources=[*map(ImpactDocument.from_impact, impacts)]
            )
            for infra, impacts in found.infras.items()
        ]
        return cls(infras=infras, ignored=list(found.ignored))


class LinkDocument(JsonDocument, frozen=True, kw_only=True):
    """One place that says something, and the commit that wrote it."""

    what: str
    layer: str
    written: Any
    source: PlaceDocument | None
    by: Authorship | None

    @classmethod
    def from_link(cls, link: Link) -> LinkDocument:
        """Return the document of *link*."""
        return cls(**_describe_link(link))


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
    def from_why(cls, why: Provenance) -> WhyDocument:
        """Return the document of *why*."""
        return cls(
            infra=why.infra,
            id=why.id,
            field=why.field or None,
            value=as_json(why.value),
            desired=why.is_desired,
            newer=why.is_newer,
            links=[*map(LinkDocument.from_link, why.links)],
            applied=_describe_applied(why.applied),
        )


class SecretFileDocument(JsonDocument, frozen=True, kw_only=True):
    """A file that holds a secret, and the commit that changed it last."""

    file: str
    key: str | None
    there: bool
    fingerprint: str | None
    created: str | None
    by: Authorship | None

    @classmethod
    def from_file(cls, file: SecretFile) -> SecretFileDocument:
        """Return the document of *file*."""
        return cls(
            file=file.file,
            key=file.key or None,
            there=file.is_there,
            fingerprint=file.fingerprint or None,
            created=file.created or None,
            by=file.by,
        )


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
    def from_usage(cls, usage: Usage) -> UsedSecretDocument:
        """Return the document of *usage*."""
        return cls(
            infra=usage.infra,
            id=usage.id,
            **_describe_link(usage.link),
            file=usage.file or None,
            reads=[
                SecretReadDocument(secret=name, through=list(way))
                for name, way in usage.reads.items()
            ],
            newer=usage.is_newer,
            applied=_describe_applied(usage.applied),
        )


class SecretUsageDocument(JsonDocument, frozen=True, kw_only=True):
    """Where a secret is kept, the settings that name it, and who uses it."""

    secret: str
    files: list[SecretFileDocument]
    settings: list[LinkDocument]
    used: list[UsedSecretDocument]

    @classmethod
    def from_usage(cls, found: SecretUsage) -> SecretUsageDocument:
        """Return the document of *found*."""
        return cls(
            secret=found.secret,
            files=[*map(SecretFileDocument.from_file, found.files)],
            settings=[*map(LinkDocument.from_link, found.settings)],
            used=[*map(UsedSecretDocument.from_usage, found.used)],
        )


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
    def from_replay(cls, infra: str, found: Replay) -> ReplayDocument:
        """Return the document of *found*."""
        return cls(
            infra=infra,
            run=found.begin.run,
            same=found.is_same,
            recorded=found.begin.digest,
            digest=found.digest,
            reasons=list(found.reasons),
            plan=PlanDocument.from_plan(found.plan) if found.plan else None,
        )


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
    def from_undo(cls, found: UndoResult) -> UndoDocument:
        """Return the document of *found*."""
        return cls(
            infra=found.infra,
            run=found.run,
            commit=found.undo_plan.commit,
            before=found.undo_plan.before,
            paths=list(found.undo_plan.paths),
            url=found.url,
            plan=PlanDocument.from_plan(found.plan),
        )


class LayerDocument(JsonDocument, frozen=True, kw_only=True, rename={"origin": "from"}):
    """The value that one layer gives a setting; `set` is false if it gives none."""

    layer: str
    set: bool
    value: Any
    origin: str | None
    wins: bool

    @classmethod
    def from_layer(cls, item: Explained) -> LayerDocument:
        """Return the document of *item*."""
        return cls(
            layer=item.layer,
            set=item.origin is not None,
            value=item.value,
            origin=str(item.origin) if item.origin else item.place or None,
            wins=item.wins,
        )


def _describe_link(link: Link) -> dict[str, Any]:
    return {
        "what": link.what,
        "layer": link.layer,
        "written": as_json(link.written),
        "source": PlaceDocument.from_source(link.source),
        "by": link.by,
    }


def _describe_applied(applied: Application | Compacted | None) -> dict[str, Any] | None:
    import msgspec

    return msgspec.to_builtins(applied) if applied else None
