"""Gates: pure questions that a plan must pass before it is applied."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.kinds import Kind
from provisioning.core.model.records import Action, Suspension
from provisioning.core.model.values import Digest
from provisioning.core.plan.plan import Plan, PlannedChange
from provisioning.core.policy.approvals import ReviewedEffects, find_strays
from provisioning.core.policy.budgets import (
    SHORT,
    UNLIMITED,
    Budget,
    describe_overdraft,
    is_allowed,
    list_stateful,
)
from provisioning.core.policy.suspensions import describe_suspension

if TYPE_CHECKING:
    from provisioning.core.policy.windows import Window

SHOWN = 5
"""How many resources a reason names."""


class GateViolation(msgspec.Struct, frozen=True, kw_only=True):
    """A gate's "no": its stable code, why, and how to allow it once.

    `digest` is set if only a yes to this very plan counts.
    """

    code: str
    reason: str
    digest: Digest | None = None

    @property
    def hint(self) -> str:
        """The way past this gate."""
        bound = f"@{self.digest.partition(':')[2][:SHORT]}" if self.digest else ""
        return f"if that is what you want: `provisioning apply --allow {self.code}{bound}`"


class GateContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate may know besides the plan.

    `applied` is the commit that was applied last; `descends` tells whether the plan's commit
    is it or follows it; `desired` and `recorded` are how many resources there are;
    `reviewed` is what pull requests showed, None where nobody asks for that.
    `suspended` is set while the infra is; `budget` is what a run may take away unasked;
    `dependants` tells how many rely on each resource that is replaced; `kinds` are all kinds.
    `windows` say when something may be changed; `time` is in seconds since the epoch.
    """

    applied: CommitId | None
    descends: bool
    desired: int
    recorded: int
    reviewed: ReviewedEffects | None = None
    suspended: Suspension | None = None
    budget: Budget = UNLIMITED
    dependants: Mapping[ResourceId, int] = msgspec.field(default_factory=dict)
    kinds: Mapping[str, Kind] = msgspec.field(default_factory=dict)
    windows: tuple[Window, ...] = ()
    time: float = 0.0


REWOUND = "rewound"
"""The code of the gate that refuses a commit which does not follow the one applied last."""

Gate = Callable[[Plan, GateContext], GateViolation | None]


def check_emptied(plan: Plan, now: GateContext) -> GateViolation | None:
    """Refuse a desired state that is empty where there was something."""
    if now.desired or not now.recorded or not plan.changes:
        return None
    return GateViolation(
        code="emptied",
        reason=f"the desired state is empty, and {now.recorded} resources would go",
    )


def check_rewound(plan: Plan, now: GateContext) -> GateViolation | None:
    """Refuse a desired state that does not follow the one applied last."""
    if now.descends or now.applied is None or not plan.changes:
        return None
    return GateViolation(
        code=REWOUND,
        reason=f"commit {plan.commit[:10]} does not follow {now.applied[:10]}, "
        "which was applied last",
    )


def check_protected(plan: Plan, _: GateContext) -> GateViolation | None:
    """Refuse to remove what says `protect: true`."""
    names = [change.id for change in plan.changes if _is_removed(change) and _is_protected(change)]
    if not names:
        return None
    return GateViolation(
        code="protected", reason=f"protected, but would be removed: {', '.join(names)}"
    )


def check_unreviewed(plan: Plan, now: GateContext) -> GateViolation | None:
    """Refuse what is not as it was reviewed on a pull request."""
    strays = find_strays(plan, now.reviewed) if now.reviewed is not None else ()
    if not strays or now.reviewed is None:
        return None
    names = ", ".join(sorted({stray.id for stray in strays})[:SHOWN])
    more = " …" if len(strays) > SHOWN else ""
    pulls = ", ".join(f"#{number}" for number in now.reviewed.pulls)
    where = f"not as reviewed in {pulls}" if pulls else "not reviewed by a pull request"
    return GateViolation(code="unreviewed", reason=f"{where}: {names}{more}")


def check_suspended(plan: Plan, now: GateContext) -> GateViolation | None:
    """Refuse to change an infra that is suspended."""
    if now.suspended is None or not plan.changes:
        return None
    return GateViolation(
        code="suspended",
        reason=f"{plan.infra} is {describe_suspension(now.suspended)}; "
        f"`provisioning resume {plan.infra}` ends it",
    )


def check_window(plan: Plan, now: GateContext) -> GateViolation | None:
    """Refuse to change something while the infra is frozen, or outside of its windows."""
    if not now.windows or not plan.changes:
        return None
    from provisioning.core.policy.windows import describe_closure

    reason = describe_closure(now.windows, now.time)
    return GateViolation(code="window", reason=reason, digest=plan.digest) if reason else None


def check_budget(plan: Plan, now: GateContext) -> GateViolation | None:
    """Refuse to delete more than the infra's budget; what is emptied has its own gate."""
    reason = describe_overdraft(plan, now.recorded, now.budget) if now.desired else None
    return GateViolation(code="budget", reason=reason, digest=plan.digest) if reason else None


def check_stateful(plan: Plan, now: GateContext) -> GateViolation | None:
    """Refuse to delete or replace what holds data."""
    names = list_stateful(plan, now.kinds)
    if not names:
        return None
    reason = f"they hold data, which would be gone: {', '.join(names[:SHOWN])}"
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return GateViolation(code="stateful", reason=reason + more, digest=plan.digest)


def check_relied(plan: Plan, now: GateContext) -> GateViolation | None:
    """Refuse to replace what many others depend on."""
    limit = now.budget.dependants
    if limit is None:
        return None
    found = {name: count for name, count in now.dependants.items() if count > limit}
    if not found:
        return None
    told = ", ".join(f"{name} ({count})" for name, count in sorted(found.items()))
    return GateViolation(
        code="relied",
        reason=f"replaced, and relied on by more than {limit} (budget.dependants): {told}",
        digest=plan.digest,
    )


def _is_removed(change: PlannedChange) -> bool:
    return change.action in {Action.DELETE, Action.REPLACE} and not change.leftover


def _is_protected(change: PlannedChange) -> bool:
    return any(
        item is not None and item.lifecycle.protect for item in (change.resource, change.record)
    )


GATES: tuple[Gate, ...] = (
    check_emptied,
    check_rewound,
    check_protected,
    check_unreviewed,
    check_suspended,
    check_window,
    check_budget,
    check_stateful,
    check_relied,
)


def compute_violations(
    plan: Plan, now: GateContext, allowed: Collection[str] = ()
) -> tuple[GateViolation, ...]:
    """Return every gate's "no" that *allowed* has no yes to: `CODE`, or `CODE@DIGEST`."""
    violations = [gate for gate in (gate(plan, now) for gate in GATES) if gate]
    if not violations or not allowed:
        return tuple(violations)
    digest = plan.digest
    return tuple(
        violation
        for violation in violations
        if not is_allowed(violation.code, digest, allowed, bound=violation.digest is not None)
    )
