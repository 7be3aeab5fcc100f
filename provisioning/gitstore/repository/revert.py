"""Restores an older state of some paths in a new commit, by Git's three-way merge."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.errors import HeadMoved, RepositoryUnusable
from provisioning.core.model.ids import CommitId
from provisioning.gitstore.repository.git_program import run_git
from provisioning.gitstore.repository.ref_locks import BLOCKED

if TYPE_CHECKING:
    from provisioning.gitstore.repository.repository import Repository


class RevertResult(msgspec.Struct, frozen=True, kw_only=True):
    """The tree with the restored paths; `conflicts` are those that have changed since."""

    tree: str
    conflicts: tuple[str, ...] = ()


def list_changed_paths(repository: Repository, old: CommitId, new: CommitId) -> list[str]:
    """Return the paths of all files that differ between two commits, sorted."""
    arguments = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new)
    answer = run_git(repository.folder, *arguments)
    if answer.status:
        raise RepositoryUnusable(
            f"{old[:10]} and {new[:10]} cannot be compared: {answer.error}",
            hint="git fetch --unshallow",
        )
    return sorted(path for path in answer.output.split("\0") if path)


def compute_reverted(
    repository: Repository,
    paths: Collection[str],
    *,
    before: CommitId,
    after: CommitId,
    head: CommitId,
) -> RevertResult:
    """Merge the change of *paths* from *after* back to *before* into *head*; write no commit."""
    import pygit2

    git = pygit2.Repository(str(repository.folder))
    old, new, now = (git[item].tree for item in (before, after, head))
    index = pygit2.Index()
    index.read_tree(new)
    for path in paths:
        if path in old:
            index.add(pygit2.IndexEntry(path, old[path].id, old[path].filemode))
        else:
            index.remove(path)
    merged = git.merge_trees(new, now, index.write_tree(git))
    if merged.conflicts:
        sides = (side for sides in merged.conflicts for side in sides if side)
        return RevertResult(tree="", conflicts=tuple(sorted({side.path for side in sides})))
    return RevertResult(tree=str(merged.write_tree(git)))


def write_revert(repository: Repository, tree: str, head: CommitId, message: str) -> CommitId:
    """Write *tree* as a commit on top of *head*, by the user of Git's configuration.

    Raises:
        RepositoryUnusable: If Git has no name and email for the user.
    """
    answer = run_git(repository.folder, "commit-tree", tree, "-p", head, "-m", message)
    if answer.status:
        raise RepositoryUnusable(
            f"the commit cannot be made: {answer.error}", hint="git config user.email YOU@…"
        )
    return CommitId(answer.output.strip())


def advance_branch(repository: Repository, branch: str, new: CommitId) -> None:
    """Move *branch* forward to *new*; where it is checked out, the work tree follows.

    Raises:
        HeadMoved: If *branch* has moved since *new* was made.
        RepositoryUnusable: If changes in the work tree, or lock files of Git, block it.
    """
    tree = repository.work_tree
    if tree is not None and _is_checked_out(repository, tree, branch):
        answer = run_git(
            repository.folder, f"--work-tree={tree}", "merge", "--ff-only", "--quiet", new
        )
    else:
        refs = f"{new}:refs/heads/{branch}"
        answer = run_git(repository.folder, "fetch", "--quiet", "--no-write-fetch-head", ".", refs)
    if answer.status == 0:
        return
    if "overwritten" in answer.error:
        raise RepositoryUnusable(
            f"{branch} cannot move on: {' '.join(answer.error.split())}",
            hint="commit or stash your changes, and try again",
        )
    if found := BLOCKED.search(answer.error):
        raise RepositoryUnusable(
            f"{branch} cannot move on: a git that runs, or was killed, made {found[1]}",
            hint=f"if no other git runs: rm {found[1]}, and try again",
        )
    raise HeadMoved(f"{branch} cannot move on to {new[:10]}: {answer.error}", hint="try again")


def _is_checked_out(repository: Repository, tree: Path, branch: str) -> bool:
    answer = run_git(repository.folder, f"--work-tree={tree}", "symbolic-ref", "--quiet", "HEAD")
    return answer.output.strip() == f"refs/heads/{branch}"
