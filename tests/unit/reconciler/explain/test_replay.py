"""What a run writes down is enough to compute its plan again."""

import msgspec
import pytest
from sandboxes import Sandbox, build_resource

from provisioning.core.model.resources import DriftPolicy, Lifecycle
from provisioning.reconciler.explain.replay import BegunRun, replay_run
from provisioning.reconciler.planning.plan_result import RunRequest


@pytest.fixture
def box(tmp_path):
    return Sandbox(tmp_path)


def get_begun(box):
    """How the newest run began."""
    for entry in box.log.read_history():
        if entry.view.begin:
            return BegunRun(
                begin=entry.view.begin, before=entry.parents[0] if entry.parents else None
            )
    raise AssertionError("no run began")


def test_what_was_as_desired_by_hand_already_is_written_down(box):
    """It is in no change of the plan, and the record alone would make it one."""
    box.reconcile(box.commits.commit(build_resource("Thing/a", {"size": 1})))
    (live,) = box.world.snapshot()
    box.world.change(live, {"size": 2})
    box.reconcile(
        box.commits.commit(build_resource("Thing/a", {"size": 2}), build_resource("Thing/b"))
    )
    begun = get_begun(box)
    assert set(begun.begin.inputs.current) == {"Thing/a"}
    assert replay_run(box.build_reconciler(), box.log, begun).is_same


def test_a_run_on_a_world_as_recorded_writes_down_nothing_of_it(box):
    """The size of the inputs follows what was unexpected, not what there is."""
    names = [build_resource(f"Thing/t{number}", {"size": 1}) for number in range(20)]
    box.reconcile(box.commits.commit(*names))
    box.reconcile(box.commits.commit(*names, build_resource("Thing/new")))
    inputs = get_begun(box).begin.inputs
    assert (inputs.current, inputs.elsewhere, inputs.leftovers) == ({}, {}, {})


def test_a_narrowed_run_is_replayed_as_narrow(box):
    """What was asked to be left out is left out again."""
    reconciler = box.build_reconciler()
    commit = box.commits.commit(build_resource("Thing/a"), build_resource("Thing/b"))
    reconciler.reconcile(RunRequest(commit=commit, reason="test", targets=["Thing/a"]))
    found = replay_run(reconciler, box.log, get_begun(box))
    assert found.is_same
    assert [each.id for each in found.plan.changes] == ["Thing/a"]


def test_a_requested_correction_is_replayed(box):
    """The resources that a request corrected are in the inputs."""
    kept = Lifecycle(drift=DriftPolicy.DETECT)
    commit = box.commits.commit(build_resource("Thing/a", {"size": 1}, lifecycle=kept))
    reconciler = box.build_reconciler()
    box.reconcile(commit)
    box.world.change(next(iter(box.world.snapshot())), {"size": 2})
    request = RunRequest(commit=commit, reason="test", corrects=frozenset({"Thing/a"}))
    assert reconciler.reconcile(request).run is not None
    assert replay_run(reconciler, box.log, get_begun(box)).is_same


def test_a_state_log_that_was_rewritten_is_told(box):
    """Another record before the run makes another plan, and it is said where."""
    box.reconcile(box.commits.commit(build_resource("Thing/a", {"size": 1})))
    box.reconcile(box.commits.commit(build_resource("Thing/a", {"size": 2})))
    begun = get_begun(box)
    forged = BegunRun(begin=begun.begin, before=None)
    found = replay_run(box.build_reconciler(), box.log, forged)
    assert not found.is_same
    assert found.reasons == ("Thing/a: update then, create now",)


def test_another_key_or_release_is_told(box):
    """Fingerprints are compared where they were made."""
    box.reconcile(box.commits.commit(build_resource("Thing/a", {"password": "pw"})))
    begun = get_begun(box)
    other = box.build_reconciler(key=b"o" * 32)
    found = replay_run(other, box.log, begun)
    assert not found.is_same
    assert "fingerprints were made with another key" in found.reasons[0]
    inputs = msgspec.structs.replace(begun.begin.inputs, release="0.0.1", targets=("Thing/x",))
    old = BegunRun(begin=msgspec.structs.replace(begun.begin, inputs=inputs), before=None)
    found = replay_run(box.build_reconciler(), box.log, old)
    assert found.plan is None
    assert found.reasons[0].startswith("release 0.0.1 made the plan")
