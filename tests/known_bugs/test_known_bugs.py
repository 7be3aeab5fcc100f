"""Bugs that other tools have had, where no other test of ours holds the truth already.

`docs/explanation/known-bugs-of-others.md` lists them all.
"""

import msgspec
import pytest
from memory_statelogs import MemoryStateLog
from sandboxes import Sandbox, build_resource

from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Holder, Lock
from provisioning.core.statelog.entries import compute_hold
from provisioning.reconciler.operations.lock import release_lock
from provisioning.testing.effects import PatchPoint, cut_at
from provisioning.testing.faults import permanent
from provisioning.testing.faulty import Faults, FaultyProvider
from provisioning.testing.memory import MemoryProvider
from provisioning.testing.worlds import World


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def box(tmp_path, faults):
    world = World()
    return Sandbox(tmp_path, world=world, provider=FaultyProvider(MemoryProvider(world), faults))


def list_marked(box):
    return [str(each.mark.resource) for each in box.world.snapshot().values() if each.mark]


def test_a_replacement_whose_second_half_fails_is_told_and_made_good(box, faults):
    """P2: the old is gone and the new could not come: recorded, and the next run makes one."""
    box.reconcile(box.commits.commit(build_resource("Thing/a", {"zone": "x"})))
    commit = box.commits.commit(build_resource("Thing/a", {"zone": "y"}))
    faults.inject("create", permanent())
    run = box.reconcile(commit).run
    assert [str(change.outcome) for change in run.changes] == ["failed"]
    assert list_marked(box) == []
    box.reconcile(commit)
    assert list_marked(box) == ["Thing/a"]


def test_a_run_s_lock_is_not_released_by_hand(tmp_path):
    """P3: letting go of what a live run holds is no unlock; taking it over raises the fence."""
    box = Sandbox(tmp_path)
    with cut_at(2, [PatchPoint(MemoryStateLog, "append", "append")], when="before"):
        box.reconcile(box.commits.commit(build_resource("Thing/a")))
    with pytest.raises(InvalidArgument, match="locked by a run"):
        release_lock(box.log, "bob")
    assert box.log.read().lock is not None


def test_a_lock_does_not_expire_by_a_clock_on_the_wall(tmp_path):
    """P3: a lock that says it was acquired a century ago is held, if it was only just seen."""
    box = Sandbox(tmp_path)
    lock = Lock(
        token=1,
        holder=Holder("ana", "elsewhere"),
        reason="audit",
        acquired_at="1930-01-01T00:00:00Z",
        renewed_at="1930-01-01T00:00:00Z",
        ttl=60.0,
    )
    box.log.append(box.log.read(), compute_hold(box.log.read(), lock))
    assert box.judge(lock).is_held
    box.seen_for = 61.0
    assert not box.judge(msgspec.structs.replace(lock, renewed_at="2930-01-01T00:00:00Z")).is_held


def test_what_a_provider_made_that_is_gone_blocks_and_is_not_forgotten(tmp_path):
    """P4: a record of a kind that nobody serves any more is neither deleted nor dropped."""
    box = Sandbox(tmp_path)
    box.reconcile(box.commits.commit(build_resource("Thing/a"), build_resource("Note/n")))
    commit = box.commits.commit(build_resource("Note/n"))
    reconciler = box.build_reconciler()
    kinds = {name: kind for name, kind in reconciler.context.kinds.items() if name != "Thing"}
    from provisioning.reconciler.planning.plan_result import RunRequest

    report = box.build_reconciler(kinds=kinds).reconcile(RunRequest(commit=commit, reason="test"))
    assert [each.id for each in report.plan_result.plan.blocked] == ["Thing/a"]
    assert ResourceId("Thing/a") in box.read_records()
    assert list_marked(box) == ["Thing/a"]
