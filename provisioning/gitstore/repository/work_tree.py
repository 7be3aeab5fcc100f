"""The user's work tree, for the commands that write files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from provisioning.core.model.errors import RepositoryUnusable


def is_repository(folder: Path) -> bool:
    """Tell whether *folder* lies in a repository, or one lies in it."""
    import pygit2

    return folder.is_dir() and pygit2.discover_repository(str(folder)) is not None


def create_repository(folder: Path) -> None:
    """Create a repository in *folder* with the branch `main`."""
    _run(folder, "init", "--quiet", "--initial-branch=main")


def commit_all(folder: Path, files: Sequence[str], message: str) -> None:
    """Commit *files*, and no other staged ones, as the user.

    Raises:
        RepositoryUnusable: If Git has no name and email for the user.
    """
    _run(folder, "add", "--", *files)
    _run(folder, "commit", "--quiet", "--message", message, "--", *files)


def list_files(folder: Path) -> list[str]:
    """Return the tracked and untracked files below *folder*, relative to it."""
    names = _split(_run(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard"))
    return sorted({name for name in names if (folder / name).is_file()})


def list_staged(folder: Path) -> dict[str, bytes]:
    """Return the staged files, with their content."""
    arguments = ("--name-only", "--diff-filter=ACMRT", "--ignore-submodules=all", "--relative")
    names = _split(_run(folder, "diff", "--cached", "-z", *arguments))
    return {name: _run(folder, "cat-file", "blob", f":./{name}") for name in names}


def _split(listed: bytes) -> list[str]:
    return [name for name in os.fsdecode(listed).split("\0") if name]


def find_hooks(folder: Path) -> Path:
    """Return the folder of the repository's hooks."""
    return folder / os.fsdecode(_run(folder, "rev-parse", "--git-path", "hooks")).strip()


def _run(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as exc:
        raise RepositoryUnusable(
            "there is no git program on the PATH", hint="install it, as with `apt-get install git`"
        ) from exc
    if done.returncode:
        lines = [line for line in os.fsdecode(done.stderr).splitlines() if line.strip()]
        why = next((line for line in lines if line.startswith("fatal")), " ".join(lines))
        raise RepositoryUnusable(f"git {arguments[0]}: {why}", hint="git config user.email YOU@…")
    return done.stdout
