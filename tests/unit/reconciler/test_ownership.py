"""Taking over, forgetting and adopting, on a fake cloud that other owners use, too."""

import pytest
from memory_statelogs import SharedBranch
from sandboxes import WORKSPACE, Sandbox, build_resource

from provisioning.core.model.errors import Blocked, InvalidArgument, LockHeld, ProviderError
from provisioning.core.model.ids import Mark, ResourceId, RunId
from provisioning.core.model.records import Suspension
from provisioning.core.statelog.fsck import compute_findings
from provisioning.reconciler.operations.adopt import plan_adopt
from provisioning.reconciler.operations.import_resource import plan_import
from provisioning.reconciler.operations.state_only_run import plan_forget, record_state_only
from provisioning.reconciler.operations.suspend import resume, suspend
from provisioning.reconciler.planning.plan_result import Conclusion, RunRequest
from provisioning.testing.effects import PatchPoint, cut_at
from provisioning.testing.memory import MemoryProvider

A = ResourceId("Thing/a")


@pytest.fixture
def box(tmp_path):
    return Sandbox(tmp_path)


def add(box, attributes):
    """Make something by hand, as a cloud's console does."""
    live = box.world.add("Thing", attributes)
    return box.world.change(live.id, {"serial": live.id, "address": f"{live.id}.nowhere"})


def take_over(box, commit, place, name=A):
    request = RunRequest(commit=commit, reason="import")
    reconciler = box.build_reconciler()
    return reconciler.apply(plan_import(reconciler, request, name, place), request)


def check(box):
    assert list(compute_findings(box.log.read_history())) == []


# import


def test_what_exists_is_taken_over_and_brought_to_its_manifest(box):
    """It keeps its id, bears our mark, and is recorded; a second run finds nothing to do."""
    live = add(box, {"size": 1, "zone": "x"})
    commit = box.commits.commit(build_resource(A, {"size": 2, "zone": "x"}))
    report = take_over(box, commit, live.id)
    assert [str(each.outcome) for each in report.run.changes] == ["adopted"]
    (taken,) = box.world.snapshot().values()
    assert (taken.id, taken.attributes["size"]) == (live.id, 2)
    assert taken.mark.resource == A
    assert box.reconcile(commit).run is None
    check(box)


def test_what_is_found_by_its_place_must_be_at_the_place_that_is_asked_for(box):
    """The manifest says where it is; another place is refused."""
    box.world.add("Slot", {"place": "p1", "value": "v"})
    slot = ResourceId("Slot/s")
    commit = box.commits.commit(build_resource(slot, {"place": "p1", "value": "v"}))
    with pytest.raises(InvalidArgument, match="is desired at p1, not at p2"):
        take_over(box, commit, "p2", slot)
    take_over(box, commit, "p1", slot)
    assert set(box.read_records()) == {slot}


@pytest.mark.parametrize(
    ("owner", "hint"),
    [
        ("other/web/Thing/a", "its owner must forget it"),
        (f"{WORKSPACE}/app/Thing/a", "its owner must forget it"),
        (f"{WORKSPACE}/web/Thing/b", "moved"),
        (f"{WORKSPACE}/web/Thing/a", "takes it back"),
    ],
)
def test_what_another_owns_is_refused_with_its_owner(box, owner, hint):
    """Nothing changes hands without its owner."""
    live = box.world.add("Thing", {"size": 1}, Mark(owner, RunId("1-aa"), 1))
    commit = box.commits.commit(build_resource(A, {"size": 1}))
    with pytest.raises(Blocked, match=owner) as caught:
        take_over(box, commit, live.id)
    assert hint in caught.value.hint
    assert box.log.read().head is None


def test_an_import_that_would_destroy_is_refused(box):
    """What cannot become the desired thing in place is not taken and replaced."""
    live = box.world.add("Thing", {"size": 1, "zone": "x"})
    commit = box.commits.commit(build_resource(A, {"size": 1, "zone": "y"}))
    with pytest.raises(Blocked, match="zone cannot be changed in place"):
        take_over(box, commit, live.id)
    assert box.world.snapshot() == {live.id: live}


