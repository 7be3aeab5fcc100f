"""What a look found settled, and what is looked at again."""

import pytest
from sandboxes import build_resource

from provisioning.core.model.errors import Source
from provisioning.core.model.ids import BlobId, ResourceId
from provisioning.core.model.records import Record
from provisioning.core.model.resources import DeletePolicy
from provisioning.core.model.states import RecordedState
from provisioning.core.plan.plan import Plan
from provisioning.core.plan.plan_cache import (
    CachedFile,
    PlanCache,
    compute_plan_cache,
    count_desired,
    is_lasting,
    settle_file,
)
from provisioning.testing.memory_kinds import KINDS

A, B, C = (ResourceId(f"Note/{name}") for name in "abc")


def record(name, **more):
    return Record(
        id=name,
        kind="Note",
        provider="memory",
        spec={},
        attributes={},
        run="1-000000",
        operation=1,
        source=Source("a.yaml", 1),
        **more,
    )


def settle(*resources, records, base=None, unchanged=(A, B, C), seen=(A, B, C)):
    plan = Plan(infra="web", commit="c" * 40, unchanged=unchanged)
    return compute_plan_cache(
        base or PlanCache(version="1"),
        seen,
        resources=resources,
        recorded=RecordedState(head=None, records={each.id: each for each in records}),
        plan=plan,
        kinds=KINDS,
    )


def test_what_is_as_it_should_be_is_settled():
    """What the plan changes, and what is recorded only, is looked at again."""
    notes = [build_resource(name, {"input": 1}) for name in (A, B)]
    found = settle(*notes, records=map(record, (A, B, C)), unchanged=(A,))
    assert found.settled == (A,)
    assert found.unsettled == (B, C)


@pytest.mark.parametrize(
    "trouble", [{"error": "half made"}, {"leftovers": ({"id": 1},)}, {"moved_from": B}]
)
def test_what_a_run_left_undone_is_not_settled(trouble):
    """Its record tells what the next run has to finish."""
    found = settle(build_resource(A, {"input": 1}), records=[record(A, **trouble)])
    assert (found.settled, found.unsettled) == ((), (A,))


def test_what_is_not_recorded_is_not_settled():
    """Whatever the plan says of it."""
    found = settle(build_resource(A, {"input": 1}), records=[])
    assert (found.settled, found.unsettled) == ((), (A,))


def test_of_what_was_not_looked_at_the_old_holds():
    """What was settled stays so, and who depends on what is still known."""
    base = PlanCache(
        version="1",
        settled=(A, B, C),
        followers={A: (B, C), B: (C,)},
    )
    found = settle(
        build_resource(C, {"input": 1}, depends_on=[B]), records=[record(C)], base=base, seen=(C,)
    )
    assert found.settled == (A, B, C)
    assert found.followers == {A: (B,), B: (C,)}
    assert found.compute_touched([A]) == {A, B, C}


@pytest.mark.parametrize(
    ("resource", "lasts"),
    [
        (build_resource(A, {"input": 1}), True),
        (build_resource(A, {"input": "of {{resources.Note/b.output}}"}), True),
        (build_resource(A, {"input": "of {{env.X}}"}), False),
        (build_resource(A, {"input": 1}, moved_from=B), False),
        (build_resource("Thing/a", {"size": 1}), False),
    ],
    ids=["plain", "of a resource", "of a setting", "moved", "in the world"],
)
def test_only_what_nothing_else_can_change_lasts(resource, lasts):
    """A setting may be another one at any time, and the world too."""
    assert is_lasting(resource, KINDS[resource.kind]) is lasts


def test_what_is_declared_removed_is_not_desired():
    """A file tells how many resources it asks for; by itself it removes none."""
    gone = build_resource(C, removed=DeletePolicy.DELETE)
    file = settle_file(BlobId("b" * 40), [build_resource(A), build_resource(B), gone])
    assert file == CachedFile(BlobId("b" * 40), (A, B, C), 1)
    assert count_desired({"a.yaml": file, "b.yaml": CachedFile(BlobId("c" * 40), (A,))}) == 3
    assert PlanCache(version="1").recorded == 0
