"""Tells from what was found of a process what state it is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from provisioning.core.model.ids import Mark, get_number, parse_mark
from provisioning.core.model.values import UNDECODABLE, Tree
from provisioning.providers.local.processes.launch import SPEC_VARIABLE, LiveSpec
from provisioning.providers.local.processes.notes import ProcessFiles, ProcessNote
from provisioning.providers.local.processes.procfs import Member, SeenProcess

_DECODER = msgspec.json.Decoder(LiveSpec)
"""Built once: msgspec crashes if two threads decode into one type for the first time."""


class ProcessRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a process, of which something is there: it runs, or has ended as it should.

    Args:
        mark: The mark that counts.
        started_as: The mark it was started with.
        leader: The one who leads its session; None if it has ended.
        is_broken: Whether parts of it run without their leader.
        attributes: What a provider answers.
        is_ready_changed: See `ProcessNote`.
    """

    mark: Mark
    started_as: str
    leader: SeenProcess | None
    is_broken: bool
    attributes: Mapping[str, Tree]
    is_ready_changed: bool = False


def find_run(process_files: ProcessFiles, members: Sequence[Member]) -> ProcessRun | None:
    """Return the run whose live *members* were found; None if it is to be started.

    It is littered if parts of it were started by another run: see `list_stale`.
    """
    stale = list_stale(members)
    run = _find_run(process_files, [member for member in members if member not in stale])
    if run is None or not stale:
        return run
    return replace(run, attributes={**run.attributes, "leftover": True})


def list_stale(members: Sequence[Member]) -> list[Member]:
    """Return those of *members* that were not started by the newest run: its token is the highest.

    A reconciler that was put to sleep just before it started a process does so when it wakes,
    although another one has taken over, and has started it by then.
    """
    newest = max((_get_age(member) for member in members), default=None)
    return [member for member in members if _get_age(member) != newest]


def _get_age(member: Member) -> tuple[int, int]:
    return get_number(member.mark.run), member.mark.operation


def _find_run(process_files: ProcessFiles, members: Sequence[Member]) -> ProcessRun | None:
    leaders = [member for member in members if member.seen.is_leader]
    if leaders:
        return _build_running(process_files, max(leaders, key=lambda item: item.seen.started))
    if members:
        return _build_broken(process_files, members[0])
    return _find_ended(process_files)


def _build_running(process_files: ProcessFiles, leader: Member) -> ProcessRun | None:
    spec = _read_spec(leader)
    if spec is None:
        return _build_broken(process_files, leader)
    note = process_files.read_note()
    if note is None or note.started_as != str(leader.mark):
        mark = str(leader.mark)
        note = ProcessNote(mark, mark, spec.restart, spec.stop, spec.timeout)
    env = {name: leader.environment.get(name, "") for name in spec.env}
    told = {"command": spec.command, "cwd": spec.cwd, "env": env, **_get_policy(note)}
    probed = {"ready": spec.ready} if spec.ready and not note.is_ready_changed else {}
    return ProcessRun(
        mark=parse_mark(note.mark) or leader.mark,
        started_as=note.started_as,
        leader=leader.seen,
        is_broken=False,
        attributes=describe_started({**told, **probed}, process_files, leader.seen),
        is_ready_changed=note.is_ready_changed,
    )


def _get_policy(note: ProcessNote) -> dict[str, Tree]:
    return {"restart": note.restart, "stop": note.stop, "timeout": note.timeout}


def describe_started(
    spec: Mapping[str, Tree], process_files: ProcessFiles, leader: SeenProcess
) -> dict[str, Tree]:
    """Return the attributes of what was just started as *spec* says."""
    return {
        **spec,
        "log": str(process_files.log),
        "pid": leader.pid,
        "started": leader.started,
        "exit_code": None,
    }


def _read_spec(leader: Member) -> LiveSpec | None:
    try:
        return _DECODER.decode(leader.environment.get(SPEC_VARIABLE, ""))
    except UNDECODABLE:
        return None


def _describe_ended(process_files: ProcessFiles, code: int | None = None) -> dict[str, Tree]:
    return {"log": str(process_files.log), "pid": None, "started": None, "exit_code": code}


def _build_broken(process_files: ProcessFiles, member: Member) -> ProcessRun:
    """Answer no command, which differs from any spec's, so that it is replaced."""
    return ProcessRun(
        mark=member.mark,
        started_as=str(member.mark),
        leader=None,
        is_broken=True,
        attributes={"command": None, **_describe_ended(process_files)},
    )


def _find_ended(process_files: ProcessFiles) -> ProcessRun | None:
    note = process_files.read_note()
    if note is None:
        return None
    code, mark = process_files.read_exit(note.started_as), parse_mark(note.mark)
    if code is None or mark is None or _is_to_run_again(note.restart, code):
        return None
    return ProcessRun(
        mark=mark,
        started_as=note.started_as,
        leader=None,
        is_broken=False,
        attributes={**_get_policy(note), **_describe_ended(process_files, code)},
    )


def _is_to_run_again(restart: str, code: int) -> bool:
    return restart == "always" or (restart == "on-failure" and code != 0)
