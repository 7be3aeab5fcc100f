"""The queue of a service: what is taken, in which order, and what waits."""

import pytest

from provisioning.core.scheduling.workqueue import (
    Ending,
    Key,
    QueueStatus,
    Topic,
    Urgency,
    WorkQueue,
)

GOOD, BAD = Ending(is_good=True), Ending(is_good=False)


def key(name, workspace="shop"):
    return Key(workspace, Topic.INFRA, name)


@pytest.fixture
def queue():
    return WorkQueue()


def take_all(queue, now=0.0):
    """Take and end everything; return the names in their order."""
    names = []
    while (work := queue.take(now)) is not None:
        names.append(work.key.name)
        queue.end(work.key, GOOD, now)
    return names


def test_the_most_urgent_comes_first(queue):
    """A review before a push, a push before drift, drift before a resync; equals as they came."""
    for name, urgency in (("s", Urgency.RESYNC), ("p1", Urgency.PUSH), ("d", Urgency.DRIFT),
                          ("r", Urgency.REVIEW), ("p2", Urgency.PUSH)):  # fmt: skip
        queue.add(key(name), urgency, "", 0)
    assert take_all(queue) == ["r", "p1", "p2", "d", "s"]


def test_a_key_is_queued_once_and_as_urgent_as_ever_asked(queue):
    """Asked for again it moves up, never down, and is as old as it was."""
    queue.add(key("a"), Urgency.RESYNC, "resync", 1)
    queue.add(key("b"), Urgency.DRIFT, "drift", 2)
    queue.add(key("a"), Urgency.PUSH, "push", 3)
    queue.add(key("a"), Urgency.RESYNC, "resync again", 4)
    work = queue.take(5)
    assert (work.key.name, work.urgency, work.reason, work.since) == ("a", Urgency.PUSH, "push", 1)
    queue.end(work.key, GOOD, 5)
    assert take_all(queue) == ["b"]


def test_a_key_that_is_worked_on_is_taken_once_more(queue):
    """What comes meanwhile may be news; however often it comes, it is one more time."""
    queue.add(key("a"), Urgency.RESYNC, "", 0)
    work = queue.take(0)
    for _ in range(1000):
        queue.add(key("a"), Urgency.PUSH, "push", 1)
    assert queue.take(1) is None
    queue.end(work.key, GOOD, 2)
    assert take_all(queue) == ["a"]


def test_workspaces_take_turns(queue):
    """One with a thousand keys does not keep another with one waiting."""
    for number in range(3):
        queue.add(key(f"a{number}", "one"), Urgency.PUSH, "", 0)
    queue.add(key("b", "two"), Urgency.PUSH, "", 0)
    assert take_all(queue) == ["a0", "b", "a1", "a2"]


def test_what_failed_waits_and_counts(queue):
    """It is not taken before it is due, and says how often in a row it failed."""
    queue.add(key("a"), Urgency.RESYNC, "", 0)
    for failures in range(3):
        work = queue.take(failures * 10)
        assert work.failures == failures
        queue.end(work.key, Ending(is_good=False, retry=10), failures * 10)
        assert queue.take(failures * 10 + 9.9) is None
        assert queue.get_wake() == (failures + 1) * 10
    work = queue.take(30)
    queue.end(work.key, GOOD, 30)
    assert queue.get_failures(key("a")) == 0


@pytest.mark.parametrize(
    ("urgency", "is_taken"),
    [(Urgency.REVIEW, True), (Urgency.PUSH, True), (Urgency.DRIFT, False), (Urgency.RESYNC, False)],
)
def test_what_comes_while_it_fails_ends_no_delay_either(queue, urgency, is_taken):
    """A run that fails and leaves traces which are noticed must not run again for that."""
    queue.add(key("a"), Urgency.RESYNC, "", 0)
    work = queue.take(0)
    queue.add(key("a"), urgency, "", 0)
    queue.end(work.key, Ending(is_good=False, retry=100), 0)
    assert (queue.take(1) is not None) == is_taken
    assert is_taken or queue.take(100) is not None


def test_what_is_not_due_yet_waits(queue):
    """Unless something more urgent comes."""
    queue.add(key("a"), Urgency.DRIFT, "", 0, due=10)
    queue.add(key("b"), Urgency.DRIFT, "", 0, due=10)
    assert queue.take(9) is None
    queue.add(key("b"), Urgency.PUSH, "", 9)
    assert take_all(queue, 9) == ["b"]
    assert take_all(queue, 10) == ["a"]


@pytest.mark.parametrize(
    ("urgency", "is_taken"),
    [(Urgency.REVIEW, True), (Urgency.PUSH, True), (Urgency.DRIFT, False), (Urgency.RESYNC, False)],
)
def test_only_what_may_have_changed_it_ends_a_delay(queue, urgency, is_taken):
    """New inputs are a new chance; the next resync is not."""
    queue.add(key("a"), Urgency.RESYNC, "", 0)
    queue.end(queue.take(0).key, Ending(is_good=False, retry=100), 0)
    queue.add(key("a"), urgency, "", 1)
    work = queue.take(1)
    assert (work is not None) == is_taken
    assert not is_taken or work.failures == 0


