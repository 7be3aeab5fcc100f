"""The processes that we started ourselves and that may end while we still run."""

from __future__ import annotations

import os
from contextlib import suppress


class Children:
    """Waits for children that have ended, so that they do not stay as zombies."""

    def __init__(self) -> None:
        self._running: set[int] = set()
        self._codes: dict[int, int] = {}

    def add(self, pid: int) -> None:
        """Watch over the child *pid*."""
        self._running.add(pid)
        self._codes.pop(pid, None)

    def reap(self) -> None:
        """Take in every child that has ended. May be called by several threads at once."""
        for pid in tuple(self._running):
            with suppress(ChildProcessError):
                done, status = os.waitpid(pid, os.WNOHANG)
                if not done:
                    continue
                self._codes[pid] = os.waitstatus_to_exitcode(status)
            self._running.discard(pid)

    def get_code(self, pid: int | None) -> int | None:
        """Return with what the child *pid* has ended, if that is known."""
        return None if pid is None else self._codes.get(pid)
