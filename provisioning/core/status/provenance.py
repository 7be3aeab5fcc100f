"""Why a resource or a field is as it is: the chain of places that say so. Values only."""

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
    """One place that says something: what it is called, its layer, where it is, who wrote it.

    `written` is what stands there, interpolations and all; `by` is None for what is in no
    commit, as an environment variable is.
    """

    what: str
    layer: str
    written: Tree = None
    source: Source | None = None
    by: Authorship | None = None


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """The run that applied it, as its record tells; `time` is when it ended."""

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
    """The run that applied it, of which a snapshot left nothing but the name."""

    run: RunId


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: what Git asks for, link by link, and the run that made it so.

    `is_desired` tells whether Git still asks for the resource; `is_newer` that Git asks for
    something the run has not seen yet. `value` is what was recorded.
    """

    infra: str
    id: ResourceId
    field: str
    value: Tree
    links: tuple[Link, ...]
    applied: Application | Compacted | None
    is_desired: bool
    is_newer: bool = False
