"""Finds the real programs that tests run against, and builds those that are pinned below `peers/`.

A program that is not installed, or whose toolchain is missing, raises `PeerMissing`: its tests are
skipped, or fail where `PROVISIONING_REQUIRE_PEERS=1`. A build that fails is tried once more and
then raises `PeerNotBuilt` with the last lines of its output: its tests fail, always.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

ENVIRON = dict(os.environ)
"""The environment that the tests were started in; each of them has its own."""

SEARCH_PATH = os.pathsep.join(
    (os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/lib/git-core")
)

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "provisioning-peers"
"""Where pinned peers are built, outside of the tree."""

PEERS = Path(__file__).parents[1] / "peers"

GO_TOOLS = {
    PurePosixPath(line.split()[-1]).name: module
    for module in PEERS.glob("*/go.mod")
    for line in module.read_text().splitlines()
    if re.match(r"(tool )?\s*[\w./-]+(/cmd/[\w-]+|\.io/gitea)$", line)
}
"""The programs that each `tests/peers/*/go.mod` names as its tools."""

PYTHON_TOOLS = {
    requirements.read_text().split(":")[0].removeprefix("# "): requirements
    for requirements in PEERS.glob("*/requirements.txt")
}
"""The program that each `tests/peers/*/requirements.txt` names in its first line."""

RUN = (
    os.environ.get("TEST_RUN")
    or os.environ.get("PYTEST_XDIST_TESTRUNUID")
    or f"{os.getpid()}-{time.time_ns()}"
)
"""All processes of one test run share it, so that one of them tries a build and not each."""

ATTEMPTS = 2
SHOWN = 30
"""The last lines of a failed build that are shown."""


class PeerMissing(Exception):
    """A program, or the toolchain that builds it, is not installed."""


class PeerNotBuilt(Exception):
    """A pinned program could not be built, although its toolchain is there."""


def find_peer(name: str) -> Path:
    """Return the program of the peer *name*, built if it is pinned.

    Raises:
        PeerMissing: If it is not installed and nothing here can build it.
        PeerNotBuilt: If its build failed twice.
    """
    if name in GO_TOOLS:
        return build_go_tool(GO_TOOLS[name], name)
    if name in PYTHON_TOOLS:
        return install_python_tool(PYTHON_TOOLS[name], name)
    return find_program(name)


def require_peer(name: str) -> Path:
    """Return the program of the peer *name*; without it, skip the test that runs or fail it."""
    try:
        return find_peer(name)
    except PeerMissing as exc:
        report = pytest.fail if is_required() else pytest.skip
        report(str(exc))
    except PeerNotBuilt as exc:
        pytest.fail(str(exc), pytrace=False)


def is_required() -> bool:
    """Tell whether a missing peer fails its tests instead of skipping them."""
    return ENVIRON.get("PROVISIONING_REQUIRE_PEERS") == "1"


@cache
def find_program(name: str, purpose: str = "") -> Path:
    """Return an installed program."""
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        raise PeerMissing(f"needs {name}{purpose}, which is not installed")
    return Path(found)


def build_go_tool(module: Path, name: str) -> Path:
    """Build the tools of a `go.mod` once for all test processes; return the one named *name*."""
    go = find_program("go", f" to build {name}")
    flags = module.with_name("flags")
    more = shlex.split(flags.read_text()) if flags.exists() else []
    folder = prepare_folder(module)
    command = [str(go), "build", *more, "-o", f"{folder}/", "tool"]
    return build_once(name, folder, folder / name, [command], module.parent)


def install_python_tool(requirements: Path, name: str) -> Path:
    """Install a `requirements.txt` into an environment of its own; return the program *name*."""
    folder = prepare_folder(requirements)
    place = folder / "venv"
    commands = [
        [sys.executable, "-m", "venv", "--clear", str(place)],
        [f"{place}/bin/pip", "install", "--quiet", "-r", str(requirements)],
        ["touch", str(folder / "done")],
    ]
    build_once(name, folder, folder / "done", commands, requirements.parent)
    return place / "bin" / name


def prepare_folder(pinned: Path) -> Path:
    """Return the folder for what *pinned* builds: another one whenever its text changes."""
    folder = CACHE / hashlib.sha256(pinned.read_bytes()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def build_once(
    name: str, folder: Path, result: Path, commands: Sequence[Sequence[str]], place: Path
) -> Path:
    """Run *commands* unless *result* is there, one process at a time; return *result*."""
    if result.exists():
        return result
    failure = folder / "failure"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if result.exists():
            return result
        if failure.exists() and failure.read_text().partition("\n")[0] == RUN:
            raise PeerNotBuilt(failure.read_text().partition("\n")[2])
        for _ in range(ATTEMPTS):
            output = run_all(commands, place)
            if output is None:
                failure.unlink(missing_ok=True)
                return result
        last = "\n".join(output.splitlines()[-SHOWN:])
        text = f"{name} could not be built, tried {ATTEMPTS} times; its last lines:\n{last}"
        failure.write_text(f"{RUN}\n{text}")
        raise PeerNotBuilt(text)


def run_all(commands: Sequence[Sequence[str]], place: Path) -> str | None:
    """Run *commands* in *place*; return the output of the first that fails, None if none does."""
    for command in commands:
        done = subprocess.run(
            command,
            cwd=place,
            env=ENVIRON,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            return f"$ {shlex.join(command)}\n{done.stdout}[exit {done.returncode}]"
    return None


def main() -> int:
    """Build every pinned peer, and say how long each took; exit with 1 if a build failed."""
    failed = False
    for name in sorted({*GO_TOOLS, *PYTHON_TOOLS}):
        begin = time.monotonic()
        try:
            find_peer(name)
        except PeerMissing as exc:
            told, is_wrong = str(exc), is_required()
        except PeerNotBuilt as exc:
            told, is_wrong = str(exc), True
        else:
            told, is_wrong = f"there after {time.monotonic() - begin:.0f} s", False
        sys.stdout.write(f"peer {name}: {told}\n")
        sys.stdout.flush()
        failed |= is_wrong
    return failed


if __name__ == "__main__":
    sys.exit(main())
