"""The process of the command line: what `provisioning` and `python -m provisioning` start."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from provisioning.interfaces.cli.main import run_command_line
from provisioning.interfaces.cli.wiring import Wiring

if TYPE_CHECKING:
    from provisioning.application.workspace.workspace import Workspace
    from provisioning.controller.controller import Controller
    from provisioning.controller.events import EventSink
    from provisioning.core.model.kinds import Kind
    from provisioning.core.model.redaction import Redactor


def _open_workspace(folder: str, flags: Sequence[str]) -> Workspace:
    from provisioning.bootstrap.workspace import open_workspace

    return open_workspace(folder, flags)


def _list_kinds() -> dict[str, Kind]:
    from provisioning.bootstrap.workspace import list_kinds

    return list_kinds()


def _build_service(
    folders: Sequence[str], flags: Sequence[str], tell: EventSink, redactor: Redactor
) -> Controller:
    from provisioning.bootstrap.service import build_service

    return build_service(folders, flags, tell, redactor)


WIRING = Wiring(_open_workspace, _list_kinds, _build_service)
"""The functions of `bootstrap`, each imported when it is called."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    run_command_line(WIRING, arguments)


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
