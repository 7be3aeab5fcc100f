"""The records in the files of the state log. Format 2.

| File | Record | There while |
| --- | --- | --- |
| `lock.json` | `Lock` | the lock is held |
| `begin.json` | `Begin` | a run is under way, or was cut off |
| `fence` | the last fencing token, in decimal | always |
| `run.json` | `Run` | one run has ended |
| `suspended.json` | `Suspensions` | the infra, or something of it, is or was suspended |
| `snapshot.json` | `LogSnapshot` | older entries were compacted |
| `resources/…` | a `Record` a line, in shards by id | the resource is ours |

Format 2 added the location of a resource, the API group of its kind, the provider type behind an
instance, the version of the kind's schema, and the handle of an operation that is under way. A file
without `format` is of format 1; it is read, and the next write makes it format 2.

Times are RFC 3339 in UTC; they are for people, and nothing is decided by them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from provisioning.core.model.errors import Source
from provisioning.core.model.ids import CommitId, ResourceId, RunId
from provisioning.core.model.resources import API_VERSION, Lifecycle
from provisioning.core.model.values import Digest, Tree

FORMAT = 2
"""The format that this release writes; it reads this one and those before."""

NEEDS = "0.2.0"
"""The first release that reads `FORMAT`; an older one names it when it refuses a file."""


class FileHeader(msgspec.Struct, frozen=True):
    """The format of a JSON file of the state log, and the first release that reads it.

    Both stand at the top of each file, beside the fields of its record.
    """

    format: int = 1
    needs: str = ""


class Action(StrEnum):
    """What a plan does with a resource; an imperative."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    ADOPT = "adopt"
    FORGET = "forget"


class Outcome(StrEnum):
    """What became of a planned change; a past participle."""

    CREATED = "created"
    UPDATED = "updated"
    REPLACED = "replaced"
    DELETED = "deleted"
    ADOPTED = "adopted"
    FORGOTTEN = "forgotten"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    """The call was made and its answer is missing; the next run looks."""
    SKIPPED = "skipped"
    """Something it depends on failed, or the run was asked to stop."""


DONE = {
    Action.CREATE: Outcome.CREATED,
    Action.UPDATE: Outcome.UPDATED,
    Action.REPLACE: Outcome.REPLACED,
    Action.DELETE: Outcome.DELETED,
    Action.ADOPT: Outcome.ADOPTED,
    Action.FORGET: Outcome.FORGOTTEN,
}
"""The outcome of each action when all went well."""


