"""The rules of the state log: its states, its entries, and which may follow which.

`TRANSITIONS` is the one table: the writer refuses an entry that no row allows, `fsck` proves a
history by it, and `docs/reference/state-log.md` is rendered from it. An entry is one commit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from provisioning.core.model.errors import StateLogDamaged, TransitionRefused
from provisioning.core.model.ids import CommitId, RunId, get_number
from provisioning.core.model.records import (
    FORMAT,
    NEEDS,
    Begin,
    FileHeader,
    Lock,
    LogSnapshot,
    Run,
    Suspensions,
    decode_record,
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
    """The kinds of entries, each one commit of the state log."""

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


class LogState(StrEnum):
    """The states of a state log; together with an `EntryKind`, each decides what may follow."""

    ABSENT = "absent"
    FREE = "free"
    BEGUN = "begun"
    RUN = "run"
    PERSON = "person"


MEANINGS: Mapping[LogState, str] = {
    LogState.ABSENT: "The branch does not exist.",
    LogState.FREE: "Nobody holds the lock, and no run is under way.",
    LogState.BEGUN: "A run began and holds no lock: `lock.backend` is `none`, or somebody took "
    "the lock from it and released it.",
    LogState.RUN: "A run holds the lock.",
    LogState.PERSON: "A person holds the lock.",
}


class Fence(StrEnum):
    """The effect of an entry on the fencing token."""

    SAME = "same"
    RAISED = "raised"
    RESTORED = "as before"


class Transition(msgspec.Struct, frozen=True):
    """One row of the table.

    Args:
        before: The states that the entry may follow.
        after: The states that it may leave.
        fence: Its effect on the fencing token.
        writes: The files that it may write or remove.
        marks: Those of them that every such entry writes.
        is_exact: It is recognised only if it writes nothing else.
    """

    before: frozenset[LogState]
    after: frozenset[LogState]
    fence: Fence
    writes: frozenset[str]
    marks: frozenset[str] = frozenset()
    is_exact: bool = False


def _row(
    before: str, after: str, fence: Fence, writes: str, marks: str = "", *, is_exact: bool = False
) -> Transition:
    """Build a row from words: states, and files without their endings."""
    files = {name.partition(".")[0]: name for name in (*FILES, RESOURCES)}
    return Transition(
        frozenset(map(LogState, before.split())),
        frozenset(map(LogState, after.split())),
        fence,
        frozenset(files[word] for word in writes.split()),
        frozenset(files[word] for word in marks.split()),
        is_exact,
    )


_SAME, _RAISED, _ANY = Fence.SAME, Fence.RAISED, " ".join(LogState)

# fmt: off
TRANSITIONS: Mapping[EntryKind, Transition] = {
    EntryKind.BEGIN: _row("absent free begun", "begun run", _RAISED, "lock begin fence", "begin"),
    EntryKind.STEAL: _row("run person", "begun run person", _RAISED, "lock begin fence"),
    EntryKind.RENEW: _row("begun run", "begun run", _SAME, "lock begin", is_exact=True),
    EntryKind.RECORD: _row("begun run", "free", _SAME, "lock begin run resources", "run"),
    EntryKind.HOLD: _row("absent free begun", "person", _RAISED, "lock fence", "lock"),
    EntryKind.RELEASE: _row("person", "free begun", _SAME, "lock", "lock"),
    EntryKind.SUSPEND: _row(_ANY, "free begun", _RAISED, "lock fence suspended", "suspended"),
    EntryKind.RESUME: _row(_ANY, "free begun", _RAISED, "lock fence suspended", "suspended"),
    EntryKind.COMPACT: _row("free", "free", _RAISED, "fence", "fence", is_exact=True),
    EntryKind.SNAPSHOT: _row(
        "absent", "free", Fence.RESTORED, "fence run resources suspended snapshot", "snapshot"
    ),
}
# fmt: on


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
    def state(self) -> LogState:
        """The state, of which `TRANSITIONS` says what may follow."""
        return compute_state(self.head, self.lock, self.begin)

    @property
    def is_cut_off(self) -> bool:
        """Whether a run began here and has not ended."""
        return self.begin is not None

    @property
    def is_settled(self) -> bool:
        """Whether all that runs did to the world is recorded, as far as the log can tell."""
        return self.begin is None or not self.begin.intents


def compute_state(head: CommitId | None, lock: Lock | None, begin: Begin | None) -> LogState:
    """Return the state of a log at *head* with that *lock* and intention."""
    if lock is not None:
        return LogState.RUN if lock.run else LogState.PERSON
    if begin is not None:
        return LogState.BEGUN
    return LogState.FREE if head else LogState.ABSENT


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One commit to append: the files it writes (None removes), and its message."""

    kind: EntryKind
    subject: str
    trailers: Mapping[str, str]
    files: Mapping[str, bytes | None] = msgspec.field(default_factory=dict)

    @property
    def message(self) -> str:
        """The commit message: the subject, and the trailers as Git reads them, a line each."""
        trailers = "\n".join(f"{key}: {one_line(value)}" for key, value in self.trailers.items())
        return f"{one_line(self.subject)}\n\n{trailers}\n"


