import time

import msgspec
import pytest
from memory_statelogs import MemoryStateLog, SharedBranch

from provisioning.core.model.errors import Fenced, HeadMoved
from provisioning.core.model.ids import CommitId, ResourceId, RunId
from provisioning.core.model.records import Action, Begin, Holder, Intent, Lock, Result, Run
from provisioning.core.model.values import Digest
from provisioning.core.statelog.entries import compute_hold, compute_release
from provisioning.core.statelog.fsck import compute_findings
from provisioning.core.statelog.lock_expiry import LockState, compute_lock_status
from provisioning.reconciler.execution.lease import Clocks, Lease, render_time

RUN = RunId("1-abcdef")
HOLDER = Holder("ana", "here")


def build_lock(ttl):
    return Lock(token=1, holder=HOLDER, reason="t", acquired_at="", renewed_at="", ttl=ttl, run=RUN)


BEGIN = Begin(
    run=RUN, actor="ana", reason="t", commit=CommitId("c"), digest=Digest("d"), started_at=""
)
DONE = Run(
    run=RUN,
    actor="ana",
    reason="t",
    commit=CommitId("c"),
    digest=Digest("d"),
    result=Result.DONE,
    started_at="",
    finished_at="",
)


@pytest.fixture
def log():
    return MemoryStateLog("web", SharedBranch())


def subjects(log):
    commits = list(log.read_history())[::-1]
    assert list(compute_findings(commits[::-1])) == []
    return [each.subject for each in commits]


def wait_for(condition):
    deadline = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_short_run_never_renews(log):
    """Begin and record are all that is written within half the ttl."""
    Lease(log, log.read(), build_lock(600), BEGIN, Clocks()).record(DONE, {})
    assert subjects(log) == ["begin run 1: 0 changes by ana", "done run 1: no changes"]


def test_a_long_run_renews_its_lock_and_records_on_top(log):
    """A lease is kept alive, and its renewals are sound entries."""
    lease = Lease(log, log.read(), build_lock(0.05), BEGIN, Clocks())
    wait_for(lambda: len(list(log.read_history())) > 3)
    lease.record(DONE, {})
    told = subjects(log)
    assert told[1] == "renew run 1"
    assert told[-1] == "done run 1: no changes"


def test_a_stolen_lease_is_noticed_and_cannot_record(log):
    """P3: whoever lost the lock neither goes on nor writes."""
    lease = Lease(log, log.read(), build_lock(0.05), BEGIN, Clocks())
    thief = msgspec.structs.replace(build_lock(0), run=None, token=2, reason="stolen")

    def steal():
        view = log.read()
        try:
            log.append(view, compute_hold(view, thief))
        except HeadMoved:
            return False
        return True

    wait_for(steal)

    def is_lost():
        try:
            lease.check()
        except Fenced:
            return True
        return False

    wait_for(is_lost)
    with pytest.raises(Fenced):
        lease.record(DONE, {})
    assert log.read().lock.reason == "stolen"
    assert log.read().run is None


def test_a_lost_answer_to_our_own_write_is_recognised(log):
    """If the head moved and the lock is still ours, it was our own renewal that landed."""
    lease = Lease(log, log.read(), build_lock(600), BEGIN, Clocks())
    intent = Intent(
        operation=1,
        id=ResourceId("Thing/a"),
        action=Action.CREATE,
        kind="Thing",
        provider="memory",
        run=RUN,
    )
    original, log.append = log.append, None

    def lose(view, entry, records=None):
        log.append = original
        original(view, entry, records)
        raise HeadMoved("the answer was lost")

    log.append = lose
    lease.intend(intent)
    lease.record(DONE, {})
    assert subjects(log)[-1] == "done run 1: no changes"


def test_a_lease_ends_by_the_monotonic_clock(log):
    """A wall clock that jumps changes nothing."""
    now = [100.0]
    wall = [0.0]
    clocks = Clocks(wall=lambda: wall[0], monotonic=lambda: now[0])
    lease = Lease(log, log.read(), build_lock(600), BEGIN, clocks)
    wall[0] = 1e9
    assert lease.get_remaining() == pytest.approx(598)
    now[0] += 599
    assert lease.get_remaining() < 0
    lease.close()


@pytest.mark.parametrize(
    ("ttl", "is_gone", "seen_for", "standing"),
    [
        (60, False, 0, LockState.HELD),
        (60, False, 59, LockState.HELD),
        (60, False, 60, LockState.EXPIRED),
        (60, True, 0, LockState.ORPHANED),
        (0, False, 1e9, LockState.HELD),
        (0, True, 0, LockState.ORPHANED),
    ],
)
def test_a_lock_is_judged_by_what_the_observer_saw(ttl, is_gone, seen_for, standing):
    """Expiry counts from when this record was first seen; a dead process holds nothing."""
    lock_status = compute_lock_status(build_lock(ttl), is_gone=is_gone, seen_for=seen_for)
    assert lock_status.standing is standing


def test_times_are_written_for_people_in_utc():
    """RFC 3339, to the second."""
    assert render_time(0) == "1970-01-01T00:00:00Z"


def test_a_lock_that_was_stolen_and_released_is_not_ours_again(log):
    """P3: the intention is still there, the lock is free, and yet the run is fenced."""
    lease = Lease(log, log.read(), build_lock(600), BEGIN, Clocks())
    hold = msgspec.structs.replace(build_lock(0), run=None, token=2, reason="stolen")
    view = log.append(log.read(), compute_hold(log.read(), hold))
    log.append(view, compute_release(view, "bob"))
    with pytest.raises(Fenced):
        lease.record(DONE, {})
    assert subjects(log)[1:] == ["steal 2 by ana from run 1: stolen", "release 2 by bob"]


def test_a_lease_ends_while_the_machine_sleeps(log, monkeypatch):
    """Others go on counting meanwhile, and take over; CLOCK_MONOTONIC stands still."""
    now = {time.CLOCK_BOOTTIME: 100.0}
    monkeypatch.setattr(time, "clock_gettime", now.__getitem__)
    lease = Lease(log, log.read(), build_lock(600), BEGIN, Clocks())
    assert lease.get_remaining() > 0
    now[time.CLOCK_BOOTTIME] += 601
    assert lease.get_remaining() < 0
    lease.close()
