"""Finds a commit of the branch at a time, and each state log as it was then."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import CommitId
from provisioning.gitstore.repository.git_program import run_git
from provisioning.gitstore.statelog.entries import EntryHead, walk_entries

if TYPE_CHECKING:
    from provisioning.gitstore.repository.repository import Repository

DATE = re.compile(r"\d{4}-\d\d-\d\d")
AGO = re.compile(r"(\d{1,9})([smhd]) ?ago\Z")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
HINT = "write a commit of {branch}, a time as in 2026-03-01T12:00, or '3h ago'"


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A commit of the branch; `time`, in seconds since the epoch, if a time was asked for."""

    commit: CommitId
    time: float | None = None


def find_moment(repository: Repository, branch: str, text: str, now: Callable[[], float]) -> Moment:
    """Return the moment that *text* names: a commit of *branch*, or a time, UTC if it says none.

    Raises:
        InvalidArgument: If it names none, or one before the branch began.
    """
    time = _parse_time(text, branch, now)
    if time is None:
        return Moment(commit=_find_commit(repository, branch, text))
    oldest = None
    for entry in walk_entries(repository, repository.read_ref(f"refs/heads/{branch}")):
        if entry.time <= time:
            return Moment(commit=entry.id, time=time)
        oldest = entry
    first = _render(oldest.time) if oldest else "never"
    raise InvalidArgument(
        f"{branch} had no commit at {_render(time)}", hint=f"its first is of {first}"
    )


def _parse_time(text: str, branch: str, now: Callable[[], float]) -> float | None:
    if match := AGO.match(text):
        return now() - float(match[1]) * SECONDS[match[2]]
    if not DATE.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise InvalidArgument(
            f"{text!r} is no time: {exc}", hint=HINT.format(branch=branch)
        ) from exc
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _render(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _find_commit(repository: Repository, branch: str, text: str) -> CommitId:
    try:
        commit = find_commit(repository, text)
    except InvalidArgument as exc:
        raise InvalidArgument(
            f"{text!r} is neither a commit nor a time", hint=HINT.format(branch=branch)
        ) from exc
    head = repository.read_ref(f"refs/heads/{branch}")
    if head is None or not repository.is_ancestor(commit, head):
        raise InvalidArgument(
            f"commit {commit[:10]} is not on {branch}", hint=f"`git log {branch}` lists its commits"
        )
    return commit


def find_commit(repository: Repository, text: str) -> CommitId:
    """Return the commit that *text* names: an id, its beginning, a branch, a tag, `main~2`.

    Raises:
        InvalidArgument: If it names none.
    """
    name = f"{text}^{{commit}}"
    arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", name)
    answer = run_git(repository.folder, *arguments)
    commit = CommitId(answer.output.strip())
    if answer.status or not commit:
        raise InvalidArgument(
            f"{text!r} is neither a file of the workspace nor a commit",
            hint="`git log` lists commits",
        )
    return commit


def find_head(repository: Repository, head: CommitId | None, moment: Moment) -> CommitId | None:
    """Return the entry that the state log at *head* ended with at *moment*; None for none.

    Of a commit, that is the newest record of a run that applied it, or a commit before it.

    Raises:
        InvalidArgument: If that was compacted.
    """
    is_then = _build_filter(repository, moment)
    entry = None
    for entry in walk_entries(repository, head):
        if is_then(entry):
            return entry.id
    if entry is not None and entry.is_snapshot:
        raise InvalidArgument(
            f"what was recorded then was compacted: a snapshot of {entry.story}",
            hint=f"choose a time from {_render(entry.time)} on, or look into the archive of `gc`",
        )
    return None


def _build_filter(repository: Repository, moment: Moment) -> Callable[[EntryHead], bool]:
    if moment.time is not None:
        time = moment.time
        return lambda entry: entry.time <= time
    answer = run_git(repository.folder, "rev-list", moment.commit)
    known = set(answer.output.split())
    return lambda entry: (
        (entry.is_record or entry.is_snapshot) and entry.trailers.get("Desired-Commit") in known
    )
