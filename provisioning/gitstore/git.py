"""Runs the git program, through GitPython, with nothing of the user's that could get in the way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioning.core.errors import RepositoryUnusable

ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}
"""No prompt that nobody answers, no write to the user's index, answers in English."""

OPTIONS = ("-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0")
"""None of the user's hooks is run by us, and no clean-up in the middle of a run."""

PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the git program answered: its exit status, and its two outputs as text."""

    status: int
    output: str
    error: str

    @property
    def has_timed_out(self) -> bool:
        """Whether it was ended by us, because it took too long."""
        return self.status < 0


def run_git(folder: Path, *arguments: str, timeout: float | None = None) -> Answer:
    """Run git on the repository at *folder* (its `.git`, or a bare one).

    Args:
        folder: The repository's own folder, which overrides a caller's `GIT_DIR`.
        arguments: The command and its arguments; text of users stands behind a `--`.
        timeout: Seconds after which it is killed.

    Raises:
        RepositoryUnusable: If there is no git program.
    """
    command = ["git", f"--git-dir={folder}", *OPTIONS, *arguments]
    status, output, error = _load_git()(str(folder)).execute(
        command,
        with_extended_output=True,
        with_exceptions=False,
        kill_after_timeout=timeout,
        env=ENVIRONMENT,
    )
    return Answer(status, output, mask_password(error))


def _load_git() -> Any:
    import shutil

    if shutil.which("git") is None:
        raise RepositoryUnusable(
            "there is no git program on the PATH",
            hint="install it, as with `apt-get install git`",
        )
    from git.cmd import Git

    return Git


def mask_password(text: str) -> str:
    """Return *text* with the user's part of every URL masked."""
    return PASSWORD.sub("***@", text)
