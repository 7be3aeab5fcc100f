"""Git's lock files of refs: writers wait for each other, and a dead one's lock is cleared away.

Git writes a ref into `<ref>.lock`, which it renames over the ref. A git that was killed leaves
that file behind and says nothing about who it was, so Git itself asks the user to remove it.
We know more: whoever writes our branches here holds a `flock` that its git inherits. While we
hold it, a lock that stands in our way unchanged belongs to nobody.
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
"""The file that is flocked, in the repository's own folder; it is empty and stays."""

CLAIM_TIMEOUT = 60.0
"""Seconds to wait for another writer of the same repository; each takes milliseconds."""

BLOCKED = re.compile(r"Unable to create '(.*\.lock)': File exists")


@contextmanager
def claim(folder: Path) -> Iterator[int]:
    """Keep every other writer of our branches out of the repository at *folder*.

    Yields:
        The descriptor that the git doing the write must inherit.

    Raises:
        StorageFailed: If the folder cannot be written, or another writer hangs.
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
    """Return where the refs of the repository at *folder* are: a linked work tree has them not."""
    link = folder / "commondir"
    if not link.is_file():
        return folder.resolve()
    return (folder / link.read_text(encoding="utf-8").strip()).resolve()


@dataclass(slots=True)
class LockWatch:
    """Watches the lock file that git stumbles over, and removes it once it is nobody's.

    Args:
        folder: Only lock files below it are removed.
    """

    folder: Path
    _seen: tuple[str, int, int] | None = None

    def is_blocked(self, error: str) -> bool:
        """Tell whether git failed with *error* because of a lock, and so may try again.

        A lock that two tries in a row met unchanged is removed. Git itself waits for a while
        within each try, so no live writer is met twice.
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