def test_slips_are_told_apart(box):
    """Not there, not asked for, managed already, and nothing to take over."""
    live = box.world.add("Thing", {"size": 1})
    note = ResourceId("Note/n")
    commit = box.commits.commit(
        build_resource("Thing/b", {"size": 1}), build_resource(note, {"input": 1})
    )
    with pytest.raises(InvalidArgument, match="no manifest of web describes Thing/a") as caught:
        take_over(box, commit, live.id)
    assert "size: 1" in caught.value.hint
    with pytest.raises(ProviderError, match="there is no Thing nix"):
        take_over(box, commit, "nix", ResourceId("Thing/b"))
    with pytest.raises(InvalidArgument, match="exists in the state log alone"):
        take_over(box, commit, "nix", note)
    box.reconcile(commit)
    with pytest.raises(InvalidArgument, match="is managed already"):
        take_over(box, commit, live.id, ResourceId("Thing/b"))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 4))
def test_an_import_that_was_cut_off_loses_nothing(box, number, when):
    """Either it is still nobody's, or the next run has it; it is there once all the time."""
    live = add(box, {"size": 1})
    commit = box.commits.commit(build_resource(A, {"size": 1}))
    points = [
        PatchPoint(type(box.log), "append", "append"),
        PatchPoint(MemoryProvider, "update", "update"),
    ]
    with cut_at(number, points, when=when):
        take_over(box, commit, live.id)
    box.die()
    marked = [each for each in box.world.snapshot().values() if each.mark]
    if not marked:
        take_over(box, commit, live.id)
    box.reconcile(commit)
    assert set(box.world.snapshot()) == {live.id}
    assert set(box.read_records()) == {A}
    check(box)


# forget


def test_what_is_forgotten_stays_and_is_nobody_s_business(box):
    """No call is made, and the next run neither removes nor wants it."""
    first = box.commits.commit(build_resource(A, {"size": 1}), build_resource("Thing/b"))
    box.reconcile(first)
    commit = box.commits.commit(build_resource("Thing/b"))
    before = dict(box.world.calls)
    reconciler = box.build_reconciler()
    planned = plan_forget(reconciler, commit, A, None)
    run = record_state_only(reconciler, planned, "not ours")
    assert (run.commit, [str(it.outcome) for it in run.changes]) == (first, ["forgotten"])
    assert dict(box.world.calls) == before
    assert box.reconcile(commit).run is None
    assert len(box.world.snapshot()) == 2
    check(box)


def test_what_is_asked_for_or_unknown_is_not_forgotten(box):
    """The next run would take it back, or there is nothing to forget."""
    resource = build_resource(A, {"size": 1})
    commit = box.commits.commit(resource)
    box.reconcile(commit)
    with pytest.raises(InvalidArgument, match="the next run would take it back"):
        plan_forget(box.build_reconciler(), commit, A, resource)
    with pytest.raises(InvalidArgument, match="is not recorded") as caught:
        plan_forget(box.build_reconciler(), commit, ResourceId("Thing/aa"), None)
    assert "did you mean Thing/a?" in caught.value.hint


def test_nothing_is_forgotten_while_a_run_is_cut_off(box):
    """What that run did is found out first."""
    commit = box.commits.commit(build_resource(A, {"size": 1}))
    box.reconcile(commit)
    other = box.commits.commit(build_resource(A, {"size": 2}))
    with cut_at(1, [PatchPoint(MemoryProvider, "update", "update")], when="after"):
        box.reconcile(other)
    with pytest.raises(LockHeld):
        plan_forget(box.build_reconciler(), other, A, None)
    box.die()
    with pytest.raises(InvalidArgument, match="was cut off"):
        plan_forget(box.build_reconciler(), other, A, None)


# adopt


def lose_log(box, tmp_path):
    return Sandbox(tmp_path / "new", world=box.world, commits=box.commits, branch=SharedBranch())


def test_a_lost_state_log_is_rebuilt_from_the_marks(box, tmp_path):
    """What Git asks for is recorded as it was, and the next run has nothing to do with it."""
    commit = box.commits.commit(
        build_resource(A, {"size": 1, "password": "secret"}),
        build_resource("Slot/s", {"place": "p", "value": "{{resources.Thing/a.serial}}"}),
    )
    box.reconcile(commit)
    records = box.read_records()
    new = lose_log(box, tmp_path)
    record_state_only(
        new.build_reconciler(),
        plan_adopt(new.build_reconciler(), commit, everything=False),
        "lost",
    )
    assert new.read_records() == records
    assert new.reconcile(commit).run is None
    check(new)


