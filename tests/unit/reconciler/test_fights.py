"""Two controllers that fight over a field: told after three rounds, and not fought."""

from datetime import datetime, timedelta

import pytest
from sandboxes import Sandbox, build_resource

from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.resources import DeletePolicy, DriftPolicy, Lifecycle
from provisioning.core.policy.conflicts import REACH, find_conflicts
from provisioning.core.statelog.fsck import compute_findings
from provisioning.core.status.conditions import Condition, compute_status
from provisioning.reconciler.execution.lease import Clocks
from provisioning.reconciler.explain.replay import BegunRun, replay_run
from provisioning.reconciler.operations.suspend import resume
from provisioning.reconciler.planning.plan_result import Conclusion, RunRequest

A, B = "Thing/a", "Thing/b"


@pytest.fixture
def box(tmp_path):
    return Sandbox(tmp_path)


def start(box, **more):
    commit = box.commits.commit(
        build_resource(A, {"size": 1, "tags": ["a"]}, **more),
        build_resource(B, {"size": 1}),
        build_resource("Note/n", {"input": "{{resources.Thing/a.size}}"}),
    )
    box.reconcile(commit)
    return commit


def get(box, name=A):
    (live,) = [each for each in box.world.snapshot().values() if each.mark.resource == name]
    return live


def change(box, name=A, **attributes):
    box.world.change(get(box, name).id, attributes)


def conflict(box, commit, rounds, **attributes):
    for _ in range(rounds):
        change(box, **attributes or {"size": 7})
        assert box.reconcile(commit).conclusion is Conclusion.APPLIED


def read_fights(box):
    return find_conflicts(box.log.read_history(REACH), box.log.read().suspended)


def test_after_three_rounds_it_is_told_and_left(box):
    """The plan says what is changed and by which runs it was put back; nothing is written."""
    commit = start(box)
    conflict(box, commit, 3)
    change(box, size=7)
    head = box.log.read().head
    report = box.reconcile(commit)
    assert report.conclusion is Conclusion.BLOCKED
    blocked = {each.id: each for each in report.plan_result.plan.blocked}
    assert "runs 2, 3 and 4 put size back" in blocked[A].reason
    assert "ignoreFields: [size]" in blocked[A].hint
    assert box.log.read().head == head
    assert get(box).attributes["size"] == 7


def test_it_is_a_condition(box):
    """Status tells it from the state log alone, by the third round."""
    commit = start(box)
    conflict(box, commit, 2)
    assert read_fights(box) == {}
    conflict(box, commit, 1)
    view = box.log.read()
    records = box.read_records().values()
    status = compute_status("web", commit, view, records, None, "", read_fights(box))
    told = {each.id: (each.condition, each.message) for each in status.resources}
    assert told[A][0] is Condition.CONFLICT
    assert "runs 2, 3 and 4" in told[A][1]
    assert told[B][0] is Condition.READY


def test_everything_else_goes_on(box):
    """Another resource is put back, and so is another field of the same one."""
    commit = start(box)
    conflict(box, commit, 3)
    change(box, size=7)
    change(box, B, size=9)
    run = box.reconcile(commit).run
    assert [each.id for each in run.changes] == [B]
    change(box, size=1, tags=["b"])
    assert [each.id for each in box.reconcile(commit).run.changes] == [A]


def test_what_git_asks_for_goes_on(box):
    """A new commit is a new word: it is applied, and rounds count from there."""
    commit = start(box)
    conflict(box, commit, 3)
    change(box, size=7)
    other = box.commits.commit(
        build_resource(A, {"size": 1, "tags": ["new"]}), build_resource(B, {"size": 1})
    )
    assert box.reconcile(other).conclusion is Conclusion.APPLIED
    assert get(box).attributes["size"] == 1
    conflict(box, other, 2)


def test_a_field_that_git_leaves_to_the_other_is_fought_over_no_more(box):
    """`ignoreFields` settles it by itself: it is recorded, nothing is touched, nothing is told."""
    commit = start(box)
    conflict(box, commit, 3)
    change(box, size=7)
    ignoring = box.commits.commit(
        build_resource(A, {"size": 1, "tags": ["a"]}, lifecycle=Lifecycle(ignore_fields=("size",))),
        build_resource(B, {"size": 1}),
        build_resource("Note/n", {"input": "{{resources.Thing/a.size}}"}),
    )
    run = box.reconcile(ignoring).run
    assert (A, "adopted") in [(each.id, each.outcome) for each in run.changes]
    assert get(box).attributes["size"] == 7
    assert read_fights(box) == {}
    assert box.reconcile(ignoring).conclusion is Conclusion.UNCHANGED
    with pytest.raises(InvalidArgument, match="not suspended"):
        resume(box.log, A, "ana", judge=box.judge)


