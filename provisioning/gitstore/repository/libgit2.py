"""Opens libgit2's repository, and says why one cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from provisioning.core.model.errors import RepositoryUnusable


def open_git(folder: Path) -> Any:
    """Open the repository at *folder* with libgit2, which forces what it writes to disk.

    Raises:
        RepositoryUnusable: If it cannot be read.
    """
    import pygit2

    pygit2.option(pygit2.enums.Option.ENABLE_FSYNC_GITDIR, True)  # noqa: FBT003  its signature
    try:
        return pygit2.Repository(str(folder))
    except pygit2.GitError as exc:
        raise describe_unusable(folder, str(exc)) from exc


def describe_unusable(path: Path, why: str) -> RepositoryUnusable:
    """Build the error for the repository at *path*, of which libgit2 said *why*."""
    if "not owned by current user" in why:
        hint = f"git config --global --add safe.directory {path}"
    elif "extension" in why or "version" in why or "format" in why:
        hint = "only repositories with SHA-1 objects and files for refs can be read"
    else:
        hint = "git fsck tells more"
    return RepositoryUnusable(f"the repository at {path} cannot be read: {why}", hint=hint)
