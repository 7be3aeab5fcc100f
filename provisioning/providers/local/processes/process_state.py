"""Tells from what was found of a process what state it is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from provisioning.core.model.ids import Mark, get_number, parse_mark
from provisioning.core.model.values import UNDECODABLE, Tree
from provisioning.providers.local.processes.launch import SPEC_VARIABLE, LiveSpec
from provisioning.providers.local.processes.notes import Note, Papers
from provisioning.providers.local.processes.procfs import Member, Seen


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a process, of which something is there: it runs, or has ended as it should.

    Args:
        mark: The mark that counts.
        started_as: The mark it was started with.
        leader: The one who leads its session; None if it has ended.
        is_broken: Whether parts of it run without their leader.
        attributes: What a provider answers.
        is_ready_changed: See `Note`.
    """

    mark: Mark
    started_as: str
    leader: Seen | None
    is_broken: bool
    attributes: Mapping[str, Tree]
    is_ready_changed: bool = False


def find_run(papers: Papers, members: Sequence[Member]) -> Run | None:
    """Return the run whose live *members* were found; None if it is to be started.

    It is littered if parts of it were started by another run: see `list_stale`.
    """
    stale = list_stale(members)
    run = _find_run(papers, [each for each in members if each not in stale])
    if run is None or not stale:
        return run
    return replace(run, attributes={**run.attributes, "leftover": True})


def list_stale(members: Sequence[Member]) -> list[Member]:
    """Return those of *members* that were not started by the newest run: its token is the highest.

    A reconciler that was put to sleep just before it started a process does so when it wakes,
    although another one has taken over, and has started it by then.
    """
    newest = max((_get_age(each) for each in members), default=None)
    return [each for each in members if _get_age(each) != newest]


def _get_age(member: Member) -> tuple[int, int]:
    return get_number(member.mark.run), member.mark.operation


def _find_run(papers: Papers, members: Sequence[Member]) -> Run | None:
    leaders = [member for member in members if member.seen.is_leader]
    if leaders:
        return _build_running(papers, max(leaders, key=lambda each: each.seen.started))
    if members:
        return _build_broken(papers, members[0])
    return _find_ended(papers)


def _build_running(papers: Papers, leader: Member) -> Run | None:
    spec = _read_spec(leader)
    if spec is None:
        return _build_broken(papers, leader)
    note = papers.read_note()
    if note is None or note.started_as != str(leader.mark):
        mark = str(leader.mark)
        note = Note(mark, mark, spec.restart, spec.stop, spec.timeout)
    env = {name: leader.environment.get(name, "") for name in spec.env}
    told = {"command": spec.command, "cwd": spec.cwd, "env": env, **_get_policy(note)}
    probed = {"ready": spec.ready} if spec.ready and not note.is_ready_changed else {}
    return Run(
        mark=parse_mark(note.mark) or leader.mark,
        started_as=note.started_as,
        leader=leader.seen,
        is_broken=False,
        attributes=describe_started({**told, **probed}, papers, leader.seen),
        is_ready_changed=note.is_ready_changed,
    )


def _get_policy(note: Note) -> dict[str, Tree]:
    return {"restart": note.restart, "stop": note.stop, "timeout": note.timeout}


def describe_started(spec: Mapping[str, Tree], papers: Papers, leader: Seen) -> dict[str, Tree]:
    """Return the attributes of what was just started as *spec* says."""
    return {
        **spec,
        "log": str(papers.log),
        "pid": leader.pid,
        "started": leader.started,
        "exit_code": None,
    }


def _read_spec(leader: Member) -> LiveSpec | None:
    try:
        return msgspec.json.decode(leader.environment.get(SPEC_VARIABLE, ""), type=LiveSpec)
    except UNDECODABLE:
        return None


def _describe_ended(papers: Papers, code: int | None = None) -> dict[str, Tree]:
    return {"log": str(papers.log), "pid": None, "started": None, "exit_code": code}


def _build_broken(papers: Papers, member: Member) -> Run:
    """Answer no command, which differs from any spec's, so that it is replaced."""
    return Run(
        mark=member.mark,
        started_as=str(member.mark),
        leader=None,
        is_broken=True,
        attributes={"command": None, **_describe_ended(papers)},
    )


def _find_ended(papers: Papers) -> Run | None:
    note = papers.read_note()
    if note is None:
        return None
    code, mark = papers.read_exit(note.started_as), parse_mark(note.mark)
    if code is None or mark is None or _is_to_run_again(note.restart, code):
        return None
    return Run(
        mark=mark,
        started_as=note.started_as,
        leader=None,
        is_broken=False,
        attributes={**_get_policy(note), **_describe_ended(papers, code)},
    )


def _is_to_run_again(restart: str, code: int) -> bool:
    return restart == "always" or (restart == "on-failure" and code != 0)
