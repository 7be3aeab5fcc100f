"""The gates of this program, each with its code, its place and how it is allowed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Action
from provisioning.core.plan.plan import Plan, PlannedChange
from provisioning.core.policy.approvals import list_unreviewed
from provisioning.core.policy.budgets import describe_overrun, list_data_losses
from provisioning.core.policy.gates import Gate, GateContext, sort_gates
from provisioning.core.policy.suspensions import describe_suspension

SHOWN = 5
"""How many resources a reason names."""

REWOUND = "rewound"
"""The code of the gate that refuses a commit which does not follow the one applied last."""


def _check_prune(plan: Plan, context: GateContext) -> str | None:
    if context.desired or not context.recorded or not plan.changes:
        return None
    return f"the desired state is empty, and {context.recorded} resources would be deleted"


def _check_rewound(plan: Plan, context: GateContext) -> str | None:
    if context.descends or context.applied is None or not plan.changes:
        return None
    return (
        f"commit {plan.commit[:10]} does not follow {context.applied[:10]}, which was applied last"
    )


def _check_protected(plan: Plan, _: GateContext) -> str | None:
    names = [change.id for change in plan.changes if _is_removed(change) and _is_protected(change)]
    return f"protected, but would be removed: {', '.join(names)}" if names else None


def _is_removed(change: PlannedChange) -> bool:
    return change.action in {Action.DELETE, Action.REPLACE} and not change.leftover


def _is_protected(change: PlannedChange) -> bool:
    sides = (change.resource, change.record)
    return any(side is not None and side.lifecycle.protect for side in sides)


def _check_unreviewed(plan: Plan, context: GateContext) -> str | None:
    if context.reviewed is None or not (found := list_unreviewed(plan, context.reviewed)):
        return None
    names = sorted({change.id for change in found})
    pulls, unsigned = (
        ", ".join(f"#{number}" for number in numbers)
        for numbers in (context.reviewed.pulls, context.reviewed.unsigned)
    )
    where = f"not as reviewed in {pulls}" if pulls else "not reviewed by a pull request"
    key = "the key in forge.review_key_file, which must be that of the machine that reviews"
    return f"{where}: {_join(names)}" + (f"; {unsigned} is not signed with {key}" * bool(unsigned))


def _check_suspended(plan: Plan, context: GateContext) -> str | None:
    if context.suspended is None or not plan.changes:
        return None
    return (
        f"{plan.infra} is {describe_suspension(context.suspended)}; "
        f"`provisioning resume {plan.infra}` ends it"
    )


def _check_window(plan: Plan, context: GateContext) -> str | None:
    if not context.windows or not plan.changes:
        return None
    from provisioning.core.policy.windows import describe_closure

    return describe_closure(context.windows, context.time)


def _check_budget(plan: Plan, context: GateContext) -> str | None:
    """Leave a desired state that is empty to the gate `prune`."""
    return describe_overrun(plan, context.recorded, context.budget) if context.desired else None


def _check_data_loss(plan: Plan, context: GateContext) -> str | None:
    names = list_data_losses(plan, context.kinds)
    return f"their data would be lost: {_join(names)}" if names else None


def _check_dependents(_: Plan, context: GateContext) -> str | None:
    limit = context.budget.dependents
    if limit is None:
        return None
    found = {name: count for name, count in context.dependents.items() if count > limit}
    if not found:
        return None
    names = ", ".join(f"{name} ({count})" for name, count in sorted(found.items()))
    return f"replaced, with more than {limit} dependents (budget.dependents): {names}"


def _join(names: Sequence[ResourceId]) -> str:
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


GATES = sort_gates(
    (
        Gate(
            code="prune",
            doc="A desired state that is empty where resources are recorded.",
            order=10,
            check=_check_prune,
        ),
        Gate(
            code=REWOUND,
            doc="A commit that does not follow the one applied last.",
            order=20,
            check=_check_rewound,
        ),
        Gate(
            code="protected",
            doc="The removal of a resource whose manifest says `protect: true`.",
            order=30,
            check=_check_protected,
        ),
        Gate(
            code="unreviewed",
            doc="A change that differs from its review, or had none where `review.policy` asks "
            "for one.",
            order=40,
            check=_check_unreviewed,
        ),
        Gate(
            code="suspended",
            doc="Any change of an infra that is suspended.",
            order=50,
            check=_check_suspended,
        ),
        Gate(
            code="window",
            doc="Any change while the infra is frozen, or outside of its windows.",
            order=60,
            check=_check_window,
            is_bound=True,
        ),
        Gate(
            code="budget",
            doc="More deletions than `budget.deletions` or `budget.share` permit.",
            order=70,
            check=_check_budget,
            is_bound=True,
        ),
        Gate(
            code="data-loss",
            doc="The deletion or replacement of a resource that holds data, as its kind says.",
            order=80,
            check=_check_data_loss,
            is_bound=True,
        ),
        Gate(
            code="dependents",
            doc="The replacement of a resource with more dependents than `budget.dependents`.",
            order=90,
            check=_check_dependents,
            is_bound=True,
        ),
    )
)
"""Every gate of ours, in order."""

_HEAD = """\
# Gates

A gate refuses a plan before anything is applied. `--allow CODE` passes it for one run; where the
table says so, only `--allow CODE@DIGEST` does, with at least 12 digits of the digest of that very
plan, which the hint shows. The run records what was allowed. A package that is installed beside
this one adds gates by the entry point group `provisioning.gates`.

| Gate | Refuses | Allowed by |
| --- | --- | --- |
"""


def render_gates(gates: Iterable[Gate] = GATES) -> str:
    """Return `docs/reference/gates.md`."""
    rows = (
        f"| `{gate.code}` | {gate.doc} | `{gate.code}{'@DIGEST' * gate.is_bound}` |\n"
        for gate in gates
    )
    return _HEAD + "".join(rows)
