"""A crew that takes nothing new is looked after until the last worker is done."""

import threading
from queue import Queue

import pytest

from provisioning.core.work import Ending, Key, Topic, Urgency
from provisioning.reconciler.serving.crew import Crew
from provisioning.reconciler.serving.news import WorkerHung


class Clock:
    time = 0.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told():
    return Queue()


@pytest.fixture
def crew(clock, told):
    """One that has taken up work, which ends when the test does, and was closed then."""
    began, may_end = threading.Event(), threading.Event()

    def work(_):
        began.set()
        may_end.wait(60)
        return Ending(is_good=True)

    crew = Crew(size=1, patience=60, tell=told.put, now=clock)
    crew.start(work)
    crew.add(Key("shop", Topic.INFRA, "web"), Urgency.PUSH, "test")
    assert began.wait(30)
    crew.close()
    yield crew
    may_end.set()


def test_a_worker_that_hangs_while_all_is_drained_keeps_nobody_waiting(crew, clock, told):
    """Else a drain would never come to its end."""
    clock.time = 61.0
    assert crew.join(30)
    assert isinstance(told.get(timeout=30), WorkerHung)


def test_a_worker_that_goes_on_while_all_is_drained_is_looked_after(crew, clock, told):
    """That it hung once is no reason to leave it alone: the watchdog would end it in mid-call."""
    clock.time = 61.0
    assert isinstance(told.get(timeout=30), WorkerHung)
    crew.sign(Key("shop", Topic.INFRA, "web"))
    assert not crew.join(0.05)
    clock.time = 62.0
    until = threading.Event()
    for _ in range(1000):
        if crew.beat == clock.time:
            break
        until.wait(0.1)
    assert crew.beat == clock.time


def test_a_long_drain_is_alive(crew, clock):
    """Its supervisor beats on, so that no watchdog ends it within a run."""
    for clock.time in (20.0, 40.0):
        until = threading.Event()
        for _ in range(1000):
            if crew.beat == clock.time:
                break
            until.wait(0.1)
        assert crew.beat == clock.time
