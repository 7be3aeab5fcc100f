"""A real Gitea on the loopback, started once for all tests of a process."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

MODULE = Path(__file__).parents[1] / "peers" / "gitea"
PASSWORD = "correct-horse-battery"
ENVIRON = dict(os.environ)


@dataclass
class Gitea:
    """The server, its administrator `ops`, and that one's token."""

    url: str
    token: str
    work: Path

    def call(self, method, path, body=None, *, token=None):
        """Call the API; return the status and what it answered."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            json.dumps(body).encode() if body is not None else None,
            {"Authorization": f"token {token or self.token}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                raw = answer.read()
                return answer.status, json.loads(raw) if raw else None
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()

    def create_repository(self):
        """Make a new repository with one commit; return `owner/name`."""
        name = f"shop{next(NUMBERS)}"
        status, _ = self.call("POST", "/user/repos", {"name": name, "auto_init": True})
        assert status == 201
        return f"ops/{name}"

    def get_git_url(self, repository):
        """Return the address that Git pushes to, with the administrator's password."""
        return self.url.replace("://", f"://ops:{PASSWORD}@") + f"/{repository}.git"


NUMBERS = count()


def find_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="session")
def gitea_server(tmp_path_factory):
    """Start Gitea; its tests carry the mark `peer("gitea")`."""
    from_root = next(each for each in iter_conftests() if hasattr(each, "find_peer"))
    program = from_root.find_peer("gitea")
    if program is None:
        pytest.skip("needs gitea")
    work = tmp_path_factory.mktemp("gitea")
    port = find_port()
    url = f"http://127.0.0.1:{port}"
    write_settings(program, work, port)
    server = None
    try:
        run(program, work, "migrate")
        run(program, work, "admin", "user", "create", "--username", "ops", "--password", PASSWORD,
            "--email", "ops@example.org", "--admin", "--must-change-password=false")  # fmt: skip
        made = run(program, work, "admin", "user", "generate-access-token", "--username", "ops",
                   "--token-name", "t", "--scopes", "all", "--raw")  # fmt: skip
        with (work / "log").open("wb") as log:
            server = subprocess.Popen(
                [program, "--work-path", str(work), "web"],
                env=build_environment(work),
                stdout=log,
                stderr=log,
            )
        wait_until_ready(url, server)
        yield Gitea(url, made.strip().splitlines()[-1], work)
    finally:
        if server:
            server.terminate()
            server.wait(timeout=30)


def iter_conftests():
    import sys

    return [module for name, module in sys.modules.items() if name.endswith("conftest")]


def build_environment(work):
    """Return the server's environment: it writes to the user's Git configuration, by renaming."""
    return ENVIRON | {"HOME": str(work), "GIT_CONFIG_GLOBAL": str(work / "gitconfig")}


def run(program, work, *arguments):
    done = subprocess.run(
        [program, "--work-path", str(work), *arguments],
        env=build_environment(work),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_settings(program, work, port):
    listed = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", "code.gitea.io/gitea"],
        cwd=MODULE,
        env=ENVIRON,
        capture_output=True,
        text=True,
        check=True,
    )
    words = {
        "work": str(work),
        "port": str(port),
        "user": getpass.getuser(),
        "module": listed.stdout.strip(),
        "internal_token": run(program, work, "generate", "secret", "INTERNAL_TOKEN").strip(),
        "secret_key": run(program, work, "generate", "secret", "SECRET_KEY").strip(),
    }
    template = (MODULE / "app.ini").read_text()
    text = re.sub(r"\{(\w+)\}", lambda match: words.get(match[1], match[0]), template)
    path = work / "custom/conf/app.ini"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def wait_until_ready(url, server):
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{url}/api/v1/version", timeout=5).close()
        except (urllib.error.URLError, OSError):
            assert server.poll() is None, "gitea ended"
            assert time.monotonic() < deadline, "gitea did not come up"
            time.sleep(0.1)
        else:
            return


@pytest.fixture
def gitea(gitea_server):
    return gitea_server
