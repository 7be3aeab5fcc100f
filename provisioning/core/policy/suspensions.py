"""Suspensions: infras and resources that runs leave unchanged for some time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from provisioning.core.model.ids import ResourceId
from provisioning.core.model.records import Suspension, Suspensions
from provisioning.core.plan.plan import BlockedResource, Plan
from provisioning.core.policy.blocking import block_changes


def get_suspension(suspensions: Suspensions, now: str) -> Suspension | None:
    """Return the suspension of the whole infra, if it holds at *now* (RFC 3339, UTC)."""
    return suspensions.infra if _holds(suspensions.infra, now) else None


def list_suspended(suspensions: Suspensions, now: str) -> Mapping[ResourceId, Suspension]:
    """Return the resources whose suspensions hold at *now*."""
    return {
        name: resource for name, resource in suspensions.resources.items() if _holds(resource, now)
    }


def _holds(suspension: Suspension | None, now: str) -> bool:
    return suspension is not None and (suspension.until is None or now < suspension.until)


def describe_suspension(suspension: Suspension) -> str:
    """Say who suspended something, since when, until when, and why."""
    until = f" until {suspension.until}" if suspension.until else ""
    reason = f": {suspension.reason}" if suspension.reason else ""
    return f"suspended by {suspension.by} since {suspension.since}{until}{reason}"


def block_suspended(plan: Plan, suspensions: Suspensions, now: str) -> Plan:
    """Return *plan* with changes to suspended resources blocked, and those that wait for them."""
    suspended = list_suspended(suspensions, now)
    held = {
        change.id: BlockedResource(
            id=change.id,
            reason=f"it is {describe_suspension(suspended[change.id])}",
            source=change.source,
            hint=f"`provisioning resume {plan.infra} {change.id}` ends that",
        )
        for change in plan.changes
        if change.id in suspended
    }
    return block_changes(plan, held, "it waits for a suspended resource")


def with_suspension(
    suspensions: Suspensions, name: ResourceId | None, suspension: Suspension | None
) -> Suspensions:
    """Return *suspensions* with *suspension* of *name*, or of the infra; None ends it."""
    if name is None:
        return msgspec.structs.replace(suspensions, infra=suspension)
    resources = {key: resource for key, resource in suspensions.resources.items() if key != name}
    if suspension is not None:
        resources[name] = suspension
    return msgspec.structs.replace(suspensions, resources=dict(sorted(resources.items())))


def with_resumption(
    suspensions: Suspensions, names: Iterable[ResourceId], token: int
) -> Suspensions:
    """Return *suspensions* with *names* resumed at *token*: earlier rounds do not count."""
    resumed = {**suspensions.resumed, **dict.fromkeys(names, token)}
    return msgspec.structs.replace(suspensions, resumed=dict(sorted(resumed.items())))