class Result(StrEnum):
    """How a run ended."""

    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Holder(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who holds a lock: a person on a machine, and for a run its process.

    `boot` is the machine's boot id; `started` is the process's start time in clock ticks
    since boot, which together with `pid` names a process for good.
    """

    user: str
    host: str
    boot: str = ""
    pid: int = 0
    started: int = 0

    def __str__(self) -> str:
        return f"{self.user}@{self.host}" + (f" (process {self.pid})" if self.pid else "")


class Lock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The lock; `run` is absent when a person holds it. `ttl` is in seconds."""

    token: int
    holder: Holder
    reason: str
    acquired_at: str
    renewed_at: str
    ttl: float
    run: RunId | None = None


class Suspension(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who asked runs to leave something alone, since when, why, and until when.

    `until` is compared with the wall clock in UTC: it is a wish of people, and nobody's safety
    depends on it.
    """

    by: str
    since: str
    reason: str = ""
    until: str | None = None


class Suspensions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What runs must leave alone: the whole infra, or some of its resources.

    `resumed` tells the fencing token at which somebody let runs put a resource back again that
    is fought over.
    """

    infra: Suspension | None = None
    resources: dict[ResourceId, Suspension] = {}
    resumed: dict[ResourceId, int] = {}


class LogSnapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the log's first entry stands for: the entries before it, which are gone.

    `of` is the id of the last of them; as Git chains ids, it names them all. `first` and `last`
    are the first and the last run among them, `fence` the token that they ended with, `until`
    the time of the last, and `by` who signed it off at `made_at`.
    """

    of: CommitId
    entries: int
    fence: int
    until: str
    made_at: str
    by: str
    first: RunId | None = None
    last: RunId | None = None

    @property
    def story(self) -> str:
        """What it stands for, in a few words."""
        first, last = (str(item).partition("-")[0] for item in (self.first, self.last))
        runs = f"run {last}" if first == last else f"runs {first} to {last}"
        return f"{f'{runs}, ' if self.last else ''}{self.entries:,} entries until {self.until}"


class Intent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One operation a run is about to make.

    `attributes` hold what finds the resource again: its identity, or what was recorded.
    """

    operation: int
    id: ResourceId
    action: Action
    kind: str
    provider: str
    run: RunId
    attributes: dict[str, Tree] = {}
    depends_on: tuple[ResourceId, ...] = ()
    moved_from: ResourceId | None = None
    api_version: str = API_VERSION
    provider_type: str = ""
    schema_version: int = 1


class UnexpectedState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer of a provider that was not what the state log led to expect.

    `state` is present, absent or unreadable; `attributes` are kept as a `Record` keeps them.
    """

    state: str
    attributes: dict[str, Tree] = {}
    mark: str | None = None
    reason: str = ""


class Inputs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a plan was computed from, besides its commit and the state log before it.

    `read` are the values that interpolations named, and `facts` those of them that are no
    secret to anybody who reads the log; the others are fingerprints. `current`, `elsewhere`
    and `leftovers` are what was seen and not expected. `key` is a fingerprint of nothing, and
    tells which key the others were made with.
    """

    release: str
    key: str
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    corrects: tuple[ResourceId, ...] = ()
    facts: dict[str, Tree] = {}
    read: dict[str, str] = {}
    current: dict[ResourceId, UnexpectedState] = {}
    elsewhere: dict[ResourceId, UnexpectedState] = {}
    leftovers: dict[int, UnexpectedState] = {}


class Begin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The intention of a run. It carries on the intents of the runs that were cut off before it."""

    run: RunId
    actor: str
    reason: str
    commit: CommitId
    digest: Digest
    started_at: str
    intents: tuple[Intent, ...] = ()
    inputs: Inputs | None = None


class Record(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """A resource as it was applied last.

    `spec` is the desired spec, resolved and expanded; `attributes` are the provider's answer.
    In both, content is kept as digest and size, and a sensitive value as its fingerprint.
    `leftovers` are the attributes of predecessors that should have been removed and were not;
    `moved_from` is the id that a move which was cut off began at. `provider` is the instance,
    `provider_type` the provider behind it if it has another name. `schema_version` is the version
    of the kind's fields that spec and attributes were written in.
    """

    id: ResourceId
    kind: str
    provider: str
    spec: dict[str, Tree]
    attributes: dict[str, Tree]
    run: RunId
    operation: int
    source: Source
    depends_on: tuple[ResourceId, ...] = ()
    lifecycle: Lifecycle = Lifecycle()
    error: str | None = None
    leftovers: tuple[dict[str, Tree], ...] = ()
    moved_from: ResourceId | None = None
    api_version: str = API_VERSION
    provider_type: str = ""
    schema_version: int = 1


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one planned change, as the run's record keeps it.

    `healed` are the fields whose drift it put back.
    """

    id: ResourceId
    action: Action
    outcome: Outcome
    reason: str = ""
    error: str | None = None
    hint: str | None = None
    seconds: float = 0.0
    healed: tuple[str, ...] = ()


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the last run ended.

    `base` is there if *commit* was on no branch yet: what of the branch was in it.
    """

    run: RunId
    actor: str
    reason: str
    commit: CommitId
    digest: Digest
    result: Result
    started_at: str
    finished_at: str
    changes: tuple[Change, ...] = ()
    allowed: tuple[str, ...] = ()
    base: CommitId | None = None

    @property
    def number(self) -> str:
        """The number people call the run by."""
        return self.run.partition("-")[0]


_Model = TypeVar("_Model", FileHeader, Lock, Begin, Run, Suspensions, LogSnapshot)

_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {
    model: msgspec.json.Decoder(model)
    for model in (FileHeader, Lock, Begin, Run, Suspensions, LogSnapshot)
}
"""Built here once: msgspec crashes if two threads decode into one type for the first time."""


def decode_record(data: bytes, model: type[_Model]) -> _Model:
    """Read a file of the state log.

    Raises:
        msgspec.DecodeError: If *data* is no JSON of *model*.
    """
    record: _Model = _DECODERS[model].decode(data)
    return record
