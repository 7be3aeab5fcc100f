"""Notices changes of files and the end of processes, as the kernel tells them.

A file is watched through the folder that it lies in (inotify(7)): so a file that is replaced,
or is not there yet, is noticed too. So is each folder on the way from the root: when it comes,
goes or is moved, what lies below is watched anew. A process is watched by a descriptor that
becomes readable when it ends (pidfd_open(2)).
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import msgspec
from inotify_simple import INotify, flags

from provisioning.core.model.errors import ProviderError
from provisioning.core.model.providers import ObservationTarget
from provisioning.providers.local.files.roots import Roots
from provisioning.providers.local.kinds import PROCESS
from provisioning.providers.local.processes.procfs import read_seen

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


GONE = flags.DELETE_SELF | flags.MOVE_SELF | flags.IGNORED | flags.UNMOUNT


@dataclass(slots=True)
class _Watched:
    """A folder: who owns which name in it; it has several paths once it was moved, or mounted."""

    paths: set[str] = field(default_factory=set)
    names: dict[str, set[str]] = field(default_factory=dict)


class _Followed(msgspec.Struct, frozen=True):
    """What one owner has: folders with names, and processes by pid and start."""

    files: frozenset[tuple[str, str]] = frozenset()
    processes: frozenset[tuple[int, int]] = frozenset()


class LocalWatch:
    """See `core.model.providers.Watch`; one thread waits for the kernel.

    Raises:
        ProviderError: If the kernel gives no more descriptors.
    """

    def __init__(self, roots: Roots, notify: Callable[[str], None]) -> None:
        self._roots = roots
        self._notify = notify
        self._mutex = threading.Lock()
        self._owners: dict[str, _Followed] = {}
        self._folders: dict[int, _Watched] = {}
        self._descriptors: dict[str, int] = {}
        self._pidfds: dict[int, tuple[str, tuple[int, int]]] = {}
        try:
            self._open()
        except OSError as exc:
            raise ProviderError(
                f"changes of files cannot be watched: {exc.strerror}",
                hint="raise fs.inotify.max_user_instances by sysctl, or the limit of open files",
            ) from exc

    def follow(self, owner: str, targets: Sequence[ObservationTarget]) -> None:
        """See `Watch.follow`."""
        wanted = _Followed(
            frozenset(self._list_places(targets)), frozenset(_list_processes(targets))
        )
        with self._mutex:
            known = self._owners.get(owner, _Followed())
            self._owners[owner] = wanted
            for folder, name in known.files - wanted.files:
                self._leave(owner, folder, name)
            self._enter_all(owner)
            if wanted == _Followed():
                del self._owners[owner]
            self._follow_processes(owner, wanted.processes)

    def close(self) -> None:
        """See `Watch.close`."""
        os.write(self._waker, b"x")
        self._thread.join()
        for pidfd in self._pidfds:
            os.close(pidfd)
        self._opened.close()

    def _open(self) -> None:
        """Open all descriptors and listen to them, or open none."""
        with ExitStack() as opened:
            self._inotify = opened.enter_context(INotify(nonblocking=True))
            self._wake, self._waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            for item in (self._wake, self._waker):
                opened.callback(os.close, item)
            self._poll = opened.enter_context(select.epoll())
            for item in (self._inotify.fd, self._wake):
                self._poll.register(item, select.EPOLLIN)
            self._thread = threading.Thread(target=self._listen, name="watch", daemon=True)
            self._thread.start()
            self._opened = opened.pop_all()

    # What is to be watched

    def _list_places(self, targets: Iterable[ObservationTarget]) -> Iterable[tuple[str, str]]:
        for target in targets:
            if target.kind == PROCESS.name or "path" not in target.attributes:
                continue
            with suppress(ProviderError):
                folder, name = self._roots.locate(target.attributes["path"])
                yield from _list_steps(folder.root, (*folder.names, name))

    def _enter_all(self, owner: str) -> None:
        """Watch what *owner* follows, from the top: what comes meanwhile is told by its folder."""
        steps = sorted(self._owners.get(owner, _Followed()).files)
        for folder, found in groupby(steps, key=itemgetter(0)):
            watched = self._watch_folder(folder)
            for _, name in found:
                watched.names.setdefault(name, set()).add(owner)

    def _watch_folder(self, folder: str) -> _Watched:
        """Return what is watched at *folder*, which the kernel knows: it may be another one now."""
        known = self._descriptors.pop(folder, None)
        try:
            descriptor = self._inotify.add_watch(folder, CHANGES)
        except OSError:  # it is not there, or the user's limit of watches is reached
            descriptor = None
        if known is not None and known != descriptor:
            self._part(folder, known)
        if descriptor is None:
            return _Watched()
        self._descriptors[folder] = descriptor
        watched = self._folders.setdefault(descriptor, _Watched())
        watched.paths.add(folder)
        return watched

    def _part(self, folder: str, descriptor: int) -> None:
        """Note that *folder* is no longer what has *descriptor*."""
        watched = self._folders[descriptor]
        watched.paths.discard(folder)
        if not watched.paths:
            self._stop_watching(descriptor)

    def _leave(self, owner: str, folder: str, name: str) -> None:
        descriptor = self._descriptors.get(folder)
        if descriptor is None:
            return
        names = self._folders[descriptor].names
        names.get(name, set()).discard(owner)
        if not names.get(name):
            names.pop(name, None)
        if not names:
            self._stop_watching(descriptor)

    def _stop_watching(self, descriptor: int) -> set[str]:
        """Forget a folder; return who followed anything in it."""
        watched = self._folders.pop(descriptor, None)
        if watched is None:
            return set()
        for path in watched.paths:
            self._descriptors.pop(path, None)
        with suppress(OSError):  # the kernel has let go of it by itself
            self._inotify.rm_watch(descriptor)
        return set().union(*watched.names.values())

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
        """Return whom the changes concern; where folders did change, they are watched anew."""
        told: set[str] = set()
        moved: set[str] = set()
        for event in self._inotify.read(timeout=0):
            if event.mask & flags.Q_OVERFLOW:
                moved.update(self._owners)
            elif event.mask & GONE:
                moved.update(self._stop_watching(event.wd))
            else:
                owners = self._folders.get(event.wd, _Watched()).names.get(event.name, ())
                (moved if event.mask & flags.ISDIR else told).update(owners)
        for owner in moved:
            self._enter_all(owner)
        return told | moved


def _list_steps(root: Path, names: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Return the folders from *root* on, each with the name in it that leads on."""
    return ((str(root.joinpath(*names[:depth])), name) for depth, name in enumerate(names))


def _list_processes(targets: Iterable[ObservationTarget]) -> Iterable[tuple[int, int]]:
    for target in targets:
        pid, started = target.attributes.get("pid"), target.attributes.get("started")
        if target.kind == PROCESS.name and isinstance(pid, int) and isinstance(started, int):
            yield pid, started
