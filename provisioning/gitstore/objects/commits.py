"""The values read from a repository: commits, entries of folders, files and their changes."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from provisioning.core.model.ids import BlobId, CommitId

EMAIL = "provisioning@localhost"
STRIPPED = " .,:;\"\\'"
"""The characters that Git strips from both ends of a name: `crud` in its ident.c."""


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """One commit; `time` is in seconds since the epoch, `trailers` as `git interpret-trailers`."""

    id: CommitId
    parents: tuple[CommitId, ...]
    subject: str
    trailers: Mapping[str, str]
    author: str
    time: int


class FolderEntry(msgspec.Struct, frozen=True):
    """One entry of a folder."""

    name: str
    id: str
    is_folder: bool
    is_file: bool = False


class TreeFile(msgspec.Struct, frozen=True):
    """One file below a folder, by its path from there."""

    path: str
    blob: BlobId


class FileChange(msgspec.Struct, frozen=True):
    """One path whose file differs between two trees; None where it is absent."""

    path: str
    before: BlobId | None
    after: BlobId | None


def parse_message(message: str) -> tuple[str, dict[str, str]]:
    """Split a commit message into its subject and its trailers."""
    subject, _, rest = message.partition("\n")
    last = rest.strip("\n").rpartition("\n\n")[2]
    pairs = [line.partition(": ") for line in last.splitlines()]
    if not all(mark for _, mark, _ in pairs):
        return subject, {}
    return subject, {key: value for key, _, value in pairs}


def render_commit(tree: str, parent: CommitId | None, who: str, message: str) -> bytes:
    """Return a commit's content; *who* is `NAME <EMAIL> SECONDS ZONE`, for author and committer."""
    parents = f"parent {parent}\n" if parent else ""
    return f"tree {tree}\n{parents}author {who}\ncommitter {who}\n\n{message}".encode()


def clean_name(name: str) -> str:
    """Return *name* as a commit takes it: on one line, without the characters that Git strips."""
    return " ".join(re.sub(r"[<>\0]", "", name).split()).strip(STRIPPED) or "unknown"