def test_a_key_waits_for_those_it_needs(queue):
    """It is taken once they have come out well, and not while they are queued or worked on."""
    queue.set_needs("shop", {key("api"): [key("net")]})
    queue.add(key("api"), Urgency.PUSH, "", 0)
    queue.add(key("net"), Urgency.RESYNC, "", 0)
    work = queue.take(0)
    assert work.key.name == "net"
    (waiting,) = (each for each in queue.list_work() if each.standing is QueueStatus.WAITING)
    assert (waiting.key.name, waiting.waits_for) == ("api", key("net"))
    assert queue.take(0) is None
    queue.end(work.key, GOOD, 0)
    assert take_all(queue) == ["api"]


def test_a_key_waits_while_what_it_needs_has_come_out_badly(queue):
    """And goes on as soon as that is mended."""
    queue.set_needs("shop", {key("api"): [key("net")]})
    queue.add(key("net"), Urgency.RESYNC, "", 0)
    queue.end(queue.take(0).key, BAD, 0)
    queue.add(key("api"), Urgency.PUSH, "", 1)
    assert queue.take(1) is None
    queue.add(key("net"), Urgency.RESYNC, "", 2)
    assert take_all(queue, 2) == ["net", "api"]


@pytest.mark.parametrize(
    "free",
    [
        lambda queue: queue.set_needs("shop", {}),
        lambda queue: queue.forget([key("net")]),
    ],
    ids=["no reference", "no infra"],
)
def test_needs_that_are_gone_hold_nobody(queue, free):
    """A commit that removes the reference, or the infra that was needed, lets it go on."""
    queue.set_needs("shop", {key("api"): [key("net")]})
    queue.add(key("net"), Urgency.RESYNC, "", 0)
    queue.end(queue.take(0).key, Ending(is_good=False, retry=99), 0)
    queue.add(key("api"), Urgency.PUSH, "", 1)
    assert queue.take(1) is None
    free(queue)
    assert take_all(queue, 1) == ["api"]


def test_what_is_paused_is_kept_for_later(queue):
    """One key, or all; nothing that was asked for is lost."""
    queue.add(key("a"), Urgency.PUSH, "", 0)
    queue.add(key("b"), Urgency.PUSH, "", 0)
    queue.pause(key("a"))
    assert take_all(queue) == ["b"]
    assert queue.paused == {key("a")}
    queue.pause(None)
    queue.resume(key("a"))
    assert queue.take(0) is None
    queue.resume(None)
    assert take_all(queue) == ["a"]


def test_a_key_that_is_no_more_is_dropped(queue):
    """Except while it is worked on."""
    queue.add(key("a"), Urgency.PUSH, "", 0)
    queue.add(key("b"), Urgency.PUSH, "", 0)
    work = queue.take(0)
    queue.forget([key("a"), key("b")])
    assert queue.take(0) is None
    queue.end(work.key, GOOD, 0)
    assert queue.list_work() == []


def test_what_is_paused_holds_nobody_up(queue):
    """Who needs it takes it as it is."""
    queue.set_needs("shop", {key("api"): [key("net")]})
    queue.add(key("net"), Urgency.RESYNC, "", 0)
    queue.add(key("api"), Urgency.PUSH, "", 0)
    assert queue.take(0).key.name == "net"
    assert queue.take(0) is None
    queue.pause(key("net"))
    assert queue.take(0).key.name == "api"


def test_what_is_waited_for_is_as_urgent_as_who_waits(queue):
    """A push that waits for a resync is not passed by every other push."""
    queue.set_needs("shop", {key("b"): [key("a")]})
    queue.add(key("a"), Urgency.RESYNC, "", 0)
    queue.add(key("b"), Urgency.PUSH, "", 0)
    for number in range(3):
        queue.add(key(f"p{number}"), Urgency.PUSH, "", 0)
    assert take_all(queue) == ["p0", "p1", "p2", "a", "b"]
    for name in ("resync", "a"):
        queue.add(key(name), Urgency.RESYNC, "", 0)
    queue.add(key("b"), Urgency.PUSH, "", 0)
    assert take_all(queue) == ["a", "b", "resync"]


def test_waiting_for_another_is_no_failure(queue):
    """However long a lock is held, the first real failure waits as a first one does."""
    queue.add(key("a"), Urgency.PUSH, "", 0)
    for second in range(20):
        work = queue.take(second)
        queue.end(work.key, Ending(is_good=False, retry=1, is_failure=False), second)
    assert queue.get_failures(key("a")) == 0


def test_a_push_while_it_is_worked_on_counts_from_none(queue):
    """As one that comes while it waits."""
    queue.add(key("a"), Urgency.PUSH, "", 0)
    queue.end(queue.take(0).key, Ending(is_good=False, retry=1), 0)
    work = queue.take(1)
    queue.add(key("a"), Urgency.PUSH, "", 1)
    queue.end(work.key, Ending(is_good=False, retry=9), 1)
    assert queue.take(1).failures == 0
