"""The commit that wrote a line, and the last commit of a file, from the git program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.core.model.ids import CommitId
from provisioning.gitstore.objects.commits import Commit
from provisioning.gitstore.repository.git_program import run_git

if TYPE_CHECKING:
    from provisioning.gitstore.repository.repository import Repository

ID_LENGTH = 40


def find_line_commit(
    repository: Repository, commit: CommitId, path: str, line: int
) -> Commit | None:
    """Return the commit that wrote *line* of the file *path* as it is at *commit*."""
    area = f"{line},{line}"
    answer = run_git(repository.folder, "blame", "--porcelain", "-L", area, commit, "--", path)
    return _read_commit(repository, answer.output) if answer.status == 0 else None


def find_file_commit(repository: Repository, commit: CommitId, path: str) -> Commit | None:
    """Return the newest commit, at or before *commit*, that changed the file *path*."""
    arguments = ("--literal-pathspecs", "log", "-1", "--format=%H", commit, "--", path)
    answer = run_git(repository.folder, *arguments)
    return _read_commit(repository, answer.output) if answer.status == 0 else None


def _read_commit(repository: Repository, output: str) -> Commit | None:
    name = output[:ID_LENGTH].strip()
    return repository.read_commit(CommitId(name)) if len(name) == ID_LENGTH else None
