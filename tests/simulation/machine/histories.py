"""One history from one seed: who took part, what went wrong, and whether the promises held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from unittest import mock

from actors import CALL_SECONDS, TTL, Actor, Call, Person
from memory_statelogs import MemoryStateLog, SharedBranch
from scheduling import Machine, World, build_threading
from server import Server

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.statelog.fsck import LogCommit, compute_findings
from provisioning.reconciler.execution import lease

DRIFT = 0.005
"""By which share of a second a second a monotonic clock may be wrong; real ones reach 0.0002."""

END = 900.0


@dataclass(frozen=True, slots=True)
class History:
    """What became of one seed."""

    seed: int
    faults: tuple[str, ...]
    counts: Counter[str]
    trace: tuple[str, ...]


def simulate(
    seed: int, log: Callable[[str, SharedBranch], MemoryStateLog] = MemoryStateLog
) -> History:
    """Play the history of *seed*; the same seed is the same history."""
    world = World(seed)
    chance = world.chance
    server = Server(world, trouble=chance.choice((0, 10, 60, 150)), log=log)
    calls: list[Call] = []
    with mock.patch.object(lease, "threading", build_threading()):
        machines = [_build_machine(world, f"r{n}") for n in range(chance.randint(2, 5))]
        for machine in machines:
            actor = Actor(server, machine, calls)
            machine.spawn(lambda actor=actor: actor.work(3))
        person = _build_machine(world, "person")
        machines.append(person)
        person.spawn(Person(server, person).work)
        _disturb(world, server, machines, calls)
        world.run(END)
        faults = [*find_faults(server, calls)]
        faults += _check_liveness(world, server, machines, calls)
    return History(seed, tuple(faults), server.counts, tuple(world.trace))


def _build_machine(world: World, name: str) -> Machine:
    chance = world.chance
    return Machine(
        world,
        name,
        rate=1 + chance.uniform(-DRIFT, DRIFT),
        offset=chance.uniform(0.0, 1e6),
        skew=chance.uniform(-1e6, 1e6),
    )


def _disturb(world: World, server: Server, machines: list[Machine], calls: list[Call]) -> None:
    """Pause processes for longer than the ttl, kill and replace them, stop the server."""
    chance = world.chance
    fate = Machine(world, "fate", rate=1.0, offset=0.0, skew=0.0)

    def strike() -> None:
        for _ in range(chance.randrange(6)):
            fate.sleep(chance.uniform(0.0, 90.0))
            victim = chance.choice(machines)
            what = chance.choice(("pause", "kill", "crash"))
            server.counts[what] += 1
            world.tell("fate", f"{what} {victim.name}")
            if what == "pause":
                victim.paused_until = world.now + chance.uniform(0.0, 3 * TTL)
            elif what == "crash":
                server.down_until = world.now + chance.uniform(0.0, TTL)
            else:
                victim.kill()
                machines.append(_replace(world, server, victim, calls))

    fate.spawn(strike)


def _replace(world: World, server: Server, victim: Machine, calls: list[Call]) -> Machine:
    machine = _build_machine(world, f"{victim.name}'")
    machine.spawn(lambda: Actor(server, machine, calls).work(2))
    return machine


def find_faults(server: Server, calls: list[Call]) -> Iterator[str]:
    """Check what must hold of every history."""
    commits = [each.commit for each in server.branch.entries]
    yield from (str(finding) for finding in compute_findings(reversed(commits)))
    heads = {commit.id for commit in commits}
    lost = [view.head for view in server.acknowledged if view.head not in heads]
    if lost:
        yield f"writes were acknowledged and are lost: {lost}"
    writers: dict[str, set[str]] = {}
    for commit in commits:
        if "Run-Id" in commit.trailers:
            token = commit.trailers["Fencing-Token"]
            writers.setdefault(token, set()).add(commit.trailers["Run-Id"])
    yield from (f"token {t} has writers {w}" for t, w in writers.items() if len(w) > 1)
    yield from _find_intrusions(server, calls)


def _find_intrusions(server: Server, calls: list[Call]) -> Iterator[str]:
    """Find calls during which another run began because it judged the lease to have expired.

    A person who steals a lock overrules the lease, and has been asked whether to.
    """
    overruled = {
        each.commit.view.fence for each in server.branch.entries if _is_by_person(each.commit)
    }
    for call in calls:
        for landed, _, view in server.landed:
            is_later = view.fence > call.token
            is_overruled = bool(overruled & set(range(call.token + 1, view.fence + 1)))
            if is_later and not is_overruled and call.start <= landed < call.end:
                yield f"run {call.token} called until {call.end:.3f}; {view.fence} began before"


def _is_by_person(commit: LogCommit) -> bool:
    return commit.subject.startswith(("hold", "steal"))


def _check_liveness(
    world: World, server: Server, machines: list[Machine], calls: list[Call]
) -> Iterator[str]:
    """With all trouble over, one more run must succeed once the lock has expired."""
    server.trouble, server.down_until = 0, 0.0
    for machine in machines:
        machine.kill()
    last = _build_machine(world, "last")
    actor, done = Actor(server, last, calls), []

    def try_again() -> None:
        while not done:
            try:
                actor.try_once(1)
                done.append(world.now)
            except ProvisioningError:
                last.sleep(1.0)

    last.spawn(try_again)
    world.run(END + 400.0 + 3 * (TTL + CALL_SECONDS))
    if not done:
        yield "in the end nobody could take the lock any more"
    elif server.log.read().lock:
        yield "in the end the lock is not free"
