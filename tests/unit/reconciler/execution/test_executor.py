import threading

import pytest
from sandboxes import Sandbox, build_resource

from provisioning.core.model.errors import Fenced, StorageFailed
from provisioning.core.model.ids import ResourceId
from provisioning.core.statelog.entries import compute_hold
from provisioning.reconciler.events import EventKind
from provisioning.reconciler.execution.lease import Clocks
from provisioning.reconciler.planning.plan_result import Conclusion
from provisioning.testing.faults import (
    answering,
    before,
    half,
    lost,
    permanent,
    throttled,
    transient,
    without,
)
from provisioning.testing.faulty import ALWAYS, Faults, FaultyProvider
from provisioning.testing.memory import MemoryProvider
from provisioning.testing.worlds import World

A = ResourceId("Thing/a")


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def box(tmp_path, faults):
    world = World()
    return Sandbox(tmp_path, world=world, provider=FaultyProvider(MemoryProvider(world), faults))


def outcomes(report):
    return {change.id: str(change.outcome) for change in report.run.changes}


def marked(box):
    return [each for each in box.world.snapshot().values() if each.mark]


def test_what_fails_in_passing_is_tried_again(box, faults):
    """A transient failure costs another attempt and nothing else."""
    faults.inject("create", transient(), times=2)
    report = box.reconcile(box.commits.commit(build_resource("Thing/a")))
    assert outcomes(report) == {"Thing/a": "created"}
    assert [e.kind for e in box.events].count(EventKind.OPERATION_RETRIED) == 2


def test_an_answer_that_was_lost_makes_nothing_twice(box, faults):
    """A retry after a lost answer finds its own work by its mark."""
    faults.inject("create", lost())
    report = box.reconcile(box.commits.commit(build_resource("Thing/a")))
    assert outcomes(report) == {"Thing/a": "created"}
    assert len(marked(box)) == 1


def test_a_throttled_provider_is_called_again(box, faults):
    """Throttling is no failure."""
    faults.inject("create", throttled(0.0), times=2)
    report = box.reconcile(box.commits.commit(build_resource("Thing/a"), build_resource("Thing/b")))
    assert outcomes(report) == {"Thing/a": "created", "Thing/b": "created"}


def test_what_fails_for_good_is_tried_once_and_recorded(box, faults):
    """A permanent failure is not repeated; the run is recorded as failed, the rest as done."""
    faults.inject("create", permanent(), resource=A, times=ALWAYS)
    commit = box.commits.commit(
        build_resource("Thing/a"),
        build_resource("Thing/b", depends_on=["Thing/a"]),
        build_resource("Thing/c"),
    )
    report = box.reconcile(commit)
    assert report.conclusion is Conclusion.FAILED
    assert outcomes(report) == {"Thing/a": "failed", "Thing/b": "skipped", "Thing/c": "created"}
    assert set(box.read_records()) == {"Thing/c"}
    assert box.log.read().lock is None


def test_a_creation_whose_answers_are_all_lost_is_found_by_the_next_run(box, faults):
    """What may have been made stays ours, and is neither leaked nor made twice."""
    faults.inject("create", lost(), times=ALWAYS)
    commit = box.commits.commit(build_resource("Thing/a"))
    assert outcomes(box.reconcile(commit)) == {"Thing/a": "uncertain"}
    assert set(box.read_records()) == {"Thing/a"}
    faults.inject("observe", transient())
    removed = box.commits.commit(build_resource("Thing/b"))
    box.reconcile(removed)
    box.reconcile(removed)
    assert [str(each.mark.resource) for each in marked(box)] == ["Thing/b"]


def test_something_half_made_stays_ours_and_is_completed(box, faults):
    """A creation that failed half-way is recorded with its error, and the next run mends it."""
    faults.inject("create", half("size"), times=ALWAYS)
    commit = box.commits.commit(build_resource("Thing/a", {"size": 1, "zone": "x"}))
    first = box.reconcile(commit)
    assert first.conclusion is Conclusion.FAILED
    assert "Thing/a" in box.read_records()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (before(KeyError("id")), "raised KeyError"),
        (answering([]), "answered list"),
        (without("serial"), "gave Thing/a no serial"),
        (without("size", "serial", "address"), "gave Thing/a no"),
    ],
)
def test_a_provider_that_breaks_its_contract_is_blamed_by_name(box, faults, fault, words):
    """The error names the provider and what it did."""
    faults.inject("create", fault, times=ALWAYS)
    report = box.reconcile(box.commits.commit(build_resource("Thing/a", {"size": 1})))
    (change,) = report.run.changes
    assert "provider 'memory'" in change.error
    assert words in change.error


def test_a_provider_that_cannot_look_blocks_everything_of_it(box, faults):
    """P5: a failed bulk read makes nothing absent."""
    commit = box.commits.commit(build_resource("Thing/a"))
    box.reconcile(commit)
    faults.inject("observe", before(ValueError("bad answer")), times=ALWAYS)
    plan = box.look(commit).plan
    assert [each.id for each in plan.blocked] == ["Thing/a"]
    assert not plan.changes


def test_a_service_is_waited_for_until_it_is_ready(box):
    """Readiness is part of applying."""
    commit = box.commits.commit(build_resource("Service/s", {"ready_after": 2}))
    assert outcomes(box.reconcile(commit)) == {"Service/s": "created"}
    assert box.world.calls["probe"] == 3


