"""The workers of a service: in parallel, replaced when they hang, never lost to a defect."""

import threading
import time
from queue import Queue

import pytest

from provisioning.controller import worker_pool as module
from provisioning.controller.events import Defect, WorkerHung
from provisioning.controller.worker_pool import WorkerPool
from provisioning.core.scheduling.workqueue import Ending, Key, Topic, Urgency

GOOD = Ending(is_good=True)


def key(name):
    return Key("shop", Topic.INFRA, name)


class Clock:
    time = 0.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def events():
    return []


@pytest.fixture
def build(events, monkeypatch):
    monkeypatch.setattr(module, "SUPERVISE_INTERVAL", 0.01)
    made = []

    def build_pool(do, size=2, timeout=1000.0, now=time.monotonic):
        worker_pool = WorkerPool(size=size, timeout=timeout, notify=events.append, now=now)
        made.append(worker_pool)
        worker_pool.start(do)
        return worker_pool

    yield build_pool
    for worker_pool in made:
        worker_pool.close()


def test_as_many_at_once_as_there_are_workers(build):
    """Two keys are worked on side by side, and the third when one of them is done."""
    both, third = threading.Barrier(3), threading.Event()

    def do(work):
        if work.key.name == "c":
            third.set()
        else:
            both.wait(20)
        return GOOD

    worker_pool = build(do)
    for name in "abc":
        worker_pool.add(key(name), Urgency.PUSH, "")
    both.wait(20)
    assert third.wait(20)
    assert worker_pool.join(20)


def test_a_defect_costs_nobody_a_worker(build, events):
    """It is events with its traceback, and the key is tried again later."""
    done = threading.Event()

    def do(work):
        if work.key.name == "bad":
            raise ZeroDivisionError
        done.set()
        return GOOD

    worker_pool = build(do, size=1)
    worker_pool.add(key("bad"), Urgency.REVIEW, "")
    worker_pool.add(key("good"), Urgency.PUSH, "")
    assert done.wait(20)
    (defect,) = events
    assert isinstance(defect, Defect)
    assert "ZeroDivisionError" in defect.trace
    with worker_pool.open_queue() as queue:
        assert queue.get_failures(key("bad")) == 1
        assert queue.get_wake() is not None


def test_a_worker_that_hangs_is_replaced(build, events):
    """Its key stays taken, so that nothing runs twice; the others go on."""
    gate, done, runs = threading.Event(), threading.Event(), []

    def do(work):
        if work.key.name == "slow":
            runs.append(work)
            gate.wait(30)
        else:
            done.set()
        return GOOD

    worker_pool = build(do, size=1, timeout=0.05)
    worker_pool.add(key("slow"), Urgency.PUSH, "")
    while not events:
        threading.Event().wait(0.01)
    assert isinstance(events[0], WorkerHung)
    worker_pool.add(key("slow"), Urgency.PUSH, "")
    worker_pool.add(key("other"), Urgency.RESYNC, "")
    assert done.wait(20)
    assert len(runs) == 1
    assert [each.key for each in worker_pool.list_hung()] == [key("slow")]
    assert worker_pool.join(20), "what hangs holds up no end"
    assert not worker_pool.join_all(0.05), "but it is not done"
    gate.set()
    while len(runs) < 2:
        threading.Event().wait(0.01)
    assert worker_pool.list_hung() == []


def test_who_goes_on_after_a_silence_hangs_no_more(build, events, clock):
    """It is waited for again, so that nothing ends in the middle of a call."""
    goes_on, gate, began, started = (threading.Event() for _ in range(4))

    def do(work):
        if work.key.name == "slow":
            started.set()
            goes_on.wait(20)
            while not gate.wait(0.01):
                worker_pool.beat(work.key)
        else:
            began.set()
        return GOOD

    worker_pool = build(do, size=1, timeout=1.0, now=clock)
    worker_pool.add(key("slow"), Urgency.PUSH, "")
    assert started.wait(20)
    clock.time = 2.0
    while not events:
        threading.Event().wait(0.01)
    assert [each.key for each in worker_pool.list_hung()] == [key("slow")]
    goes_on.set()
    while worker_pool.list_hung():
        threading.Event().wait(0.01)
    worker_pool.add(key("other"), Urgency.PUSH, "")
    assert began.wait(20), "its place is taken all the same"
    worker_pool.close()
    assert not worker_pool.join(0.05)
    gate.set()
    assert worker_pool.join(20)
    assert len(events) == 1


def test_a_sign_of_life_is_one(build, events, clock):
    """Who still gets on with it is not hung, however long it takes."""
    step, done = threading.Semaphore(0), threading.Event()

    def do(work):
        for _ in range(60):
            step.acquire(timeout=20)
            worker_pool.beat(work.key)
            clock.time += 0.1
        done.set()
        return GOOD

    worker_pool = build(do, size=1, timeout=0.2, now=clock)
    worker_pool.add(key("busy"), Urgency.PUSH, "")
    while not done.wait(0.01):
        step.release()
    assert worker_pool.join(20)
    assert events == []


def test_closed_it_takes_nothing_more(build):
    """What is queued is left for the next service, who finds it in Git."""
    began, gate, runs = threading.Event(), threading.Event(), []

    def do(work):
        runs.append(work.key.name)
        began.set()
        gate.wait(20)
        return GOOD

    worker_pool = build(do, size=1)
    worker_pool.add(key("a"), Urgency.PUSH, "")
    worker_pool.add(key("b"), Urgency.PUSH, "")
    assert began.wait(20)
    worker_pool.close()
    assert not worker_pool.join(0.05)
    gate.set()
    assert worker_pool.join(20)
    assert runs == ["a"]


def test_what_is_asked_for_together_goes_in_the_order_of_its_needs(build):
    """However quick the workers are, none takes what needs another one that comes later."""
    taken = Queue()

    def do(work):
        taken.put(work.key)
        return GOOD

    worker_pool = build(do, size=4)
    with worker_pool.open_queue() as queue:
        queue.set_needs("shop", {key("api"): [key("zoo")]})
    worker_pool.add_all([key("api"), key("zoo")], Urgency.PUSH, "commit")
    assert [taken.get(timeout=20) for _ in range(2)] == [key("zoo"), key("api")]
