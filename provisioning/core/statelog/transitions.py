"""The state log's rules: which entry may follow what, and what it writes.

An entry is one commit. This table is all there is; `begin.json` outlives a run that was
cut off until another run records.

| Entry | Lock before | Lock after | Fence | Writes besides the lock |
| --- | --- | --- | --- | --- |
| begin | free | the run's | raised | `begin.json` |
| steal | somebody's | the stealer's | raised | `begin.json`, if the stealer is a run |
| renew | the run's | the run's | same | `begin.json`, if it intends more |
| record | the run's | free | same | `run.json`, `resources/…`, no `begin.json` |
| hold | free | a person's | raised | |
| release | a person's | free | same | |
| suspend | free or dead | free | raised | `suspended.json` |
| resume | free or dead | free | raised | `suspended.json` |
| compact | free | free | raised | |
| snapshot | (it is the first) | free | as it stood | `snapshot.json`, and all that stood |
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from provisioning.core.model.errors import StateLogDamaged
from provisioning.core.model.ids import CommitId, RunId, get_number
from provisioning.core.model.records import (
    FORMAT,
    Begin,
    Lock,
    LogSnapshot,
    Result,
    Run,
    Suspensions,
)
from provisioning.core.model.values import UNDECODABLE

LOCK, BEGIN, FENCE, RUN, RESOURCES = "lock.json", "begin.json", "fence", "run.json", "resources"
SUSPENDED, SNAPSHOT = "suspended.json", "snapshot.json"

FILES = (LOCK, BEGIN, FENCE, RUN, SUSPENDED, SNAPSHOT)
"""The files of a state log, `resources/` aside."""

_NUMBER = re.compile(rb"\s*[0-9]{1,18}\s*")

NOTHING_SUSPENDED = Suspensions()

OURS = "refs/heads/provisioning/"
"""Below it lies the branch of each infra's state log, and nothing else is ever written."""


class EntryKind(StrEnum):
    """What an entry of the state log does."""

    BEGIN = "begin"
    STEAL = "steal"
    RENEW = "renew"
    RECORD = "record"
    HOLD = "hold"
    RELEASE = "release"
    SUSPEND = "suspend"
    RESUME = "resume"
    COMPACT = "compact"
    SNAPSHOT = "snapshot"


class LogView(msgspec.Struct, frozen=True, kw_only=True):
    """The state log at one head, without the resources. An absent log has no head."""

    head: CommitId | None = None
    fence: int = 0
    lock: Lock | None = None
    begin: Begin | None = None
    run: Run | None = None
    suspended: Suspensions = NOTHING_SUSPENDED
    snapshot: LogSnapshot | None = None

    @property
    def is_cut_off(self) -> bool:
        """Whether a run began here and has not ended."""
        return self.begin is not None

    @property
    def is_settled(self) -> bool:
        """Whether all that runs did to the world is recorded, as far as the log can tell."""
        return self.begin is None or not self.begin.intents


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One commit to append: the files it writes (None removes), and its message."""

    kind: EntryKind
    subject: str
    trailers: Mapping[str, str]
    files: Mapping[str, bytes | None] = msgspec.field(default_factory=dict)

    @property
    def message(self) -> str:
        """The commit message: the subject, and the trailers as Git reads them, a line each."""
        trailers = "\n".join(f"{key}: {_one_line(value)}" for key, value in self.trailers.items())
        return f"{_one_line(self.subject)}\n\n{trailers}\n"


def get_ref(infra: str) -> str:
    """Return the full name of the branch that is *infra*'s state log."""
    return OURS + infra


