"""Real Git servers on the loopback: sshd, and `git http-backend`."""

import getpass
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from git_http_server import GitHttpServer
from peer_programs import require_peer

SSHD = "/usr/sbin/sshd"


def find_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for_port(port):
    deadline = time.monotonic() + 200
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.02)
        else:
            return


@pytest.fixture
def hub(tmp_path):
    """A bare repository that is to be served."""
    folder = tmp_path / "hub.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "config", "http.receivepack", "true"], check=True)
    return folder


@pytest.fixture
def over_ssh(tmp_path, hub, monkeypatch):
    """The hub's URL over a real sshd, whose key is known and for whose user there is a key."""
    require_peer("sshd")
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
        )
    shutil.copy(folder / "user.pub", folder / "authorized_keys")
    port = find_port()
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nUsePAM no\n"
        f"AuthorizedKeysFile {folder / 'authorized_keys'}\nStrictModes no\nPidFile none\n"
        "PasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    host = (folder / "host.pub").read_text().rsplit(" ", 1)[0]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host}\n")
    Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL
    )
    try:
        wait_for_port(port)
        monkeypatch.setenv(
            "GIT_SSH_COMMAND",
            f"ssh -i {folder / 'user'} -o UserKnownHostsFile={folder / 'known_hosts'} "
            "-o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -F none",
        )
        yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}{hub}"
    finally:
        server.terminate()
        server.wait(timeout=300)


@pytest.fixture
def over_http(hub):
    """The hub's URL over a real HTTP Git server."""
    require_peer("git")
    server = GitHttpServer(hub.parent)
    try:
        yield f"{server.url}/{hub.name}"
    finally:
        server.stop()


@pytest.fixture(params=["file", "ssh", "http"])
def url(request, hub):
    """The hub's URL over each transport."""
    if request.param == "file":
        return hub.as_uri()
    return request.getfixturevalue(f"over_{request.param}")
