"""The order of infras in a resync: those that others refer to come first. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from provisioning.core.infras.dependencies import Links
from provisioning.core.model.errors import DependencyCycle, Source
from provisioning.core.model.graph import compute_order, compute_reach, find_cycle

Needs = Mapping[str, Mapping[str, Source]]
"""For each infra those that it refers to, each with the place of one such reference."""


def compute_needs(links: Mapping[str, Links]) -> dict[str, dict[str, Source]]:
    """Return which of the infras in *links* refer to which others, and where.

    What gives resources away goes after what takes them, if that is no cycle, and if the latter
    gives nothing away itself: then each does what it can, and the next resync the rest.

    Raises:
        DependencyCycle: If they refer to each other in a cycle; the message is `a -> b -> a`.
    """
    needs: dict[str, dict[str, Source]] = {infra: {} for infra in links}
    for infra, its in links.items():
        for reference, source in its.reads.items():
            other = reference.steps[0]
            if other != infra and other in links:
                needs[infra].setdefault(other, source)
    _check_rings(needs)
    _add_moves(needs, links)
    return needs


def _add_moves(needs: dict[str, dict[str, Source]], links: Mapping[str, Links]) -> None:
    giving = {origin for its in links.values() for origin in its.takes}
    for infra, its in links.items():
        for origin, source in its.takes.items():
            is_known = origin in links and infra not in giving
            if is_known and origin not in compute_reach([infra], needs):
                needs[origin].setdefault(infra, source)


def _check_rings(needs: Needs) -> None:
    left = {infra: set(others) for infra, others in needs.items()}
    while free := [infra for infra, others in left.items() if not others & left.keys()]:
        for infra in free:
            del left[infra]
    if not left:
        return
    cycle = find_cycle(left)
    pairs = list(pairwise(cycle))
    places = "\n".join(f"  {one} -> {other} ({needs[one][other]})" for one, other in pairs)
    raise DependencyCycle(
        "infras refer to each other: " + " -> ".join(cycle),
        hint=f"remove one of these references:\n{places}",
        source=needs[cycle[0]][cycle[1]],
    )


def order_infras(needs: Needs) -> list[str]:
    """Return the infras so that each follows those it refers to; among equals by name."""
    return compute_order(needs)
