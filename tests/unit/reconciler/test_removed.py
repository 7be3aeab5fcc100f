"""`removed`: what Git says of the end of a resource that it no longer asks for."""

import pytest
from sandboxes import Sandbox, build_resource

from provisioning.core.manifests.compilation import compile_manifest
from provisioning.core.model.errors import InvalidManifest, InvalidWorkspace, Source
from provisioning.core.model.records import Action
from provisioning.core.model.resources import DeletePolicy, Lifecycle, Resource
from provisioning.reconciler.planning.plan_result import Conclusion
from provisioning.testing.memory_kinds import KINDS

A, N = "Thing/a", "Note/n"


@pytest.fixture
def box(tmp_path):
    return Sandbox(tmp_path)


def declare(name, policy):
    return Resource(
        id=name,
        kind=name.partition("/")[0],
        provider="memory",
        source=Source("infra/web/gone.yaml", 3),
        spec={},
        removed=policy,
    )


@pytest.mark.parametrize(
    ("policy", "before", "action"),
    [
        (DeletePolicy.RETAIN, DeletePolicy.DELETE, Action.FORGET),
        (DeletePolicy.DELETE, DeletePolicy.RETAIN, Action.DELETE),
    ],
)
def test_what_is_declared_wins_over_what_was_recorded(box, policy, before, action):
    """The plan points to the declaration; afterwards it does nothing more."""
    lifecycle = Lifecycle(on_delete=before)
    box.reconcile(box.commits.commit(build_resource(A, lifecycle=lifecycle), build_resource(N)))
    commit = box.commits.commit(build_resource(N), declare(A, policy))
    (change,) = box.look(commit).plan.changes
    assert (change.action, str(change.source)) == (action, "infra/web/gone.yaml:3")
    assert box.reconcile(commit).conclusion is Conclusion.APPLIED
    assert bool(box.world.snapshot()) is (policy is DeletePolicy.RETAIN)
    assert A not in box.read_records()
    assert box.reconcile(commit).conclusion is Conclusion.UNCHANGED


def test_a_look_at_what_changed_knows_it_too(box):
    """A second plan, which leaves out what is settled, still retains it."""
    notes = [build_resource(f"Note/n{number}", {"input": number}) for number in range(8)]
    box.reconcile(box.commits.commit(build_resource(A), *notes))
    commit = box.commits.commit(*notes, declare(A, DeletePolicy.RETAIN))
    for _ in range(3):
        (change,) = box.look(commit).plan.changes
        assert change.action is Action.FORGET
    box.reconcile(commit)
    assert len(box.world.snapshot()) == 1
    plan_result = box.look(commit)
    assert plan_result.plan.changes == ()


def test_what_is_only_declared_removed_counts_as_empty(box):
    """The gate against an emptied state is not fooled."""
    box.reconcile(box.commits.commit(build_resource(A)))
    commit = box.commits.commit(declare(A, DeletePolicy.DELETE))
    assert [each.code for each in box.look(commit).violations] == ["prune"]


def test_what_is_protected_stays_protected(box):
    """To declare it is no yes to lose it."""
    box.reconcile(
        box.commits.commit(build_resource(A, lifecycle=Lifecycle(protect=True)), build_resource(N))
    )
    commit = box.commits.commit(build_resource(N), declare(A, DeletePolicy.DELETE))
    assert [each.code for each in box.look(commit).violations] == ["protected"]


def test_what_is_still_defined_cannot_be_declared_removed(box):
    """The error names both places."""
    commit = box.commits.commit(build_resource(A), declare(A, DeletePolicy.RETAIN))
    with pytest.raises(InvalidManifest, match=r"still defined at infra/web/all\.yaml:1") as caught:
        box.look(commit)
    assert caught.value.source == Source("infra/web/gone.yaml", 3)


GONE = "apiVersion: provisioning/v1\nremoved: {from: Thing/a, onDelete: retain}\n"


def test_it_is_a_document_of_its_own():
    """It needs no kind and no name."""
    (found,) = compile_manifest(GONE.encode(), "infra/web/a.yaml", KINDS)
    assert (found.id, found.removed) == (A, DeletePolicy.RETAIN)
    assert found.source == Source("infra/web/a.yaml", 1)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("retain", "keep", "removed.onDelete: must be retain or delete"),
        (", onDelete: retain", "", "removed.onDelete: must be retain or delete"),
        ("Thing/a", "Thng/a", "removed.from: there is no kind 'Thng'"),
        ("Thing/a", "a", "removed.from: 'a' is not the id"),
        ("from: Thing/a", "form: Thing/a", "removed.form: there is no such key"),
        ("removed:", "kind: Thing\nremoved:", "kind: there is no such key"),
        ("{from: Thing/a, onDelete: retain}", "[Thing/a]", "removed: must be a map"),
    ],
)
def test_slips_are_told(old, new, told):
    """Each with its place."""
    with pytest.raises((InvalidManifest, InvalidWorkspace)) as caught:
        compile_manifest(GONE.replace(old, new).encode(), "infra/web/a.yaml", KINDS)
    problems = getattr(caught.value, "problems", [caught.value])
    assert any(told in each.message for each in problems)
    assert all(each.source.line >= 1 for each in problems)
