"""The service: how soon it hears, heals, resyncs, starts, takes over; real Git and Gitea."""

from __future__ import annotations

import base64
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / each) for each in ("tests/serving", "tests/peers/gitea")]

from gitea_lock import find_gitea  # noqa: E402
from gitea_server import GiteaServer  # noqa: E402
from measuring import Row  # noqa: E402
from running_service import PROGRAM, RunningService  # noqa: E402

INFRAS, EACH = 1000, 10
ROUNDS = 20
SLEEP = 864000
"""Seconds that the first process sleeps; each further one a second more, so that they differ."""


class Bench:
    """A workspace of many infras over a bare repository, and a service of it."""

    def __init__(self, base: Path, infras: int, *, more: str = "") -> None:
        self.base, self.infras = base, infras
        self.folder, self.hub = base / "shop", base / "hub.git"
        self.environment = {
            **os.environ,
            "HOME": str(base),
            "GIT_CONFIG_NOSYSTEM": "1",
            "PROVISIONING_HOME": str(base / "home"),
            **{f"GIT_{role}_{what}": "bench@localhost" for role in ("AUTHOR", "COMMITTER")
               for what in ("NAME", "EMAIL")},
        }  # fmt: skip
        (self.folder / "config").mkdir(parents=True)
        self.run("git", "init", "-q", "--bare", "-b", "main", str(self.hub))
        self.run("git", "init", "-q", "-b", "main", ".")
        (self.folder / ".gitignore").write_text("live/\n")
        (self.folder / "config/provisioning.yaml").write_text(
            f"workspace: {{name: shop, id: bench-{infras}}}\nremote: {self.hub}\n"
            f"local: {{root: live, allow: []}}\nserve: {{resync: 36000, poll: 1}}\n{more}"
        )
        for number in range(infras):
            self.write(number, "first")
        self.push()
        self.service = RunningService([self.folder], base / "home", self.environment)

    def run(self, *words: str) -> str:
        """Run a program in the workspace; return what it printed."""
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    def write(self, number: int, text: str) -> None:
        """Write the manifest of an infra."""
        infra = f"i{number:04}"
        path = self.folder / f"infra/{infra}/files.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("---\n".join(
            "apiVersion: provisioning/v1\nkind: File\n"
            f"metadata: {{name: f{each}}}\nspec: {{path: {infra}/f{each}, content: '{text}'}}\n"
            for each in range(EACH)))  # fmt: skip

    def push(self) -> float:
        """Commit and push; return when that was done."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", "change")
        self.run("git", "push", "-q", str(self.hub), "HEAD:main")
        return time.monotonic()

    def wait_for(self, number: int, text: str) -> float:
        """Wait until an infra's last file says *text*; return when it did."""
        path = self.folder / f"live/i{number:04}/f{EACH - 1}"
        while True:
            try:
                if path.read_text() == text:
                    return time.monotonic()
            except OSError:
                pass
            time.sleep(0.001)

    def read_usage(self) -> tuple[float, float]:
        """Return the service's seconds of processor time, and its MiB."""
        folder = Path(f"/proc/{self.service.process.pid}")
        fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        status = (folder / "status").read_text()
        return seconds, int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def get_p95(values: list[float]) -> float:
    """Return the 95th percentile."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


@contextmanager
def running(bench: Bench) -> Iterator[RunningService]:
    """Run the service for as long as the block."""
    bench.service.start()
    try:
        yield bench.service
    finally:
        bench.service.stop(130)


def measure_many(base: Path) -> list[Row]:
    """Measure a thousand infras: start, resync, memory, idle, a push to a hundred of them."""
    bench = Bench(base / "many", INFRAS)
    with running(bench) as service:
        service.wait_idle(1200, pause=2)
    began = time.monotonic()
    bench.service.start()
    ready = time.monotonic() - began
    rows = [Row("service: start to ready, 1,000 infras", f"{ready:.2f} s", "2 s")]
    try:
        bench.service.wait_idle(600, pause=0.5)
        done = bench.service.read_log("cycle-ended")[-INFRAS:]
        assert {each["result"] for each in done} == {"unchanged"}
        resynced = time.monotonic() - began - ready
        before, memory = bench.read_usage()
        rows.append(
            Row("service: a resync of 1,000 × 10, all unchanged", f"{resynced:.1f} s", "30 s")
        )
        rows.append(Row("service: memory of that at most", f"{memory:.0f} MiB", "200 MiB"))
        time.sleep(20)
        idle = (bench.read_usage()[0] - before) / 20 * 100
        rows.append(Row("service: idle, 1,000 infras", f"{idle:.2f} % of a core", "1 %"))
        for number in range(100):
            bench.write(number, "second")
        pushed = bench.push()
        last = max(bench.wait_for(number, "second") for number in range(100))
        bench.service.wait_idle(600, pause=0.5)
        raw = measure_raw(bench, 100)
        ratio = (last - pushed) / raw
        text = (
            f"{last - pushed:.1f} s; Git and disk alone, on every core, {raw:.1f} s: {ratio:.1f}×"
        )
        rows.append(Row("service: 100 infras changed by one push", text, "2×"))
    finally:
        bench.service.stop(130)
    return rows


def measure_raw(bench: Bench, count: int) -> float:
    """Return what Git and the disk alone take: two pushes an infra, files written and forced."""
    hub, clone = bench.hub, bench.base / "raw"
    run = lambda *words: subprocess.run(words, check=True, capture_output=True)  # noqa: E731
    run("git", "init", "-q", "-b", "main", str(clone))
    git = ("git", "-C", str(clone), "-c", "user.name=b", "-c", "user.email=b@b")
    run(*git, "commit", "-q", "--allow-empty", "-m", "x")
    began = time.monotonic()
    for number in range(count):
        for _ in range(2):
            run(*git, "commit", "-q", "--allow-empty", "-m", f"{number}")
            run(*git, "push", "-q", str(hub), f"HEAD:refs/heads/raw/i{number}")
        for each in range(EACH):
            with (clone / f"f{number}-{each}").open("w") as file:
                file.write("second")
                file.flush()
                os.fsync(file.fileno())
    return (time.monotonic() - began) / (os.cpu_count() or 1)


def measure_healing(base: Path) -> list[Row]:
    """Measure how long a broken file or a dead process stays so; each in an infra of its own."""
    bench = Bench(base / "healing", ROUNDS)
    for number in range(ROUNDS):
        (bench.folder / f"infra/i{number:04}/job.yaml").write_text(
            "apiVersion: provisioning/v1\nkind: Process\nmetadata: {name: job}\n"
            f"spec: {{command: [/bin/sleep, '{SLEEP + number}'], restart: always}}\n"
        )
    bench.push()
    files, processes = [], []
    try:
        with running(bench) as service:
            service.wait_idle()
            for number in range(ROUNDS):
                (bench.folder / f"live/i{number:04}/f{EACH - 1}").write_text("by hand")
                began = time.monotonic()
                files.append(bench.wait_for(number, "first") - began)
                service.wait_idle()
            for number in range(ROUNDS):
                (before,) = find_sleeps(number)
                os.kill(before, signal.SIGKILL)
                began = time.monotonic()
                while not find_sleeps(number) - {before}:
                    time.sleep(0.001)
                processes.append(time.monotonic() - began)
                service.wait_idle()
    finally:
        for number in range(ROUNDS):
            for pid in find_sleeps(number):
                os.kill(pid, signal.SIGKILL)
    return [
        Row("service: a file broken until healed, p95", f"{get_p95(files):.2f} s", "1 s"),
        Row("service: a process broken until healed, p95", f"{get_p95(processes):.2f} s", "1 s"),
    ]


def find_sleeps(number: int) -> set[int]:
    """Return the processes that the benchmark lets run in an infra."""
    found, words = set(), [b"/bin/sleep", str(SLEEP + number).encode()]
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if each.read_bytes().split(b"\0")[:2] == words:
                found.add(int(each.parent.name))
        except OSError:
            continue
    return found


def measure_take_over(base: Path) -> list[Row]:
    """Measure how long the lock of a holder on another machine outlives it.

    That it is another machine is played: the holder's boot id is not this one's.
    """
    bench = Bench(base / "taken", 1, more="lock: {ttl: 10}\n")
    log = (
        "import sys, time\n"
        "from provisioning.bootstrap import open_workspace\n"
        "import msgspec\n"
        "workspace = open_workspace('.', ())\n"
        "commit = workspace.commits.fetch()\n"
        "reconciler = workspace.build_reconciler('i0000', commit)\n"
        "runner = reconciler.runner\n"
        "runner = msgspec.structs.replace(runner, holder="
        "msgspec.structs.replace(runner.holder, host='elsewhere', boot='another'))\n"
        "from provisioning.reconciler.planning.plan_result import RunRequest\n"
        "from provisioning.core.plan.operations import compute_operations\n"
        "request = RunRequest(commit=commit, reason='bench')\n"
        "plan_result = reconciler.plan(request)\n"
        "runner.acquire(plan_result, request, compute_operations(plan_result.plan))\n"
        "import os; os._exit(0)\n"
    )
    values = []
    with running(bench) as service:
        service.wait_idle()
        for number in range(3):
            service.client.send("POST", "pause")
            bench.write(0, f"round {number}")
            bench.push()
            bench.run(sys.executable, "-c", log)
            began = time.monotonic()
            service.client.send("POST", "resume")
            values.append(bench.wait_for(0, f"round {number}") - began)
            service.wait_idle()
    return [
        Row("service: take-over from a killed holder, ttl 10 s", f"{max(values):.1f} s", "12 s")
    ]


def measure_webhook(base: Path) -> list[Row]:
    """Measure from the webhook's arrival to the first effect, with the lock at a real Gitea."""
    program = find_gitea()
    if program is None:
        return [Row("service: webhook", "Gitea is not on this machine: the tests build it")]
    gitea = GiteaServer(program, base / "gitea")
    gitea.start()
    try:
        repository = gitea.create_repository(auto_init=False)
        bench = Bench(base / "hooked", 1)
        (bench.base / "home").mkdir(exist_ok=True)
        token = bench.base / "home/token"
        token.write_text(gitea.token)
        token.chmod(0o600)
        settings = bench.folder / "config/provisioning.yaml"
        text = (
            settings.read_text()
            .replace(f"remote: {bench.hub}\n", "")
            .replace("poll: 1}", "poll: 3600}")
        )
        settings.write_text(
            f"{text}lock: {{backend: gitea}}\nforge: {{kind: gitea, url: '{gitea.url}', "
            f"repository: {repository}, token_file: token}}\n"
        )
        bench.hub = gitea.get_git_url(repository)
        bench.push()
        gitea.wait_for_push(repository)
        with running(bench) as service:
            service.wait_idle()
            hook = f"{service.url}/hooks/shop"
            bench.run(*PROGRAM, "forge", "setup", "--yes", "--webhook", hook)
            values = []
            for number in range(ROUNDS):
                seen = len(list_hooks(service))
                bench.write(0, f"hooked {number}")
                bench.push()
                bench.wait_for(0, f"hooked {number}")
                service.wait_idle()
                values.append(read_delay(service, seen))
        call = measure_call(gitea, repository)
    finally:
        gitea.stop()
    ratio = statistics.median(values) / call
    told = (
        f"{get_p95(values):.2f} s; median {statistics.median(values):.2f} s, {ratio:.1f}× the one "
    )
    return [
        Row(
            "service: webhook until first effect, lock at Gitea, p95",
            f"{told}call of {call:.2f} s in it",
            "0.6 s",
        )
    ]


