"""Deletions go last and in waves, and a canary goes before them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.core.model.errors import ProviderError
from provisioning.core.model.graph import compute_order, compute_reach
from provisioning.core.model.records import Action, Outcome
from provisioning.core.plan.operations import Operation, Step, compute_operations
from provisioning.core.plan.waves import arrange_waves
from provisioning.reconciler.planning.plan_result import Conclusion, RunRequest
from provisioning.testing.memory import MemoryProvider
from provisioning.testing.sandboxes import Sandbox, build_resource

KEEP = build_resource("Note/keep", {"input": 0})


@pytest.fixture
def box(tmp_path):
    return Sandbox(tmp_path)


def things(*numbers, **more):
    return [build_resource(f"Thing/t{each}", {"size": 1, "zone": "x"}, **more) for each in numbers]


def arrange(box, before, after):
    box.reconcile(box.commits.commit(KEEP, *before))
    return arrange_waves(compute_operations(box.look(box.commits.commit(KEEP, *after)).plan))


def test_each_wave_is_twice_the_one_before(box):
    """The canary waits for nobody, everything else for it, directly or not."""
    operations = arrange(box, things(*range(9)), [])
    needs = {each.number: each.needs for each in operations}
    canary, *others = needs
    assert needs[canary] == ()
    assert [needs[each] for each in others] == [(1,), (1,), (2,), (2,), (3,), (3,), (4,), (4,)]
    assert all(each.is_last for each in operations)


def test_what_is_made_is_in_no_wave(box):
    """Nor is the half of a replacement."""
    old = [*things(1, 2), build_resource("Thing/r", {"zone": "x"})]
    new = [*things(3), build_resource("Thing/r", {"zone": "y"})]
    operations = arrange(box, old, new)
    assert {each.change.id for each in operations if each.is_last} == {"Thing/t1", "Thing/t2"}


STEPS = [
    (Step.DELETE, Action.DELETE),
    (Step.CREATE, Action.CREATE),
    (Step.DELETE, Action.REPLACE),
    (Step.FORGET, Action.FORGET),
]


@given(st.integers(0, 40), st.data())
def test_waves_never_close_a_ring(count, data):
    """Whatever is built on what, there is an order, and what is built on others goes first."""
    operations = []
    for number in range(1, count + 1):
        needs = data.draw(st.sets(st.integers(1, number - 1), max_size=3)) if number > 1 else set()
        step, action = data.draw(st.sampled_from(STEPS))
        change = type("Change", (), {"action": action, "leftover": 0})()
        operations.append(
            Operation(number=number, step=step, change=change, needs=tuple(sorted(needs)))
        )
    arranged = arrange_waves(operations)
    needs = {each.number: each.needs for each in arranged}
    assert len(compute_order(needs)) == count
    assert all({*old.needs} <= {*new.needs} for old, new in zip(operations, arranged, strict=True))
    last = {each.number for each in arranged if each.is_last}
    first = [each.number for each in arranged if not each.is_last]
    assert last.isdisjoint(compute_reach(first, needs))
    if last:
        canary = min(last)
        assert all(canary in compute_reach([each], needs) for each in last)
        assert arranged[canary - 1].change.action is Action.DELETE


def fail_to_delete(monkeypatch, *names):
    original = MemoryProvider.delete

    def delete(self, call):
        if call.id in names:
            raise ProviderError("it is stuck")
        original(self, call)

    monkeypatch.setattr(MemoryProvider, "delete", delete)


def test_a_canary_that_fails_stops_all_others(box, monkeypatch):
    """Nothing else is deleted; each says why, and the next run begins with the canary again."""
    box.reconcile(box.commits.commit(KEEP, *things(*range(7))))
    fail_to_delete(monkeypatch, "Thing/t0")
    commit = box.commits.commit(KEEP, *things(9))
    run = box.reconcile(commit, parallelism=4).run
    outcomes = {each.id: each.outcome for each in run.changes}
    assert outcomes.pop("Thing/t9") is Outcome.CREATED
    assert outcomes.pop("Thing/t0") is Outcome.FAILED
    assert set(outcomes.values()) == {Outcome.SKIPPED}
    assert len(box.world.snapshot()) == 8
    monkeypatch.undo()
    assert box.reconcile(commit).conclusion is Conclusion.APPLIED
    assert len(box.world.snapshot()) == 1


def test_a_failure_later_on_stops_what_follows_from_it(box, monkeypatch):
    """The other half goes on."""
    box.reconcile(box.commits.commit(KEEP, *things(*range(7))))
    fail_to_delete(monkeypatch, "Thing/t1")
    run = box.reconcile(box.commits.commit(KEEP)).run
    failed = [each.id for each in run.changes if each.outcome is not Outcome.DELETED]
    assert failed == ["Thing/t1", "Thing/t3", "Thing/t4"]


def test_deletions_begin_when_all_else_has_ended(box, monkeypatch):
    """Also when it has failed: a failure elsewhere keeps nothing that nobody wants."""
    box.reconcile(box.commits.commit(KEEP, *things(0, 1)))
    told = []
    originals = {name: getattr(MemoryProvider, name) for name in ("create", "delete")}

    def create(self, call):
        told.append("create")
        if call.id == "Thing/a1":
            raise ProviderError("it is full")
        return originals["create"](self, call)

    def delete(self, call):
        told.append("delete")
        originals["delete"](self, call)

    monkeypatch.setattr(MemoryProvider, "create", create)
    monkeypatch.setattr(MemoryProvider, "delete", delete)
    made = [build_resource(f"Thing/a{each}") for each in range(3)]
    report = box.reconcile(box.commits.commit(KEEP, *made), parallelism=8)
    assert report.conclusion is Conclusion.FAILED
    assert told == ["create"] * 3 + ["delete"] * 2


def test_a_target_does_not_drag_the_canary_along(box):
    """Waves are an order and no dependency."""
    box.reconcile(box.commits.commit(KEEP, *things(*range(4))))
    request = RunRequest(commit=box.commits.commit(KEEP), reason="test", targets=["Thing/t3"])
    assert [each.id for each in box.build_reconciler().plan(request).plan.changes] == ["Thing/t3"]
