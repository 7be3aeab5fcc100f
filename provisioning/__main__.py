"""The process of the command line: what `provisioning` and `python -m provisioning` start."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from provisioning.interfaces.cli.main import main


def run() -> NoReturn:
    """Run the command line, and end without taking the interpreter apart.

    That is work for nothing, and it crashes a thread that still is in a library's C code. What
    must be undone at the end is undone by then, or after the next start: a kill says no goodbye.
    """
    _open_missing()
    try:
        main()
        code = 0
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    is_written = all([_flush(sys.stdout), _flush(sys.stderr)])
    os._exit(code if is_written else code or 1)


def _open_missing() -> None:
    """Open what the caller closed, or a file that is opened later gets what is printed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # It gets the lowest number that is free.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003  its signature
    sys.stdin = sys.stdin or open(0)  # noqa: SIM115  for as long as the process runs
    sys.stdout = sys.stdout or open(1, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w")  # noqa: SIM115


def _flush(stream: object) -> bool:
    try:
        stream.flush()  # type: ignore[attr-defined]
    except (OSError, ValueError):  # nobody reads it, or it was closed for that reason
        return False
    return True


if __name__ == "__main__":
    run()
