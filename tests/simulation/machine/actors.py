"""Reconcilers and people, who run the product's own code for locks and leases."""

from __future__ import annotations

import msgspec
from scheduling import Machine
from server import Client, Server

from provisioning.core.model.errors import (
    Fenced,
    HeadMoved,
    InvalidArgument,
    LockHeld,
    ProvisioningError,
    RemoteUnreachable,
)
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.records import (
    Action,
    Begin,
    Change,
    Holder,
    Intent,
    Lock,
    Outcome,
    Result,
    Run,
)
from provisioning.core.model.values import Digest
from provisioning.core.statelog.lock_expiry import LockStatus, compute_lock_status
from provisioning.core.statelog.transitions import LogView, build_run_id, next_token
from provisioning.reconciler.execution.lease import Clocks, Lease, render_time
from provisioning.reconciler.operations.lock import hold_lock, release_lock

TTL = 30.0
COMMIT, DIGEST = CommitId("1" * 40), Digest("sha256:00")
CALL_SECONDS = 8.0
"""Seconds that a call of a provider may take."""


class Call:
    """A call of a provider: whose, and from when to when in true time.

    If its caller is killed it goes on until its deadline.
    """

    def __init__(self, run: str, start: float, deadline: float) -> None:
        self.token = int(run.partition("-")[0])
        self.start, self.end = start, start + deadline


class Actor:
    """One reconciler: its own clocks, its own memory of the locks it saw."""

    def __init__(self, server: Server, machine: Machine, calls: list[Call]) -> None:
        self._server, self._machine = server, machine
        self._log = Client(server, machine)
        self._calls = calls
        self._seen: tuple[Lock | None, float] = (None, 0.0)
        self._clocks = Clocks(wall=machine.read_wall, monotonic=machine.read_monotonic)
        self._holder = Holder(user=machine.name, host=machine.name)

    def work(self, runs: int) -> None:
        """Make *runs* runs, each after a while."""
        chance = self._server.world.chance
        while runs:
            self._machine.sleep(chance.uniform(0.1, 20.0))
            try:
                self.try_once(chance.randrange(4))
                runs -= 1
            except ProvisioningError as exc:
                self._server.counts[exc.code] += 1
                self._server.world.tell(self._machine.name, f"gives up: {exc.code}")

    def try_once(self, effects: int) -> None:
        """Acquire, have *effects*, record."""
        lease = self._acquire(effects)
        try:
            for number in range(effects):
                self._affect(lease, number)
        finally:
            lease.close()
        run = self._build_run(lease.begin)
        lease.record(run, {})
        self._server.world.tell(self._machine.name, f"recorded {run.run}")

    def _acquire(self, effects: int) -> Lease:
        view = self._log.read()
        if view.lock and self.judge(view.lock).is_held:
            raise LockHeld("it is held")
        self._server.counts["takes over"] += view.lock is not None
        token = next_token(view)
        nonce = self._server.world.chance.randbytes(3)
        run, now = build_run_id(token, nonce), render_time(self._clocks.wall())
        intents = tuple(self._intend(run, number) for number in range(effects))
        begin = Begin(
            run=run,
            actor=self._machine.name,
            reason="simulated",
            commit=COMMIT,
            digest=DIGEST,
            started_at=now,
            intents=intents,
        )
        lock = Lock(
            token=token,
            holder=self._holder,
            reason="simulated",
            acquired_at=now,
            renewed_at=now,
            ttl=TTL,
            run=run,
        )
        return Lease(self._log, view, lock, begin, self._clocks)

    def _intend(self, run: str, number: int) -> Intent:
        return Intent(
            operation=number,
            id=ResourceId(f"Thing/t{number}"),
            action=Action.CREATE,
            kind="Thing",
            provider="memory",
            run=run,
        )

    def judge(self, lock: Lock) -> LockStatus:
        """Judge *lock* by how long this process has seen it unchanged."""
        known, since = self._seen
        now = self._machine.read_monotonic()
        if known != lock:
            self._seen = (lock, now)
            since = now
        return compute_lock_status(lock, is_gone=False, seen_for=now - since)

    def _affect(self, lease: Lease, number: int) -> None:
        """Guard one call as `reconciler.execution.operation_runner` does, and make it."""
        chance, intent = self._server.world.chance, self._intend(lease.begin.run, number)
        if chance.random() < 0.3:
            place = {"place": f"p{chance.randrange(9)}"}
            intent = msgspec.structs.replace(intent, attributes=place)
        lease.check()
        lease.intend(intent)
        remaining = lease.get_remaining()
        if remaining is None or remaining <= 0:
            raise Fenced("the lease ends before the call could be made")
        deadline = min(CALL_SECONDS, remaining)
        call = Call(lease.begin.run, self._server.world.now, deadline)
        self._calls.append(call)
        self._machine.sleep(chance.uniform(0.0, deadline))
        call.end = min(call.end, self._server.world.now)

    def _build_run(self, begin: Begin) -> Run:
        change = Change(id=ResourceId("Thing/t"), action=Action.CREATE, outcome=Outcome.CREATED)
        return Run(
            run=begin.run,
            actor=begin.actor,
            reason=begin.reason,
            commit=begin.commit,
            digest=begin.digest,
            result=Result.DONE,
            started_at=begin.started_at,
            finished_at=begin.started_at,
            changes=(change,),
        )


class Person:
    """Somebody who holds, releases, and now and then steals a lock."""

    def __init__(self, server: Server, machine: Machine) -> None:
        self._server, self._machine = server, machine
        self._log = Client(server, machine)

    def work(self) -> None:
        """Hold and release a few times."""
        chance = self._server.world.chance
        for _ in range(chance.randrange(3)):
            self._machine.sleep(chance.uniform(0.0, 120.0))
            try:
                self._hold(steals=chance.random() < 0.3)
                self._machine.sleep(chance.uniform(0.0, 60.0))
                release_lock(self._log, self._machine.name)
            except (HeadMoved, InvalidArgument, LockHeld, RemoteUnreachable) as exc:
                self._server.counts[f"person: {exc.code}"] += 1

    def _hold(self, *, steals: bool) -> LogView:
        now = render_time(self._machine.read_wall())
        lock = Lock(
            token=0,
            holder=Holder(self._machine.name, self._machine.name),
            reason="by hand",
            acquired_at=now,
            renewed_at=now,
            ttl=TTL,
        )
        if steals:
            self._server.counts["person steals"] += 1
        judge = Actor(self._server, self._machine, []).judge
        return hold_lock(self._log, lock, judge=judge, steals=steals)
