"""Gates: pure checks that a plan must pass before it is applied.

A gate is one value of `Gate`. Ours are in `core.policy.builtin_gates`; a package that the operator
installed brings its own by an entry point of the group `provisioning.gates`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from provisioning.core.model.ids import CommitId, ResourceId
from provisioning.core.model.kinds import Kind
from provisioning.core.model.records import Suspension
from provisioning.core.model.values import Digest
from provisioning.core.plan.plan import Plan
from provisioning.core.policy.approvals import ReviewedEffects
from provisioning.core.policy.budgets import UNLIMITED, Budget

if TYPE_CHECKING:
    from provisioning.core.policy.windows import Window

SHORT = 12
"""Digits of a digest that are shown, and are enough to name a plan."""


class GateContext(msgspec.Struct, frozen=True, kw_only=True):
    """The facts that a gate may use besides the plan.

    Args:
        applied: The commit that was applied last.
        descends: The plan's commit is *applied* or follows it.
        desired: How many resources the commit asks for.
        recorded: How many resources the state log records.
        reviewed: What pull requests showed; None where reviews are not required.
        suspended: The suspension of the infra, while it lasts.
        budget: What a run may do without approval.
        dependents: How many resources depend on each one that the plan replaces.
        kinds: All kinds, by name.
        windows: When runs may change something.
        time: The time, in seconds since the epoch.
    """

    applied: CommitId | None
    descends: bool
    desired: int
    recorded: int
    reviewed: ReviewedEffects | None = None
    suspended: Suspension | None = None
    budget: Budget = UNLIMITED
    dependents: Mapping[ResourceId, int] = msgspec.field(default_factory=dict)
    kinds: Mapping[str, Kind] = msgspec.field(default_factory=dict)
    windows: tuple[Window, ...] = ()
    time: float = 0.0


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """One gate.

    Args:
        code: Its stable name, which `--allow` takes.
        doc: One sentence: what it refuses.
        order: Its place among all gates; equal ones go by their codes.
        check: Returns the reason for a refusal, or None.
        is_bound: It is allowed only together with the plan's digest: `CODE@DIGEST`.
    """

    code: str
    doc: str
    order: int
    check: Callable[[Plan, GateContext], str | None]
    is_bound: bool = False


class GateViolation(msgspec.Struct, frozen=True, kw_only=True):
    """The refusal of a plan: the gate's code, the reason, and how to allow it once.

    `digest` is that of the plan if the gate is bound to it.
    """

    code: str
    reason: str
    digest: Digest | None = None

    @property
    def hint(self) -> str:
        """The command that allows it."""
        bound = f"@{self.digest.partition(':')[2][:SHORT]}" if self.digest else ""
        return f"if that is what you want: `provisioning apply --allow {self.code}{bound}`"


def sort_gates(gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Return *gates* in the order in which they are checked and shown."""
    return tuple(sorted(gates, key=lambda gate: (gate.order, gate.code)))


def compute_violations(
    plan: Plan, context: GateContext, allowed: Collection[str] = (), *, gates: Iterable[Gate]
) -> tuple[GateViolation, ...]:
    """Return the violations of *gates* by *plan* that are not in *allowed*.

    Args:
        plan: The plan.
        context: The facts besides it.
        allowed: `CODE`, or `CODE@DIGEST` with at least 12 digits of the plan's digest.
        gates: The gates, in their order.
    """
    reasons = [(gate, gate.check(plan, context)) for gate in gates]
    return tuple(
        GateViolation(code=gate.code, reason=reason, digest=plan.digest if gate.is_bound else None)
        for gate, reason in reasons
        if reason and not is_allowed(gate, plan, allowed)
    )


def is_allowed(gate: Gate, plan: Plan, allowed: Collection[str]) -> bool:
    """Tell whether *allowed* names *gate*, and *plan* too where the gate is bound to it."""
    if not gate.is_bound and gate.code in allowed:
        return True
    named = (item.partition("@") for item in allowed)
    digits = [part for code, _, part in named if code == gate.code and len(part) >= SHORT]
    return bool(digits) and plan.digest.partition(":")[2].startswith(tuple(digits))
