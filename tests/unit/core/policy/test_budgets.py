"""What a run may take away unasked, and that a yes is to one plan only."""

import pytest
from msgspec.structs import replace
from sandboxes import Sandbox, build_resource

from provisioning.core.model.records import Action
from provisioning.core.policy import gates
from provisioning.core.policy.budgets import Budget, describe_overrun, list_deleted
from provisioning.core.policy.builtin_gates import GATES
from provisioning.core.policy.gates import Gate, GateContext, is_allowed
from provisioning.reconciler.planning.plan_result import Conclusion, RunRequest
from provisioning.testing.memory_kinds import KINDS


def compute_violations(plan, now, allowed=()):
    return gates.compute_violations(plan, now, allowed, gates=GATES)


@pytest.fixture
def box(tmp_path):
    return Sandbox(tmp_path)


def name(numbers):
    return [build_resource(f"Thing/t{number}", {"size": 1, "zone": "x"}) for number in numbers]


def look(box, count, left, **limits):
    """Plan to go from *count* resources to the first *left*."""
    box.reconcile(box.commits.commit(*name(range(count))))
    plan_result = box.look(box.commits.commit(*name(range(left))))
    now = GateContext(
        applied=None,
        descends=True,
        desired=left,
        recorded=count,
        budget=Budget(**limits),
        kinds={},
    )
    return plan_result.plan, now


@pytest.mark.parametrize(
    ("count", "left", "limits", "told"),
    [
        (6, 3, {"deletions": 3}, ""),
        (6, 2, {"deletions": 3}, "4 of 6 resources (67 %) would be deleted"),
        (6, 2, {"deletions": 1}, "a run may delete 1 resource (budget.deletions)"),
        (6, 3, {"share": 50}, ""),
        (6, 2, {"share": 50}, "50 % (budget.share)"),
        (6, 2, {"deletions": 3, "share": 50}, "3 resources (budget.deletions) and 50 %"),
        (6, 5, {"deletions": 0}, "1 of 6"),
        (6, 1, {}, ""),
        (6, 0, {"deletions": 3}, ""),
    ],
)  # fmt: skip
def test_deletions_beyond_the_budget_are_refused_with_numbers(box, count, left, limits, told):
    """At the limit is within it; an emptied state has its own gate."""
    plan, now = look(box, count, left, **limits)
    codes = {each.code: each.reason for each in compute_violations(plan, now)}
    assert ("budget" in codes) is bool(told)
    assert told in codes.get("budget", "")


def test_only_deletions_count(box):
    """What is made beside them takes nothing away."""
    box.reconcile(box.commits.commit(*name(range(3))))
    plan = box.look(box.commits.commit(*name([0, 1, 7, 8]))).plan
    assert list_deleted(plan) == ["Thing/t2"]
    assert describe_overrun(plan, 3, Budget(deletions=1)) is None


def test_a_yes_is_to_one_plan(box):
    """The code alone is no yes; the digest of another plan is none either."""
    plan, now = look(box, 6, 2, deletions=3)
    (violation,) = compute_violations(plan, now)
    bound = violation.hint.rpartition(" ")[2].strip("`")
    assert bound.startswith("budget@")
    assert compute_violations(plan, now, ["budget"]) == (violation,)
    assert compute_violations(plan, now, [bound]) == ()
    other = replace(plan, changes=plan.changes[1:])
    fewer = replace(now, budget=Budget(deletions=2))
    assert [each.code for each in compute_violations(other, fewer, [bound])] == ["budget"]


@pytest.mark.parametrize(
    ("given", "bound", "allowed"),
    [
        ("budget", False, True),
        ("budget", True, False),
        ("budget@0123456789ab", True, True),
        ("budget@0123456789ab", False, True),
        ("budget@0123456789", True, False),
        ("budget@", True, False),
        ("budget@fedcba987654", True, False),
        ("other@0123456789ab", True, False),
    ],
)
def test_what_counts_as_a_yes(given, bound, allowed):
    """At least twelve digits of the plan's own digest."""

    class Digested:
        digest = "sha256:0123456789abcdef"

    gate = Gate(code="budget", doc="", order=1, check=lambda *_: None, is_bound=bound)
    assert is_allowed(gate, Digested, [given]) is allowed


def test_what_holds_data_is_neither_deleted_nor_replaced_unasked(box):
    """The kind says that it does; an update is no loss."""
    kinds = {key: replace(kind, stateful=key == "Slot") for key, kind in KINDS.items()}
    box.reconcile(
        box.commits.commit(
            build_resource("Slot/a", {"place": "a", "value": "v"}),
            build_resource("Slot/b", {"place": "b", "value": "v"}),
            build_resource("Slot/c", {"place": "c", "value": "v"}),
            *name([1]),
        )
    )
    plan = box.look(
        box.commits.commit(
            build_resource("Slot/b", {"place": "b2", "value": "v"}),
            build_resource("Slot/c", {"place": "c", "value": "w"}),
        )
    ).plan
    now = GateContext(applied=None, descends=True, desired=2, recorded=4, kinds=kinds)
    (violation,) = compute_violations(plan, now)
    assert (violation.code, violation.reason) == (
        "data-loss",
        "their data would be lost: Slot/a, Slot/b",
    )


def test_the_replacement_of_what_many_rely_on_is_refused(box):
    """Those that depend on it through others count, too."""

    def build(zone):
        return [
            build_resource("Thing/base", {"size": 1, "zone": zone}),
            *(
                build_resource(f"Note/n{number}", {"input": 1}, depends_on=[f"{need}"])
                for number, need in enumerate(["Thing/base", "Note/n0", "Note/n1"])
            ),
        ]

    box.reconcile(box.commits.commit(*build("x")))
    plan = box.look(box.commits.commit(*build("y"))).plan
    assert [each.action for each in plan.changes if each.id == "Thing/base"] == [Action.REPLACE]
    now = GateContext(
        applied=None,
        descends=True,
        desired=4,
        recorded=4,
        budget=Budget(dependents=2),
        dependents={"Thing/base": 3},
    )
    (violation,) = compute_violations(plan, now)
    assert violation.reason.endswith(
        "with more than 2 dependents (budget.dependents): Thing/base (3)"
    )
    reconciler = box.build_reconciler()
    settings = replace(reconciler.context.settings, budget=Budget(dependents=2))
    reconciler = box.build_reconciler(settings=settings)
    request = RunRequest(commit=plan.commit, reason="test")
    report = reconciler.reconcile(request)
    assert report.conclusion is Conclusion.BLOCKED
    (violation,) = report.plan_result.violations
    yes = violation.hint.rpartition(" ")[2].strip("`")
    run = reconciler.reconcile(replace(request, allow=[yes], reason="zone x is closed")).run
    assert (run.allowed, run.reason) == ((yes,), "zone x is closed")
