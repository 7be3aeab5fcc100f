"""The order of the work, as a table of situations."""

import pytest
from msgspec.structs import replace
from sandboxes import Sandbox, build_resource

from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Action
from provisioning.core.plan.operations import compute_operations
from provisioning.testing.effects import PatchPoint, cut_at
from provisioning.testing.memory import MemoryProvider


def order(tmp_path, old, new):
    """The steps of the plan from *old* to *new*, in an order in which they could run."""
    box = Sandbox(tmp_path)
    if old:
        box.reconcile(box.commits.commit(*old))
    plan = box.look(box.commits.commit(*new)).plan
    return [f"{each.step} {each.change.id}" for each in compute_operations(plan)]


def thing(name, *needs, zone="x", size=0):
    return build_resource(f"Thing/{name}", {"zone": zone, "size": size}, depends_on=needs)


def test_what_is_made_follows_what_it_depends_on(tmp_path):
    """Names do not matter, dependencies do."""
    steps = order(tmp_path, [], [thing("a", "Thing/b"), thing("b", "Thing/c"), thing("c")])
    assert steps == ["create Thing/c", "create Thing/b", "create Thing/a"]


def test_what_is_removed_goes_before_what_it_was_built_on(tmp_path):
    """The recorded dependencies count, the manifests are gone."""
    old = [thing("a", "Thing/b"), thing("b", "Thing/c"), thing("c"), thing("x")]
    assert order(tmp_path, old, [thing("x")]) == [
        "delete Thing/a",
        "delete Thing/b",
        "delete Thing/c",
    ]


def test_what_stays_lets_go_before_its_old_base_is_removed(tmp_path):
    """An update that drops a dependency comes before that dependency's removal."""
    old = [thing("user", "Thing/base"), thing("base")]
    assert order(tmp_path, old, [thing("user", size=1)]) == [
        "update Thing/user",
        "delete Thing/base",
    ]


def test_a_replaced_base_takes_its_replaced_user_down_first(tmp_path):
    """Old first: the user's old goes, the base's old, then both come again."""
    old = [thing("user", "Thing/base"), thing("base")]
    new = [thing("user", "Thing/base", zone="y"), thing("base", zone="y")]
    assert order(tmp_path, old, new) == [
        "delete Thing/user",
        "delete Thing/base",
        "create Thing/base",
        "create Thing/user",
    ]


def test_a_user_follows_before_the_old_of_a_new_first_base_goes(tmp_path):
    """New first: whoever uses it moves over before the old is removed."""
    slot = build_resource("Slot/s", {"place": "p1"})
    moved = build_resource("Slot/s", {"place": "p2"})
    user = build_resource("Thing/u", {"link": "{{resources.Slot/s.place}}"})
    assert order(tmp_path, [slot, user], [moved, user]) == [
        "create Slot/s",
        "update Thing/u",
        "delete Slot/s",
    ]


def test_a_new_first_kind_on_an_old_first_base_goes_old_first_too(tmp_path):
    """Nothing outlives what it stands on."""
    old = [build_resource("Slot/s", {"place": "p1"}, depends_on=["Thing/base"]), thing("base")]
    new = [
        build_resource("Slot/s", {"place": "p2"}, depends_on=["Thing/base"]),
        thing("base", zone="y"),
    ]
    assert order(tmp_path, old, new) == [
        "delete Slot/s",
        "delete Thing/base",
        "create Thing/base",
        "create Slot/s",
    ]


def test_a_dependency_that_turned_round_has_an_order(tmp_path):
    """What was below may come to be above."""
    old = [thing("a", "Thing/b"), thing("b")]
    steps = order(tmp_path, old, [thing("a", zone="y"), thing("b", "Thing/a", zone="y")])
    assert steps.index("delete Thing/a") < steps.index("delete Thing/b")
    assert steps.index("create Thing/a") < steps.index("create Thing/b")


def test_a_removal_that_is_hurried_does_not_wait_for_those_who_stay(tmp_path):
    """Gone was built on a replaced base, and its user now uses that base: there is an order."""
    old = [thing("gone", "Thing/base"), thing("base"), thing("user", "Thing/gone")]
    new = [thing("base", zone="y"), thing("user", "Thing/base", size=1)]
    steps = order(tmp_path, old, new)
    assert steps.index("delete Thing/gone") < steps.index("delete Thing/base")
    assert steps.index("create Thing/base") < steps.index("update Thing/user")


