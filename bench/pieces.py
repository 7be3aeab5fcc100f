"""Measures pieces in this process, beside what Git or the disk cost alone; one line of JSON.

python bench/pieces.py executor|record|exchange|plain-files|secrets|history [FOLDER [RUNS]]
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from provisioning.core.model.errors import Source
from provisioning.core.model.ids import CommitId, ResourceId, RunId
from provisioning.core.model.providers import Call
from provisioning.core.model.records import (
    Action,
    Begin,
    Change,
    Holder,
    Lock,
    Outcome,
    Record,
    Result,
    Run,
)
from provisioning.core.model.values import Digest, Tree
from provisioning.core.statelog.entries import compute_begin, compute_record
from provisioning.core.statelog.transitions import LogEntry, LogView, next_token
from provisioning.gitstore.repository.git_program import run_git
from provisioning.gitstore.repository.remote import Remote
from provisioning.gitstore.repository.repository import Repository
from provisioning.gitstore.statelog.git_statelog import GitStateLog
from provisioning.gitstore.statelog.shards import compute_shard_changes
from provisioning.testing.memory import MemoryProvider
from provisioning.testing.worlds import World

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from sandboxes import Sandbox, build_resource

NOW = "2030-01-01T00:00:00Z"
COMMIT, DIGEST = CommitId("1" * 40), Digest("sha256:00")
OPERATIONS, RESOURCES, EXCHANGES, FILES = 5_000, 100_000, 11, 1_000


def measure(work: Callable[[], object]) -> float:
    """Return the seconds that *work* takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


class NoOpProvider(MemoryProvider):
    """Answers what it was asked for, and does nothing."""

    def create(self, call: Call) -> dict[str, Tree]:
        """Answer the spec, and what only a provider can say."""
        return {"color": "grey", "serial": call.id, "address": "nowhere", **call.spec}


def measure_executor(folder: Path) -> dict[str, float]:
    """Create resources of a provider that does nothing; each creation is journalled."""
    box = Sandbox(folder, provider=NoOpProvider(World()))
    commit = box.commits.commit(*(build_resource(f"Thing/t{n}") for n in range(OPERATIONS)))
    looked = measure(lambda: box.look(commit))
    seconds = measure(lambda: box.reconcile(commit, parallelism=8)) - looked
    return {"operations a second": OPERATIONS / seconds}


def _build_begin(view: LogView, nonce: int = 0) -> Begin:
    run = RunId(f"{next_token(view)}-{nonce:06x}")
    return Begin(
        run=run, actor="bench", reason="bench", commit=COMMIT, digest=DIGEST, started_at=NOW
    )


def _build_lock(view: LogView, run: RunId) -> Lock:
    return Lock(
        token=next_token(view),
        holder=Holder("bench", "here"),
        reason="bench",
        acquired_at=NOW,
        renewed_at=NOW,
        ttl=120.0,
        run=run,
    )


def _build_run(begin: Begin, *names: ResourceId) -> Run:
    return Run(
        run=begin.run,
        actor="bench",
        reason="bench",
        commit=COMMIT,
        digest=DIGEST,
        result=Result.DONE,
        started_at=NOW,
        finished_at=NOW,
        changes=tuple(
            Change(id=name, action=Action.UPDATE, reason="bench", outcome=Outcome.UPDATED)
            for name in names
        ),
    )


def _begin(log: GitStateLog, view: LogView) -> tuple[LogView, Begin]:
    begin = _build_begin(view)
    return log.append(view, compute_begin(view, _build_lock(view, begin.run), begin)), begin


def _record(
    log: GitStateLog, view: LogView, begin: Begin, records: dict[ResourceId, Record | None]
) -> LogView:
    run = _build_run(begin, *list(records)[:1])
    return log.append(view, compute_record(view, run, {}), records)


def _build_record(number: int, value: str = "") -> Record:
    spec = {"input": f"value {number}{value}"}
    return Record(
        id=ResourceId(f"Value/v{number}"),
        kind="Value",
        provider="local",
        spec=spec,
        attributes=spec,
        run=RunId("1-000000"),
        operation=number,
        source=Source("infra/web/example.yaml", number + 1),
    )


def measure_record(folder: Path) -> dict[str, float]:
    """Record one change among many resources."""
    run_git(folder, "init", "--quiet", "--bare")
    log = GitStateLog(Repository(folder), "web", remote=None, author="bench")
    view, begin = _begin(log, LogView())
    records = [_build_record(n) for n in range(RESOURCES)]
    view = _record(log, view, begin, {each.id: each for each in records})
    times = []
    for number in range(EXCHANGES):
        view, begin = _begin(log, view)
        changed = _build_record(number, " changed")
        started = time.perf_counter()
        view = _record(log, view, begin, {changed.id: changed})
        times.append(time.perf_counter() - started)
    return {"seconds": statistics.median(times)}


