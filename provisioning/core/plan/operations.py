"""Turns a plan into operations, and says which wait for which."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import TypeAlias

import msgspec

from provisioning.core.model.graph import (
    compute_order,
    compute_reach,
    has_cycle,
    invert,
    open_cycles,
)
from provisioning.core.model.ids import ResourceId, get_number
from provisioning.core.model.records import Action
from provisioning.core.plan.plan import Plan, PlannedChange


class Step(StrEnum):
    """One mutating call, or one entry in the state log without a call."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    ADOPT = "adopt"
    FORGET = "forget"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a change, and the numbers of the operations that must have succeeded first.

    `is_last` tells that it begins when all that are not have ended, however they did.
    """

    number: int
    step: Step
    change: PlannedChange
    needs: tuple[int, ...]
    is_last: bool = False


MAKE, REMOVE, CLEAN = "make", "remove", "clean"

Node: TypeAlias = tuple[ResourceId, str]
"""A resource, and what is done to it: `MAKE`, `REMOVE`, or `CLEAN` with a leftover's number."""

Changes: TypeAlias = Mapping[ResourceId, PlannedChange]


def compute_operations(plan: Plan) -> tuple[Operation, ...]:
    """Number the operations of *plan* in an order in which they could run one by one.

    What is made follows what it depends on. What is removed goes before what it was built
    on, and after those that stay have let go of it, unless they stand on something whose old
    must go first. A replacement removes the old first; where the kind allows, it makes the new
    first and removes the old when all who used it have followed. What cut-off runs left beside
    a resource goes before it is made.
    """
    makes = {change.id: change for change in plan.changes if _makes(change)}
    removes = {
        change.id: change for change in plan.changes if _removes(change) and not change.leftover
    }
    leftovers = {
        (change.id, f"{CLEAN}{change.leftover}"): change
        for change in plan.changes
        if change.leftover
    }
    graph = _compute_graph(makes, removes)
    for node in leftovers:
        graph[node] = set()
        if node[0] in makes:
            graph[node[0], MAKE].add(node)
    changes = leftovers | {
        node: makes[node[0]] if node[1] == MAKE else removes[node[0]]
        for node in graph
        if node not in leftovers
    }
    numbers = {node: number for number, node in enumerate(compute_order(graph), start=1)}
    return tuple(
        Operation(
            number=number,
            step=_choose_making(changes[node])
            if node[1] == MAKE
            else _choose_removing(changes[node]),
            change=changes[node],
            needs=tuple(sorted(numbers[need] for need in graph[node])),
        )
        for node, number in numbers.items()
    )


def _compute_graph(makes: Changes, removes: Changes) -> dict[Node, set[Node]]:
    built_on = _compute_built_on({**makes, **removes})
    users = invert(built_on)
    old_first = _compute_old_first(makes, removes, users)
    hurried = compute_reach([name for name in old_first if name in removes], users)
    made_on = {name: _get_desired_needs(change, makes) for name, change in makes.items()}
    late = compute_reach(old_first, invert(made_on))
    graph: dict[Node, set[Node]] = {}
    for name, needs in made_on.items():
        graph[name, MAKE] = {(need, MAKE) for need in needs}
        if name in old_first:
            graph[name, MAKE].add((name, REMOVE))
    for name in removes:
        using = users.get(name, ())
        graph[name, REMOVE] = {(user, REMOVE) for user in using if user in removes}
        waits = [user for user in (name, *using) if user in makes]
        if name in hurried:
            waits = [user for user in waits if user not in late]
        graph[name, REMOVE] |= {(user, MAKE) for user in waits}
    return graph


def _makes(change: PlannedChange) -> bool:
    return change.action in {Action.CREATE, Action.UPDATE, Action.REPLACE, Action.ADOPT}


def _removes(change: PlannedChange) -> bool:
    return change.action in {Action.REPLACE, Action.DELETE, Action.FORGET}


def _choose_making(change: PlannedChange) -> Step:
    if change.action in {Action.CREATE, Action.REPLACE}:
        return Step.CREATE
    is_unfinished = change.live is not None and change.live.is_unfinished
    is_bare = change.live is not None and change.live.mark is None
    needs_call = change.action is Action.UPDATE or change.fields or is_unfinished or is_bare
    return Step.UPDATE if needs_call else Step.ADOPT


def _choose_removing(change: PlannedChange) -> Step:
    return Step.FORGET if change.action is Action.FORGET else Step.DELETE


def _get_desired_needs(change: PlannedChange, makes: Changes) -> list[ResourceId]:
    needs = change.resource.dependencies if change.resource else ()
    return [need for need in needs if need in makes]


def _compute_built_on(changes: Changes) -> Mapping[ResourceId, Collection[ResourceId]]:
    """Return what each was built on when it was applied last.

    Records are of different runs. Two resources that changed sides meanwhile each say to stand on
    the other; the newer record tells.
    """
    built_on = {
        name: change.record.depends_on if change.record else () for name, change in changes.items()
    }
    if not has_cycle(built_on):
        return built_on
    return open_cycles(built_on, sorted(changes, key=lambda name: _get_age(changes[name])))


def _get_age(change: PlannedChange) -> tuple[int, ResourceId]:
    return -get_number(change.record.run) if change.record else 0, change.id


def _compute_old_first(
    makes: Changes, removes: Changes, users: Mapping[ResourceId, Collection[ResourceId]]
) -> set[ResourceId]:
    """Return the replacements whose old must go first.

    That includes those built on such a one: they cannot outlive what they stand on.
    """
    replaced = makes.keys() & removes.keys()
    first = [name for name in replaced if makes[name].old_first]
    return compute_reach(first, users) & replaced
