import pytest

from provisioning.core.errors import InvalidArgument
from provisioning.core.narrowing import narrow_plan
from provisioning.testing.sandboxes import Sandbox, build_resource


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
    assert ids(narrow_plan(plan, ["Thing/top"])) == ["Thing/base", "Thing/top"]


def test_an_exclusion_drops_what_waits_for_it(plan):
    """Nothing is applied on top of something left out."""
    assert ids(narrow_plan(plan, [], ["Thing/base"])) == ["Slot/s"]


def test_patterns_match_many(plan):
    """`*` stands for any part of an id."""
    assert ids(narrow_plan(plan, ["Thing/*"], ["Thing/top"])) == ["Thing/base"]


def test_a_pattern_that_matches_nothing_is_an_error(plan):
    """A slip must not apply everything, or nothing, silently."""
    with pytest.raises(InvalidArgument) as caught:
        narrow_plan(plan, ["Thing/bse"])
    assert "Thing/base" in caught.value.hint
