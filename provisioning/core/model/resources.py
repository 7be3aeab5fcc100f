"""A resource as a manifest asks for it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from provisioning.core.model.errors import Source
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.values import Path, Tree

API_VERSION = "provisioning/v1"


class DriftPolicy(StrEnum):
    """What a run does about a live value that is not the desired one."""

    IGNORE = "ignore"
    DETECT = "detect"
    PR = "pr"
    CORRECT = "correct"


class DeletePolicy(StrEnum):
    """What a run does with a resource that is no longer desired."""

    DELETE = "delete"
    RETAIN = "retain"


class Timeouts(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The seconds that one call may take; None is what `executor.timeout` says."""

    create: float | None = None
    update: float | None = None
    delete: float | None = None


class Lifecycle(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, rename="camel"):
    """How a resource may change; the same for every kind.

    `ignore_fields` are paths below `spec` that belong to somebody else once the resource is
    made. `create_before_delete` is None for what the kind does.
    """

    protect: bool = False
    drift: DriftPolicy = DriftPolicy.CORRECT
    on_delete: DeletePolicy = DeletePolicy.DELETE
    ignore_fields: tuple[str, ...] = ()
    create_before_delete: bool | None = None
    timeouts: Timeouts = Timeouts()


class Templated(msgspec.Struct, frozen=True, array_like=True):
    """A string of a spec that holds `{{…}}`: its *path* below `spec` and its *line*."""

    path: Path
    line: int


class Resource(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A resource as its manifest has it, interpolations not yet resolved.

    `references` are the ids that its interpolations name, `depends_on` those that it
    lists; both order the work. `lines` tells the line of each key at the top of `spec`.
    `given` are the settings that decide, by `when` and `forEach`, whether it is there.
    `moved_infra` is the infra that it had `moved_from` in, if that is another one.
    `removed` is set if it is not asked for, but declared to be gone: then it says what becomes of
    what was applied, and all but its id and its place is empty.
    """

    id: ResourceId
    kind: str
    api_version: str = API_VERSION
    provider: str
    source: Source
    spec: dict[str, Tree]
    labels: dict[str, str] = {}
    lifecycle: Lifecycle = Lifecycle()
    depends_on: tuple[ResourceId, ...] = ()
    references: tuple[ResourceId, ...] = ()
    moved_from: ResourceId | None = None
    moved_infra: str | None = None
    templated: tuple[Templated, ...] = ()
    lines: dict[str, int] = {}
    given: tuple[str, ...] = ()
    removed: DeletePolicy | None = None
    provider_type: str = ""

    @property
    def dependencies(self) -> tuple[ResourceId, ...]:
        """Every resource that must stand before this one, each once."""
        return tuple(dict.fromkeys((*self.references, *self.depends_on)))
