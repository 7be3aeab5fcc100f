import re
from datetime import UTC

import pytest
from msgspec.structs import replace

from provisioning.core.model.durations import parse_span
from provisioning.core.model.errors import Source
from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.records import Action, Record, Suspension
from provisioning.core.model.resources import Lifecycle, Resource
from provisioning.core.plan.plan import Plan, PlannedChange, Risk
from provisioning.core.policy.approvals import ReviewedEffects
from provisioning.core.policy.builtin_gates import GATES
from provisioning.core.policy.cron import parse_cron
from provisioning.core.policy.gates import Gate, GateContext, compute_violations, sort_gates
from provisioning.core.policy.windows import Window, WindowEffect
from provisioning.testing.memory_kinds import KINDS

OLD, NEW = CommitId("1" * 40), CommitId("2" * 40)
KEPT = Lifecycle(protect=True)


def change(name="Thing/a", action=Action.CREATE, *, resource=None, record=None, leftover=0):
    return PlannedChange(
        id=ResourceId(name),
        action=action,
        reason="it is so",
        kind="Thing",
        provider="memory",
        risk=Risk.SAFE,
        source=Source("a.yaml", 1),
        resource=resource,
        record=record,
        leftover=leftover,
    )


def resource(lifecycle):
    return Resource(
        id=ResourceId("Thing/a"),
        kind="Thing",
        provider="memory",
        source=Source("a.yaml", 1),
        spec={},
        lifecycle=lifecycle,
    )


def record(lifecycle):
    return Record(
        id=ResourceId("Thing/a"),
        kind="Thing",
        provider="memory",
        spec={},
        attributes={},
        run="1-000000",
        operation=1,
        source=Source("a.yaml", 1),
        lifecycle=lifecycle,
    )


def judge(
    *changes, allowed=(), gates=GATES, applied=OLD, descends=True, desired=1, recorded=1, **more
):
    now = GateContext(
        applied=applied, descends=descends, desired=desired, recorded=recorded, **more
    )
    return compute_violations(
        Plan(infra="web", commit=NEW, changes=changes), now, allowed, gates=gates
    )


@pytest.mark.parametrize(
    ("changes", "desired", "recorded", "is_refused"),
    [
        ((change(),), 0, 3, True),
        ((change(),), 1, 3, False),
        ((change(),), 0, 0, False),
        ((), 0, 3, False),
    ],
)
def test_emptied(changes, desired, recorded, is_refused):
    """Refused is what removes everything at once, and only that."""
    found = judge(*changes, desired=desired, recorded=recorded)
    assert [each.code for each in found] == ["prune"] * is_refused
    assert all("3 resources would be deleted" in each.reason for each in found)


@pytest.mark.parametrize(
    ("changes", "descends", "applied", "is_refused"),
    [
        ((change(),), False, OLD, True),
        ((change(),), True, OLD, False),
        ((change(),), False, None, False),
        ((), False, OLD, False),
    ],
)
def test_rewound(changes, descends, applied, is_refused):
    """Refused is what does not follow the commit that was applied, if there is one."""
    found = judge(*changes, descends=descends, applied=applied)
    assert [each.code for each in found] == ["rewound"] * is_refused
    assert all("2222222222 does not follow 1111111111" in each.reason for each in found)


@pytest.mark.parametrize(
    ("action", "resource_", "record_", "leftover", "is_refused"),
    [
        (Action.DELETE, None, record(KEPT), 0, True),
        (Action.REPLACE, resource(KEPT), record(Lifecycle()), 0, True),
        (Action.REPLACE, resource(Lifecycle()), record(KEPT), 0, True),
        (Action.REPLACE, resource(Lifecycle()), record(Lifecycle()), 0, False),
        (Action.UPDATE, resource(KEPT), record(KEPT), 0, False),
        (Action.FORGET, None, record(KEPT), 0, False),
        (Action.DELETE, None, record(KEPT), 1, False),
        (Action.DELETE, None, record(Lifecycle()), 0, False),
    ],
)
def test_protected(action, resource_, record_, leftover, is_refused):
    """Refused is the removal of what says `protect`, or said so when it was applied last."""
    found = judge(change("Thing/a", action, resource=resource_, record=record_, leftover=leftover))
    assert [each.code for each in found] == ["protected"] * is_refused
    assert all("would be removed: Thing/a" in each.reason for each in found)


