"""Lets processes race for one lock at a real Gitea, again and again; each race has one winner.

    python tests/peers/gitea/contests.py --contests 1000 --processes 6 [--kills 20] [--faults 100]

Every process is a machine of its own: its mirror, its connections. In each contest all read the
same free lock, wait for each other, and begin a run at once; whoever the log says won, records.
*Kills* is how often Gitea is killed in the middle of a contest and started again; *faults* how
many requests a proxy cuts off, before or after passing them on. Ended by SIGTERM it judges what
was held until then.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from entries import begin, record
from gitea_proxy import Fault, FaultyProxy
from gitea_server import GiteaServer
from peer_programs import PeerMissing, PeerNotBuilt, find_peer

from provisioning.core.model.errors import HeadMoved, RemoteUnreachable
from provisioning.core.statelog.fsck import compute_findings
from provisioning.core.statelog.transitions import LogView, is_own
from provisioning.forges.gitea.api import GiteaApi
from provisioning.forges.gitea.contents import GiteaContents
from provisioning.gitstore.repository.remote import Remote
from provisioning.locks.gitea_lock import ContentsStateLog

WRITE = r"^POST .*(/contents|/git-receive-pack)"
PATIENCE = 300.0
"""Seconds in which a server that was killed is there again."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the repository is, and who may write it."""

    url: str
    repository: str
    token: str


def open_log(place: Place, folder: Path) -> ContentsStateLog:
    """Open the log as a machine of its own does."""
    url = f"{place.url}/{place.repository}.git"
    remote = Remote(url, folder / "mirror.git", token=place.token)
    contents = GiteaContents(GiteaApi(place.url, place.token), place.repository)
    return ContentsStateLog(remote.mirror, "web", remote=remote, author="Ada", contents=contents)


def persist(act):
    """Do *act* until the server is there."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return act()
        except RemoteUnreachable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def contend(number: int, place: Place, folder: Path, link: Connection) -> None:
    """Take part in every contest that *link* announces."""
    folder.mkdir()
    log = open_log(place, folder)
    while link.recv():
        view = persist(log.read)
        link.send(view.fence)
        link.recv()
        told = try_begin(log, view, number)
        link.send(told)
        link.recv()
        link.send(finish(log, number, view.fence + 1) if told != "lost" else None)


def try_begin(log: ContentsStateLog, view: LogView, number: int) -> str:
    """Begin a run; return `won`, `lost`, or `unknown` if no answer told."""
    try:
        begin(log, view, number)
    except HeadMoved:
        return "lost"
    except RemoteUnreachable as exc:
        print(f"{view.fence + 1}: {exc.message}", file=sys.stderr)
        return "unknown"
    return "won"


def finish(log: ContentsStateLog, number: int, token: int) -> int:
    """Record if the lock is ours, whatever we were told; return whose it was, 0 for nobody's."""
    view = persist(log.read)
    run = view.lock.run if view.lock else view.run.run if view.run else "0-0"
    if view.fence != token:
        return 0
    owner = int(run.partition("-")[2], 16)
    if view.lock and owner == number:
        assert is_own(view, run)
        with suppress(HeadMoved):  # an answer was lost, and it is there
            persist(lambda: record(log, view))
        assert persist(log.read).run.run == run
    return owner


@dataclass
class Tally:
    """What was counted."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def add(self, told: list[str], owner: int, seconds: float) -> None:
        """Count one contest; make sure that it had one winner, who was not told otherwise."""
        won = told.count("won")
        assert won <= 1, f"{won} were told that they won: {told}"
        if won:
            assert owner == told.index("won") + 1, f"the lock was of {owner}: {told}"
        if owner:
            assert told[owner - 1] != "lost", f"the holder was told that it lost: {told}"
        else:
            assert "unknown" in told, f"nobody won, and nobody was told why: {told}"
        self.counts.update({"lost": 0, "unknown": 0, "won": 0, "no winner, and an error": 0})
        self.counts.update(told)
        self.counts["one winner" if owner else "no winner, and an error"] += 1
        self.counts["the winner learnt it from the log"] += bool(owner) - won
        self.seconds.append(seconds)


class Crowd:
    """The processes, and the links to them."""

    def __init__(self, count: int, place: Place, folder: Path) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.links, self.processes = [], []
        for number in range(1, count + 1):
            link, other = spawn.Pipe()
            arguments = (number, place, folder / f"machine-{number}", other)
            process = spawn.Process(target=contend, args=arguments, daemon=True)
            process.start()
            other.close()
            self.links.append(link)
            self.processes.append(process)

    def tell(self) -> None:
        """Let everybody go on."""
        for link in self.links:
            link.send(True)

    def hear(self) -> list:
        """Wait for everybody's word."""
        return [link.recv() for link in self.links]

    def close(self) -> None:
        """Send everybody home."""
        for link in self.links:
            link.send(False)
        for process in self.processes:
            process.join(30)