def test_a_service_that_never_gets_ready_fails_and_is_tried_again(box):
    """It stays recorded with its error, and the next run probes it anew."""
    commit = box.commits.commit(build_resource("Service/s", {"ready_after": -1}))
    report = box.reconcile(commit)
    assert outcomes(report) == {"Service/s": "failed"}
    assert box.read_records()[ResourceId("Service/s")].error
    (change,) = box.look(commit).plan.changes
    assert "did not finish" in change.reason


def test_a_stop_lets_nothing_new_begin_and_records(box, faults):
    """P2: what was done is recorded, the rest is skipped, the lock is free."""

    def ask_to_stop(attempt):
        box.stop.request()
        return attempt.run()

    faults.inject("create", ask_to_stop, resource=A)
    commit = box.commits.commit(
        build_resource("Thing/a"), build_resource("Thing/b", depends_on=["Thing/a"])
    )
    report = box.reconcile(commit)
    assert report.conclusion is Conclusion.INTERRUPTED
    assert outcomes(report) == {"Thing/a": "created", "Thing/b": "skipped"}
    assert box.log.read().lock is None


def test_a_run_that_lost_its_lock_records_nothing(box, faults):
    """P3: a stale run's write never lands, and the next run finds what it made."""

    def lose_the_lock(attempt):
        view = box.log.read()
        hold = box.log.read().lock
        import msgspec

        stolen = msgspec.structs.replace(hold, run=None, token=view.fence + 1, reason="stolen")
        box.log.append(view, compute_hold(view, stolen))
        return attempt.run()

    faults.inject("create", lose_the_lock)
    commit = box.commits.commit(build_resource("Thing/a"))
    with pytest.raises(Fenced):
        box.reconcile(commit)
    assert box.read_records() == {}
    box.die()
    box.seen_for = 10_000.0
    box.reconcile(commit)
    assert len(marked(box)) == 1
    assert set(box.read_records()) == {"Thing/a"}


def test_a_journal_that_cannot_be_written_stops_the_run_before_the_effect(box, monkeypatch):
    """Nothing is done that was not written down before."""

    def refuse(*_):
        raise StorageFailed("no space left on device")

    monkeypatch.setattr("provisioning.localstore.journal.Journal.begin", refuse)
    report = box.reconcile(box.commits.commit(build_resource("Thing/a"), build_resource("Thing/b")))
    assert report.conclusion is Conclusion.INTERRUPTED
    assert marked(box) == []
    assert box.log.read().lock is None


def test_parallel_runs_give_the_same_result(box):
    """P6: parallelism changes nothing but the time."""
    resources = [build_resource(f"Thing/t{n}", {"size": n}) for n in range(30)]
    resources += [
        build_resource(f"Note/n{n}", {"input": f"{{{{resources.Thing/t{n}.serial}}}}"})
        for n in range(30)
    ]
    report = box.reconcile(box.commits.commit(*resources), parallelism=8)
    assert report.conclusion is Conclusion.APPLIED
    assert len(box.read_records()) == 60


def test_a_failure_that_is_over_is_put_straight_in_the_log(box, faults):
    """Once all is well again the log says so, once, and then nothing more is written."""
    commit = box.commits.commit(build_resource("Thing/a", {"size": 1}), build_resource("Thing/b"))
    faults.inject("create", permanent(), resource=A)
    assert box.reconcile(commit).conclusion is Conclusion.FAILED
    without_it = box.commits.commit(build_resource("Thing/b"))
    assert box.reconcile(without_it).conclusion is Conclusion.APPLIED
    assert box.log.read().run.result == "done"
    assert box.reconcile(without_it).run is None


def test_a_newer_commit_ends_the_wait_and_nothing_else(box):
    """What only waits for readiness is given up; what was made is recorded."""
    box.is_superseded = True
    commit = box.commits.commit(
        build_resource("Service/s", {"ready_after": 1000}), build_resource("Thing/a")
    )
    report = box.reconcile(commit)
    assert report.conclusion is Conclusion.INTERRUPTED
    assert outcomes(report) == {"Service/s": "failed", "Thing/a": "created"}
    assert "a newer commit came" in box.read_records()[ResourceId("Service/s")].error


def test_a_provider_that_hangs_is_given_up_and_its_call_is_uncertain(box, faults):
    """A call past its deadline blocks neither the run nor the record, and stays ours."""
    gate = threading.Event()
    now = [0.0]
    box.clocks = Clocks(wall=lambda: 0.0, monotonic=lambda: now[0])

    def hang(attempt):
        now[0] += 100
        gate.wait(30)
        return attempt.run()

    faults.inject("create", hang, resource=A)
    commit = box.commits.commit(
        build_resource("Thing/a"), build_resource("Thing/b", depends_on=["Thing/a"])
    )
    report = box.reconcile(commit)
    gate.set()
    assert outcomes(report) == {"Thing/a": "uncertain", "Thing/b": "skipped"}
    assert "did not answer" in box.read_records()[A].error


def test_a_spec_that_comes_out_endless_fails_and_is_recorded(box):
    """P9: values that wrap each other are refused at the same depth as manifests are."""
    inner: object = "{{resources.Note/n0.output}}"
    for _ in range(90):
        inner = [inner]
    notes = [build_resource("Note/n0", {"input": [[[[[[[[[[[["x"]]]]]]]]]]]]})]
    notes.append(build_resource("Note/n1", {"input": inner}))
    report = box.reconcile(box.commits.commit(*notes))
    assert outcomes(report) == {"Note/n0": "created", "Note/n1": "failed"}
    assert "nested" in report.run.changes[1].error
    assert box.log.read().lock is None
