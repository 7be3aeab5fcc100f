"""Plain text that a program must see as a file: in memory, for the owner only, and never left."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

MEMORY = "/dev/shm"  # noqa: S108  a folder of ours is made in it, for its owner only
_ENDING = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def open_private_folder(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield a folder in memory, if the machine has one, that is gone however the block ends.

    SIGTERM and SIGHUP end the block as an error would. Only SIGKILL leaves the folder, until
    the machine restarts.
    """
    places = (environ.get("XDG_RUNTIME_DIR"), MEMORY)
    place = next((item for item in places if item and os.access(item, os.W_OK)), None)
    with _ending_orderly():
        folder = Path(tempfile.mkdtemp(prefix=".sops", dir=place))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _ending_orderly() -> Iterator[None]:
    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    old = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def write_private(path: Path, data: bytes) -> None:
    """Write *data* to a new file that only its owner can read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
