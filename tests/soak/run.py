"""Lets two services keep one workspace, and hurts them at random; then judges the world.

The judge knows what was committed and looks at files and processes by itself; of the code under
test it only asks `fsck` and `lock explain`, whose own tests are elsewhere.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / each) for each in ("peers/git_http", "serving")]

from git_http_server import NONE, GitHttpServer, Mishap  # noqa: E402
from running_service import PROGRAM, RunningService, read_files  # noqa: E402

INFRAS, FILES = 20, 5
TTL, SLEEP = 10, 14
"""Seconds of the lock's ttl, and those for which a service is stopped to outsleep it."""

SETTLE = 240.0
"""Seconds in which everything must be as Git says once nothing is hurt any more."""

ENDINGS = (0, -signal.SIGTERM)
"""How a service ends that is asked to: as it should, or, before it has begun, by the signal."""

WORKSPACE = f"soak-{os.getpid()}"
"""The workspace's id, so that two soaks beside each other do not count each other's processes."""

DOUBLED = 60.0
"""Seconds in which a process that was started twice must be one again, whatever else goes on."""

MARK = "PROVISIONING_MARK"


@dataclass(slots=True)
class Model:
    """What Git says: the content of each file, and the argument of each process, by infra."""

    files: dict[str, dict[str, str]] = field(default_factory=dict)
    processes: dict[str, str] = field(default_factory=dict)

    def render(self, infra: str) -> str:
        """Return the manifest of *infra*."""
        head = "apiVersion: provisioning/v1\nkind: {}\nmetadata: {{name: {}}}\nspec: {}\n"
        parts = [
            head.format("File", name, json.dumps({"path": f"{infra}/{name}", "content": text}))
            for name, text in sorted(self.files[infra].items())
        ]
        if infra in self.processes:
            spec = {
                "command": ["/bin/sleep", self.processes[infra]],
                "cwd": ".",
                "restart": "always",
            }
            parts.append(head.format("Process", "job", json.dumps(spec)))
        return "---\n".join(parts)


