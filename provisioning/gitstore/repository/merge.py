"""Merges commits in the object database, without moving a branch."""

from __future__ import annotations

from typing import Any

import msgspec

from provisioning.core.model.errors import RepositoryUnusable
from provisioning.core.model.ids import CommitId

AUTHOR = ("provisioning", "provisioning@localhost")


class Merge(msgspec.Struct, frozen=True, kw_only=True):
    """A merge commit that no ref points to, or the files in which the two sides conflict."""

    commit: CommitId | None
    conflicts: tuple[str, ...] = ()


def merge_commits(git: Any, base: CommitId, head: CommitId) -> Merge:
    """Merge *head* into *base* in libgit2's repository *git*; equal inputs give the same commit.

    Raises:
        RepositoryUnusable: If they share no history, or an object is damaged.
    """
    import pygit2

    try:
        index = git.merge_commits(base, head)
        if index.conflicts is not None:
            sides = [[side for side in conflict if side] for conflict in index.conflicts]
            return Merge(commit=None, conflicts=tuple(sorted({side[0].path for side in sides})))
        tree = index.write_tree(git)
        time = max(git[base].commit_time, git[head].commit_time)
        signature = pygit2.Signature(*AUTHOR, time, 0)
        message = f"Merge {head[:10]} into {base[:10]}\n"
        made = git.create_commit(None, signature, signature, message, tree, [base, head])
    except (KeyError, pygit2.GitError) as exc:
        raise RepositoryUnusable(
            f"{head[:10]} cannot be merged into {base[:10]}: {exc}",
            hint="do the two branches come from one repository?",
        ) from exc
    return Merge(commit=CommitId(str(made)))