def get_ref(infra: str) -> str:
    """Return the full name of the branch that is *infra*'s state log."""
    return OURS + infra


def check_transition(view: LogView, entry: LogEntry) -> None:
    """Make sure that *entry* may follow *view*; whoever appends calls this before any write.

    Raises:
        TransitionRefused: If no row of `TRANSITIONS` allows it.
    """
    rule, after = TRANSITIONS[entry.kind], _compute_state_after(view, entry)
    extra = {name.partition("/")[0] for name in entry.files} - rule.writes
    if view.state not in rule.before:
        broken = f"it cannot follow a log that is {view.state}"
    elif after not in rule.after:
        broken = f"it cannot leave a log that is {after}"
    elif extra:
        broken = f"it cannot write {', '.join(sorted(extra))}"
    elif rule.fence is Fence.RAISED and FENCE not in entry.files:
        broken = "it must raise the fence"
    else:
        return
    raise TransitionRefused(
        f"a {entry.kind} entry ({entry.subject!r}) is not allowed here: {broken}",
        hint="nothing was written; please report it with the answer of `provisioning fsck`",
    )


def _compute_state_after(view: LogView, entry: LogEntry) -> LogState:
    files = entry.files
    lock = _parse(Lock, LOCK, files) if LOCK in files else view.lock
    begin = _parse(Begin, BEGIN, files) if BEGIN in files else view.begin
    return compute_state(view.head or CommitId(entry.subject), lock, begin)


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
        _refuse_newer(name, decode_record(data, FileHeader))
        return decode_record(data, model)
    except UNDECODABLE as exc:
        raise _describe_damage(name, str(exc)) from exc


def _refuse_newer(name: str, header: FileHeader) -> None:
    if header.format > FORMAT:
        needed = f"; provisioning {header.needs} or newer reads it" if header.needs else ""
        raise StateLogDamaged(
            f"{name} has format {header.format}, and this release knows {FORMAT}{needed}",
            hint="upgrade: `pip install --upgrade provisioning`",
        )


def _describe_damage(name: str, why: str) -> StateLogDamaged:
    return StateLogDamaged(
        f"{name} of the state log cannot be read: {why}",
        hint="`provisioning fsck` names the commit that did it",
    )


def render_record(record: msgspec.Struct | None) -> bytes | None:
    """Write a record as people read it: indented JSON with a final newline."""
    if record is None:
        return None
    tree = {"format": FORMAT, "needs": NEEDS, **msgspec.to_builtins(record)}
    return msgspec.json.format(msgspec.json.encode(tree), indent=2) + b"\n"


def one_line(text: str) -> str:
    """Return *text* with each run of white space as one blank."""
    return " ".join(text.split())
