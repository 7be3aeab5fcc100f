"""The plan: one value that is shown, gated, approved and applied."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from provisioning.core.model.errors import Source
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.providers import Present
from provisioning.core.model.records import Action, Record
from provisioning.core.model.resources import API_VERSION, DriftPolicy, Resource
from provisioning.core.model.values import Digest, Tree, compute_digest, summarise
from provisioning.core.plan.diff import FieldChange


class Risk(StrEnum):
    """The worst a change can do, mildest first."""

    SAFE = "safe"
    DISRUPTIVE = "disruptive"
    DESTRUCTIVE = "destructive"


class PlannedChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done with one resource, and why.

    `resource` is what is desired (None for a removal), `record` what was applied last,
    `live` what is there now. `old_first` tells for a replacement that what is there must go
    before the new can come. `leftover` is not 0 for the removal of what a run
    that was cut off made beside the resource, and tells these removals apart. `heals` tells
    that Git asks for nothing new: the change puts back what was applied.
    """

    id: ResourceId
    action: Action
    reason: str
    kind: str
    provider: str
    risk: Risk
    source: Source
    fields: tuple[FieldChange, ...] = ()
    resource: Resource | None = None
    record: Record | None = None
    live: Present | None = None
    moved_from: ResourceId | None = None
    moved_infra: str | None = None
    old_first: bool = True
    leftover: int = 0
    heals: bool = False
    warning: str | None = None
    api_version: str = API_VERSION
    provider_type: str = ""

    @property
    def effect(self) -> Tree:
        """What this change does to the world, for the plan's digest."""
        fields = [[field.path, _compact(field.after)] for field in self.fields]
        return [self.id, self.action, fields, self.origin, self.leftover]

    @property
    def origin(self) -> str | None:
        """What it is moved from, with the infra if that is another one; None if it is not."""
        return f"{self.moved_infra} {self.moved_from}" if self.moved_infra else self.moved_from

    @property
    def effect_digest(self) -> Digest:
        """The SHA-256 of the effect; what a review remembers of this change."""
        return compute_digest(self.effect)


def _compact(value: Tree) -> Tree:
    return summarise(value) if isinstance(value, bytes) else value


class BlockedResource(msgspec.Struct, frozen=True, kw_only=True):
    """A resource that must not be touched now, and why.

    `awaits` is the infra whose turn it is, where nothing is wrong but the order.
    """

    id: ResourceId
    reason: str
    source: Source | None = None
    hint: str | None = None
    awaits: str | None = None


class Drifted(msgspec.Struct, frozen=True, kw_only=True):
    """A resource that is not as desired, and is left so because its *policy* does not correct."""

    id: ResourceId
    fields: tuple[FieldChange, ...]
    source: Source
    policy: DriftPolicy


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The changes that take live to desired. Equal inputs in any order give equal plans.

    `changes`, `blocked`, `drifted` and `unchanged` are sorted by id. `known_values` holds the
    attributes of resources that the plan leaves as they are, at least of those that its changes
    refer to.
    """

    infra: str
    commit: CommitId
    changes: tuple[PlannedChange, ...] = ()
    blocked: tuple[BlockedResource, ...] = ()
    drifted: tuple[Drifted, ...] = ()
    unchanged: tuple[ResourceId, ...] = ()
    known_values: Mapping[ResourceId, Mapping[str, Tree]] = msgspec.field(default_factory=dict)

    @property
    def is_stuck(self) -> bool:
        """Whether something is blocked that does not just await its turn."""
        return any(item.awaits is None for item in self.blocked)

    @property
    def digest(self) -> Digest:
        """The SHA-256 of the plan's effects; what an approval binds to."""
        return compute_digest([self.infra, [change.effect for change in self.changes]])

    @property
    def summary(self) -> dict[str, int]:
        """The counts that are shown last, in the order in which they are shown."""
        counts = {action.value: 0 for action in Action}
        for change in self.changes:
            counts[change.action] += 1
        return counts | {"unchanged": len(self.unchanged), "blocked": len(self.blocked)}
