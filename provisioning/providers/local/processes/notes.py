"""What is known of a process besides itself: its log, its note and its exit status.

Nothing of a command or an environment is written down here, for secrets may be in it.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import msgspec

from provisioning.core.model.values import UNDECODABLE, Tree

DIGITS = 12
"""How much of the owner's digest tells apart the notes of two workspaces."""

EXIT = re.compile(r"(\S+) (\d{1,3})\n")


class ProcessNote(msgspec.Struct, frozen=True):
    """What an update changed without a restart.

    Args:
        started_as: The mark in the environment of the process it speaks of.
        mark: The mark that counts now.
        restart: When the process is to run again.
        stop: The signal and the grace, in seconds, with which it is stopped.
        timeout: Seconds it may take to become ready.
        is_ready_changed: Whether it is no longer probed as it was when it started. How instead
            is not written down, for the same reason as the command.
    """

    started_as: str
    mark: str
    restart: str
    stop: dict[str, Tree]
    timeout: float
    is_ready_changed: bool = False


_DECODER = msgspec.json.Decoder(ProcessNote)
"""Built once: msgspec crashes if two threads decode into one type for the first time."""


class ProcessFiles(msgspec.Struct, frozen=True):
    """Where the papers of one process lie."""

    log: Path
    note: Path
    exit: Path

    def make_folders(self) -> None:
        """Make the folders, which only the user may look into."""
        for folder in (self.log.parent, self.note.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read_note(self) -> ProcessNote | None:
        """Read the note; None if there is none, or none of ours."""
        try:
            return _DECODER.decode(self.note.read_bytes())
        except (FileNotFoundError, *UNDECODABLE):
            return None

    def write_note(self, note: ProcessNote) -> None:
        """Replace the note."""
        new = self.note.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(note))
        os.replace(new, self.note)  # noqa: PTH105  it is one effect, under one name

    def read_exit(self, started_as: str) -> int | None:
        """Return with what the process that was started with that mark has ended, if it has."""
        try:
            match = EXIT.fullmatch(self.exit.read_text(errors="replace"))
        except FileNotFoundError:
            return None
        return int(match[2]) if match and match[1] == started_as else None

    def remove(self) -> None:
        """Remove all but the log: the note last, for it proves whose the others are."""
        for path in (self.exit, self.note.with_suffix(".new"), self.note):
            path.unlink(missing_ok=True)


def find_process_files(home: Path, owner: str) -> ProcessFiles:
    """Return where the papers of the process of *owner* lie below *home*."""
    _, infra, _, name = owner.split("/")
    digest = hashlib.sha256(owner.encode()).hexdigest()[:DIGITS]
    state = home / "services" / "state" / f"{infra}-{name}-{digest}"
    return ProcessFiles(
        log=home / "services" / "logs" / f"{infra}-{name}.log",
        note=state.with_name(state.name + ".json"),
        exit=state.with_name(state.name + ".exit"),
    )
