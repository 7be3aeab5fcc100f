"""Ownership marks on files and directories.

The mark is the extended attribute `user.provisioning.mark`. Where the file system has none it
is a line in a side-car, `.<name>.provisioning-mark` in the same folder: the inode number and
the mark. Lines are only appended, so that what is marked before it comes to its place, and
what it then replaces, are both ours at any moment; the last line of an inode counts.
"""

from __future__ import annotations

import errno
import os
import re

from provisioning.core.model.ids import Mark, parse_mark
from provisioning.providers.local.files.path_syntax import name_sidecar

MARK = "user.provisioning.mark"
PARENT = "user.provisioning.parent"
"""On a folder made only because something in it was wanted: for which infra."""

INODE = re.compile(r"[0-9]{1,20}\Z")

NONE_THERE = {errno.ENODATA, errno.ENOTSUP}


def read_mark(folder: int, name: str, inode: int, marks_of: str) -> Mark | None:
    """Return the mark of *name*, or of a new version of *marks_of* which has the side-car."""
    raw = read_attribute(folder, name, MARK)
    if raw is not None:
        return parse_mark(raw)
    return read_sidecar(folder, marks_of).get(inode)


def read_attribute(folder: int, name: str, attribute: str) -> str | None:
    """Return an extended attribute; None if there is none."""
    path = f"/proc/self/fd/{folder}/{name}"
    try:
        return os.getxattr(path, attribute, follow_symlinks=False).decode(errors="replace")
    except OSError as exc:
        if exc.errno in NONE_THERE:
            return None
        raise


def write_mark(folder: int, fd: int, marks_of: str, mark: Mark) -> None:
    """Mark what is open as *fd*, which is, or is about to become, *marks_of* in *folder*."""
    if not write_attribute(fd, MARK, str(mark)):
        _append_sidecar(folder, marks_of, f"{os.fstat(fd).st_ino} {mark}\n")


def write_attribute(fd: int, attribute: str, value: str) -> bool:
    """Write an extended attribute; tell whether the file system has such."""
    try:
        os.setxattr(fd, attribute, value.encode())
    except OSError as exc:
        if exc.errno in NONE_THERE:
            return False
        raise
    return True


def read_sidecar(folder: int, name: str) -> dict[int, Mark]:
    """Return the marks in the side-car of *name*, by inode."""
    try:
        fd = os.open(name_sidecar(name), os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as exc:
        if exc.errno in {errno.ENOENT, errno.ELOOP}:
            return {}
        raise
    with os.fdopen(fd, "rb") as file:
        lines = file.read().decode(errors="replace").splitlines()
    found = (
        (inode, parse_mark(mark)) for inode, _, mark in (line.partition(" ") for line in lines)
    )
    return {int(inode): mark for inode, mark in found if mark and INODE.match(inode)}


def _append_sidecar(folder: int, name: str, line: str) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    fd = os.open(name_sidecar(name), flags, 0o644, dir_fd=folder)
    try:
        os.write(fd, line.encode())
        os.fsync(fd)
    finally:
        os.close(fd)
