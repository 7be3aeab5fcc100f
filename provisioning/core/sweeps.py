"""In which order the infras of a sweep go: those that others refer to first. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise

from provisioning.core.errors import DependencyCycle, Source
from provisioning.core.graph import compute_order, compute_reach, find_ring
from provisioning.core.pictures import list_references
from provisioning.core.resources import Resource
from provisioning.core.values import read_at

Needs = Mapping[str, Mapping[str, Source]]
"""For each infra those that it refers to, each with the place of one such reference."""


def compute_needs(desired: Mapping[str, Collection[Resource]]) -> dict[str, dict[str, Source]]:
    """Return which of the infras in *desired* refer to which others, and where.

    What gives resources away goes after what takes them, if that is no ring, and if the latter
    gives nothing away itself: then each does what it can, and the next sweep the rest.

    Raises:
        DependencyCycle: If they refer to each other in a ring; the message is `a -> b -> a`.
    """
    needs: dict[str, dict[str, Source]] = {}
    for infra, resources in desired.items():
        found = (pair for each in resources for pair in _list_infras(each))
        needs[infra] = {
            other: source for other, source in found if other != infra and other in desired
        }
    _check_rings(needs)
    _add_moves(needs, desired)
    return needs


def is_linked(resource: Resource) -> bool:
    """Tell whether *resource* refers to another infra, or is moved from one."""
    return resource.moved_infra is not None or any(True for _ in _list_infras(resource))


def _add_moves(
    needs: dict[str, dict[str, Source]], desired: Mapping[str, Collection[Resource]]
) -> None:
    moves = [(infra, each) for infra, found in desired.items() for each in found]
    moves = [(infra, each) for infra, each in moves if each.moved_infra in desired]
    giving = {each.moved_infra for _, each in moves}
    for infra, resource in moves:
        origin = str(resource.moved_infra)
        if infra not in giving and origin not in compute_reach([infra], needs):
            needs[origin].setdefault(infra, resource.source)


def _list_infras(resource: Resource) -> Iterator[tuple[str, Source]]:
    for hole in resource.templated:
        if "infra." not in str(read_at(resource.spec, hole.path)):
            continue
        for reference in list_references(resource):
            if reference.namespace == "infra":
                yield reference.steps[0], Source(resource.source.file, hole.line)


def _check_rings(needs: Needs) -> None:
    left = {infra: set(others) for infra, others in needs.items()}
    while free := [infra for infra, others in left.items() if not others & left.keys()]:
        for infra in free:
            del left[infra]
    if not left:
        return
    ring = find_ring(left)
    pairs = list(pairwise(ring))
    places = "\n".join(f"  {one} -> {other} ({needs[one][other]})" for one, other in pairs)
    raise DependencyCycle(
        "infras refer to each other: " + " -> ".join(ring),
        hint=f"remove one of these references:\n{places}",
        source=needs[ring[0]][ring[1]],
    )


def order_infras(needs: Needs) -> list[str]:
    """Return the infras so that each follows those it refers to; among equals by name."""
    return compute_order(needs)