@pytest.mark.parametrize(
    ("count", "pulls", "told"),
    [
        (1, (), "not reviewed by a pull request: Thing/n0"),
        (5, (3, 4), "not as reviewed in #3, #4: Thing/n0, Thing/n1, Thing/n2, Thing/n3, Thing/n4"),
        (6, (3,), "Thing/n4, and 1 more"),
    ],
)
def test_unreviewed(count, pulls, told):
    """Refused is what nobody has read on a pull request; the first five are named."""
    changes = [change(f"Thing/n{number}") for number in range(count)]
    (found,) = judge(*changes, reviewed=ReviewedEffects(pulls=pulls))
    assert found.code == "unreviewed"
    assert found.reason.endswith(told)


def test_what_was_reviewed_or_needs_no_review_passes():
    """Effects that were shown pass, and where nobody asks for reviews everything does."""
    shown = change()
    effects = frozenset({shown.effect_digest})
    assert judge(shown, reviewed=ReviewedEffects(effects=effects)) == ()
    assert judge(shown) == ()


SUSPENDED = Suspension(by="ana", since="2026-11-24T10:00:00Z", reason="incident 7")


@pytest.mark.parametrize(
    ("changes", "suspended", "is_refused"),
    [((change(),), SUSPENDED, True), ((), SUSPENDED, False), ((change(),), None, False)],
)
def test_suspended(changes, suspended, is_refused):
    """Refused is any change of an infra that somebody suspended; it is told who, and the end."""
    found = judge(*changes, suspended=suspended)
    assert [each.code for each in found] == ["suspended"] * is_refused
    assert all("by ana" in each.reason and "resume web" in each.reason for each in found)


FREEZE = Window(
    name="always",
    effect=WindowEffect.FREEZE,
    cron=parse_cron("0 0 * * *"),
    span=parse_span("1d"),
    zone=UTC,
)


@pytest.mark.parametrize(
    ("changes", "windows", "is_refused"),
    [
        ((change(),), (FREEZE,), True),
        ((), (FREEZE,), False),
        ((change(),), (), False),
        ((change(),), (replace(FREEZE, effect=WindowEffect.OFF),), False),
    ],
)
def test_window(changes, windows, is_refused):
    """Refused is a change while it is frozen; a yes is to this very plan."""
    found = judge(*changes, windows=windows)
    assert [each.code for each in found] == ["window"] * is_refused
    assert all(re.search(r"--allow window@[0-9a-f]{12}`$", each.hint) for each in found)


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (5, "Thing/n0, Thing/n1, Thing/n2, Thing/n3, Thing/n4"),
        (7, "Thing/n3, Thing/n4, and 2 more"),
    ],
)
def test_stateful(count, told):
    """Refused is to remove what holds data; the first five are named, and how many more."""
    changes = [change(f"Thing/n{number}", Action.DELETE) for number in range(count)]
    (found,) = judge(*changes, kinds={"Thing": replace(KINDS["Thing"], stateful=True)})
    assert found.code == "data-loss"
    assert found.reason.endswith(told)
    assert judge(*changes, kinds=KINDS) == ()


def test_each_gate_is_passed_by_its_own_code():
    """What is allowed is left out, the other reasons stay, and each says how to pass."""
    gone = change(action=Action.DELETE, record=record(KEPT))
    every = {"desired": 0, "descends": False, "reviewed": ReviewedEffects()}
    codes = ["prune", "rewound", "protected", "unreviewed"]
    found = judge(gone, **every)
    assert [each.code for each in found] == codes
    assert [each.hint.split()[-1] for each in found] == [f"{code}`" for code in codes]
    for code in codes:
        left = judge(gone, **every, allowed=[code])
        assert [each.code for each in left] == [each for each in codes if each != code]
    assert judge(gone, **every, allowed=codes) == ()


def test_a_gate_from_outside_takes_its_place():
    """It is one value: nothing of ours names it."""
    friday = Gate(
        code="friday",
        doc="A change on a Friday.",
        order=25,
        check=lambda plan, context: "it is Friday" if plan.changes and context.time else None,
        is_bound=True,
    )
    gates = sort_gates((friday, *GATES))
    codes = [gate.code for gate in gates]
    assert codes.index("rewound") < codes.index("friday") < codes.index("protected")
    (found,) = judge(change(), time=1.0, gates=gates)
    assert (found.code, found.reason) == ("friday", "it is Friday")
    assert judge(change(), time=1.0, gates=gates, allowed=["friday"]) == (found,)
    yes = found.hint.rpartition(" ")[2].strip("`")
    assert judge(change(), time=1.0, gates=gates, allowed=[yes]) == ()
