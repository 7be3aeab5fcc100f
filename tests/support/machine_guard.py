"""Compares the machine after a test process with the machine before it; a difference fails the run.

Looks at devices, mounts, users, the user's own Git configuration and home, and at processes that
a test started and left. All of it is a few dozen file reads, at the end of each test process.
"""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

MARK = "PYTEST_STARTED_BY"
"""The environment variable that every process started by a test inherits."""

os.environ[MARK] = OWN = f"{os.getpid()}-{time.time_ns()}"

HOME = Path(os.path.expanduser("~"))  # noqa: PTH111  before a test changes HOME

DEVICES = tuple(
    Path("/dev", name) for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx")
)
FILES = (
    Path("/etc/passwd"),
    Path("/etc/group"),
    Path("/etc/gitconfig"),
    HOME / ".gitconfig",
    HOME / ".git-credentials",
    HOME / ".config/git/config",
    HOME / ".ssh/known_hosts",
    HOME / ".ssh/authorized_keys",
)
FOLDERS = (HOME, HOME / ".config", HOME / ".ssh", HOME / ".gnupg")

IGNORED = frozenset(
    HOME / name
    for name in (
        ".cache",  # peers are built there
        ".config",  # listed itself; the Go toolchain may create it
        ".config/go",
        "go",
        ".bash_history",
        ".lesshst",
        ".python_history",
        ".viminfo",
        ".wget-hsts",
        ".zsh_history",
    )
)
"""Names in a home that other programs, or the toolchain that builds peers, may create."""

TRANSIENT_MOUNTS = ("/run/", "/media/", "/snap/", "/var/lib/docker/", "/var/lib/containers/")
"""Below these the machine itself mounts and unmounts."""

TEMPORARY = tempfile.gettempdir()
"""Below it other test processes may mount; what a test mounts is below its own folder."""

PATIENCE = float(os.environ.get("PYTEST_PATIENCE", "30"))
"""Seconds in which a process that is just ending must be gone."""

FINDINGS = pytest.StashKey[list[str]]()
BEFORE = pytest.StashKey[dict[str, str]]()


def take_snapshot() -> dict[str, str]:
    """Return the state of everything that no test may change, by its name."""
    return dict([*list_devices(), *list_mounts(), *list_files(), *list_names()])


def list_devices() -> Iterator[tuple[str, str]]:
    """Yield the kind, numbers, mode and owner of each device."""
    for path in DEVICES:
        try:
            found = path.lstat()
        except OSError:
            yield f"device {path}", "missing"
        else:
            numbers = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
            owner = f"{found.st_uid}:{found.st_gid}"
            yield f"device {path}", f"{stat.filemode(found.st_mode)} {numbers} of {owner}"


def list_mounts() -> Iterator[tuple[str, str]]:
    """Yield what is mounted where: proc_pid_mountinfo(5)."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        words = line.split()
        if not words[4].startswith(TRANSIENT_MOUNTS):
            yield f"mount {words[4]}", " ".join(words[words.index("-") + 1 :][:2])


def list_files() -> Iterator[tuple[str, str]]:
    """Yield a digest of each file of the user and of the machine."""
    for path in FILES:
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        except OSError:
            yield f"file {path}", "missing"
        else:
            yield f"file {path}", f"content {digest}"


def list_names() -> Iterator[tuple[str, str]]:
    """Yield the names in the user's folders."""
    for folder in FOLDERS:
        with suppress(OSError):
            for name in os.listdir(folder):  # noqa: PTH208  may be a folder nobody may read
                if folder / name not in IGNORED:
                    yield f"name {folder / name}", "present"


def compare(before: dict[str, str], after: dict[str, str], base: Path | None = None) -> list[str]:
    """Return one sentence for each difference; *base* is where the tests of this process write."""
    return [
        f"{name}: was {before.get(name, 'missing')}, is {after.get(name, 'missing')}"
        for name in sorted({*before, *after})
        if before.get(name, "missing") != after.get(name, "missing")
        and (not name.startswith(f"mount {TEMPORARY}/") or name.startswith(f"mount {base}/"))
    ]


def find_processes(base: Path) -> dict[int, str]:
    """Return the command of each process that a test of this process started, by its id.

    They inherit the mark; a program that was started with an empty environment is known by its
    working folder or its arguments, which lie below *base*.
    """
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        number = int(folder.name)
        if number == os.getpid():
            continue
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes()
            if b"multiprocessing.resource_tracker" in words:  # ends with this process, by itself
                continue
            if (
                f"{MARK}={OWN}".encode() in (folder / "environ").read_bytes().split(b"\0")
                or f"{base}/".encode() in words
                or (folder / "cwd").readlink().is_relative_to(base)
            ):
                found[number] = words.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def end_processes(base: Path, patience: float = PATIENCE) -> list[str]:
    """Wait for the processes of the tests; kill those that stay, and return a sentence for each."""
    until = time.monotonic() + patience
    while (found := find_processes(base)) and time.monotonic() < until:
        time.sleep(0.1)
    for number in found:
        with suppress(OSError):
            os.kill(number, signal.SIGKILL)
    return [f"process {number}: was left running: {words}" for number, words in found.items()]


def pytest_configure(config: pytest.Config) -> None:
    """Remember the machine as it is."""
    config.stash[FINDINGS] = []
    config.stash[BEFORE] = take_snapshot()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Compare, after every fixture was torn down; fail the run if something is not as before."""
    config = session.config
    found = config.stash[FINDINGS]
    base = config._tmp_path_factory.getbasetemp()
    if not config.pluginmanager.hasplugin("dsession"):  # that one starts workers, and no tests
        found += end_processes(base)
    found += compare(config.stash[BEFORE], take_snapshot(), base)
    if hasattr(config, "workeroutput"):
        config.workeroutput["machine"] = found
    elif found and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Take over what a worker found."""
    worker = node.gateway.id
    told = getattr(node, "workeroutput", {}).get("machine", [])
    node.config.stash[FINDINGS] += [f"{worker}: {each}" for each in told]


def pytest_terminal_summary(terminalreporter: object, config: pytest.Config) -> None:
    """Say what changed."""
    if config.stash[FINDINGS]:
        terminalreporter.section("Changed on this machine by a test", red=True, bold=True)
        for each in sorted(set(config.stash[FINDINGS])):
            terminalreporter.line(each)