def spread(count: int, contests: int, chance: random.Random) -> set[int]:
    """Choose *count* of the contests."""
    return set(chance.sample(range(1, contests), min(count, contests - 1)))


def hold_contests(arguments: argparse.Namespace, base: Path) -> tuple[Tally, int]:
    """Hold every contest; return the tally, and how many entries the log has then."""
    ends: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ends.append(number))
    chance = random.Random(arguments.seed)
    kills = spread(arguments.kills, arguments.contests, chance)
    faults = spread(arguments.faults, arguments.contests, chance)
    server = GiteaServer(find_peer("gitea"), base)
    tally = Tally()
    with ExitStack() as stack:
        server.start()
        stack.callback(server.stop)
        proxy = stack.enter_context(FaultyProxy(server.url))
        repository = server.create_repository()
        place = Place(proxy.url if faults else server.url, repository, server.token)
        crowd = Crowd(arguments.processes, place, base)
        for number in range(arguments.contests):
            if ends:
                break
            if number in faults:
                proxy.plan(WRITE, Fault(chance.randrange(2)))
            tally.counts["kills of Gitea"] += number in kills
            tally.counts["requests cut off"] += number in faults
            hold_contest(crowd, tally, server if number in kills else None, chance)
            if number % 100 == 99:
                print(number + 1, dict(tally.counts), file=sys.stderr, flush=True)
        crowd.close()
        entries = judge(place, base / "judge")
    check_objects(server.find_folder(repository))
    return tally, entries


def hold_contest(
    crowd: Crowd, tally: Tally, victim: GiteaServer | None, chance: random.Random
) -> None:
    """Hold one; *victim* is killed while it goes on, and started again."""
    crowd.tell()
    assert len(set(crowd.hear())) == 1, "they do not see the same log"
    started = time.perf_counter()
    crowd.tell()
    if victim:
        time.sleep(chance.uniform(0, 1.2 * statistics.median(tally.seconds)))
        victim.kill()
        victim.start()
    told = crowd.hear()
    seconds = time.perf_counter() - started
    crowd.tell()
    (owner,) = {each for each in crowd.hear() if each is not None} or {0}
    tally.add(told, owner, seconds)


def judge(place: Place, folder: Path) -> int:
    """Make sure that the log's history is sound; return how many entries it has."""
    folder.mkdir()
    log = open_log(place, folder)
    view = log.read()
    history = list(log.read_history())
    findings = list(compute_findings(history))
    assert findings == [], findings
    assert view.lock is None
    runs = [each.trailers["Run-Id"] for each in history]
    assert set(Counter(runs).values()) <= {2}, "a run has not exactly its two entries"
    return len(history)


def check_objects(repository: Path) -> None:
    """Make sure that the server's own repository is whole."""
    command = ["git", "-C", str(repository), "fsck", "--strict", "--no-dangling"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def main() -> None:
    """Hold the contests and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contests", type=int, default=100)
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--faults", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    try:
        find_peer("gitea")
    except (PeerMissing, PeerNotBuilt) as exc:
        raise SystemExit(str(exc)) from exc
    with tempfile.TemporaryDirectory() as base:
        tally, entries = hold_contests(arguments, Path(base))
    print(f"{len(tally.seconds)} contests between {arguments.processes} processes")
    for name, count in sorted(tally.counts.items()):
        print(f"  {name}: {count}")
    print(f"  entries in the log: {entries}, linear, fenced, complete")
    median = statistics.median(tally.seconds)
    print(f"  seconds a contest: median {median:.2f}, longest {max(tally.seconds):.2f}")


if __name__ == "__main__":
    main()
