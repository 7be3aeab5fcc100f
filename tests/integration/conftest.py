"""Real Git servers on the loopback: sshd, and `git http-backend` behind a small server."""

import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SSHD = "/usr/sbin/sshd"


def require(program):
    """Skip without a peer, or fail where peers are required."""
    if shutil.which(program) is None:
        report = pytest.fail if os.environ.get("PROVISIONING_REQUIRE_PEERS") == "1" else pytest.skip
        report(f"needs {program}, which is not installed")


def find_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for_port(port):
    deadline = time.monotonic() + 20
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
    require(SSHD)
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
            "-o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -F /dev/null",
        )
        yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}{hub}"
    finally:
        server.terminate()
        server.wait(timeout=10)


class Backend(BaseHTTPRequestHandler):
    """Answers by `git http-backend`, as a web server does by CGI (RFC 3875)."""

    root = ""
    protocol_version = "HTTP/1.0"

    def log_message(self, *_):
        """Stay silent."""

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        length = self.headers.get("Content-Length")
        self.answer(self.rfile.read(int(length)) if length else self.read_chunks())

    def read_chunks(self):
        body = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    def answer(self, body):
        path, _, query = self.path.partition("?")
        environment = os.environ | {
            "GIT_PROJECT_ROOT": self.root,
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "ana",
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().splitlines()]
        headers = dict(lines)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def over_http(hub):
    """The hub's URL over a real HTTP Git server."""
    require("git")
    handler = type("Served", (Backend,), {"root": str(hub.parent)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{hub.name}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(params=["file", "ssh", "http"])
def url(request, hub):
    """The hub's URL over each transport."""
    if request.param == "file":
        return hub.as_uri()
    return request.getfixturevalue(f"over_{request.param}")
