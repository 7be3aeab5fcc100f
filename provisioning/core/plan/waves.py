"""Deletions go last, and in waves: one, then two, then four. Pure.

The first is the canary: if it fails, none of the others is begun. Of each later wave, a deletion
waits for one of the wave before, so that a failure stops all that would have followed from it. What
a run makes or changes never waits for a wave.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from provisioning.core.model.graph import compute_reach, invert
from provisioning.core.model.records import Action
from provisioning.core.plan.operations import Operation, Step

MAKING = frozenset({Step.CREATE, Step.UPDATE, Step.ADOPT})


def arrange_waves(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return *operations*, which are in an order they could run in, with the deletions in waves.

    A deletion that something which is made must wait for is in none, and neither is the half of a
    replacement. What waits for a deletion of a wave is last as well.
    """
    needs = {operation.number: operation.needs for operation in operations}
    makings = (operation.number for operation in operations if operation.step in MAKING)
    needed = compute_reach(makings, needs)
    waves = [
        operation.number
        for operation in operations
        if _deletes(operation) and operation.number not in needed
    ]
    before = {number: waves[(place - 1) // 2] for place, number in enumerate(waves) if place}
    last = compute_reach(waves, invert(needs))
    return tuple(
        _arrange(operation, before, is_last=operation.number in last) for operation in operations
    )


def _deletes(operation: Operation) -> bool:
    change = operation.change
    return operation.step is Step.DELETE and change.action is Action.DELETE and not change.leftover


def _arrange(operation: Operation, before: dict[int, int], *, is_last: bool) -> Operation:
    if not is_last:
        return operation
    parent = before.get(operation.number)
    needs = {*operation.needs, *((parent,) if parent else ())}
    return replace(operation, needs=tuple(sorted(needs)), is_last=True)