def measure_exchange(folder: Path) -> dict[str, float]:
    """Acquire and record on a remote, beside two pushes of one commit each by git alone."""
    for name in ("ours.git", "raw.git", "clone.git"):
        run_git(folder / name, "init", "--quiet", "--bare")
    remote = Remote(f"file://{folder}/ours.git", folder / "mirror.git")
    log = GitStateLog(remote.mirror, "web", remote=remote, author="bench")
    clone, view = Repository(folder / "clone.git"), LogView()
    ours, raw, head = [], [], None
    for number in range(EXCHANGES):
        started = time.perf_counter()
        view, begin = _begin(log, view)
        record = _build_record(number)
        view = _record(log, view, begin, {record.id: record})
        ours.append(time.perf_counter() - started)
        for part in range(2):
            files = {"f": f"{number}{part}".encode()}
            head = clone.write_commit(head, files, "raw", "bench", 0.0)
            command = ["git", "-C", str(clone.folder), "push", "--quiet", f"{folder}/raw.git"]
            push = [*command, f"{head}:refs/heads/web"]
            raw.append(measure(lambda push=push: subprocess.run(push, check=True)))
    pushes = 2 * statistics.median(raw)
    return {"seconds": statistics.median(ours), "two pushes": pushes}


def measure_plain_files(folder: Path) -> dict[str, float]:
    """Write files as a plain, careful loop would: write, fsync, rename, fsync the folder."""
    parent = os.open(folder, os.O_RDONLY)

    def write_all() -> None:
        for number in range(FILES):
            path = folder / f"f{number}.txt"
            temporary = path.with_suffix(".new")
            with temporary.open("w", encoding="utf-8") as file:
                file.write(f"file {number}")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            os.fsync(parent)

    return {"seconds": measure(write_all)}


def build_history(folder: Path, runs: str) -> dict[str, float]:
    """Give the workspace at *folder* a state log of *runs*, in one pack as by `git gc`."""
    head = run_git(folder / ".git", "rev-parse", "refs/heads/main").output.strip()
    command = ["git", "-C", str(folder), "fast-import", "--quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin
        for text in render_history(CommitId(head), int(runs)):
            process.stdin.write(text)
        process.stdin.close()
    return {"runs": int(runs) if process.returncode == 0 else 0}


def render_history(commit: CommitId, runs: int) -> Iterator[bytes]:
    """Yield a state log as `git fast-import` reads it: each run changes one of 100 resources."""
    view, leaves = LogView(), dict[str, bytes]()
    for number in range(runs):
        begin = _build_begin(view, number)
        lock = _build_lock(view, begin.run)
        entry = compute_begin(view, lock, begin)
        yield from _render_entry(entry, entry.files)
        view = replace(view, fence=lock.token, lock=lock, begin=begin)
        record = _build_record(number % 100, f" {number}")
        changes = compute_shard_changes(
            {name: name for name in leaves}, leaves.__getitem__, {record.id: record}
        )
        leaves |= {path: content for path, content in changes.items() if content is not None}
        run = msgspec.structs.replace(_build_run(begin, record.id), commit=commit)
        entry = compute_record(view, run, {})
        yield from _render_entry(entry, {**entry.files, **changes})
        view = LogView(fence=view.fence, run=run)


def _render_entry(entry: LogEntry, files: Mapping[str, bytes | None]) -> Iterator[bytes]:
    message = entry.message.encode()
    yield b"commit refs/heads/provisioning/web\n"
    yield b"committer bench <bench@localhost> 1700000000 +0000\n"
    yield b"data %d\n%s\n" % (len(message), message)
    for path, content in files.items():
        if content is None:
            yield b"D %s\n" % path.encode()
        else:
            yield b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content)


def measure_secrets(folder: Path) -> dict[str, float]:
    """Open a thousand files of ten values each: the same file, whose blob is never looked up."""
    from provisioning.secrets.values import open_secrets
    from sops_python.keys.keyring import EnvironmentKeyring

    keyring = EnvironmentKeyring(environ=os.environ)
    seconds = {}
    for kind in ("yaml", "json"):
        name = f"one.enc.{kind}"
        data = (folder / name).read_bytes()
        open_secrets(data, name, keyring)
        seconds[kind] = measure(
            lambda data=data, name=name: [open_secrets(data, name, keyring) for _ in range(1000)]
        )
    return seconds


PIECES: dict[str, Callable[..., dict[str, float]]] = {
    "executor": measure_executor,
    "record": measure_record,
    "exchange": measure_exchange,
    "plain-files": measure_plain_files,
    "history": build_history,
    "secrets": measure_secrets,
}


def main() -> None:
    """Measure the piece named on the command line."""
    piece = PIECES[sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(piece(Path(sys.argv[2] if sys.argv[2:] else folder), *sys.argv[3:])))


if __name__ == "__main__":
    main()
