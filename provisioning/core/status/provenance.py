"""The provenance of a resource or a field: the chain of its sources. Values only."""

from __future__ import annotations

import msgspec

from provisioning.core.model.errors import Source
from provisioning.core.model.ids import CommitId, ResourceId, RunId
from provisioning.core.model.records import Action, Outcome
from provisioning.core.model.values import Tree

MANIFEST, COMPUTED = "manifest", "computed"
"""The layers of a link besides those of settings."""


class Authorship(msgspec.Struct, frozen=True, kw_only=True):
    """The commit that wrote a line; `time` is in seconds since the epoch."""

    commit: CommitId
    author: str
    time: int
    subject: str


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One source of a value: its name, its layer, its place, and its author.

    `written` is the text there, with its interpolations; `by` is None for a source in no
    commit, such as an environment variable.
    """

    what: str
    layer: str
    written: Tree = None
    source: Source | None = None
    by: Authorship | None = None


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """The run that applied a resource or a field; `time` is its end."""

    run: RunId
    actor: str
    reason: str
    commit: CommitId
    time: str
    entry: CommitId
    action: Action | None = None
    outcome: Outcome | None = None
    because: str = ""


class Compacted(msgspec.Struct, frozen=True):
    """A run that applied it, of which compaction left only the id."""

    run: RunId


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """The sources of a resource or a field in Git, and the run that applied it.

    `is_desired` tells whether the resource is still desired; `is_newer` that a source changed
    after the run. `value` is the recorded value.
    """

    infra: str
    id: ResourceId
    field: str
    value: Tree
    links: tuple[Link, ...]
    applied: Application | Compacted | None
    is_desired: bool
    is_newer: bool = False
