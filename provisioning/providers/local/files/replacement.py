"""Puts a new version in its place in one step, and makes sure of it on disk."""

from __future__ import annotations

import errno
import os
from functools import cache
from typing import Any

from provisioning.providers.local.files.path_syntax import name_new

NOREPLACE = 1
"""`RENAME_NOREPLACE` of renameat2(2)."""

UNKNOWN = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}
"""How kernels and file systems say that they do not know the flag."""


def publish(folder: int, name: str, *, replace: bool) -> None:
    """Rename the new version of *name* onto it.

    Raises:
        FileExistsError: If something stands there that is not to be replaced.
    """
    if replace:
        os.rename(name_new(name), name, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        rename_beside_none(folder, name_new(name), name)
    sync_folder(folder)


def rename_beside_none(folder: int, old: str, new: str) -> None:
    """Rename *old* to *new*, where nothing may stand; rename(2) would take an empty directory."""
    code = _call_renameat2(folder, old, new)
    if code in UNKNOWN:
        _rename_after_looking(folder, old, new)
    elif code:
        raise OSError(code, os.strerror(code), new)


def _call_renameat2(folder: int, old: str, new: str) -> int:
    import ctypes

    renameat2 = getattr(_load_libc(), "renameat2", None)
    if renameat2 is None:
        return errno.ENOSYS
    if renameat2(folder, os.fsencode(old), folder, os.fsencode(new), NOREPLACE) == 0:
        return 0
    return ctypes.get_errno()


@cache
def _load_libc() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _rename_after_looking(folder: int, old: str, new: str) -> None:
    try:
        os.stat(new, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(old, new, src_dir_fd=folder, dst_dir_fd=folder)
        return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)


def sync_folder(folder: int) -> None:
    """Make the names in *folder* durable; it may be open as a path only."""
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
