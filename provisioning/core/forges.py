"""What is asked of a forge, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from provisioning.core.ids import CommitId


class Operation(StrEnum):
    """What is done with a file."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class FileWrite:
    """One file of a commit; *blob* is the id of what it was, "" if there was nothing."""

    operation: Operation
    path: str
    content: bytes | None = None
    blob: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes a commit, and when, in seconds since the epoch."""

    name: str
    email: str
    time: float


class Contents(Protocol):
    """A forge that writes files of a repository."""

    def change_files(
        self, branch: str, writes: Sequence[FileWrite], message: str, author: Author
    ) -> CommitId:
        """Write one commit to *branch*, if every file still is what its write says.

        Raises:
            HeadMoved: If one is not; nothing was written.
            RemoteRefused: If the forge says no.
            RemoteUnreachable: If it is unknown whether it was written.
        """