def compute_begin(view: LogView, lock: Lock | None, begin: Begin) -> LogEntry:
    """Begin a run on top of *view*: from a free lock, or by stealing one judged dead.

    *lock* is None for the backend that keeps none.
    """
    number = begin.run.partition("-")[0]
    count = len({intent.id for intent in begin.intents if intent.run == begin.run})
    subject = f"begin run {number}: {count} change{'s' * (count != 1)} by {begin.actor}"
    if view.lock is not None:
        subject += f", taking over from {_name_holder(view.lock)}"
    return LogEntry(
        kind=EntryKind.STEAL if view.lock else EntryKind.BEGIN,
        subject=subject,
        trailers={
            "Run-Id": begin.run,
            "Desired-Commit": begin.commit,
            "Plan-Digest": begin.digest,
            "Fencing-Token": number,
            "Actor": begin.actor,
        },
        files={
            BEGIN: render_record(begin),
            FENCE: f"{number}\n".encode(),
            **({LOCK: render_record(lock)} if lock or view.lock else {}),
        },
    )


def compute_renewal(lock: Lock | None, begin: Begin, *, extended: bool) -> LogEntry:
    """Prolong a run's lock, if it has one; *extended* if it intends more than before."""
    number = begin.run.partition("-")[0]
    return LogEntry(
        kind=EntryKind.RENEW,
        subject=f"renew run {number}",
        trailers={"Run-Id": begin.run, "Fencing-Token": number, "Actor": begin.actor},
        files=({LOCK: render_record(lock)} if lock else {})
        | ({BEGIN: render_record(begin)} if extended else {}),
    )


def compute_record(view: LogView, run: Run, resources: Mapping[str, bytes | None]) -> LogEntry:
    """Record what became of a run, and release its lock."""
    counts = Counter(change.outcome for change in run.changes)
    story = ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no changes"
    gone = {LOCK: None, BEGIN: None} if view.lock else {BEGIN: None}
    return LogEntry(
        kind=EntryKind.RECORD,
        subject=f"{run.result} run {run.number}: {story}",
        trailers={
            "Run-Id": run.run,
            "Desired-Commit": run.commit,
            "Plan-Digest": run.digest,
            "Fencing-Token": run.number,
            "Actor": run.actor,
            "Result": run.result,
        },
        files={**gone, RUN: render_record(run), **resources},
    )


def compute_hold(view: LogView, lock: Lock) -> LogEntry:
    """Give the lock to a person: from free, or by stealing it."""
    stolen = f" from {_name_holder(view.lock)}" if view.lock else ""
    kind = EntryKind.STEAL if view.lock else EntryKind.HOLD
    return LogEntry(
        kind=kind,
        subject=f"{kind} {lock.token} by {lock.holder.user}{stolen}: {_one_line(lock.reason)}",
        trailers={"Fencing-Token": str(lock.token), "Actor": lock.holder.user},
        files={LOCK: render_record(lock), FENCE: f"{lock.token}\n".encode()},
    )


def compute_release(view: LogView, actor: str) -> LogEntry:
    """Release a person's lock."""
    return LogEntry(
        kind=EntryKind.RELEASE,
        subject=f"release {view.fence} by {actor}",
        trailers={"Fencing-Token": str(view.fence), "Actor": actor},
        files={LOCK: None},
    )


def compute_suspension(
    view: LogView, suspensions: Suspensions, kind: EntryKind, story: str, actor: str
) -> LogEntry:
    """Let *suspensions* hold from now on; *story* tells in a few words what changed.

    The fence is raised, so that no run goes on that was planned before it.
    """
    token = next_token(view)
    is_any = suspensions != NOTHING_SUSPENDED
    return LogEntry(
        kind=kind,
        subject=f"{kind} {token} by {actor}: {_one_line(story)}",
        trailers={"Fencing-Token": str(token), "Actor": actor},
        files={
            SUSPENDED: render_record(suspensions) if is_any else None,
            FENCE: f"{token}\n".encode(),
            **({LOCK: None} if view.lock else {}),
        },
    )


