"""A closed worker pool is supervised until the last worker ends."""

import threading
from queue import Queue

import pytest

from provisioning.controller.events import WorkerHung
from provisioning.controller.worker_pool import WorkerPool
from provisioning.core.scheduling.workqueue import Ending, Key, Topic, Urgency


class Clock:
    time = 0.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def events():
    return Queue()


@pytest.fixture
def worker_pool(clock, events):
    """One that has taken up work, which ends when the test does, and was closed then."""
    began, may_end = threading.Event(), threading.Event()

    def work(_):
        began.set()
        may_end.wait(60)
        return Ending(is_good=True)

    worker_pool = WorkerPool(size=1, timeout=60, notify=events.put, now=clock)
    worker_pool.start(work)
    worker_pool.add(Key("shop", Topic.INFRA, "web"), Urgency.PUSH, "test")
    assert began.wait(30)
    worker_pool.close()
    yield worker_pool
    may_end.set()


def test_a_worker_that_hangs_while_all_is_drained_keeps_nobody_waiting(worker_pool, clock, events):
    """Else a drain would never come to its end."""
    clock.time = 61.0
    assert worker_pool.join(30)
    assert isinstance(events.get(timeout=30), WorkerHung)


def test_a_worker_that_goes_on_while_all_is_drained_is_looked_after(worker_pool, clock, events):
    """That it hung once is no reason to leave it alone: the watchdog would end it in mid-call."""
    clock.time = 61.0
    assert isinstance(events.get(timeout=30), WorkerHung)
    worker_pool.beat(Key("shop", Topic.INFRA, "web"))
    assert not worker_pool.join(0.05)
    clock.time = 62.0
    until = threading.Event()
    for _ in range(1000):
        if worker_pool.beat_at == clock.time:
            break
        until.wait(0.1)
    assert worker_pool.beat_at == clock.time


def test_a_long_drain_is_alive(worker_pool, clock):
    """Its supervisor beats on, so that no watchdog ends it within a run."""
    for clock.time in (20.0, 40.0):
        until = threading.Event()
        for _ in range(1000):
            if worker_pool.beat_at == clock.time:
                break
            until.wait(0.1)
        assert worker_pool.beat_at == clock.time
