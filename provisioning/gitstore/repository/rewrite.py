"""Rewrites a history: a tree as its first commit, and later commits on top of it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from provisioning.core.model.errors import HeadMoved, StorageFailed
from provisioning.core.model.ids import CommitId
from provisioning.gitstore.repository.git_program import run_git
from provisioning.transport.fsync import force

SCRATCH = "refs/provisioning-scratch"
"""The ref that git's importer needs; its last command removes it."""

DURABLE = ("-c", "core.fsync=all")
"""The pack and its index are on disk before a ref points to them."""

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
    with tempfile.TemporaryFile() as stream, tempfile.NamedTemporaryFile() as marks:
        head, _ = _read(git, base)
        stream.write(_render(1, head, message.encode(), files))
        for number, commit in enumerate(following, 2):
            stream.write(_render(number, *_read(git, commit), files))
        stream.write(f"reset {SCRATCH}\nfrom {'0' * 40}\n\n".encode())
        stream.seek(0)
        options = ("--quiet", "--force", f"--export-marks={marks.name}")
        answer = run_git(folder, *DURABLE, "fast-import", *options, source=stream)
        written = dict(line.split() for line in Path(marks.name).read_text("ascii").splitlines())
        if answer.status:
            raise StorageFailed(
                f"{folder} cannot be written: {answer.error}",
                hint="free space or grant access",
            )
        return CommitId(written[f":{1 + len(following)}"])


def write_bundle(folder: Path, ref: str, head: CommitId, file: Path) -> None:
    """Write the history of *ref*, which must be at *head*, into *file*; overwrite nothing.

    Raises:
        HeadMoved: If *ref* is elsewhere.
        StorageFailed: If *file* cannot be written, or holds something else.
    """
    temporary = file.absolute().with_name(f".{file.name}.{uuid4().hex}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        answer = run_git(folder, "bundle", "create", "--quiet", str(temporary), ref)
        if answer.status:
            raise _describe(file, answer.error)
        if not _holds(folder, temporary, ref, head):
            raise HeadMoved(f"{ref} is no longer at {head[:10]}")
        force(temporary)
        with suppress(FileExistsError):
            file.hardlink_to(temporary)
        if not _holds(folder, file, ref, head):
            raise _describe(file, "another log is there")
        force(file.parent)
    except OSError as exc:
        raise _describe(file, str(exc)) from exc
    finally:
        with suppress(OSError):
            temporary.unlink()


def _holds(folder: Path, file: Path, ref: str, head: CommitId) -> bool:
    answer = run_git(folder, "bundle", "list-heads", str(file.absolute()))
    return answer.status == 0 and f"{head} {ref}" in answer.output.splitlines()


def _describe(file: Path, why: str) -> StorageFailed:
    return StorageFailed(
        f"{file} cannot be written: {why}", hint="choose another folder, or free space there"
    )


def _read(git: Any, commit: CommitId) -> tuple[Lines, bytes]:
    """Return the lines at the head of *commit*, and its message, byte for byte."""
    head, _, message = git[commit].read_raw().partition(b"\n\n")
    pairs = (line.partition(b" ") for line in head.split(b"\n"))
    return {name: rest for name, _, rest in pairs}, message


def _render(number: int, head: Lines, message: bytes, files: Mapping[str, bytes]) -> bytes:
    """Return the commands that write a commit with the tree, author and time of *head*."""
    lines = [
        b"commit %s" % SCRATCH.encode(),
        b"mark :%d" % number,
        b"author %s" % head[b"author"],
        b"committer %s" % head[b"committer"],
        b"data %d\n%s" % (len(message), message),
        *([b"from :%d" % (number - 1)] if number > 1 else []),
        b'M 040000 %s ""' % head[b"tree"],
    ]
    for path, data in files.items():
        lines += [b"M 100644 inline %s" % path.encode(), b"data %d\n%s" % (len(data), data)]
    return b"\n".join(lines) + b"\n"