def test_what_git_does_not_ask_for_is_adopted_only_if_everything_is(box, tmp_path):
    """A mark alone lets nothing go; with everything recorded, the next run removes it."""
    box.reconcile(box.commits.commit(build_resource(A), build_resource("Thing/b")))
    commit = box.commits.commit(build_resource("Thing/b"))
    new = lose_log(box, tmp_path)
    plan = plan_adopt(new.build_reconciler(), commit, everything=False).plan
    assert [each.id for each in plan.changes] == ["Thing/b"]
    assert [each.id for each in plan.blocked] == [A]
    record_state_only(
        new.build_reconciler(),
        plan_adopt(new.build_reconciler(), commit, everything=True),
        "lost",
    )
    assert set(new.read_records()) == {A, "Thing/b"}
    new.reconcile(commit)
    assert [str(it.mark.resource) for it in new.world.snapshot().values()] == ["Thing/b"]


def test_two_things_with_one_mark_are_both_listed(box, tmp_path):
    """Which of them is ours cannot be known, so nothing is recorded."""
    commit = box.commits.commit(build_resource(A))
    box.reconcile(commit)
    (first,) = box.world.snapshot().values()
    second = box.world.add("Thing", first.attributes, first.mark)
    new = lose_log(box, tmp_path)
    with pytest.raises(Blocked, match=f"Thing/a: {first.id} and {second.id}"):
        plan_adopt(new.build_reconciler(), commit, everything=False)
    assert new.log.read().head is None


def test_what_changed_since_is_put_right_by_the_next_run(box, tmp_path):
    """Adoption looks and records; it changes nothing in the world."""
    commit = box.commits.commit(build_resource(A, {"size": 1}))
    box.reconcile(commit)
    (live,) = box.world.snapshot()
    box.world.change(live, {"size": 9})
    new = lose_log(box, tmp_path)
    reconciler = new.build_reconciler()
    record_state_only(reconciler, plan_adopt(reconciler, commit, everything=False), "lost")
    assert box.world.snapshot()[live].attributes["size"] == 9
    (change,) = new.look(commit).plan.changes
    assert change.reason == "it was changed outside of Git"


# suspend


def pause(box, name=None, until=None):
    terms = Suspension(by="ana", since="2026-01-01T00:00:00Z", reason="audit", until=until)
    return suspend(box.log, name, terms, judge=box.judge)


def test_a_suspended_infra_is_planned_and_not_applied(box):
    """The gate says who and why, can be passed once, and is gone when it is resumed."""
    pause(box)
    commit = box.commits.commit(build_resource(A, {"size": 1}))
    report = box.reconcile(commit)
    assert report.conclusion is Conclusion.BLOCKED
    (violation,) = report.plan_result.violations
    assert "suspended by ana since 2026-01-01T00:00:00Z: audit" in violation.reason
    assert box.reconcile(commit, allow=["suspended"]).run.allowed == ("suspended",)
    resume(box.log, None, "ana", judge=box.judge)
    assert box.reconcile(box.commits.commit(build_resource(A, {"size": 2}))).run
    check(box)


def test_a_suspended_resource_is_left_and_so_is_what_waits_for_it(box):
    """Others go on, also those that only use it as it is."""
    box.reconcile(
        box.commits.commit(
            build_resource(A, {"size": 1}),
            build_resource("Note/n", {"input": "{{resources.Thing/a.size}}"}),
        )
    )
    pause(box, A)
    commit = box.commits.commit(
        build_resource(A, {"size": 2}),
        build_resource("Note/n", {"input": "{{resources.Thing/a.size}}"}),
        build_resource("Note/uses", {"input": "{{resources.Thing/a.serial}}"}),
        build_resource("Thing/b"),
    )
    report = box.reconcile(commit)
    assert {each.id for each in report.plan_result.plan.blocked} >= {A, "Note/n"}
    assert {each.id for each in report.run.changes} >= {"Thing/b"}
    (live,) = [it for it in box.world.snapshot().values() if it.mark.resource == A]
    assert live.attributes["size"] == 1
    resume(box.log, A, "ana", judge=box.judge)
    box.reconcile(commit)
    assert box.world.snapshot()[live.id].attributes["size"] == 2
    check(box)


