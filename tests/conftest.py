"""Every test's own home and Git settings, and the servers that many tests share."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from http import HTTPStatus
from urllib.request import urlopen

import machine_guard
import not_run
import pytest
import selection
from gitea_server import GiteaServer
from peer_programs import ENVIRON, require_peer

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores it, and so would every process that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config):
    for plugin in (machine_guard, not_run, selection):
        config.pluginmanager.register(plugin)


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
def _require_peers(request: pytest.FixtureRequest):
    """Skip a test whose `@pytest.mark.peer` is not installed, or fail it; see `peer_programs`."""
    for mark in request.node.iter_markers("peer"):
        require_peer(*mark.args)


@pytest.fixture
def peer():
    """Find a peer's program, for a test that carries its mark."""
    return require_peer


@pytest.fixture(scope="session")
def gitea_server(tmp_path_factory):
    """A real Gitea, started once for all tests of a process; see `gitea`."""
    yield from run_gitea(tmp_path_factory)


@pytest.fixture(scope="session")
def signing_gitea(tmp_path_factory):
    """One that signs what its API writes."""
    yield from run_gitea(tmp_path_factory, signs=True)


def run_gitea(tmp_path_factory, **options):
    server = GiteaServer(require_peer("gitea"), tmp_path_factory.mktemp("gitea"), **options)
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
    program = require_peer("moto_server")
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
        until = time.monotonic() + 300
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
        with urlopen(address, timeout=60) as answer:
            return answer.status == HTTPStatus.OK
    except OSError:
        return False