@pytest.mark.parametrize(("attributes", "step"), [({}, "adopt"), ({"leftover": True}, "update")])
def test_what_is_adopted_unfinished_is_finished(tmp_path, attributes, step):
    """P2: what a run was cut off from making, the next one makes, though no field differs."""
    box = Sandbox(tmp_path)
    commit = box.commits.commit(thing("a"))
    points = [PatchPoint(MemoryProvider, "create", "create")]
    with cut_at(1, points, when="after"):
        box.reconcile(commit)
    box.die()
    plan = box.look(commit).plan
    change = plan.changes[0]
    live = replace(change.live, attributes={**change.live.attributes, **attributes})
    plan = replace(plan, changes=(replace(change, live=live),))
    assert [str(each.step) for each in compute_operations(plan)] == [step]


@pytest.mark.parametrize(("is_marked", "step"), [(True, "adopt"), (False, "update")])
def test_what_is_taken_over_is_marked(tmp_path, is_marked, step):
    """A mark is a call, though no field differs."""
    box = Sandbox(tmp_path)
    commit = box.commits.commit(thing("a"))
    points = [PatchPoint(MemoryProvider, "create", "create")]
    with cut_at(1, points, when="after"):
        box.reconcile(commit)
    box.die()
    plan = box.look(commit).plan
    change = plan.changes[0]
    live = change.live if is_marked else replace(change.live, mark=None)
    plan = replace(plan, changes=(replace(change, live=live),))
    assert [str(each.step) for each in compute_operations(plan)] == [step]


def test_what_is_adopted_unseen_is_only_recorded(tmp_path):
    """A kind that lives in the state log alone has nothing live."""
    box = Sandbox(tmp_path)
    plan = box.look(box.commits.commit(build_resource("Note/n", {"input": 1}))).plan
    change = replace(plan.changes[0], action=Action.ADOPT, fields=())
    assert change.live is None
    plan = replace(plan, changes=(change,))
    assert [str(each.step) for each in compute_operations(plan)] == ["adopt"]


def test_what_was_left_beside_a_resource_goes_before_it_is_made(tmp_path):
    """Each leftover has an operation of its own, also one beside what stays as it is."""
    box = Sandbox(tmp_path)
    plan = box.look(box.commits.commit(thing("a"))).plan
    (made,) = plan.changes
    beside = replace(made, action=Action.DELETE, resource=None, leftover=1)
    other = replace(beside, id=ResourceId("Thing/b"))
    plan = replace(plan, changes=(made, beside, other))
    operations = compute_operations(plan)
    assert sorted(f"{each.step} {each.change.id}" for each in operations) == [
        "create Thing/a",
        "delete Thing/a",
        "delete Thing/b",
    ]
    (making,) = [each for each in operations if each.step == "create"]
    (cleaning,) = [each for each in operations if each.change is beside]
    assert making.needs == (cleaning.number,)


def test_what_goes_with_a_replaced_base_waits_for_those_that_stay(tmp_path):
    """Who can let go in time does: the middle goes before its base comes anew, but not too soon."""
    old = [thing("user", "Thing/middle"), thing("middle", "Thing/base"), thing("base")]
    new = [thing("user", size=1), thing("base", zone="y")]
    assert order(tmp_path, old, new) == [
        "update Thing/user",
        "delete Thing/middle",
        "delete Thing/base",
        "create Thing/base",
    ]


def test_who_needs_the_new_base_cannot_let_go_of_the_middle_in_time(tmp_path):
    """The old base stands below the middle, so that both go before the user can follow."""
    old = [thing("user", "Thing/middle"), thing("middle", "Thing/base"), thing("base")]
    new = [thing("user", "Thing/base", size=1), thing("base", zone="y")]
    assert order(tmp_path, old, new) == [
        "delete Thing/middle",
        "delete Thing/base",
        "create Thing/base",
        "update Thing/user",
    ]


@pytest.mark.parametrize(("newer", "older"), [("a", "c"), ("c", "a")])
def test_records_that_stand_on_each_other_have_an_order(tmp_path, newer, older):
    """Each says to be built on the other, for they are of different runs: the newer one tells."""
    box = Sandbox(tmp_path)
    first, second = f"Thing/{newer}", f"Thing/{older}"
    box.reconcile(box.commits.commit(thing(newer), thing(older, first)))
    old = box.read_records()[second]
    box.reconcile(box.commits.commit(thing(newer, second, size=1), thing(older, size=1)))
    plan = box.look(box.commits.commit(thing("x"))).plan
    changes = [replace(each, record=old) if each.id == second else each for each in plan.changes]
    assert {each.id: each.record.depends_on for each in changes if each.record} == {
        first: (second,),
        second: (first,),
    }
    plan = replace(plan, changes=tuple(changes))
    steps = [f"{each.step} {each.change.id}" for each in compute_operations(plan)]
    assert steps.index(f"delete {first}") < steps.index(f"delete {second}")
