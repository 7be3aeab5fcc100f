"""Writes a history anew: a tree as its first commit, and later commits on top of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from provisioning.core.errors import StorageFailed
from provisioning.core.ids import CommitId
from provisioning.gitstore.git import run_git

SCRATCH = "refs/provisioning-scratch"
"""Below it lies what git's importer needs; it is gone once the history is written."""

Lines = Mapping[bytes, bytes]


def write_history(
    git: Any,
    folder: Path,
    base: CommitId,
    message: str,
    following: Sequence[CommitId],
    files: Mapping[str, bytes],
) -> CommitId:
    """See `Repository.write_history`; *git* is libgit2's repository at *folder*.

    All objects come in one pack, by git-fast-import(1): a log can have a hundred thousand entries.
    """
    with _hold_scratch(folder) as ref, tempfile.TemporaryFile() as stream:
        said, _ = _read(git, base)
        stream.write(_render(ref, 1, said, message.encode(), files))
        for number, commit in enumerate(following, 2):
            stream.write(_render(ref, number, *_read(git, commit), files))
        stream.seek(0)
        answer = run_git(folder, "fast-import", "--quiet", "--force", source=stream)
        if answer.status == 0:
            answer = run_git(folder, "rev-parse", "--verify", ref)
        if answer.status:
            raise StorageFailed(
                f"{folder} cannot be written: {answer.error}", hint="make room or rights there"
            )
        return CommitId(answer.output.strip())


@contextmanager
def _hold_scratch(folder: Path) -> Iterator[str]:
    """Give a name that nobody else writes at the same time, and leave none behind."""
    ref = f"{SCRATCH}/{uuid4().hex}"
    try:
        yield ref
    finally:
        run_git(folder, "update-ref", "-d", ref)


def write_bundle(folder: Path, ref: str, file: Path) -> None:
    """Write all that *ref* leads to into *file*, which is a repository to fetch from.

    Raises:
        StorageFailed: If it cannot be written.
    """
    error = ""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        answer = run_git(folder, "bundle", "create", "--quiet", str(file.absolute()), ref)
        if answer.status == 0:
            with file.open("rb") as written:
                os.fsync(written.fileno())
        error = answer.error if answer.status else ""
    except OSError as exc:
        error = str(exc)
    if error:
        raise StorageFailed(
            f"{file} cannot be written: {error}", hint="choose another folder, or make room there"
        )


def _read(git: Any, commit: CommitId) -> tuple[Lines, bytes]:
    """Return the lines at the head of *commit*, and its message, byte for byte."""
    head, _, message = git[commit].read_raw().partition(b"\n\n")
    pairs = (line.partition(b" ") for line in head.split(b"\n"))
    return {name: rest for name, _, rest in pairs}, message


def _render(
    ref: str, number: int, said: Lines, message: bytes, files: Mapping[str, bytes]
) -> bytes:
    """Return the commands that make a commit of the tree, author and time in *said*."""
    lines = [
        b"commit %s" % ref.encode(),
        b"mark :%d" % number,
        b"author %s" % said[b"author"],
        b"committer %s" % said[b"committer"],
        b"data %d\n%s" % (len(message), message),
        *([b"from :%d" % (number - 1)] if number > 1 else []),
        b'M 040000 %s ""' % said[b"tree"],
    ]
    for path, data in files.items():
        lines += [b"M 100644 inline %s" % path.encode(), b"data %d\n%s" % (len(data), data)]
    return b"\n".join(lines) + b"\n"