class World:
    """The hub, two clones with a service each, and what they keep, which is one place."""

    def __init__(self, base: Path, chance: random.Random) -> None:
        self.base, self.chance = base, chance
        self.live, self.clone = base / "live", base / "clone"
        self.live.mkdir()
        self.model = Model()
        self.environment = {
            **os.environ,
            "HOME": str(base / "user"),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{role}_{what}": "ana@example.org" for role in ("AUTHOR", "COMMITTER")
               for what in ("NAME", "EMAIL")},
        }  # fmt: skip
        (base / "user").mkdir()
        self.faults = 0.0
        self.hub = GitHttpServer(base, self.choose)
        self._run("git", "init", "-q", "--bare", "-b", "main", str(base / "hub.git"), folder=base)
        self._run("git", "-C", "hub.git", "config", "http.receivepack", "true", folder=base)
        self._make_workspace()
        self.services = [self._build_service(name) for name in ("one", "two")]
        self.done: Counter[str] = Counter()

    def _run(self, *words: str, folder: Path | None = None, check: bool = True) -> str:
        done = subprocess.run(
            words,
            cwd=folder or self.clone,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def _make_workspace(self) -> None:
        (self.clone / "config").mkdir(parents=True)
        (self.clone / "config/provisioning.yaml").write_text(
            f"workspace: {{name: soak, id: {WORKSPACE}}}\nbranch: main\n"
            f"remote: {self.hub.url}/hub.git\nlocal: {{root: {self.live}, allow: []}}\n"
            f"lock: {{ttl: {TTL}}}\nserve: {{poll: 2, resync: 20}}\nexecutor: {{infras: 4}}\n"
        )
        for number in range(INFRAS):
            infra = f"i{number:02}"
            self.model.files[infra] = {f"f{each}": f"first {each}\n" for each in range(FILES)}
            if number % 4 == 0:
                self.model.processes[infra] = f"{100000 + number}"
            self._write(infra)
        self._run("git", "init", "-q", "-b", "main")
        self._push("first")

    def _write(self, infra: str, text: str | None = None) -> None:
        path = self.clone / f"infra/{infra}/all.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model.render(infra) if text is None else text)

    def _push(self, told: str) -> None:
        self._run("git", "add", "-A")
        self._run("git", "commit", "-q", "--allow-empty", "-m", told)
        self._run("git", "push", "-q", str(self.base / "hub.git"), "main")

    def _build_service(self, name: str) -> RunningService:
        folder = self.base / name
        self._run("git", "clone", "-q", str(self.base / "hub.git"), str(folder), folder=self.base)
        return RunningService([folder], self.base / f"{name}-home", self.environment)

    def choose(self, request: str) -> Mishap:
        """Let a share of the requests go wrong."""
        del request
        if self.chance.random() >= self.faults:
            return NONE
        kind = self.chance.choice(("late", "before", "after"))
        self.done[f"answers of Git {kind}"] += 1
        if kind == "late":
            return Mishap(delay=self.chance.uniform(0.2, 4))
        return Mishap(before=kind == "before", after=kind == "after")

    # What happens

    def push_change(self) -> None:
        """Somebody changes, adds and removes files of a few infras."""
        for infra in self.chance.sample(sorted(self.model.files), self.chance.randint(1, 5)):
            files = self.model.files[infra]
            name = f"f{self.chance.randint(0, FILES + 2)}"
            if name in files and len(files) > 1 and self.chance.random() < 0.3:
                del files[name]
            else:
                files[name] = f"{self.chance.random()}\n"
            if infra in self.model.processes and self.chance.random() < 0.3:
                self.model.processes[infra] = f"{self.chance.randint(200000, 999999)}"
            self._write(infra)
        self._push("change")

    def push_garbage(self) -> None:
        """Somebody pushes an invalid manifest and fixes it a moment later."""
        infra = self.chance.choice(sorted(self.model.files))
        self._write(infra, "kind: [nonsense\n")
        self._push("garbage")
        time.sleep(3)
        self._write(infra)
        self._push("mend it")

    def edit_by_hand(self) -> None:
        """Somebody edits or removes files by hand."""
        files = [each for each in self.live.rglob("f*") if each.is_file()]
        for path in self.chance.sample(files, min(3, len(files))):
            if self.chance.random() < 0.5:
                path.unlink(missing_ok=True)
            else:
                path.write_text("by hand")

    def kill_process(self) -> None:
        """A managed process dies."""
        found = sorted(find_processes())
        if found:
            os.kill(self.chance.choice(found)[1], signal.SIGKILL)

    def kill_service(self) -> None:
        """A service is killed and restarted."""
        service = self.chance.choice(self.services)
        service.kill()
        time.sleep(self.chance.uniform(0, 3))
        service.start(waits=False)

    def pause_service(self) -> None:
        """A service sleeps longer than the ttl of its locks."""
        service = self.chance.choice(self.services)
        service.send(signal.SIGSTOP)
        time.sleep(SLEEP)
        service.send(signal.SIGCONT)

    def restart_service(self) -> None:
        """A service is stopped and restarted."""
        service = self.chance.choice(self.services)
        code = service.stop(130)
        assert code in ENDINGS, f"a service that was asked to stop ended with {code}"
        service.start(waits=False)

    def restart_hub(self) -> None:
        """The Git server is unavailable for a while."""
        self.hub.stop()
        time.sleep(self.chance.uniform(1, 6))
        self.hub.start()

    def reload(self) -> None:
        """A service reads its settings again."""
        service = self.chance.choice(self.services)
        if service.ask("status")["workspaces"]:  # one that is only starting would end by it
            service.send(signal.SIGHUP)

    # Judging

    def list_wrongs(self) -> list[str]:
        """Return what is not as Git says."""
        wanted = {f"{infra}/{name}": text for infra, files in self.model.files.items()
                  for name, text in files.items()}  # fmt: skip
        there = read_files(self.live)
        wrongs = [f"{name} is leaked" for name in there.keys() - wanted.keys()]
        wrongs += [f"{name} is lost" for name in wanted.keys() - there.keys()]
        wrongs += [f"{name} is not as written" for name in wanted.keys() & there.keys()
                   if wanted[name] != there[name]]  # fmt: skip
        found = Counter(infra for infra, _, _ in find_processes())
        for infra in {*found, *self.model.processes}:
            wanted_count = int(infra in self.model.processes)
            if found[infra] != wanted_count:
                wrongs.append(f"{infra} has {found[infra]} processes, not {wanted_count}")
        for infra, _, argument in find_processes():
            if self.model.processes.get(infra) != argument:
                wrongs.append(f"the process of {infra} is an old one")
        return wrongs

    def _list_locks(self) -> str:
        return self._run(*PROGRAM, "lock", "ls", folder=self.base / "one", check=False)

    def judge(self) -> list[str]:
        """Wait until all is as Git says, then return everything that is not right."""
        deadline = time.monotonic() + SETTLE
        while (wrongs := self.list_wrongs()) and time.monotonic() < deadline:
            time.sleep(0.5)
        for service in self.services:
            if not wrongs:
                service.wait_idle(SETTLE)
        environment = self.services[0].environment | {"PROVISIONING_HOME": str(self.base / "judge")}
        self.environment = environment
        while count_free(self._list_locks()) < INFRAS and time.monotonic() < deadline:
            time.sleep(1)  # by a run that could not be recorded: until its ttl, and a resync
        for service in self.services:
            if (code := service.stop(130)) not in ENDINGS:
                wrongs.append(f"a service ended with {code}")
        told = self._run(*PROGRAM, "fsck", folder=self.base / "one", check=False)
        sound = sum("linear, fenced, complete" in line for line in told.splitlines())
        if sound != INFRAS:
            wrongs.append(f"only {sound} of {INFRAS} state logs are sound:\n{told}")
        told = self._list_locks()
        if (free := count_free(told)) != INFRAS:
            wrongs.append(f"only {free} of {INFRAS} locks are free:\n{told}")
        wrongs += self.list_wrongs()
        return sorted(set(wrongs))


def count_free(listing: str) -> int:
    """Return how many locks are free by what `lock ls` told."""
    return sum(line.split()[1:] == ["free"] for line in listing.splitlines())


def find_processes() -> list[tuple[str, int, str]]:
    """Return every live process that bears a mark of the workspace: infra, pid, argument."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environ = (folder / "environ").read_bytes().split(b"\0")
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        marks = [each for each in environ if each.startswith(f"{MARK}={WORKSPACE}/".encode())]
        if marks and words[0].endswith(b"sleep"):
            found.append((marks[0].decode().split("/")[1], int(folder.name), words[1].decode()))
    return found


@dataclass(slots=True)
class Doubles:
    """What runs twice, and since when: what a sleeper starts on waking may, for a moment."""

    since: dict[str, float] = field(default_factory=dict)
    wrongs: set[str] = field(default_factory=set)

    def look(self, now: float) -> int:
        """Look once; return how many infras are newly found to run something twice."""
        counts = Counter(infra for infra, _, _ in find_processes())
        doubled = {infra for infra, count in counts.items() if count > 1}
        new = doubled - self.since.keys()
        self.since = {infra: self.since.get(infra, now) for infra in doubled}
        self.wrongs.update(
            f"{infra} had two processes for more than {DOUBLED:.0f} s"
            for infra, since in self.since.items()
            if now - since > DOUBLED
        )
        return len(new)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a service used at a moment."""

    second: float
    memory: float
    descriptors: int
    threads: int


def take_sample(service: RunningService, second: float) -> Sample | None:
    """Read what *service* uses; None if it is not there."""
    folder = Path(f"/proc/{service.process.pid}")
    try:
        status = dict(line.split(":\t", 1) for line in
                      (folder / "status").read_text().splitlines() if ":\t" in line)  # fmt: skip
        memory = int(status["VmRSS"].split()[0]) / 1024
        return Sample(second, memory, len(list((folder / "fd").iterdir())), int(status["Threads"]))
    except (OSError, KeyError, ValueError):
        return None


EVENTS: tuple[tuple[int, Callable[[World], None]], ...] = (
    (30, World.push_change),
    (4, World.push_garbage),
    (25, World.edit_by_hand),
    (12, World.kill_process),
    (6, World.kill_service),
    (3, World.pause_service),
    (3, World.restart_service),
    (3, World.restart_hub),
    (4, World.reload),
)
"""What happens, and how often beside each other."""


def soak(world: World, seconds: float) -> tuple[list[str], list[list[Sample]]]:
    """Hurt the services for *seconds*; return what is wrong afterwards, and what they used."""
    samples: list[list[Sample]] = [[], []]
    doubles = Doubles()
    for service in world.services:
        service.start()
    began = last = time.monotonic()
    world.faults = 0.05
    weights, events = zip(*EVENTS, strict=True)
    while (now := time.monotonic()) - began < seconds:
        (event,) = world.chance.choices(events, weights)
        world.done[event.__doc__.strip()] += 1
        event(world)
        time.sleep(world.chance.uniform(0.2, 3))
        if count := doubles.look(time.monotonic()):
            world.done["a process was started twice, for a moment"] += count
        if now - last > min(60, seconds / 10):
            last = now
            for service, found in zip(world.services, samples, strict=True):
                if sample := take_sample(service, now - began):
                    found.append(sample)
            print(f"{now - began:6.0f} s  {sum(world.done.values())} events", flush=True)
    world.faults = 0.0
    return [*sorted(doubles.wrongs), *world.judge()], samples


def render_report(
    world: World, seconds: float, wrongs: list[str], samples: list[list[Sample]], seed: int
) -> str:
    """Return `docs/contributing/reports/service-soak.md`."""
    lines = [
        "# An hour of faults" if seconds >= 3600 else f"# {seconds:.0f} seconds of faults",
        "",
        "`make soak S=SECONDS` writes this page. Two services with separate homes keep a workspace",
        f"of {INFRAS} infras equal to one Git server, under random faults. After them a check",
        "that knows every commit compares files, processes, state logs and locks with Git.",
        "",
        f"Seed {seed}, {seconds:.0f} s, lock ttl {TTL} s, 5 % of Git's answers late or lost.",
        "",
        "| Fault or change | Count |",
        "| --- | ---: |",
        *(f"| {name} | {count} |" for name, count in sorted(world.done.items())),
        "",
        "| Result | Count |",
        "| --- | ---: |",
        *(f"| {name} | {count} |" for name, count in count_results(world).items()),
        "",
        "| Service | MiB first, last, most | Descriptors | Threads |",
        "| --- | --- | --- | --- |",
    ]
    for service, found in zip(world.services, samples, strict=True):
        if found:
            columns = [
                f"{values[0]:.0f}, {values[-1]:.0f}, {max(values):.0f}"
                for values in (
                    [each.memory for each in found],
                    [each.descriptors for each in found],
                    [each.threads for each in found],
                )
            ]
            lines.append(f"| {service.home.name} | {' | '.join(columns)} |")
    lines += ["", "Errors at the end: " + ("none." if not wrongs else "")]
    lines += [f"- {each}" for each in wrongs]
    return "\n".join(lines) + "\n"


def count_results(world: World) -> dict[str, int]:
    """Count what the services' logs tell."""
    found: Counter[str] = Counter()
    for service in world.services:
        for each in service.read_log():
            if each["action"] == "cycle-ended":
                found[f"cycles {each['result']}"] += 1
            elif each["action"] in {"defect", "worker-hung", "fetch-failed", "taken-over"}:
                found[each["action"]] += 1
    return dict(sorted(found.items()))


def main() -> int:
    """Soak, and write the report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--write", type=Path)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="soak-"))
    world = World(base, random.Random(options.seed))
    wrongs = ["it did not end"]
    try:
        wrongs, samples = soak(world, options.seconds)
        report = render_report(world, options.seconds, wrongs, samples, options.seed)
        print(report)
        if options.write:
            options.write.write_text(report)
    finally:
        for service in world.services:
            if service.process and service.process.poll() is None:
                service.kill()
        for _, pid, _ in find_processes():
            os.kill(pid, signal.SIGKILL)
        world.hub.stop()
        if wrongs or options.keep:
            print(f"what is left is in {base}")
        else:
            shutil.rmtree(base)
    return 1 if wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
