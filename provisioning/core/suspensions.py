"""What people asked runs to leave alone, for a while. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from provisioning.core.graph import compute_reach
from provisioning.core.ids import ResourceId
from provisioning.core.narrowing import list_followers
from provisioning.core.plans import BlockedResource, Plan
from provisioning.core.records import Suspension, Suspensions


def get_suspension(suspensions: Suspensions, now: str) -> Suspension | None:
    """Return the suspension of the whole infra, if it holds at *now* (RFC 3339, UTC)."""
    return suspensions.infra if _holds(suspensions.infra, now) else None


def list_suspended(suspensions: Suspensions, now: str) -> Mapping[ResourceId, Suspension]:
    """Return the resources whose suspensions hold at *now*."""
    return {name: each for name, each in suspensions.resources.items() if _holds(each, now)}


def _holds(suspension: Suspension | None, now: str) -> bool:
    return suspension is not None and (suspension.until is None or now < suspension.until)


def describe_suspension(suspension: Suspension) -> str:
    """Say who suspended something, since when, until when, and why."""
    until = f" until {suspension.until}" if suspension.until else ""
    reason = f": {suspension.reason}" if suspension.reason else ""
    return f"suspended by {suspension.by} since {suspension.since}{until}{reason}"


def hold_back(plan: Plan, suspensions: Suspensions, now: str) -> Plan:
    """Return *plan* with the changes to suspended resources blocked, and those that wait for them.

    What is not to change stays as it is: others may go on using it.
    """
    suspended = list_suspended(suspensions, now)
    changed = {each.id for each in plan.changes}
    held = [name for name in suspended if name in changed]
    if not held:
        return plan
    stuck = compute_reach(held, list_followers(plan))
    blocked = {
        each.id: BlockedResource(
            id=each.id,
            reason=f"it is {describe_suspension(suspended[each.id])}"
            if each.id in suspended
            else "it waits for something suspended",
            source=each.source,
            hint=f"`provisioning resume {plan.infra} {each.id}` ends that"
            if each.id in suspended
            else None,
        )
        for each in plan.changes
        if each.id in stuck
    }
    others = {each.id: each for each in plan.blocked}
    return replace(
        plan,
        changes=tuple(each for each in plan.changes if each.id not in stuck),
        blocked=tuple(sorted({**blocked, **others}.values(), key=lambda each: each.id)),
    )


def with_suspension(
    suspensions: Suspensions, name: ResourceId | None, suspension: Suspension | None
) -> Suspensions:
    """Return *suspensions* with *suspension* of *name*, or of the infra; None ends it."""
    if name is None:
        return msgspec.structs.replace(suspensions, infra=suspension)
    resources = {key: each for key, each in suspensions.resources.items() if key != name}
    if suspension is not None:
        resources[name] = suspension
    return msgspec.structs.replace(suspensions, resources=dict(sorted(resources.items())))
