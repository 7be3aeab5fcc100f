"""Forces what was written to disk, so that it outlives a loss of power."""

from __future__ import annotations

import os


def force(path: str | os.PathLike[str]) -> None:
    """Force the content of a file, or the names in a folder, to disk.

    Raises:
        OSError: If the disk does not take it.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
