"""Limits a plan to some resources, together with what they depend on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from msgspec.structs import replace

from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.graph import compute_reach, invert
from provisioning.core.model.ids import ResourceId
from provisioning.core.model.values import find_nearest
from provisioning.core.plan.operations import compute_operations
from provisioning.core.plan.plan import Plan


def target_plan(plan: Plan, targets: Sequence[str] = (), excludes: Sequence[str] = ()) -> Plan:
    """Return *plan* with only the changes to *targets*, and without those to *excludes*.

    Patterns are ids, `*` and `?` allowed. What a targeted change waits for is kept with it,
    and what waits for an excluded one is left out with it, so that no reference breaks.

    Raises:
        InvalidArgument: If a pattern matches no resource of the plan.
    """
    names = {change.id for change in plan.changes} | {item.id for item in plan.blocked}
    names |= {item.id for item in plan.drifted} | set(plan.unchanged)
    followers = list_followers(plan)
    waits = invert(followers)
    kept: set[ResourceId] = set(names)
    if targets:
        matched = _match(targets, names)
        kept = compute_reach(matched, waits)
    dropped = compute_reach(_match(excludes, names), followers)
    kept -= dropped
    return replace(
        plan,
        changes=tuple(change for change in plan.changes if change.id in kept),
        blocked=tuple(item for item in plan.blocked if item.id in kept),
        drifted=tuple(item for item in plan.drifted if item.id in kept),
    )


def list_followers(plan: Plan) -> dict[ResourceId, set[ResourceId]]:
    """Return, for each change that another one waits for, the changes that wait for it."""
    operations = compute_operations(plan)
    change_of = {item.number: item.change.id for item in operations}
    followers: dict[ResourceId, set[ResourceId]] = {}
    for operation in operations:
        for need in operation.needs:
            followers.setdefault(change_of[need], set()).add(operation.change.id)
    return followers


def _match(patterns: Iterable[str], names: set[ResourceId]) -> set[ResourceId]:
    matched: set[ResourceId] = set()
    for pattern in patterns:
        found = {name for name in names if fnmatchcase(name, pattern)}
        if not found:
            nearest = find_nearest(pattern, {str(name) for name in names})
            raise InvalidArgument(
                f"no resource is called {pattern!r}",
                hint=f"did you mean {nearest!r}?" if nearest else "`provisioning get` lists them",
            )
        matched |= found
    return matched
