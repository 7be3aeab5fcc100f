"""How much one run may delete or replace without approval of that very plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from provisioning.core.model.graph import compute_reach, invert
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.kinds import Kind, find_kind
from provisioning.core.model.records import Action, Record
from provisioning.core.plan.plan import Plan, PlannedChange


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one run without approval; None is no limit.

    Args:
        deletions: How many resources it may delete.
        share: How many percent of the recorded resources it may delete.
        dependents: How many dependents, direct or not, a resource that it replaces may have.
    """

    deletions: int | None = None
    share: float | None = None
    dependents: int | None = None


UNLIMITED = Budget()


def list_deleted(plan: Plan) -> list[ResourceId]:
    """Return the resources that *plan* deletes for good."""
    return [
        change.id
        for change in plan.changes
        if change.action is Action.DELETE and not change.leftover
    ]


def describe_overrun(plan: Plan, recorded: int, budget: Budget) -> str | None:
    """Say by how much *plan* deletes more than *budget* permits; None if it does not."""
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


def compute_dependents(plan: Plan, records: Mapping[ResourceId, Record]) -> dict[ResourceId, int]:
    """Return the number of dependents, direct or not, of each resource that *plan* replaces."""
    replaced = [change.id for change in plan.changes if change.action is Action.REPLACE]
    if not replaced:
        return {}
    users = invert({name: record.depends_on for name, record in records.items()})
    return {name: len(compute_reach([name], users)) - 1 for name in replaced}


def list_data_losses(plan: Plan, kinds: Mapping[str, Kind]) -> list[ResourceId]:
    """Return the resources that hold data and that *plan* deletes or replaces."""
    return [
        change.id for change in plan.changes if _is_removed(change) and _is_stateful(change, kinds)
    ]


def _is_removed(change: PlannedChange) -> bool:
    return change.action in {Action.DELETE, Action.REPLACE} and not change.leftover


def _is_stateful(change: PlannedChange, kinds: Mapping[str, Kind]) -> bool:
    kind = find_kind(kinds, change)
    return kind is not None and kind.stateful
