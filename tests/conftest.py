"""Every test's own home and Git settings, and what a test does about a missing peer."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from functools import cache
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from urllib.request import urlopen

import pytest
from gitea_server import GiteaServer
from hypothesis import settings

settings.register_profile("whole machine busy", deadline=None)
settings.load_profile("whole machine busy")  # a test never judges how long something took

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores it, and so would every process that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _isolate_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(("GIT_", "PROVISIONING_"))]:
        if name != "PROVISIONING_REQUIRE_PEERS":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PROVISIONING_HOME", str(home / ".provisioning"))
    # A file: git replaces what it writes to, and as root that would be /dev/null itself.
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")


@pytest.fixture(autouse=True)
def _find_peers(request: pytest.FixtureRequest):
    """Skip a test whose `@pytest.mark.peer` is missing; fail where peers are required."""
    for mark in request.node.iter_markers("peer"):
        (name,) = mark.args
        if find_peer(name) is None:
            report = (
                pytest.fail if ENVIRON.get("PROVISIONING_REQUIRE_PEERS") == "1" else pytest.skip
            )
            report(f"needs {name}, which is not installed and cannot be built")


ENVIRON = dict(os.environ)
"""The environment that the tests were started in; each of them has its own."""

SEARCH_PATH = os.pathsep.join(
    (os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/lib/git-core")
)

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "provisioning-peers"
"""Where peers that are Go programs are built, outside of the tree."""

GO_TOOLS = {
    PurePosixPath(line.split()[-1]).name: module
    for module in Path(__file__).parent.glob("peers/*/go.mod")
    for line in module.read_text().splitlines()
    if re.match(r"(tool )?\s*[\w./-]+(/cmd/[\w-]+|\.io/gitea)$", line)
}
"""The programs that each `tests/peers/*/go.mod` names as its tools."""

PYTHON_TOOLS = {
    requirements.read_text().split(":")[0].removeprefix("# "): requirements
    for requirements in Path(__file__).parent.glob("peers/*/requirements.txt")
}
"""The program that each `tests/peers/*/requirements.txt` names in its first line."""


@cache
def find_peer(name: str) -> Path | None:
    """Return a peer's program, built if we pin it; None if it cannot be had."""
    if name in GO_TOOLS:
        return build_peer(GO_TOOLS[name], name)
    if name in PYTHON_TOOLS:
        return install_peer(PYTHON_TOOLS[name], name)
    found = shutil.which(name, path=SEARCH_PATH)
    return Path(found) if found else None


def build_peer(module: Path, name: str) -> Path | None:
    """Build the tools of *module* once for all test processes."""
    if shutil.which("go") is None:
        return None
    folder = CACHE / hashlib.sha256(module.read_bytes()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / name).exists():
            flags = module.with_name("flags")
            more = shlex.split(flags.read_text()) if flags.exists() else []
            command = ["go", "build", *more, "-o", f"{folder}/", "tool"]
            done = subprocess.run(
                command, cwd=module.parent, env=ENVIRON, capture_output=True, check=False
            )
            if done.returncode:
                return None
    return folder / name


def install_peer(requirements: Path, name: str) -> Path | None:
    """Install *requirements* into an environment of their own, once for all test processes."""
    folder = CACHE / hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    place, done = folder / "venv", folder / "done"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            for command in (
                [sys.executable, "-m", "venv", "--clear", str(place)],
                [f"{place}/bin/pip", "install", "--quiet", "-r", str(requirements)],
            ):
                if subprocess.run(
                    command, env=ENVIRON, capture_output=True, check=False
                ).returncode:
                    return None
            done.touch()
    return place / "bin" / name


@pytest.fixture
def peer():
    """Find a peer's program, for a test that carries its mark."""
    return lambda name: find_peer(name) or Path(name)


@pytest.fixture(scope="session")
def gitea_server(tmp_path_factory):
    """A real Gitea, started once for all tests of a process; see `gitea`."""
    yield from run_gitea(tmp_path_factory)


@pytest.fixture(scope="session")
def signing_gitea(tmp_path_factory):
    """One that signs what its API writes."""
    yield from run_gitea(tmp_path_factory, signs=True)


def run_gitea(tmp_path_factory, **options):
    program = find_peer("gitea")
    if program is None:
        pytest.skip("needs gitea")
    server = GiteaServer(program, tmp_path_factory.mktemp("gitea"), **options)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def gitea(gitea_server):
    """The server; its tests carry the mark `peer("gitea")` and that of an `xdist_group`."""
    return gitea_server


@pytest.fixture(scope="session")
def people(gitea_server):
    """Ana and Ben may write, Eve may not; ops is the reconciler."""
    tokens = {"ops": gitea_server.token}
    for name in ("ana", "ben", "eve"):
        tokens[name] = gitea_server.create_token(gitea_server.create_user(name))
    return tokens


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory):
    """Yield the address of a fake AWS of its own, started once for all tests of a process."""
    program = find_peer("moto_server")
    if program is None:
        pytest.skip("needs moto_server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = ENVIRON | {"MOTO_ENABLE_RECORDING": "true"}
    folder = tmp_path_factory.mktemp("moto")
    log = (folder / "log").open("w")
    server = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)],
        env=environ,
        cwd=folder,
        stdout=log,
        stderr=log,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 60
        while not is_ready(f"{address}/moto-api/"):
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, "moto_server does not answer"
            time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait()
        log.close()


def is_ready(address: str) -> bool:
    try:
        with urlopen(address, timeout=5) as answer:
            return answer.status == HTTPStatus.OK
    except OSError:
        return False
