"""Finds processes by the mark in their environment; never by process id alone.

The formats are those of proc(5): `/proc/PID/environ` and `/proc/PID/stat`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping

import msgspec

from provisioning.core.model.ids import Mark, parse_mark
from provisioning.core.model.masked import Masked

MARK_VARIABLE = "PROVISIONING_MARK"

STATE, SESSION, FLAGS, STARTED, CODE, STACK = 0, 3, 6, 19, 23, 25
"""Positions in `stat` after the name, which may hold blanks; proc(5) counts from 3 there."""

EXITING = 0x4
"""The flag of a process that is about to end (`PF_EXITING` of Linux)."""

EXEC_READS = 1000
"""How often a process in the middle of execve(2) is read again; it takes microseconds."""

ENDED = {"Z", "X"}


class SeenProcess(msgspec.Struct, frozen=True):
    """A live process: its session, and its start in clock ticks since boot.

    A process id is used again when its process is gone; together with the start it is not.
    `stack` is where its stack begins, which tells apart the programs that it runs in turn.
    """

    pid: int
    session: int
    started: int
    stack: int

    @property
    def is_leader(self) -> bool:
        """Whether it leads its session."""
        return self.pid == self.session


class Member(Masked, frozen=True):
    """A live process that bears a mark, the environment it was started with, and whose it is."""

    seen: SeenProcess
    mark: Mark
    environment: Mapping[str, str]
    user: int


def find_members(owners: str) -> list[Member]:
    """Return the processes of this account whose mark's owner begins with *owners*.

    Anybody can start a process with any environment, so the mark of another account's process
    counts only in a session that this account has a marked process in: nobody enters a session
    from outside, and a program of ours may go on as another account.

    Raises:
        OSError: If the processes cannot be listed.
    """
    needle = f"{MARK_VARIABLE}={owners}".encode()
    found = (_read_member(pid, owners, needle) for pid in _list_pids())
    members, account = [member for member in found if member], os.getuid()
    sessions = {member.seen.session for member in members if member.user == account}
    return [member for member in members if member.seen.session in sessions]


def _list_pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208


def _read_member(pid: int, owners: str, needle: bytes) -> Member | None:
    raw = read_environment(pid)
    if needle not in raw:
        return None
    environment = _parse_environment(raw)
    mark = parse_mark(environment.get(MARK_VARIABLE, ""))
    seen, user = read_seen(pid), _read_user(pid)
    if mark is None or seen is None or user is None or not mark.owner.startswith(owners):
        return None
    return Member(seen, mark, environment, user)


def _read_user(pid: int) -> int | None:
    """Return the real user id of *pid*, which no program with set-user-id changes."""
    for line in (_read(f"/proc/{pid}/status") or b"").split(b"\n"):
        if line.startswith(b"Uid:"):
            return int(line.split()[1])
    return None


def read_environment(pid: int) -> bytes:
    """Return the environment of *pid*, waiting for the end of an execve(2) under way.

    During execve(2) a process has no environment yet, and Linux sets the addresses of its code
    and stack last. So an environment is empty indeed if both were the same before and after.
    Without the wait, a child that a shell starts at this moment would be missed.
    """
    program = None
    for _ in range(EXEC_READS):
        raw = _read(f"/proc/{pid}/environ")
        if raw != b"":
            return raw or b""
        fields = _read_stat(pid)
        before, program = program, fields and (fields[CODE], fields[STACK])
        if _is_exiting(fields) or (fields[CODE] != "0" and program == before):
            return b""
        os.sched_yield()
    return b""


def _parse_environment(raw: bytes) -> dict[str, str]:
    pairs = (entry.decode(errors="replace").partition("=") for entry in raw.split(b"\0") if entry)
    return {name: value for name, _, value in pairs}


def read_seen(pid: int) -> SeenProcess | None:
    """Return the process *pid*; None if it is gone, or has ended and was not yet waited for."""
    fields = _read_stat(pid)
    return _build_seen(pid, fields) if fields and fields[STATE] not in ENDED else None


def read_child(pid: int) -> SeenProcess:
    """Return our child *pid*, which stays readable until it is waited for."""
    return _build_seen(pid, _read_stat(pid))


def is_introduced(pid: int) -> bool:
    """Tell whether our child *pid* bears its mark already, or has ended."""
    return f"{MARK_VARIABLE}=".encode() in read_environment(pid) or read_seen(pid) is None


def is_exiting(pid: int) -> bool:
    """Tell whether the process *pid* has ended or is about to."""
    return _is_exiting(_read_stat(pid))


def _is_exiting(fields: list[str]) -> bool:
    return not fields or fields[STATE] in ENDED or bool(int(fields[FLAGS]) & EXITING)


def _build_seen(pid: int, fields: list[str]) -> SeenProcess:
    return SeenProcess(pid, int(fields[SESSION]), int(fields[STARTED]), int(fields[STACK]))


def _read_stat(pid: int) -> list[str]:
    return (_read(f"/proc/{pid}/stat") or b"").rpartition(b")")[2].decode().split()


def _read(path: str) -> bytes | None:
    """Return a file of /proc; None for a process that is gone, another user's or the kernel's."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  a thousand of them: Path is slow
            return file.readall()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def find_group(find: Callable[[], list[Member]]) -> list[SeenProcess]:
    """Return what *find* finds, and whatever else runs in the sessions that we began for it.

    A program that writes its title over its environment bears no mark any more, but it cannot
    leave its session unseen. A session that somebody unmarked leads is not ours.
    """
    members = {member.seen.pid: member.seen for member in find()}
    sessions = {
        seen.session
        for seen in members.values()
        if seen.session in members or read_seen(seen.session) is None
    }
    if not sessions:
        return list(members.values())
    others = (read_seen(pid) for pid in _list_pids() if pid not in members)
    return [*members.values(), *(other for other in others if other and other.session in sessions)]