@pytest.mark.parametrize(
    "more", [{"lifecycle": Lifecycle(on_delete=DeletePolicy.RETAIN)}, {"depends_on": [B]}]
)
def test_what_git_asks_for_beside_the_fields_is_recorded_during_a_fight(box, more):
    """Or what is to be retained would be deleted, once it is gone from Git."""
    commit = start(box)
    conflict(box, commit, 3)
    change(box, size=7)
    asked = start(box, **more)
    record, wanted = box.read_records()[A], build_resource(A, **more)
    assert record.lifecycle == wanted.lifecycle
    assert {*wanted.depends_on} <= {*record.depends_on}
    change(box, size=7)
    assert box.reconcile(asked).conclusion is Conclusion.BLOCKED


def test_a_request_to_put_it_back_is_followed(box):
    """Who asks for just that gets it."""
    commit = start(box)
    conflict(box, commit, 3)
    change(box, size=7)
    request = RunRequest(commit=commit, reason="test", corrects=frozenset({A}))
    assert box.build_reconciler().reconcile(request).conclusion is Conclusion.APPLIED


def test_resumed_it_is_put_back_for_three_more_rounds(box):
    """What was before somebody resumed it does not count; the log stays sound."""
    commit = start(box)
    with pytest.raises(InvalidArgument, match="not suspended"):
        resume(box.log, A, "ana", judge=box.judge)
    conflict(box, commit, 3)
    change(box, size=7)
    resume(box.log, A, "ana", judge=box.judge)
    assert read_fights(box) == {}
    conflict(box, commit, 3)
    change(box, size=7)
    assert box.reconcile(commit).conclusion is Conclusion.BLOCKED
    assert list(compute_findings(box.log.read_history())) == []


def test_only_what_is_asked_for_is_told(box):
    """Who asks for one resource is not told of another's fight."""
    conflict(box, start(box), 3)
    view = box.log.read()
    assert list(find_conflicts(box.log.read_history(REACH), view.suspended, [A])) == [A]
    assert find_conflicts(box.log.read_history(REACH), view.suspended, [B]) == {}


@pytest.mark.parametrize("is_resumed", [False, True])
def test_the_log_is_read_no_further_than_it_tells_something(box, is_resumed):
    """Three rounds are enough, and so is what was before somebody resumed it."""
    conflict(box, start(box), 3)
    if is_resumed:
        resume(box.log, A, "ana", judge=box.judge)
    history = iter(list(box.log.read_history(REACH)))
    found = find_conflicts(history, box.log.read().suspended, [A])
    assert bool(found) is not is_resumed
    assert list(history)


def test_different_fields_are_no_fight(box):
    """Three rounds of which none is of the same field are three hotfixes."""
    commit = start(box)
    conflict(box, commit, 2)
    conflict(box, commit, 1, tags=["b"])
    conflict(box, commit, 2)


def test_a_detected_drift_is_no_round(box):
    """What is not put back is not fought over."""
    commit = start(box, lifecycle=Lifecycle(drift=DriftPolicy.DETECT))
    for _ in range(5):
        change(box, size=7)
        box.reconcile(commit)
        assert not box.look(commit).plan.blocked
    assert get(box).attributes["size"] == 7


@pytest.mark.parametrize(("days", "is_fight"), [(3, True), (4, False)])
def test_what_is_changed_now_and_then_is_no_fight(box, days, is_fight):
    """Only rounds within a week count together."""
    now = datetime.fromisoformat("2026-11-24T12:00+00:00")
    commit = start(box)
    for number in range(3):
        at = (now + timedelta(days=days * number)).timestamp()
        box.clocks = Clocks(wall=lambda at=at: at)
        conflict(box, commit, 1)
    change(box, size=7)
    assert (box.reconcile(commit).conclusion is Conclusion.BLOCKED) is is_fight


def test_a_run_beside_a_fight_is_replayed_to_the_same_plan(box):
    """A replay leaves alone what the run left alone, though the log has gone on since."""
    commit = start(box)
    conflict(box, commit, 3)
    change(box, size=7)
    change(box, B, size=9)
    before = box.log.read().head
    box.reconcile(commit)
    (begin,) = [
        each.view.begin
        for each in box.log.read_history()
        if each.parents == (before,) and each.view.begin
    ]
    resume(box.log, A, "ana", judge=box.judge)
    found = replay_run(box.build_reconciler(), box.log, BegunRun(begin=begin, before=before))
    assert found.plan.digest == begin.digest
