"""Makes a new repository for a new workspace: the only place that writes to a work tree."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from provisioning.core.errors import RepositoryUnusable


def is_repository(folder: Path) -> bool:
    """Tell whether *folder* lies in a repository, or one lies in it."""
    import pygit2

    return folder.is_dir() and pygit2.discover_repository(str(folder)) is not None


def create_repository(folder: Path) -> None:
    """Make a repository in *folder* whose branch is `main`."""
    _run(folder, "init", "--quiet", "--initial-branch=main")


def commit_all(folder: Path, files: Sequence[str], message: str) -> None:
    """Commit *files* as the user.

    Raises:
        RepositoryUnusable: If Git does not know who the user is.
    """
    _run(folder, "add", "--", *files)
    _run(folder, "commit", "--quiet", "--message", message)


def _run(folder: Path, *arguments: str) -> None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as exc:
        raise RepositoryUnusable(
            "there is no git program on the PATH", hint="install it, as with `apt-get install git`"
        ) from exc
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        told = next((line for line in lines if line.startswith("fatal")), " ".join(lines))
        raise RepositoryUnusable(f"git {arguments[0]}: {told}", hint="git config user.email YOU@…")
