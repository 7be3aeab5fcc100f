"""How much one run may take away before somebody must say yes to just that. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from provisioning.core.model.graph import compute_reach, invert
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import Kind
from provisioning.core.model.records import Action, Record
from provisioning.core.plan.plan import Plan, PlannedChange

SHORT = 12
"""Digits of a digest that are shown, and are enough to name a plan."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What a run may do without being asked; None is no limit.

    Args:
        deletions: How many resources it may delete.
        share: How many of a hundred recorded ones.
        dependants: How many may depend, directly or not, on one that it replaces.
    """

    deletions: int | None = None
    share: float | None = None
    dependants: int | None = None


UNLIMITED = Budget()


def list_deleted(plan: Plan) -> list[ResourceId]:
    """Return what *plan* deletes and does not make anew."""
    return [
        change.id
        for change in plan.changes
        if change.action is Action.DELETE and not change.leftover
    ]


def describe_overdraft(plan: Plan, recorded: int, budget: Budget) -> str | None:
    """Say by how much *plan* deletes too much; None if it does not."""
    count = len(list_deleted(plan))
    share = 100 * count / recorded if recorded else 0.0
    limits = []
    if budget.deletions is not None and count > budget.deletions:
        plural = "s" * (budget.deletions != 1)
        limits.append(f"{budget.deletions} resource{plural} (budget.deletions)")
    if budget.share is not None and share > budget.share:
        limits.append(f"{budget.share:g} % (budget.share)")
    if not limits:
        return None
    return (
        f"{count} of {recorded} resources ({share:.0f} %) would be deleted, "
        f"and a run may delete {' and '.join(limits)}"
    )


def compute_dependants(plan: Plan, records: Mapping[ResourceId, Record]) -> dict[ResourceId, int]:
    """Return how many resources depend, directly or not, on each that *plan* replaces."""
    replaced = [change.id for change in plan.changes if change.action is Action.REPLACE]
    if not replaced:
        return {}
    users = invert({name: record.depends_on for name, record in records.items()})
    return {name: len(compute_reach([name], users)) - 1 for name in replaced}


def list_stateful(plan: Plan, kinds: Mapping[str, Kind]) -> list[ResourceId]:
    """Return what *plan* takes away, for good or to make it anew, that holds data."""
    return [change.id for change in plan.changes if _takes(change) and _is_stateful(change, kinds)]


def _takes(change: PlannedChange) -> bool:
    return change.action in {Action.DELETE, Action.REPLACE} and not change.leftover


def _is_stateful(change: PlannedChange, kinds: Mapping[str, Kind]) -> bool:
    kind = kinds.get(change.kind)
    return kind is not None and kind.stateful


def is_allowed(code: str, digest: str, allowed: Collection[str], *, bound: bool) -> bool:
    """Tell whether *allowed* lets a gate pass: by its code, or its code and the plan's digest.

    A *bound* gate is passed by the latter alone, so that a yes is to one plan and no other.
    """
    if not bound and code in allowed:
        return True
    wanted = digest.partition(":")[2]
    given = (item.partition("@") for item in allowed)
    parts = [part for name, _, part in given if name == code]
    return any(len(part) >= SHORT and wanted.startswith(part) for part in parts)
