"""The entries of a state log: each function builds the one commit that it names. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from provisioning.core.model.records import Begin, Lock, LogSnapshot, Result, Run, Suspensions
from provisioning.core.statelog.transitions import (
    BEGIN,
    FENCE,
    LOCK,
    NOTHING_SUSPENDED,
    RUN,
    SNAPSHOT,
    SUSPENDED,
    EntryKind,
    LogEntry,
    LogView,
    next_token,
    one_line,
    render_record,
)


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
        subject=f"{kind} {lock.token} by {lock.holder.user}{stolen}: {one_line(lock.reason)}",
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
    """Replace the suspensions by *suspensions*; *story* names the change in a few words.

    The fence is raised, so that no run goes on that was planned before it.
    """
    token = next_token(view)
    is_any = suspensions != NOTHING_SUSPENDED
    return LogEntry(
        kind=kind,
        subject=f"{kind} {token} by {actor}: {one_line(story)}",
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
    """Note, on top of the newest entry, that *snapshot* replaced the oldest ones.

    The fence is raised, so that no run goes on that was planned before it.
    """
    token = next_token(view)
    return LogEntry(
        kind=EntryKind.COMPACT,
        subject=f"{EntryKind.COMPACT} {token} by {snapshot.by}: {snapshot.story}",
        trailers={"Fencing-Token": str(token), "Actor": snapshot.by},
        files={FENCE: f"{token}\n".encode()},
    )


def _name_holder(lock: Lock) -> str:
    if lock.run:
        return f"run {lock.run.partition('-')[0]}"
    return f"{lock.holder.user}'s hold"


def compute_result(*, failed: bool, interrupted: bool) -> Result:
    """Name how a run ended."""
    if interrupted:
        return Result.INTERRUPTED
    return Result.FAILED if failed else Result.DONE
