"""Proves a state log from its history alone: linear, fenced, complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, count, pairwise

import msgspec

from provisioning.core.model.ids import CommitId
from provisioning.core.statelog.transitions import (
    BEGIN,
    RUN,
    SNAPSHOT,
    TRANSITIONS,
    EntryKind,
    Fence,
    LogView,
    Transition,
)


class LogCommit(msgspec.Struct, frozen=True, kw_only=True):
    """One commit of a state log: its message, the files that it changed, and the log after it.

    `time` is in seconds since the epoch. `damage` is the reason if its files cannot be read; then
    `view` has only the head.
    """

    id: CommitId
    parents: tuple[CommitId, ...]
    time: int
    subject: str
    trailers: Mapping[str, str]
    changed: frozenset[str]
    view: LogView
    damage: str = ""


class LogFinding(msgspec.Struct, frozen=True):
    """One broken rule, and the commit that breaks it."""

    commit: CommitId
    message: str


class Proof(msgspec.Struct, frozen=True):
    """The result of a check of a whole log: the number of its entries, and the broken rules."""

    entries: int
    findings: tuple[LogFinding, ...]


def prove(commits: Iterable[LogCommit]) -> Proof:
    """Check all *commits*, newest first; the findings are oldest first."""
    counted = count()
    watched = (item for item, _ in zip(commits, counted, strict=False))
    findings = tuple(compute_findings(watched))
    return Proof(next(counted), findings[::-1])


def compute_findings(commits: Iterable[LogCommit]) -> Iterator[LogFinding]:
    """Check *commits*, newest first, each against the one before it; two are held at a time."""
    for commit, before in pairwise(chain(commits, [None])):
        if commit is not None:
            for message in _check(before.view if before else LogView(), commit):
                yield LogFinding(commit.id, message)


def _check(before: LogView, commit: LogCommit) -> Iterator[str]:
    expected = (before.head,) if before.head else ()
    if commit.parents != expected:
        yield f"its parents are {_name(commit.parents)}, not {_name(expected)}: it is not linear"
    if commit.damage:
        yield commit.damage
        return
    kind = classify(before, commit)
    if kind is None:
        yield f"it is no entry of a state log: {commit.subject!r}"
        return
    rule = TRANSITIONS[kind]
    if before.state not in rule.before:
        yield f"a {kind} entry must not follow a log that is {before.state}"
    extra = commit.changed - rule.writes
    if extra:
        yield f"a {kind} entry must not write {', '.join(sorted(extra))}"
    yield from _check_fence(kind, before, commit)
    yield from _check_writer(kind, before, commit)
    yield from _check_snapshot(kind, commit)


def classify(before: LogView, commit: LogCommit) -> EntryKind | None:
    """Return the kind of entry that *commit* is, judged by what it changed; None if it is none."""
    if SNAPSHOT in commit.changed and before.head is None:
        return EntryKind.SNAPSHOT
    if RUN in commit.changed:
        return EntryKind.RECORD
    found = [kind for kind, rule in TRANSITIONS.items() if _fits(rule, before, commit)]
    if EntryKind.COMPACT in found and commit.view.snapshot is None:
        found.remove(EntryKind.COMPACT)
    if commit.subject.partition(" ")[0] == EntryKind.RESUME and EntryKind.RESUME in found:
        return EntryKind.RESUME
    extra = {kind: len(commit.changed - TRANSITIONS[kind].writes) for kind in found}
    return min(found, key=lambda kind: extra[kind], default=None)


def _fits(rule: Transition, before: LogView, commit: LogCommit) -> bool:
    is_raised = commit.view.fence > before.fence
    return (
        rule.marks <= commit.changed
        and is_raised is (rule.fence is Fence.RAISED)
        and before.state in rule.before
        and commit.view.state in rule.after
        and (not rule.is_exact or (bool(commit.changed) and commit.changed <= rule.writes))
    )


def _check_fence(kind: EntryKind, before: LogView, commit: LogCommit) -> Iterator[str]:
    after = commit.view
    wanted = before.fence + (TRANSITIONS[kind].fence is Fence.RAISED)
    if after.snapshot and kind is EntryKind.SNAPSHOT:
        wanted = after.snapshot.fence
    if after.fence != wanted:
        yield f"the fence goes from {before.fence} to {after.fence}; it should be {wanted}"
    if after.lock and after.lock.token != after.fence:
        yield f"the lock has token {after.lock.token}, and the fence is {after.fence}"
    said = commit.trailers.get("Fencing-Token")
    if said != str(after.fence):
        yield f"its trailer says Fencing-Token {said}, and the fence is {after.fence}"


def _check_writer(kind: EntryKind, before: LogView, commit: LogCommit) -> Iterator[str]:
    after, run = commit.view, commit.trailers.get("Run-Id")
    match kind:
        case EntryKind.RECORD:
            holder = before.lock.run if before.lock else before.begin.run if before.begin else None
            if holder != run:
                yield f"run {run} recorded, but the lock was {_describe(holder)}: a stale write"
            if after.lock or after.begin:
                yield "it recorded without releasing the lock and the intention"
            if after.run is None or after.run.run != run:
                yield f"run.json is not that of run {run}"
        case EntryKind.RENEW:
            holders = {
                item.run for view in (before, after) for item in (view.lock, view.begin) if item
            }
            if holders != {run}:
                yield f"run {run} renewed a lock that was not its own"
        case EntryKind.BEGIN | EntryKind.STEAL if BEGIN in commit.changed:
            names = {item.run for item in (after.lock, after.begin) if item}
            if names != {run}:
                yield f"lock, intention and trailer do not all name run {run}"


def _check_snapshot(kind: EntryKind, commit: LogCommit) -> Iterator[str]:
    snapshot = commit.view.snapshot
    if kind is not EntryKind.SNAPSHOT or snapshot is None:
        return
    if commit.trailers.get("Snapshot-Of") != snapshot.of:
        yield f"its trailer does not name {snapshot.of[:10]}, as its file does"
    if commit.view.lock or commit.view.begin:
        yield "it stands for a run that was under way"


def _describe(holder: str | None) -> str:
    return f"that of run {holder}" if holder else "not that of a run"


def _name(commits: tuple[CommitId, ...]) -> str:
    return ", ".join(commit[:10] for commit in commits) or "none"
