"""A running `provisioning serve`, as a process of its own: asked, hurt, and stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from provisioning.core.model.errors import ProvisioningError
from provisioning.interfaces.service.admin_client import AdminClient

PROGRAM = (sys.executable, "-m", "provisioning")


class RunningService:
    """A service of the workspaces at *folders*, whose home is *home*."""

    def __init__(
        self,
        folders: Sequence[Path],
        home: Path,
        environment: Mapping[str, str],
        flags: Sequence[str] = (),
    ) -> None:
        self.folders = folders
        self.home = home
        self.environment = {**environment, "PROVISIONING_HOME": str(home)}
        self.flags = flags
        self.log = home / "serve.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.client = AdminClient(home / "s")

    def start(self, *, waits: bool = True) -> None:
        """Start it, and wait until it is ready."""
        self.home.mkdir(parents=True, exist_ok=True)
        words = [word for each in self.flags for word in ("-c", each)]
        words += ["serve", "--log-format", "json", "--log-level", "debug"]
        words += ["--listen", "127.0.0.1:0", "--socket", str(self.home / "s")]
        words += [word for each in self.folders for word in ("--workspace", str(each))]
        begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, *words], env=self.environment, stdout=log, stderr=log
            )
        self._begin = begin
        if waits:
            self.wait(lambda: self.ask("status")["ready"], "the service to be ready")

    def ask(self, route: str) -> Any:
        """Ask at the admin socket; an empty answer if nobody is there."""
        try:
            return self.client.send("GET", route)
        except (ProvisioningError, OSError, ValueError):
            return {"ready": False, "workspaces": [], "queue": []}

    @property
    def url(self) -> str:
        """The address of the HTTP listener."""
        found = [each for each in self.read_log() if each["action"] == "serving"]
        host, port = found[-1]["address"]
        return f"http://{host}:{port}"

    def get(self, path: str) -> tuple[int, str]:
        """Ask at the HTTP listener."""
        try:
            with urlopen(f"{self.url}{path}", timeout=100) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as exc:
            return exc.code, exc.read().decode()

    def read_log(self, action: str | None = None) -> list[dict[str, Any]]:
        """Return the lines of the log, of *action* or all."""
        lines = self.log.read_text(errors="replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and line[-1] == "}"]
        return [each for each in found if action in {None, each["action"]}]

    def wait(
        self, is_so: Callable[[], Any], what: str, seconds: float = 600.0, pause: float = 0.02
    ) -> Any:
        """Wait until *is_so* gives something true, and return that; look each *pause* seconds."""
        deadline = time.monotonic() + seconds
        while not (found := is_so()):
            tail = self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""
            assert time.monotonic() < deadline, f"waited in vain for {what}\n{tail}"
            time.sleep(pause)
        return found

    def get_result(self, infra: str) -> str:
        """Return what became of *infra* last."""
        for workspace in self.ask("status")["workspaces"]:
            for each in workspace["infras"]:
                if each["infra"] == infra:
                    return each["result"]
        return "unknown"

    def wait_idle(self, seconds: float = 600.0, pause: float = 0.02) -> None:
        """Wait until nothing is queued or being done."""
        self.wait(lambda: self.ask("status")["ready"] and not self.ask("queue")["queue"],
                  "an empty queue", seconds, pause)  # fmt: skip

    def send(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def stop(self, seconds: float = 600.0) -> int:
        """Ask it to stop; return its exit code."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else 0
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        return self.process.wait(seconds)


def read_files(folder: Path) -> dict[str, str]:
    """Return the text of every file below *folder*, which may be changing, by its path."""
    found = {}
    for each in folder.rglob("*") if folder.is_dir() else ():
        with suppress(OSError):
            if each.is_file():
                found[str(each.relative_to(folder))] = each.read_text(errors="replace")
    return found
