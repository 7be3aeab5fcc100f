"""Lets a person edit plain text that is never on a disk."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from sops_python.disk.private_files import open_private_folder, write_private
from sops_python.errors import SopsError

EDITORS = ("vim", "nano", "vi")
"""The editors to try if neither `SOPS_EDITOR` nor `EDITOR` is set."""

_NOTE = "!! "
_MARKS = {".yaml": "#", ".yml": "#", ".env": "#", ".ini": ";"}

Result = TypeVar("Result")


def edit_text(
    text: bytes, name: str, parse: Callable[[bytes], Result], environ: Mapping[str, str]
) -> Result:
    """Return what *parse* makes of *text* after the user's editor has changed it.

    Text that *parse* refuses is opened again, with the reason on top of it.

    Args:
        text: What is edited.
        name: The name of the file that the editor opens; its suffix says the format.
        parse: Reads the text; it raises a `SopsError` if there is something wrong.
        environ: The environment variables.

    Raises:
        SopsError: If nothing was changed, or there is no editor, or it failed.
        SopsError: What *parse* raised, if text it refused was closed unchanged.
    """
    command = choose_editor(environ)
    with open_private_folder(environ) as folder:
        path = folder / Path(name).name
        write_private(path, text)
        last = text
        failure: SopsError | None = None
        while True:
            _run(command, path, environ)
            edited = _remove_note(path.read_bytes(), path)
            if edited == last:
                raise failure or SopsError(
                    "File has not changed, exiting.", hint="nothing was written", exit_code=200
                )
            try:
                return parse(edited)
            except SopsError as exc:
                last, failure = edited, exc
                path.write_bytes(_build_note(exc, path) + edited)


def choose_editor(environ: Mapping[str, str]) -> list[str]:
    """Return the editor's command.

    Raises:
        SopsError: If there is none.
    """
    for name in ("SOPS_EDITOR", "EDITOR"):
        if text := environ.get(name):
            try:
                return shlex.split(text)
            except ValueError as exc:
                raise SopsError(f"invalid ${name}: {exc}", hint="quote it", exit_code=201) from exc
    for name in EDITORS:
        if shutil.which(name, path=environ.get("PATH")):
            return [name]
    raise SopsError(
        f"no editor available: neither of {', '.join(EDITORS)} could be found",
        hint="set SOPS_EDITOR or EDITOR",
        exit_code=201,
    )


def _run(command: list[str], path: Path, environ: Mapping[str, str]) -> None:
    try:
        status = subprocess.run([*command, str(path)], check=False, env=environ).returncode
    except OSError as exc:
        raise SopsError(
            f"Could not run editor: {command[0]}: {exc.strerror}",
            hint="set SOPS_EDITOR or EDITOR",
            exit_code=201,
        ) from exc
    if status:
        raise SopsError(
            f"Could not run editor: {command[0]} ended with status {status}",
            hint="nothing was written",
            exit_code=201,
        )


def _build_note(error: SopsError, path: Path) -> bytes:
    mark = _MARKS.get(path.suffix, "#")
    lines = [*str(error).splitlines(), *(error.hint or "").splitlines()]
    return "".join(f"{mark}{_NOTE}{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _remove_note(data: bytes, path: Path) -> bytes:
    start = re.escape(f"{_MARKS.get(path.suffix, '#')}{_NOTE}".encode())
    return re.sub(rb"\A(?:" + start + rb"[^\n]*\n)+", b"", data)
