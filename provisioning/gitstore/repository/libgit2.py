"""Opens a repository with libgit2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from provisioning.core.model.errors import RepositoryUnusable


def open_git(folder: Path) -> Any:
    """Open the repository at *folder* with libgit2; writes are forced to disk.

    Raises:
        RepositoryUnusable: If it is unreadable.
    """
    import pygit2

    pygit2.option(pygit2.enums.Option.ENABLE_FSYNC_GITDIR, True)  # noqa: FBT003  its signature
    try:
        return pygit2.Repository(str(folder))
    except pygit2.GitError as exc:
        raise build_unusable_error(folder, str(exc)) from exc


def build_unusable_error(path: Path, why: str) -> RepositoryUnusable:
    """Return the error for the repository at *path*; *why* is libgit2's message."""
    if "not owned by current user" in why:
        hint = f"git config --global --add safe.directory {path}"
    elif "extension" in why or "version" in why or "format" in why:
        hint = "only repositories with SHA-1 objects and files for refs can be read"
    else:
        hint = "run git fsck"
    return RepositoryUnusable(f"the repository at {path} cannot be read: {why}", hint=hint)
