import pytest
from sandboxes import Sandbox, build_resource

from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.resources import DriftPolicy, Lifecycle
from provisioning.core.policy.targeting import target_plan


@pytest.fixture
def plan(tmp_path):
    box = Sandbox(tmp_path)
    return box.look(
        box.commits.commit(
            build_resource("Thing/base"),
            build_resource("Thing/top", {"link": "{{resources.Thing/base.serial}}"}),
            build_resource("Slot/s", {"place": "p"}),
        )
    ).plan


def ids(plan):
    return [each.id for each in plan.changes]


def test_a_target_keeps_what_it_waits_for(plan):
    """No reference is left broken by a target."""
    assert ids(target_plan(plan, ["Thing/top"])) == ["Thing/base", "Thing/top"]


def test_an_exclusion_drops_what_waits_for_it(plan):
    """Nothing is applied on top of something left out."""
    assert ids(target_plan(plan, [], ["Thing/base"])) == ["Slot/s"]


def test_patterns_match_many(plan):
    """`*` stands for any part of an id."""
    assert ids(target_plan(plan, ["Thing/*"], ["Thing/top"])) == ["Thing/base"]


def test_a_pattern_that_matches_nothing_is_an_error(plan):
    """A slip must not apply everything, or nothing, silently."""
    with pytest.raises(InvalidArgument) as caught:
        target_plan(plan, ["Thing/bse"])
    assert "Thing/base" in caught.value.hint


def test_what_is_unchanged_blocked_or_drifted_is_known_by_name(tmp_path):
    """Naming what needs no work is no slip: there is just nothing to do."""
    box = Sandbox(tmp_path)
    resources = [build_resource(f"Thing/{name}") for name in "abc"]
    drifting = build_resource("Thing/d", {"size": 1}, lifecycle=Lifecycle(drift=DriftPolicy.DETECT))
    box.reconcile(box.commits.commit(*resources, drifting))
    (item,) = (each for each in box.world.snapshot().values() if each.mark.resource == "Thing/d")
    box.world.change(item.id, {"size": 9})
    box.world.unreadable[ResourceId("Thing/b")] = "403"
    changed = build_resource("Thing/c", {"size": 2})
    plan = box.look(box.commits.commit(*resources[:2], changed, drifting)).plan
    for name, left in (("a", []), ("b", []), ("c", ["Thing/c"]), ("d", [])):
        narrowed = target_plan(plan, [f"Thing/{name}"])
        assert ids(narrowed) == left
        assert [each.id for each in narrowed.blocked] == ["Thing/b"] * (name == "b")
        assert [each.id for each in narrowed.drifted] == ["Thing/d"] * (name == "d")
    assert ids(target_plan(plan, [], ["Thing/a"])) == ["Thing/c"]
    assert target_plan(plan, [], ["Thing/b"]).blocked == ()
