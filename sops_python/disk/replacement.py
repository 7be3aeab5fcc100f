"""Replaces a file as a whole or not at all, keeping its mode and owner."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from sops_python.errors import SopsError


def replace_file(path: Path, data: bytes) -> None:
    """Write *data* to *path*; who reads it meanwhile sees the old or the new content.

    A link is followed; what is no regular file, such as a pipe, is written to.

    Raises:
        SopsError: If it cannot be written; the old content is still there.
    """
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():
            target.write_bytes(data)
        else:
            _replace(target, data)
    except OSError as exc:
        raise SopsError(
            f"{path} cannot be written: {exc.strerror}",
            hint="check the folder's rights and the disk's space",
            exit_code=3,
        ) from exc


def _replace(target: Path, data: bytes) -> None:
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            _copy_rights(target, file.fileno())
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _copy_rights(target: Path, handle: int) -> None:
    try:
        old = target.stat()
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(handle, 0o666 & ~mask)
        return
    with contextlib.suppress(PermissionError):
        os.fchown(handle, old.st_uid, old.st_gid)
    os.fchmod(handle, stat.S_IMODE(old.st_mode))
