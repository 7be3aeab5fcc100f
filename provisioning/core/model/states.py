"""The three states that a plan compares."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from provisioning.core.model.errors import Source
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.masked import Masked
from provisioning.core.model.providers import Observation
from provisioning.core.model.records import Record
from provisioning.core.model.redaction import Redactor
from provisioning.core.model.resources import Resource
from provisioning.core.model.sensitive import list_secret_texts
from provisioning.core.model.values import Tree


class DesiredState(Masked, frozen=True, kw_only=True):
    """What the workspace asks for at *commit*; `files` are the workspace files specs name.

    Interpolations are resolved as far as they do not depend on other resources, every
    dependency exists, and `order` has each resource after those it depends on. `secrets` are
    those that stand in one text with something that is not known yet, by their references;
    `has_secrets` tells whether there is any secret at all. `reads` are the values of all
    interpolations that were resolved. `removed` are declared to be gone.
    """

    infra: str
    commit: CommitId
    resources: Mapping[ResourceId, Resource]
    order: tuple[ResourceId, ...]
    files: Mapping[str, bytes] = msgspec.field(default_factory=dict)
    secrets: Mapping[str, Tree] = msgspec.field(default_factory=dict)
    has_secrets: bool = False
    reads: Mapping[str, Tree] = msgspec.field(default_factory=dict)
    removed: Mapping[ResourceId, Resource] = msgspec.field(default_factory=dict)

    def build_redactor(self) -> Redactor:
        """Return what removes this state's secrets from texts."""
        if not self.has_secrets:
            return Redactor()
        specs = [resource.spec for resource in self.resources.values()]
        return Redactor(list_secret_texts([*specs, *self.secrets.values()]))


class MoveOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a resource in the infra that it is moved from.

    The infra that asks for it marks and records it first; then the other one drops its record.
    Cut off in between, both records exist, and the next run of the latter goes on.

    `trouble` says why it cannot be taken yet, and `hint` what to do.
    """

    infra: str
    record: Record
    trouble: str = ""
    hint: str = ""


class CrossInfraMove(msgspec.Struct, frozen=True, kw_only=True):
    """Where a resource of this infra goes: which infra asks for it, as what, and where that stands.

    `is_taken` tells that it is recorded there. `name` is None where it could not be found out
    whether the infra asks for it.
    """

    infra: str
    name: ResourceId | None
    is_taken: bool
    source: Source | None = None


class RecordedState(msgspec.Struct, frozen=True, kw_only=True):
    """What was applied last, as the state log has it at *head*.

    `unfinished` are the creations of runs that were cut off, one for each resource and
    place: the state log or the journal proves the intention, and only a look at the world
    tells the rest. `origins` tell of what is desired here and recorded in another infra yet,
    `cross_infra_moves` of what is recorded here and desired in another.
    """

    head: CommitId | None
    records: Mapping[ResourceId, Record]
    unfinished: tuple[Record, ...] = ()
    origins: Mapping[ResourceId, MoveOrigin] = msgspec.field(default_factory=dict)
    cross_infra_moves: Mapping[ResourceId, CrossInfraMove] = msgspec.field(default_factory=dict)

    def find(self, resource: Resource) -> Record | None:
        """Return the record of *resource*, under the id and of the infra that it had before."""
        if resource.id in self.records or resource.moved_from is None:
            return self.records.get(resource.id)
        if resource.moved_infra is None:
            return self.records.get(resource.moved_from)
        origin = self.origins.get(resource.id)
        return origin.record if origin else None

    @property
    def half_moved(self) -> dict[ResourceId, ResourceId]:
        """The moves that were cut off: from which id to which."""
        return {
            item.moved_from: item.id
            for item in self.unfinished
            if item.moved_from and item.id not in self.records
        }

    def find_old_name(self, resource: Resource, name: ResourceId | None) -> Record | None:
        """Return the record of *name*, if *resource* is new and may be it under a new name."""
        old = self.records.get(name) if name else None
        is_new = resource.id not in self.records
        return old if old and is_new and old.kind == resource.kind else None


class LiveState(msgspec.Struct, frozen=True, kw_only=True):
    """What the providers answered; a missing key means that nobody looked.

    `current` is what is at the recorded place, or at the desired one for a resource that
    was never applied. `elsewhere` is what is at the desired place where that is another.
    `leftovers` is what is where runs that were cut off may have put something else, by the
    position in `RecordedState.unfinished`.
    """

    current: Mapping[ResourceId, Observation]
    elsewhere: Mapping[ResourceId, Observation] = msgspec.field(default_factory=dict)
    leftovers: Mapping[int, Observation] = msgspec.field(default_factory=dict)
