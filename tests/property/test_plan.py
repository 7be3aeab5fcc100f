"""Any sequence of desired states, hand-made changes and crashes ends in the world Git asks for."""

import shutil
import tempfile
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_statelogs import MemoryStateLog
from sandboxes import Sandbox, build_resource

from provisioning.core.model.ids import ResourceId
from provisioning.core.statelog.fsck import compute_findings
from provisioning.reconciler.explain.replay import BegunRun, replay_run
from provisioning.testing.effects import PatchPoint, cut_at
from provisioning.testing.memory import MemoryProvider

NAMES = ("a", "b", "c", "d")
FOREIGN = {"place": "theirs", "value": "by hand"}
POINTS = (
    PatchPoint(MemoryStateLog, "append", "append"),
    PatchPoint(MemoryProvider, "create", "create"),
    PatchPoint(MemoryProvider, "update", "update"),
    PatchPoint(MemoryProvider, "delete", "delete"),
)


@st.composite
def desired_states(draw):
    """A desired state: each resource may refer to those before it in a random order."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, 4))]
    resources = []
    for index, name in enumerate(names):
        kind = draw(st.sampled_from(["Thing", "Slot", "Note"]))
        spec = {
            "Thing": {"size": draw(st.integers(0, 2)), "zone": draw(st.sampled_from("xy"))},
            "Slot": {
                "place": f"{name}{draw(st.integers(0, 1))}",
                "value": draw(st.sampled_from("vw")),
            },
            "Note": {"input": draw(st.integers(0, 2))},
        }[kind]
        if index and draw(st.booleans()):
            spec[{"Thing": "link", "Slot": "value", "Note": "input"}[kind]] = (
                f"{{{{resources.{resources[-1].id}}}}}"
            )
        before = [each.id for each in resources if draw(st.booleans())]
        resources.append(build_resource(f"{kind}/{name}", spec, depends_on=before))
    return resources


def live(box):
    return {str(each.mark.resource): each for each in box.world.snapshot().values() if each.mark}


def check(box, resources):
    """The world is what is asked for: each resource once, as stated, and the foreign untouched."""
    marked = [each for each in box.world.snapshot().values() if each.mark]
    wanted = {each.id: each.spec for each in resources if each.kind != "Note"}
    assert sorted(str(each.mark.resource) for each in marked) == sorted(wanted)
    for each in marked:
        for name, value in wanted[each.mark.resource].items():
            assert "{{" in str(value) or each.attributes[name] == value
    foreign = [each.attributes for each in box.world.snapshot().values() if not each.mark]
    assert foreign == [FOREIGN]
    assert list(compute_findings(box.log.read_history())) == []
    assert set(box.read_records()) == {each.id for each in resources}


def build_box(**more):
    box = Sandbox(Path(tempfile.mkdtemp()), **more)
    box.world.add("Slot", FOREIGN)
    return box


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(desired_states(), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_every_desired_state_is_reached_and_then_nothing_is_left_to_do(states, random):
    """P1, P4: after each run the world is as desired, and a second run finds nothing."""
    box = build_box()
    for resources in states:
        for name in sorted(live(box)):
            if random.random() < 0.3:
                item = live(box)[name]
                box.world.remove(item.id) if random.random() < 0.5 else box.world.change(
                    item.id, {"size": 77} if item.kind == "Thing" else {"value": "drift"}
                )
        commit = box.commits.commit(*resources)
        box.reconcile(commit, parallelism=random.choice([1, 3]))
        check(box, resources)
        assert box.reconcile(commit).run is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(desired_states(), min_size=2, max_size=4),
    st.integers(1, 12),
    st.sampled_from(["before", "after"]),
)
def test_a_run_cut_off_between_any_two_desired_states_leaves_no_trace(states, number, when):
    """P2: whatever was cut off, the next run reaches its desired state, with nothing beside."""
    box = build_box()
    box.reconcile(box.commits.commit(*states[0]))
    for resources in states[1:]:
        with cut_at(number, POINTS, when=when):
            box.reconcile(box.commits.commit(*resources))
        box.die()
    box.reconcile(box.commits.commit(*states[0]))
    check(box, states[0])


@settings(max_examples=60, deadline=None)
@given(desired_states(), desired_states(), st.randoms(use_true_random=False))
def test_a_plan_does_not_depend_on_the_order_of_its_inputs(old, new, random):
    """P6: manifests in any order give the same plan with the same digest."""
    box = build_box()
    box.reconcile(box.commits.commit(*old))
    plan = box.look(box.commits.commit(*new)).plan
    random.shuffle(new)
    other = box.look(box.commits.commit(*new)).plan
    assert other.digest == plan.digest
    assert [each.id for each in other.changes] == [each.id for each in plan.changes]


@settings(max_examples=60, deadline=None)
@given(desired_states(), desired_states(), st.sampled_from(NAMES))
def test_what_cannot_be_read_is_never_created_or_deleted(old, new, name):
    """P5: an unreadable resource, and its dependents, are in no change of the plan."""
    box = build_box()
    box.reconcile(box.commits.commit(*old))
    hidden = {
        each.id for each in (*old, *new) if each.id.endswith(f"/{name}") and each.kind != "Note"
    }
    box.world.unreadable.update({ResourceId(each): "403" for each in hidden})
    before = live(box)
    box.reconcile(box.commits.commit(*new), allow=["prune"])
    after = live(box)
    for each in hidden:
        assert after.get(each) == before.get(each)


def list_begun(box):
    """How each run began: the last intention it wrote, and the head before its first."""
    found = {}
    for entry in list(box.log.read_history())[::-1]:
        if entry.view.begin:
            before = entry.parents[0] if entry.parents else None
            first = found.get(entry.view.begin.run)
            before = first.before if first else before
            found[entry.view.begin.run] = BegunRun(begin=entry.view.begin, before=before)
    return found.values()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(desired_states(), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_every_run_can_be_replayed_from_what_it_wrote_down(states, random, cut):
    """The digest of each run follows from commit, state log and inputs, whatever has drifted."""
    box = build_box()
    for resources in states:
        for item in live(box).values():
            if random.random() < 0.4:
                drifted = {"size": 77} if item.kind == "Thing" else {"value": "by hand"}
                box.world.change(item.id, drifted)
        commit = box.commits.commit(*resources)
        if cut:
            with cut_at(random.randint(1, 8), POINTS, when="after"):
                box.reconcile(commit)
            box.die()
        shutil.rmtree(box._home, ignore_errors=True)
        box.reconcile(commit)
    for begun in list_begun(box):
        found = replay_run(box.build_reconciler(), box.log, begun)
        assert found.is_same, found.reasons
        assert "by hand" not in msgspec.json.encode(begun.begin).decode()
