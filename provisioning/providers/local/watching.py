"""Notices changes of files and the end of processes, as the kernel tells them.

A file is watched through the folder that it lies in (inotify(7)): so a file that is replaced,
or is not there yet, is noticed too. A process is watched by a descriptor that becomes readable
when it ends (pidfd_open(2)).
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from inotify_simple import INotify, flags

from provisioning.core.errors import ProviderError
from provisioning.core.providers import Target
from provisioning.providers.local.kinds import PROCESS
from provisioning.providers.local.paths import Roots
from provisioning.providers.local.scanning import read_seen

CHANGES = (
    flags.ATTRIB
    | flags.CLOSE_WRITE
    | flags.CREATE
    | flags.DELETE
    | flags.MOVED_FROM
    | flags.MOVED_TO
    | flags.DELETE_SELF
    | flags.MOVE_SELF
    | flags.ONLYDIR
    | flags.DONT_FOLLOW
)


@dataclass(slots=True)
class _Watched:
    """A folder: who owns which name in it."""

    path: str
    names: dict[str, set[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Followed:
    """What one owner has: folders with names, and processes by pid and start."""

    files: frozenset[tuple[str, str]] = frozenset()
    processes: frozenset[tuple[int, int]] = frozenset()


class LocalWatch:
    """See `core.providers.Watch`; one thread waits for the kernel."""

    def __init__(self, roots: Roots, notify: Callable[[str], None]) -> None:
        self._roots = roots
        self._notify = notify
        self._mutex = threading.Lock()
        self._owners: dict[str, _Followed] = {}
        self._folders: dict[int, _Watched] = {}
        self._descriptors: dict[str, int] = {}
        self._pidfds: dict[int, tuple[str, tuple[int, int]]] = {}
        self._inotify = INotify(nonblocking=True)
        self._wake, self._waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._poll = select.epoll()
        for each in (self._inotify.fd, self._wake):
            self._poll.register(each, select.EPOLLIN)
        self._thread = threading.Thread(target=self._listen, name="watch", daemon=True)
        self._thread.start()

    def follow(self, owner: str, targets: Sequence[Target]) -> None:
        """See `Watch.follow`."""
        wanted = _Followed(
            frozenset(self._list_places(targets)), frozenset(_list_processes(targets))
        )
        with self._mutex:
            known = self._owners.get(owner, _Followed())
            self._owners[owner] = wanted
            if wanted == _Followed():
                del self._owners[owner]
            for folder, name in known.files - wanted.files:
                self._leave(owner, folder, name)
            for folder, name in wanted.files:
                self._enter(owner, folder, name)
            self._follow_processes(owner, wanted.processes)

    def close(self) -> None:
        """See `Watch.close`."""
        os.write(self._waker, b"x")
        self._thread.join()
        for each in (*self._pidfds, self._wake, self._waker):
            os.close(each)
        self._poll.close()
        self._inotify.close()

    # What is to be watched

    def _list_places(self, targets: Iterable[Target]) -> Iterable[tuple[str, str]]:
        for target in targets:
            if target.kind == PROCESS.name or "path" not in target.attributes:
                continue
            with suppress(ProviderError):
                folder, name = self._roots.locate(target.attributes["path"])
                yield str(folder), name

    def _enter(self, owner: str, folder: str, name: str) -> None:
        descriptor = self._descriptors.get(folder)
        if descriptor is None:
            try:
                descriptor = self._inotify.add_watch(folder, CHANGES)
            except OSError:  # it is not there, or the user's limit of watches is reached
                return
            self._descriptors[folder] = descriptor
            self._folders[descriptor] = _Watched(folder)
        self._folders[descriptor].names.setdefault(name, set()).add(owner)

    def _leave(self, owner: str, folder: str, name: str) -> None:
        descriptor = self._descriptors.get(folder)
        if descriptor is None:
            return
        names = self._folders[descriptor].names
        names.get(name, set()).discard(owner)
        if not names.get(name):
            names.pop(name, None)
        if not names:
            self._drop(descriptor)
            with suppress(OSError):
                self._inotify.rm_watch(descriptor)

    def _drop(self, descriptor: int) -> _Watched | None:
        watched = self._folders.pop(descriptor, None)
        if watched is not None:
            del self._descriptors[watched.path]
        return watched

    def _follow_processes(self, owner: str, wanted: frozenset[tuple[int, int]]) -> None:
        known = {process: fd for fd, (other, process) in self._pidfds.items() if other == owner}
        for process in known.keys() - wanted:
            self._forget_process(known[process])
        for process in wanted - known.keys():
            with suppress(OSError):  # it has ended by now, which the next look sees
                fd = os.pidfd_open(process[0])
                seen = read_seen(process[0])
                if seen is None or seen.started != process[1]:
                    os.close(fd)
                    continue
                self._pidfds[fd] = owner, process
                self._poll.register(fd, select.EPOLLIN)

    def _forget_process(self, fd: int) -> None:
        del self._pidfds[fd]
        self._poll.unregister(fd)
        os.close(fd)

    # Listening

    def _listen(self) -> None:
        while True:
            for fd, _ in self._poll.poll():
                if fd == self._wake:
                    return
                for owner in self._take_in(fd):
                    self._notify(owner)

    def _take_in(self, fd: int) -> set[str]:
        with self._mutex:
            if fd == self._inotify.fd:
                return self._take_changes()
            if fd not in self._pidfds:
                return set()
            owner = self._pidfds[fd][0]
            self._forget_process(fd)
            return {owner}

    def _take_changes(self) -> set[str]:
        owners: set[str] = set()
        for event in self._inotify.read(timeout=0):
            if event.mask & flags.Q_OVERFLOW:
                owners.update(self._owners)
                continue
            watched = self._folders.get(event.wd)
            if watched is None:
                continue
            if event.mask & (flags.DELETE_SELF | flags.MOVE_SELF | flags.IGNORED | flags.UNMOUNT):
                self._drop(event.wd)
                owners.update(*watched.names.values())
                if event.mask & flags.MOVE_SELF:
                    with suppress(OSError):
                        self._inotify.rm_watch(event.wd)
            else:
                owners.update(watched.names.get(event.name, ()))
        return owners


def _list_processes(targets: Iterable[Target]) -> Iterable[tuple[int, int]]:
    for target in targets:
        pid, started = target.attributes.get("pid"), target.attributes.get("started")
        if target.kind == PROCESS.name and isinstance(pid, int) and isinstance(started, int):
            yield pid, started
