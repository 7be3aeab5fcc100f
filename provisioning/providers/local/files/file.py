"""What is special about files: their content, and that a new version replaces the old whole."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from provisioning.core.model.providers import Call
from provisioning.core.model.values import Omitted, Tree
from provisioning.providers.local.files.accounts import find_ids
from provisioning.providers.local.files.marks import write_mark
from provisioning.providers.local.files.path_syntax import name_new
from provisioning.providers.local.files.replacement import publish

KEPT_WHOLE = 1 << 20
"""Content of up to this many bytes is answered as it is; of more, digest and size."""

DEFAULT_MODE = 0o644
NO_TMPFILE = {errno.EOPNOTSUPP, errno.EISDIR}
"""How file systems and old kernels say that they have no anonymous files (open(2))."""


class FileForm:
    """See `PathKind`. A file that is there in part has no content at all."""

    unmade: Mapping[str, Tree] = {"content": None}

    def __init__(self) -> None:
        self.guard: AbstractContextManager[object] = nullcontext()

    def fits(self, status: os.stat_result) -> bool:
        """Tell whether it is a regular file."""
        return stat.S_ISREG(status.st_mode)

    def read(self, folder: int, name: str, status: os.stat_result) -> Mapping[str, Tree]:
        """Read the content, or its digest and size."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        fd = os.open(name, flags, dir_fd=folder)
        if status.st_size > KEPT_WHOLE:
            return _digest(fd)
        try:
            raw = _read_all(fd)
        finally:
            os.close(fd)
        return {
            "content": _as_text(raw),
            "sha256": hashlib.sha256(raw).hexdigest(),
            "size": len(raw),
        }

    def write(self, folder: int, name: str, call: Call, standing: os.stat_result | None) -> None:
        """Put the new version together beside *name*, whole and marked, then let it take over."""
        fd, is_named = _open_new(folder, name)
        try:
            write_mark(folder, fd, name, call.mark)
            _write_all(fd, _as_bytes(call.spec["content"]))
            _set_rights(fd, call, standing)
            os.fsync(fd)
            if not is_named:
                os.link(f"/proc/self/fd/{fd}", name_new(name), dst_dir_fd=folder)
        finally:
            os.close(fd)
        publish(folder, name, replace=standing is not None)

    def remove(self, folder: int, name: str) -> None:
        """Unlink it."""
        os.unlink(name, dir_fd=folder)


def _open_new(folder: int, name: str) -> tuple[int, bool]:
    """Open a new file for writing: nameless, so that a crash leaves nothing, or else named."""
    try:
        return os.open(".", os.O_TMPFILE | os.O_WRONLY, 0o600, dir_fd=folder), False
    except OSError as exc:
        if exc.errno not in NO_TMPFILE:
            raise
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
    return os.open(name_new(name), flags, 0o600, dir_fd=folder), True


def _set_rights(fd: int, call: Call, standing: os.stat_result | None) -> None:
    """Set the owner before the mode: a change of owner clears the set-user-id bit."""
    mode = stat.S_IMODE(standing.st_mode) if standing else DEFAULT_MODE
    user, group = find_ids(call.spec, standing)
    now = os.fstat(fd)
    if user not in {-1, now.st_uid} or group not in {-1, now.st_gid}:
        os.fchown(fd, user, group)
    os.fchmod(fd, int(call.spec["mode"], 8) if "mode" in call.spec else mode)


def _write_all(fd: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(fd, left) :]


def _read_all(fd: int) -> bytes:
    parts = []
    while part := os.read(fd, KEPT_WHOLE):
        parts.append(part)
    return b"".join(parts)


def _digest(fd: int) -> dict[str, Tree]:
    with os.fdopen(fd, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    return {"content": Omitted(digest, size), "sha256": digest, "size": size}


def _as_bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _as_text(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
