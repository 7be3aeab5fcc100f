"""What is special about directories: they change in place, and go only when empty."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from itertools import islice

from provisioning.core.model.errors import ProviderError
from provisioning.core.model.providers import Call
from provisioning.core.model.values import Tree
from provisioning.providers.local.files.accounts import find_ids
from provisioning.providers.local.files.marks import PARENT, write_attribute, write_mark
from provisioning.providers.local.files.path_syntax import name_new
from provisioning.providers.local.files.replacement import publish, sync_folder

DEFAULT_MODE = 0o755
REAL = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
SHOWN = 3
"""How many entries are named when a directory is not empty."""


class DirectoryForm:
    """See `PathKind`; *making* is the lock under which directories are made."""

    unmade: Mapping[str, Tree] = {}

    def __init__(self, making: threading.Lock) -> None:
        self.guard: AbstractContextManager[object] = making

    def fits(self, status: os.stat_result) -> bool:
        """Tell whether it is a directory."""
        return stat.S_ISDIR(status.st_mode)

    def read(self, folder: int, name: str, status: os.stat_result) -> Mapping[str, Tree]:
        """Read nothing: a directory is no more than its status says."""
        del folder, name, status
        return {}

    def write(self, folder: int, name: str, call: Call, standing: os.stat_result | None) -> None:
        """Change it in place; a new one is marked before it gets its name."""
        if standing:
            _dress(folder, name, name, call, standing)
            sync_folder(folder)
            return
        os.mkdir(name_new(name), 0o700, dir_fd=folder)
        _dress(folder, name_new(name), name, call, None)
        publish(folder, name, replace=False)

    def remove(self, folder: int, name: str) -> None:
        """Remove it if it is empty.

        Raises:
            ProviderError: If it is not; the message names some of what is in it.
        """
        try:
            os.rmdir(name, dir_fd=folder)
        except OSError as exc:
            if exc.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
            raise ProviderError(
                f"the directory {name} is not empty: it holds {_list_some(folder, name)}",
                hint="move that away, or give the manifest `onDelete: retain`",
            ) from exc


def _dress(
    folder: int, name: str, marks_of: str, call: Call, standing: os.stat_result | None
) -> None:
    mode = stat.S_IMODE(standing.st_mode) if standing else DEFAULT_MODE
    user, group = find_ids(call.spec, standing)
    fd = os.open(name, REAL, dir_fd=folder)
    try:
        now = os.fstat(fd)
        if not now.st_mode & stat.S_IWUSR:
            os.fchmod(fd, stat.S_IMODE(now.st_mode) | stat.S_IWUSR)
        write_mark(folder, fd, marks_of, call.mark)
        if user not in {-1, now.st_uid} or group not in {-1, now.st_gid}:
            os.fchown(fd, user, group)
        os.fchmod(fd, int(call.spec["mode"], 8) if "mode" in call.spec else mode)
        os.fsync(fd)
    finally:
        os.close(fd)


def _list_some(folder: int, name: str) -> str:
    fd = os.open(name, REAL, dir_fd=folder)
    try:
        with os.scandir(fd) as entries:
            names = [entry.name for entry in islice(entries, SHOWN + 1)]
    finally:
        os.close(fd)
    more = " and more" if len(names) > SHOWN else ""
    return ", ".join(sorted(names[:SHOWN])) + more


def make_parent(fd: int, name: str, infra: str) -> None:
    """Make the folder *name* for *infra*, unless somebody else has just made it.

    Such a folder is nobody's resource and never removed. It says for which infra it was made,
    so that a `Directory` of that infra can still become its owner.
    """
    try:
        os.mkdir(name, DEFAULT_MODE, dir_fd=fd)
    except FileExistsError:
        return
    made = os.open(name, REAL, dir_fd=fd)
    try:
        write_attribute(made, PARENT, infra)
        os.fchmod(made, DEFAULT_MODE)
    finally:
        os.close(made)
    sync_folder(fd)
