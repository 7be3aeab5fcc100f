"""The lock at a real Gitea, beside the call and the push that it is made of, done raw."""

from __future__ import annotations

import base64
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "peers" / "gitea"))

from measuring import Row

EXCHANGES = 15
LOCK, BEGIN = {"holder": "bench", "reason": "bench"}, {"run": "1-000000", "intents": []}


def find_gitea() -> Path | None:
    """Return the program that was built for the tests."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    built = sorted((home / "provisioning-peers").glob("*/gitea"))
    return built[-1] if built else None


def measure_gitea(base: Path) -> Iterator[Row]:
    """Acquire and record, each time beside one raw call and one raw push."""
    program = find_gitea()
    if program is None:
        yield Row("gitea lock", "Gitea is not on this machine: the tests build it", "")
        return
    from gitea_server import GiteaServer

    folder = base / "gitea"
    folder.mkdir()
    server = GiteaServer(program, folder)
    try:
        server.start()
        ours, raw = race(Ours(server, folder), Raw(server, folder))
    finally:
        server.stop()
    for what, part in (("acquire", 0), ("record", 1)):
        yield Row(f"{what} at Gitea, beside the same done raw", compare(ours[part], raw[part]))
    both = [list(map(sum, zip(*each, strict=True))) for each in (ours, raw)]
    yield Row("acquire and record at Gitea, beside one call and one push", compare(*both), "1.3×")


def compare(ours: list[float], raw: list[float]) -> str:
    """Say how much longer ours takes, by the medians."""
    one, other = statistics.median(ours), statistics.median(raw)
    return f"{one * 1000:.0f} ms; raw {other * 1000:.0f} ms: {one / other:.2f}×"


def race(ours: Ours, raw: Raw) -> tuple[list[list[float]], list[list[float]]]:
    """Take turns, so that both meet the same noise; the first turn does not count."""
    times: tuple[list[list[float]], ...] = ([[], []], [[], []])
    for turn in range(EXCHANGES + 1):
        for player, kept in zip((ours, raw), times, strict=True):
            player.prepare()
            for part, act in enumerate((player.acquire, player.record)):
                started = time.perf_counter()
                act()
                seconds = time.perf_counter() - started
                player.settle()
                if turn:
                    kept[part].append(seconds)
    ours.close()
    raw.close()
    return times[0], times[1]


class Ours:
    """The state log with `lock.backend: gitea`."""

    def __init__(self, server: Any, folder: Path) -> None:
        from pieces import _begin, _build_record, _record

        from provisioning.forges.gitea.api import GiteaApi
        from provisioning.forges.gitea.contents import GiteaContents
        from provisioning.gitstore.repository.remote import Remote
        from provisioning.locks.gitea_lock import ContentsStateLog

        repository = server.create_repository()
        self._api = GiteaApi(server.url, server.token)
        remote = Remote(f"{server.url}/{repository}.git", folder / "mirror.git", token=server.token)
        self._log = ContentsStateLog(
            remote.mirror,
            "web",
            remote=remote,
            author="bench",
            contents=GiteaContents(self._api, repository),
        )
        self._begin, self._write, self._build = _begin, _record, _build_record
        self._view = self._log.read()
        self.acquire()
        self.record()
        self.close = self._api.close

    def prepare(self) -> None:
        """Need nothing: what was read last is what the next run stands on."""

    settle = prepare

    def acquire(self) -> None:
        """Take the lock: one call."""
        self._view, self._run = self._begin(self._log, self._view)

    def record(self) -> None:
        """Record one resource and release: one push."""
        record = self._build(self._view.fence)
        self._view = self._write(self._log, self._view, self._run, {record.id: record})


class Raw:
    """One call by an open HTTP connection, and one `git push`; all else is off the clock."""

    def __init__(self, server: Any, folder: Path) -> None:
        import httpx2

        from provisioning.gitstore.repository.git_program import run_git
        from provisioning.gitstore.repository.remote import authorise
        from provisioning.gitstore.repository.repository import Repository

        self._url = f"{server.url}/{server.create_repository()}.git"
        self._environ = os.environ | authorise(self._url, server.token)
        run_git(folder / "raw.git", "init", "--quiet", "--bare")
        self._clone = Repository(folder / "raw.git")
        self._client = httpx2.Client(headers={"Authorization": f"token {server.token}"})
        path = self._url.removeprefix(server.url).removesuffix(".git")
        self._contents = f"{server.url}/api/v1/repos{path}/contents"
        self._number = 0
        self._head = self._new = self._clone.write_commit(None, {"fence": b"0\n"}, "raw", "b", 0)
        self._push()
        self.close = self._client.close

    def prepare(self) -> None:
        """Build the body of the call."""
        (fence,) = [each.id for each in self._clone.read_folder(self._head, "")
                    if each.name == "fence"]  # fmt: skip
        self._number += 1
        files = [
            {"operation": "create", "path": "lock.json", "content": encode(json.dumps(LOCK))},
            {"operation": "create", "path": "begin.json", "content": encode(json.dumps(BEGIN))},
            {
                "operation": "update",
                "path": "fence",
                "sha": fence,
                "content": encode(f"{self._number}\n"),
            },
        ]
        self._body = {"branch": "web", "message": "raw", "files": files}

    def acquire(self) -> None:
        """Make the call."""
        answer = self._client.post(self._contents, json=self._body)
        answer.raise_for_status()
        self._head = answer.json()["commit"]["sha"]

    def settle(self) -> None:
        """Fetch what the call made, and write the commit that is pushed next."""
        fetch = ["git", "-C", str(self._clone.folder), "fetch", "--quiet", self._url, "web"]
        subprocess.run(fetch, check=True, env=self._environ, capture_output=True)
        gone = {"lock.json": None, "begin.json": None}
        record = {"run.json": f"{self._number}".encode(), "resources/v": b"v"}
        self._new = self._clone.write_commit(self._head, gone | record, "raw", "b", 0)

    def record(self) -> None:
        """Push."""
        self._push()

    def _push(self) -> None:
        push = ["git", "-C", str(self._clone.folder), "push", "--quiet", self._url]
        command = [*push, f"{self._new}:refs/heads/web"]
        subprocess.run(command, check=True, env=self._environ, capture_output=True)
        self._head = self._new


def encode(text: str) -> str:
    """Return *text* as the API takes it."""
    return base64.b64encode(text.encode()).decode()