@pytest.mark.parametrize(("until", "holds"), [("2020-01-01T00:00:00Z", False), (None, True)])
def test_a_suspension_that_has_ended_does_not_count(box, until, holds):
    """Its end is a time in UTC, whatever zone the machine is in."""
    pause(box, until=until)
    pause(box, A, until=until)
    report = box.reconcile(box.commits.commit(build_resource(A)), allow=["suspended"])
    assert (report.run is None) is holds


def test_a_run_under_way_is_not_suspended_under_its_hands(box):
    """Whoever holds the lock is named; a plan made before a suspension is not applied after it."""
    commit = box.commits.commit(build_resource(A))
    reconciler = box.build_reconciler()
    request = RunRequest(commit=commit, reason="test")
    seen = reconciler.plan(request)
    pause(box)
    assert reconciler.reconcile(request, seen).conclusion is Conclusion.BLOCKED
    resume(box.log, None, "ana", judge=box.judge)
    with cut_at(1, [PatchPoint(MemoryProvider, "create", "create")], when="before"):
        box.reconcile(commit)
    with pytest.raises(LockHeld):
        pause(box)
    box.die()
    pause(box)
    check(box)


def test_what_is_not_suspended_cannot_be_resumed(box):
    """The error names the command that tells what is."""
    with pytest.raises(InvalidArgument, match="web is not suspended"):
        resume(box.log, None, "ana", judge=box.judge)


# Cut off at any write


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2])
def test_forgetting_that_was_cut_off_loses_nothing(box, number, when):
    """It is forgotten or it is not; either way nothing is removed, and it can be done again."""
    box.reconcile(box.commits.commit(build_resource(A), build_resource("Thing/b")))
    commit = box.commits.commit(build_resource("Thing/b"))
    pause(box)
    with cut_at(number, [PatchPoint(type(box.log), "append", "append")], when=when):
        reconciler = box.build_reconciler()
        record_state_only(reconciler, plan_forget(reconciler, commit, A, None), "not ours")
    box.die()
    assert box.reconcile(commit).conclusion in {Conclusion.BLOCKED, Conclusion.UNCHANGED}
    if A in box.read_records():
        reconciler = box.build_reconciler()
        record_state_only(reconciler, plan_forget(reconciler, commit, A, None), "not ours")
    resume(box.log, None, "ana", judge=box.judge)
    assert box.reconcile(commit).conclusion is Conclusion.UNCHANGED
    assert set(box.read_records()) == {"Thing/b"}
    assert len(box.world.snapshot()) == 2
    check(box)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2])
def test_an_adoption_that_was_cut_off_is_finished_by_the_next_run(box, tmp_path, number, when):
    """The marks still say what is ours, and nothing is made twice."""
    commit = box.commits.commit(build_resource(A), build_resource("Thing/b"))
    box.reconcile(commit)
    before = box.world.snapshot()
    new = lose_log(box, tmp_path)
    with cut_at(number, [PatchPoint(type(box.log), "append", "append")], when=when):
        reconciler = new.build_reconciler()
        record_state_only(reconciler, plan_adopt(reconciler, commit, everything=False), "lost")
    new.die()
    new.reconcile(commit)
    assert set(new.read_records()) == {A, "Thing/b"}
    assert new.world.snapshot().keys() == before.keys()
    check(new)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", [1, 2])
def test_an_adoption_that_was_cut_off_can_be_done_again(box, tmp_path, number, when):
    """It also records what Git does not ask for, which no run would take back."""
    box.reconcile(box.commits.commit(build_resource(A), build_resource("Thing/b")))
    commit = box.commits.commit(build_resource("Thing/b"))
    new = lose_log(box, tmp_path)
    with cut_at(number, [PatchPoint(type(box.log), "append", "append")], when=when):
        reconciler = new.build_reconciler()
        record_state_only(reconciler, plan_adopt(reconciler, commit, everything=True), "lost")
    new.die()
    reconciler = new.build_reconciler()
    adopt_plan = plan_adopt(reconciler, commit, everything=True)
    if adopt_plan.plan.changes:
        record_state_only(reconciler, adopt_plan, "lost")
    assert set(new.read_records()) == {A, "Thing/b"}
    check(new)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_suspension_that_was_cut_off_holds_or_does_not(box, when):
    """It is one write: nothing in between is ever seen."""
    commit = box.commits.commit(build_resource(A))
    with cut_at(1, [PatchPoint(type(box.log), "append", "append")], when=when):
        pause(box)
    assert (box.reconcile(commit).run is None) is (when == "after")
    check(box)
