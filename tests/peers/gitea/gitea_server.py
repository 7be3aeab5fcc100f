"""A real Gitea on the loopback, for tests and for what measures: started, killed, started again."""

from __future__ import annotations

import base64
import getpass
import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from itertools import count
from pathlib import Path

MODULE = Path(__file__).parent
PASSWORD = "correct-horse-battery"
ENVIRON = dict(os.environ)
"""As it was before any test had a home of its own: Go finds its modules by it."""

READY = 300.0
"""Seconds in which a server must come up."""


class GiteaServer:
    """The server below *work*, its administrator `ops`, and that one's token.

    One that *signs* puts a signature under every commit that its API makes.
    """

    def __init__(self, program: Path, work: Path, *, signs: bool = False) -> None:
        self.work = work
        self.port = find_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = build_environment(work)
        self._program = program
        self._numbers = count()
        self._process: subprocess.Popen[bytes] | None = None
        self._write_settings()
        if signs:
            self._make_sign()
        self.run("migrate")
        self.create_user("ops", "--admin")
        self.token = self.create_token("ops")

    def run(self, *arguments: str) -> str:
        """Run one of Gitea's own commands; return what it printed."""
        done = subprocess.run(
            [self._program, "--work-path", str(self.work), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.work / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "--work-path", str(self.work), "web"],
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + READY
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/api/v1/version", timeout=30).close()
            except (urllib.error.URLError, OSError):
                assert self._process.poll() is None, "gitea ended"
                assert time.monotonic() < deadline, "gitea did not come up"
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self._process.kill()
        self._process.wait(timeout=300)

    def stop(self) -> None:
        """Stop it if it runs."""
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=300)

    def create_user(self, name: str, *options: str) -> str:
        """Make a user; return the name."""
        self.run("admin", "user", "create", "--username", name, "--password", PASSWORD,
                 "--email", f"{name}@example.org", "--must-change-password=false",
                 *options)  # fmt: skip
        return name

    def create_token(self, user: str, scopes: str = "all") -> str:
        """Make a token of *user*."""
        made = self.run("admin", "user", "generate-access-token", "--username", user,
                        "--token-name", f"t{next(self._numbers)}", "--scopes", scopes,
                        "--raw")  # fmt: skip
        # Gitea prints warnings, too, before it or after.
        return re.search(r"^[0-9a-f]{40}$", made, re.MULTILINE)[0]

    def call(self, method, path, body=None, *, token=None, authorization=None):
        """Call the API; return the status and what it answered."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            json.dumps(body).encode() if body is not None else None,
            {
                "Authorization": authorization or f"token {token or self.token}",
                "Content-Type": "application/json",
            },
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                raw = answer.read()
                return answer.status, json.loads(raw) if raw else None
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()

    def create_repository(self, **more) -> str:
        """Make a new repository with one commit; return `owner/name`."""
        name = f"shop{next(self._numbers)}"
        status, told = self.call("POST", "/user/repos", {"name": name, "auto_init": True} | more)
        assert status == 201, told
        return f"ops/{name}"

    def wait_for_push(self, repository: str) -> None:
        """Wait until Gitea has noted that *repository* is not empty any more: it does so later."""
        deadline = time.monotonic() + READY
        while self.call("GET", f"/repos/{repository}")[1]["empty"]:
            assert time.monotonic() < deadline, "the push was not noted"
            time.sleep(0.02)

    def get_git_url(self, repository: str) -> str:
        """Return the address that Git pushes to, with the administrator's password."""
        return self.url.replace("://", f"://ops:{PASSWORD}@") + f"/{repository}.git"

    def find_folder(self, repository: str) -> Path:
        """Return where Gitea keeps *repository*."""
        return self.work / "repos" / f"{repository.lower()}.git"

    def revoke_token(self, token: str) -> bool:
        """Revoke *token*, one of the administrator's; tell whether it was one."""
        words = base64.b64encode(f"ops:{PASSWORD}".encode()).decode()
        header = f"Basic {words}"
        _, found = self.call("GET", "/users/ops/tokens?limit=500", authorization=header)
        ours = [each["id"] for each in found if token.endswith(each["token_last_eight"])]
        for number in ours:
            self.call("DELETE", f"/users/ops/tokens/{number}", authorization=header)
        return bool(ours)

    def _make_sign(self) -> None:
        key = self.work / "signing"
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
        subprocess.run(command, check=True)
        with (self.work / "custom/conf/app.ini").open("a") as file:
            file.write(SIGNING.format(key=key))

    def _write_settings(self) -> None:
        listed = subprocess.run(
            ["go", "list", "-m", "-f", "{{.Dir}}", "code.gitea.io/gitea"],
            cwd=MODULE,
            env=ENVIRON,
            capture_output=True,
            text=True,
            check=True,
        )
        words = {
            "work": str(self.work),
            "port": str(self.port),
            "user": getpass.getuser(),
            "module": listed.stdout.strip(),
            "internal_token": self.run("generate", "secret", "INTERNAL_TOKEN").strip(),
            "secret_key": self.run("generate", "secret", "SECRET_KEY").strip(),
        }
        template = (MODULE / "app.ini").read_text()
        text = re.sub(r"\{(\w+)\}", lambda match: words.get(match[1], match[0]), template)
        path = self.work / "custom/conf/app.ini"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


SIGNING = """
[repository.signing]
FORMAT = ssh
SIGNING_FORMAT = ssh
SIGNING_KEY = {key}.pub
SIGNING_NAME = Gitea
SIGNING_EMAIL = gitea@example.org
CRUD_ACTIONS = always
INITIAL_COMMIT = never
"""


def find_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def build_environment(work: Path) -> dict[str, str]:
    """Return the server's environment: it writes to the user's Git configuration, by renaming."""
    return ENVIRON | {"HOME": str(work), "GIT_CONFIG_GLOBAL": str(work / "gitconfig")}
