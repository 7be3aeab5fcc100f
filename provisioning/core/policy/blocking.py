"""Blocks changes of a plan, and the changes that wait for them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from provisioning.core.model.graph import compute_reach
from provisioning.core.model.ids import ResourceId
from provisioning.core.plan.plan import BlockedResource, Plan
from provisioning.core.policy.targeting import list_followers


def block_changes(plan: Plan, held: Mapping[ResourceId, BlockedResource], waiting: str) -> Plan:
    """Return *plan* with the changes of *held* blocked, and those that wait for them.

    A blocked resource stays as it is, and others may go on using it. *waiting* is the reason
    shown for the changes that wait.
    """
    names = [change.id for change in plan.changes if change.id in held]
    if not names:
        return plan
    stuck = compute_reach(names, list_followers(plan))
    blocked = {
        change.id: held.get(change.id)
        or BlockedResource(id=change.id, reason=waiting, source=change.source)
        for change in plan.changes
        if change.id in stuck
    }
    others = {item.id: item for item in plan.blocked}
    return replace(
        plan,
        changes=tuple(change for change in plan.changes if change.id not in stuck),
        blocked=tuple(sorted({**blocked, **others}.values(), key=lambda item: item.id)),
    )
