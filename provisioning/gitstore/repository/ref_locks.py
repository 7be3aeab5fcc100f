"""Git's lock files of refs: writers wait for each other, and stale locks are removed.

Git writes a ref into `<ref>.lock`, which it renames over the ref. A git that was killed leaves
that file behind without a trace of its owner, so Git asks the user to remove it. Here every
writer of our branches holds a `flock` that its git inherits: while one process holds it, an
unchanged lock file is stale.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provisioning.core.model.errors import StorageFailed

CLAIM = "provisioning.lock"
"""The file that is flocked, in the folder of the repository; it is empty and stays."""

CLAIM_TIMEOUT = 60.0
"""Seconds to wait for another writer of the same repository; each takes milliseconds."""

BLOCKED = re.compile(r"Unable to create '(.*\.lock)': File exists")


@contextmanager
def claim(folder: Path) -> Iterator[int]:
    """Exclude every other writer of our branches from the repository at *folder*.

    Yields:
        The descriptor that the writing git must inherit.

    Raises:
        StorageFailed: If the folder is not writable, or another writer hangs.
    """
    try:
        handle = os.open(folder / CLAIM, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as exc:
        raise StorageFailed(f"{folder / CLAIM} cannot be written: {exc.strerror}") from exc
    try:
        _wait_for(handle, folder)
        yield handle
    finally:
        os.close(handle)


def _wait_for(handle: int, folder: Path) -> None:
    until = time.monotonic() + CLAIM_TIMEOUT
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise StorageFailed(
                    f"another process has been writing to {folder} for {CLAIM_TIMEOUT:g} s",
                    hint=f"`fuser {folder / CLAIM}` names it",
                ) from None
            time.sleep(0.01)
        else:
            return


def find_shared(folder: Path) -> Path:
    """Return the folder of the refs of the repository at *folder*, be it a linked work tree."""
    link = folder / "commondir"
    if not link.is_file():
        return folder.resolve()
    return (folder / link.read_text(encoding="utf-8").strip()).resolve()


@dataclass(slots=True)
class LockWatch:
    """Watches a lock file that blocks git, and removes it once it is stale.

    Args:
        folder: Only lock files below it are removed.
    """

    folder: Path
    _seen: tuple[str, int, int] | None = None

    def is_blocked(self, error: str) -> bool:
        """Tell whether git failed with *error* because of a lock, and so may be retried.

        A lock that blocks two attempts unchanged is removed. Git waits within each attempt, so a
        live writer never blocks two.
        """
        found = BLOCKED.search(error)
        path = Path(found[1]) if found else None
        if path is None or not path.parent.resolve().is_relative_to(self.folder.resolve()):
            return False
        try:
            about = path.lstat()
        except OSError:
            return True
        seen = (str(path), about.st_ino, about.st_mtime_ns)
        if seen == self._seen:
            path.unlink(missing_ok=True)
        self._seen = seen
        return True