def list_hooks(service: RunningService) -> list[dict[str, str]]:
    """Return the webhooks that told of a push to the branch; runs push, too."""
    return [each for each in service.read_log("webhook") if each["event"] == "fetching main"]


def read_delay(service: RunningService, seen: int) -> float:
    """Return the seconds from the first webhook of a push to the first operation's end."""
    stamp = lambda each: time_of(each["time"])  # noqa: E731
    hook = stamp(list_hooks(service)[seen])
    ends = [stamp(each) for each in service.read_log("operation-ended")]
    return min(each for each in ends if each >= hook) - hook


def time_of(text: str) -> float:
    """Read a moment of the log."""
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def measure_call(gitea: GiteaServer, repository: str) -> float:
    """Return what one call that writes a file takes at Gitea."""
    values = []
    for number in range(5):
        body = {"content": base64.b64encode(b"x").decode(), "branch": "raw", "message": "x"}
        body |= {"new_branch": "raw", "branch": "main"} if number == 0 else {}
        began = time.monotonic()
        status, told = gitea.call("POST", f"/repos/{repository}/contents/raw{number}", body)
        assert status == HTTPStatus.CREATED, told
        values.append(time.monotonic() - began)
    return statistics.median(values)


def measure_serving(base: Path) -> Iterator[Row]:
    """Measure all of it."""
    folder = base / "serving"
    folder.mkdir()
    yield from measure_healing(folder)
    yield from measure_take_over(folder)
    yield from measure_webhook(folder)
    yield from measure_many(folder)
