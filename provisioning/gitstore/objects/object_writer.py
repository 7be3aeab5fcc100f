"""Writes the objects of a commit as loose files, forced to disk in parallel.

A loose object is `KIND SP SIZE NUL CONTENT`, deflated, in a file named by the SHA-1 of that:
gitrepository-layout(5). libgit2 forces each object twice, in sequence, and blocks all threads.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from contextlib import suppress
from pathlib import Path

from provisioning.transport.fsync import force

THREADS = 4
"""Threads that force files to disk; the file system groups their requests."""


class ObjectWriter:
    """Collects objects, and writes them to *folder*, a repository's `objects`."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._deflated: dict[str, bytes] = {}

    def add(self, kind: str, content: bytes) -> str:
        """Add an object; return its id."""
        data = f"{kind} {len(content)}\0".encode() + content
        name = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        self._deflated[name] = zlib.compress(data, zlib.Z_BEST_SPEED)
        return name

    def write(self) -> None:
        """Write all objects; on return they and their names are on disk.

        Raises:
            OSError: If the disk fails.
        """
        from concurrent.futures import ThreadPoolExecutor

        places = {_name_temporary(place): place for place in map(self._locate, self._deflated)}
        try:
            for path, deflated in zip(places, self._deflated.values(), strict=True):
                _write_file(path, deflated)
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(force, places))
                for path, place in places.items():
                    os.rename(path, place)  # noqa: PTH104  a path object costs more than the call
                list(pool.map(force, {self._folder, *map(os.path.dirname, places)}))
        except OSError:
            for path in places:
                with suppress(OSError):
                    os.unlink(path)  # noqa: PTH108  as above
            raise

    def _locate(self, name: str) -> str:
        return f"{self._folder}/{name[:2]}/{name[2:]}"


def _name_temporary(place: str) -> str:
    """Return an unused path beside *place*; `git prune` removes leftover ones."""
    return f"{os.path.dirname(place)}/tmp_obj_{os.urandom(8).hex()}"  # noqa: PTH120, S108  as above


def _write_file(path: str, data: bytes) -> None:
    with suppress(FileExistsError):
        os.mkdir(os.path.dirname(path))  # noqa: PTH102, PTH120  as above
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444), "wb") as file:  # noqa: PTH123
        file.write(data)
