"""Bare repositories served as users meet them: by path, by a real sshd, by Git's HTTP backend."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from provisioning.core.model.ids import CommitId
from provisioning.gitstore.repository.remote import Remote

STARTED_WITHIN = 100.0


def run(*command: str | Path, data: bytes = b"", check: bool = True) -> str:
    done = subprocess.run(
        [str(word) for word in command], input=data, capture_output=True, check=check
    )
    return done.stdout.decode().strip()


@dataclass
class Served:
    """A bare repository in *folder* that clients reach at *url*."""

    folder: Path
    url: str
    stop: Callable[[], None] = field(default=lambda: None)
    protect: Callable[[str], None] = field(default=lambda password: None)

    def git(self, *arguments: str, data: bytes = b"", check: bool = True) -> str:
        return run("git", f"--git-dir={self.folder}", *arguments, data=data, check=check)

    def read(self, ref: str) -> str | None:
        return self.git("rev-parse", "--quiet", "--verify", ref, check=False) or None

    def commit(self, ref: str, text: str = "x") -> str:
        """Add a commit to *ref* as somebody else would."""
        blob = self.git("hash-object", "-w", "--stdin", data=text.encode())
        tree = self.git("mktree", data=f"100644 blob {blob}\ta.yaml\n".encode())
        parent = self.read(ref)
        new = self.git("commit-tree", tree, *(("-p", parent) if parent else ()), "-m", text)
        self.git("update-ref", ref, new)
        return new

    def hook(self, name: str, script: str) -> None:
        target = self.folder / "hooks" / name
        target.write_text(f"#!/bin/sh\n{script}\n")
        target.chmod(0o755)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    folder = tmp_path / "served" / "shop.git"
    run("git", "init", "--quiet", "--bare", "--initial-branch=main", folder)
    (folder / "hooks").mkdir(exist_ok=True)
    run("git", f"--git-dir={folder}", "config", "http.receivepack", "true")
    return folder


@pytest.fixture(
    params=[
        "file",
        pytest.param("ssh", marks=[pytest.mark.peer("sshd"), pytest.mark.peer("ssh")]),
        pytest.param("http", marks=pytest.mark.peer("git-http-backend")),
    ]
)
def served(request: pytest.FixtureRequest) -> Served:
    """One repository over each transport in turn."""
    found: Served = request.getfixturevalue(f"served_by_{request.param}")
    return found


@pytest.fixture
def served_by_file(bare: Path) -> Served:
    return Served(bare, f"file://{bare}")


@pytest.fixture
def served_by_ssh(
    bare: Path, tmp_path: Path, peer: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    keys = tmp_path / "keys"
    keys.mkdir()
    if os.geteuid() == 0:  # a machine that started no sshd of its own may lack this folder
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name)
    port = find_port()
    (keys / "known_hosts").write_text(f"[127.0.0.1]:{port} {(keys / 'host.pub').read_text()}")
    (keys / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys / 'host'}\nPidFile none\n"
        f"AuthorizedKeysFile {keys / 'user.pub'}\nUsePAM no\nStrictModes no\n"
        "PermitRootLogin yes\n"
        f"SetEnv GIT_CONFIG_GLOBAL={keys / 'gitconfig'} GIT_CONFIG_NOSYSTEM=1\n"
    )
    client = (
        f"ssh -F none -i {keys / 'user'} -o IdentitiesOnly=yes -o BatchMode=yes "
        f"-o UserKnownHostsFile={keys / 'known_hosts'} -o StrictHostKeyChecking=yes"
    )
    monkeypatch.setenv("GIT_SSH_COMMAND", client)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd started by root needs it
    daemon = subprocess.Popen(
        [peer("sshd"), "-D", "-E", keys / "log", "-f", keys / "sshd_config"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def stop() -> None:
        daemon.kill()
        daemon.wait()

    try:
        await_port(port, daemon, keys / "log")
        yield Served(bare, f"ssh://{getpass.getuser()}@127.0.0.1:{port}{bare}", stop)
    finally:
        stop()


def find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_port(port: int, daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTED_WITHIN
    while time.monotonic() < deadline and daemon.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    pytest.fail(f"sshd does not answer: {log.read_text()}")


class Backend(BaseHTTPRequestHandler):
    """Runs `git http-backend` as a CGI program: git-http-backend(1), RFC 3875."""

    root: Path
    program: Path
    password: str | None = None

    def do_GET(self) -> None:
        if self.password and self.headers.get("Authorization") != self.password:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()
            return
        length = int(self.headers.get("Content-Length", 0))
        done = subprocess.run(
            [self.program],
            check=True,
            input=self.rfile.read(length),
            env=self._environment(),
            capture_output=True,
        )
        self._answer(*done.stdout.partition(b"\r\n\r\n")[::2])

    do_POST = do_GET  # noqa: N815  the name http.server calls

    def _environment(self) -> dict[str, str]:
        path, _, query = self.path.partition("?")
        return os.environ | {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }

    def _answer(self, head: bytes, body: bytes) -> None:
        fields = [line.partition(": ")[::2] for line in head.decode().splitlines()]
        status = next((int(value.split()[0]) for name, value in fields if name == "Status"), 200)
        self.send_response(status)
        for name, value in fields:
            if name != "Status":
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def served_by_http(bare: Path, peer: Callable[[str], Path]) -> Iterator[Served]:
    handler = type("Here", (Backend,), {"root": bare.parent, "program": peer("git-http-backend")})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    url = f"http://127.0.0.1:{server.server_port}/{bare.name}"
    try:
        yield Served(bare, url, stop, lambda password: setattr(handler, "password", password))
    finally:
        stop()


@pytest.fixture
def connect(tmp_path: Path) -> Callable[..., Remote]:
    """Connect to a repository through a new mirror, as one more machine would."""
    count = iter(range(1000))

    def connect(url: str, **options: float) -> Remote:
        return Remote(url, tmp_path / "mirrors" / f"{next(count)}.git", **options)

    return connect


@pytest.fixture
def write() -> Callable[..., CommitId]:
    """Write a commit to a remote's mirror, ready to be pushed."""

    def write(remote: Remote, parent: CommitId | None, text: str) -> CommitId:
        changes = {"lock.json": text.encode()}
        return remote.mirror.write_commit(parent, changes, text, "Ada", 1.0)

    return write
