"""The in-memory provider in its planning mode: it foresees what the engine cannot."""

from __future__ import annotations

from collections.abc import Mapping

from provisioning.core.model.providers import PlannedValues, PlanningRequest
from provisioning.core.model.values import Tree, Unknown
from provisioning.testing.memory import MemoryProvider, complete_attributes
from provisioning.testing.memory_kinds import KINDS
from provisioning.testing.worlds import Live

_NEW = "(a new id)"
"""Stands for the id of what is still to be made; whatever has it in it is not known."""


class PlanningMemoryProvider(MemoryProvider):
    """A `MemoryProvider` that also plans: a `Thing` cannot shrink, but can be replaced."""

    def plan(self, request: PlanningRequest) -> PlannedValues:
        """Return what the resource will have, as far as its id and the spec are known."""
        with self._world.serve("plan"):
            kind, there = KINDS[request.kind], request.live or {}
            if kind.recorded_only:
                spec = request.spec
                return PlannedValues(attributes={**spec, "output": spec.get("input")})
            live = Live(str(there.get("serial", _NEW)), kind.name, there)
            attributes = complete_attributes(kind, live, request.spec)
            return PlannedValues(
                attributes=_leave_unknown(attributes),
                replaces=["size"] if _is_shrinking(request.spec, there) else [],
            )


def _is_shrinking(spec: Mapping[str, Tree], there: Mapping[str, Tree]) -> bool:
    sizes = there.get("size"), spec.get("size", 1)
    return all(isinstance(size, int) for size in sizes) and sizes[1] < sizes[0]


def _leave_unknown(value: Tree) -> Tree:
    match value:
        case dict():
            return {name: _leave_unknown(item) for name, item in value.items()}
        case list():
            return [_leave_unknown(item) for item in value]
        case str() if _NEW in value or str(Unknown("")) in value:
            return Unknown("")
    return value