def compute_snapshot(view: LogView, snapshot: LogSnapshot) -> LogEntry:
    """Let *snapshot*, a first entry, stand for *view* and all that came before it."""
    return LogEntry(
        kind=EntryKind.SNAPSHOT,
        subject=f"{EntryKind.SNAPSHOT} {snapshot.fence} by {snapshot.by}: {snapshot.story}",
        trailers={
            "Snapshot-Of": snapshot.of,
            **({"Desired-Commit": view.run.commit} if view.run else {}),
            "Fencing-Token": str(snapshot.fence),
            "Actor": snapshot.by,
            "Signed-off-by": snapshot.by,
        },
        files={SNAPSHOT: render_record(snapshot)},
    )


def compute_compaction(view: LogView, snapshot: LogSnapshot) -> LogEntry:
    """Tell, on top of the newest entry, that *snapshot* stands for the oldest ones from now on.

    The fence is raised, so that no run goes on that was planned before it.
    """
    token = next_token(view)
    return LogEntry(
        kind=EntryKind.COMPACT,
        subject=f"{EntryKind.COMPACT} {token} by {snapshot.by}: {snapshot.story}",
        trailers={"Fencing-Token": str(token), "Actor": snapshot.by},
        files={FENCE: f"{token}\n".encode()},
    )


def next_token(view: LogView) -> int:
    """Return the fencing token that whoever takes the lock on top of *view* gets."""
    return view.fence + 1


def build_run_id(token: int, nonce: bytes) -> RunId:
    """Name a run by its token and three random bytes, which tell racing runs apart."""
    return RunId(f"{token}-{nonce[:3].hex()}")


def is_own(view: LogView, run: RunId) -> bool:
    """Tell whether *run* may write on top of *view*.

    An intention outlives its run's lock where a person stole and then released that: the
    fence, which only ever rises, tells.
    """
    holder = view.lock.run if view.lock else view.begin.run if view.begin else None
    return holder == run and view.fence == get_number(run)


def parse_view(head: CommitId | None, files: Mapping[str, bytes | None]) -> LogView:
    """Read the state log's files, `resources/` aside.

    Raises:
        StateLogDamaged: If a file is not of a format that this release knows.
    """
    if head is None:
        return LogView()
    fence = files.get(FENCE)
    if fence is None or not _NUMBER.fullmatch(fence):
        raise _describe_damage(FENCE, "it is not a number")
    return LogView(
        head=head,
        fence=int(fence),
        lock=_parse(Lock, LOCK, files),
        begin=_parse(Begin, BEGIN, files),
        run=_parse(Run, RUN, files),
        suspended=_parse(Suspensions, SUSPENDED, files) or NOTHING_SUSPENDED,
        snapshot=_parse(LogSnapshot, SNAPSHOT, files),
    )


def _parse(model: Any, name: str, files: Mapping[str, bytes | None]) -> Any:
    data = files.get(name)
    if data is None:
        return None
    try:
        record = msgspec.json.decode(data, type=model)
    except UNDECODABLE as exc:
        raise _describe_damage(name, str(exc)) from exc
    if getattr(record, "format", FORMAT) > FORMAT:
        raise StateLogDamaged(
            f"{name} has format {record.format}, and this release knows {FORMAT}",
            hint="upgrade: `pip install --upgrade provisioning`",
        )
    return record


def _describe_damage(name: str, why: str) -> StateLogDamaged:
    return StateLogDamaged(
        f"{name} of the state log cannot be read: {why}",
        hint="`provisioning fsck` names the commit that did it",
    )


def render_record(record: msgspec.Struct | None) -> bytes | None:
    """Write a record as people read it: indented JSON with a final newline."""
    if record is None:
        return None
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def _name_holder(lock: Lock) -> str:
    if lock.run:
        return f"run {lock.run.partition('-')[0]}"
    return f"{lock.holder.user}'s hold"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def compute_result(*, failed: bool, interrupted: bool) -> Result:
    """Name how a run ended."""
    if interrupted:
        return Result.INTERRUPTED
    return Result.FAILED if failed else Result.DONE
