"""Runs the git program through GitPython, isolated from the user's environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from provisioning.core.model.errors import RepositoryUnusable

if TYPE_CHECKING:
    import subprocess

ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_DEFAULT_HASH": "sha1",
    "GIT_DEFAULT_REF_FORMAT": "files",
    "LC_ALL": "C",
}
"""No prompts, no writes to the user's index, mirrors in a format that libgit2 reads, messages in
English."""

OPTIONS = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "gc.auto=0"),
    *("-c", "core.fsync=reference"),
    *("-c", "core.filesRefLockTimeout=2000"),
)
"""No hooks of the user, no garbage collection during a run, refs forced to disk (by default Git
writes them without fsync), and a wait, in milliseconds, for a ref that another process writes."""

NO_VARIABLES: Mapping[str, str] = {}

CALLER_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
"""The variables of a hook or an alias; inherited, they would redirect our objects."""

USAGE = 129
"""The exit status of a git that does not know an option."""

PASSWORD = re.compile(r"(?<=://)[^/\s]+@")


class GitResult(msgspec.Struct, frozen=True):
    """The exit status of the git program, and its two outputs as text."""

    status: int
    output: str
    error: str


def run_git(
    folder: Path,
    *arguments: str,
    timeout: float | None = None,
    inherits: tuple[int, ...] = (),
    environ: Mapping[str, str] = NO_VARIABLES,
    source: IO[bytes] | None = None,
) -> GitResult:
    """Run git on the repository at *folder* (its `.git`, or a bare one).

    It runs in its own session: a Ctrl-C does not interrupt it, and no program that it starts
    can prompt on the terminal.

    Args:
        folder: The repository's own folder, which overrides a caller's `GIT_DIR`.
        arguments: The command and its arguments; text of users stands behind a `--`.
        timeout: Seconds after which it is killed, with every program it started.
        inherits: Descriptors that it inherits.
        environ: Further variables, for values that no argument may hold.
        source: Its standard input.

    Raises:
        RepositoryUnusable: If there is no git program, or it is too old.
    """
    running = _load_git()(str(folder)).execute(
        [*_unset_caller(), "git", f"--git-dir={folder}", *OPTIONS, *arguments],
        as_process=True,
        env={**ENVIRONMENT, **environ},
        start_new_session=True,
        pass_fds=inherits,
        istream=source,
    )
    answer = _wait(running.proc, timeout)
    if answer.status == USAGE:
        raise RepositoryUnusable(
            f"git {arguments[0]} is too old: {answer.error.partition(chr(10))[0]}",
            hint="install git 2.30 or newer",
        )
    return answer


def _wait(process: subprocess.Popen[bytes], timeout: float | None) -> GitResult:
    """Wait without GitPython, whose timeout needs `ps`, and hangs where there is none."""
    import signal
    import subprocess

    late = ""
    try:
        output, error = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, error = process.communicate()
        late = f"it did not answer within {timeout:g} s\n"
    text = (late + error.decode(errors="replace")).strip()
    return GitResult(process.returncode, output.decode(errors="replace"), mask_password(text))


def _unset_caller() -> list[str]:
    """Return the words that start a program without the variables of a caller."""
    present = [name for name in CALLER_VARIABLES if name in os.environ]
    return ["env", *(word for name in present for word in ("-u", name))] if present else []


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
