"""Deterministic time: greenlets that sleep, are paused or killed, one at a time."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from itertools import count
from types import SimpleNamespace

from greenlet import getcurrent, greenlet


class Killed(BaseException):
    """The process was killed; nothing may catch it."""


class Machine:
    """One process: its clocks, its greenlets, and whether it lives.

    Args:
        world: The time everybody shares and nobody knows.
        name: Its name in the trace.
        rate: Seconds of its monotonic clock in a true second.
        offset: What its monotonic clock showed at the beginning.
        skew: By how many seconds its wall clock is wrong.
    """

    def __init__(self, world: World, name: str, *, rate: float, offset: float, skew: float) -> None:
        self.world = world
        self.name = name
        self.is_dead = False
        self.paused_until = 0.0
        self._rate, self._offset, self._skew = rate, offset, skew

    def read_monotonic(self) -> float:
        """Read its monotonic clock."""
        return self._offset + self.world.now * self._rate

    def read_wall(self) -> float:
        """Read its wall clock."""
        return 1.9e9 + self._skew + self.world.now

    def sleep(self, seconds: float) -> None:
        """Sleep by its own clock; a process that was killed meanwhile never wakes."""
        self.world.wait(self, seconds / self._rate)

    def spawn(self, work: Callable[[], None]) -> greenlet:
        """Run *work* beside whatever else this process does."""

        def run() -> None:
            try:
                work()
            except Killed:
                return

        child = greenlet(run, parent=self.world.hub)
        child.machine = self
        self.world.wake(self, child, 0.0)
        return child

    def kill(self) -> None:
        """Kill it, as `kill -9` would: nothing of it ever runs again."""
        self.is_dead = True


class World:
    """True time, and who wakes when. All chance comes from one seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0
        self.trace: list[str] = []
        self.hub = getcurrent()
        self._queue: list[tuple[float, int, Machine, greenlet]] = []
        self._numbers = count()

    def tell(self, who: str, what: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{self.now:9.3f}  {who:8}  {what}")

    def wake(self, machine: Machine, sleeper: greenlet, seconds: float) -> None:
        """Let *sleeper* go on in *seconds*."""
        heapq.heappush(self._queue, (self.now + seconds, next(self._numbers), machine, sleeper))

    def wait(self, machine: Machine, seconds: float) -> None:
        """Let others go on for *seconds* of true time; from here a killed process unwinds."""
        if machine.is_dead:
            raise Killed
        self.wake(machine, getcurrent(), seconds)
        self.hub.switch()
        if machine.is_dead:
            raise Killed

    def run(self, until: float) -> None:
        """Let everybody go on until *until*, or until nobody has anything to do."""
        while self._queue and self._queue[0][0] <= until:
            due, number, machine, sleeper = heapq.heappop(self._queue)
            if machine.paused_until > due and not machine.is_dead:
                heapq.heappush(self._queue, (machine.paused_until, number, machine, sleeper))
                continue
            self.now = max(self.now, due)
            if not sleeper.dead:
                sleeper.switch()
        self.now = max(self.now, until)


def build_threading() -> SimpleNamespace:
    """Return what the product uses of `threading`, made of greenlets of the current process."""
    return SimpleNamespace(Thread=_Thread, Event=_Event, Lock=_Lock, current_thread=getcurrent)


def find_machine() -> Machine:
    """Return the process that the current greenlet belongs to."""
    machine: Machine = getcurrent().machine
    return machine


class _Thread:
    def __init__(self, *, target: Callable[[], None], name: str, daemon: bool) -> None:
        self._target, self._greenlet = target, None
        self._waiters = _Waiters()

    def start(self) -> None:
        self._greenlet = find_machine().spawn(self._run)

    def join(self) -> None:
        if not self._greenlet.dead:
            self._waiters.wait()

    def _run(self) -> None:
        try:
            self._target()
        finally:
            self._waiters.wake_all()

    def __eq__(self, other: object) -> bool:
        return other is self._greenlet or other is self

    def __hash__(self) -> int:
        return id(self)


class _Event:
    def __init__(self) -> None:
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True

    def wait(self, seconds: float) -> bool:
        machine = find_machine()
        until = machine.read_monotonic() + seconds
        while not self._is_set and machine.read_monotonic() < until:
            machine.sleep(min(1.0, until - machine.read_monotonic()))
        return self._is_set


class _Lock:
    def __init__(self) -> None:
        self._holder: greenlet | None = None
        self._waiters = _Waiters()

    def __enter__(self) -> None:
        while self._holder is not None:
            self._waiters.wait()
        self._holder = getcurrent()

    def __exit__(self, *_: object) -> None:
        self._holder = None
        self._waiters.wake_all()


class _Waiters:
    """Greenlets of one process that wait for something another of its greenlets will do."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Machine, greenlet]] = []

    def wait(self) -> None:
        machine = find_machine()
        self._waiting.append((machine, getcurrent()))
        machine.world.hub.switch()
        if machine.is_dead:
            raise Killed

    def wake_all(self) -> None:
        for machine, waiter in self._waiting:
            machine.world.wake(machine, waiter, 0.0)
        self._waiting.clear()
