"""Orders of a dependency graph, and the cycle that makes one impossible."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Any, TypeVar

from provisioning.core.model.errors import DependencyCycle, Source

Node = TypeVar("Node", bound=Hashable)


def compute_order(
    dependencies: Mapping[Node, Collection[Node]],
    locate: Callable[[Node], Source | None] = lambda _: None,
) -> list[Node]:
    """Order the nodes so that each follows all it depends on; among equals the smallest first.

    What a node depends on and is no node itself is ignored. The result depends on the
    graph alone, not on the order of the mapping (Kahn's algorithm with a heap).

    Raises:
        DependencyCycle: If there is no order; the message is the cycle `a -> b -> a`.
    """
    waits: dict[Node, int] = {}
    followers: dict[Node, list[Node]] = {}
    for node, needs in dependencies.items():
        known = [need for need in needs if need in dependencies]
        waits[node] = len(known)
        for need in known:
            followers.setdefault(need, []).append(node)
    ready: list[Any] = [node for node, count in waits.items() if not count]
    heapq.heapify(ready)
    order: list[Node] = []
    while ready:
        node = heapq.heappop(ready)
        order.append(node)
        for follower in followers.get(node, ()):
            waits[follower] -= 1
            if not waits[follower]:
                heapq.heappush(ready, follower)
    if len(order) < len(waits):
        raise _describe_ring({n: dependencies[n] for n, count in waits.items() if count}, locate)
    return order


def _describe_ring(
    stuck: Mapping[Node, Collection[Node]], locate: Callable[[Node], Source | None]
) -> DependencyCycle:
    cycle = find_cycle(stuck)
    places = [f"  {node} ({locate(node)})" if locate(node) else f"  {node}" for node in cycle[:-1]]
    return DependencyCycle(
        "resources depend on each other: " + " -> ".join(map(str, cycle)),
        hint="remove one of these references:\n" + "\n".join(places),
        source=locate(cycle[0]),
    )


def find_cycle(stuck: Mapping[Node, Collection[Node]]) -> list[Node]:
    """Return a cycle of *stuck*, a graph in which every node waits for another of it.

    It begins and ends with its smallest node.
    """
    node: Any = min(stuck, key=str)
    seen: dict[Any, int] = {}
    path: list[Any] = []
    while node not in seen:
        seen[node] = len(path)
        path.append(node)
        node = min((need for need in stuck[node] if need in stuck), key=str)
    cycle = path[seen[node] :]
    first = cycle.index(min(cycle, key=str))
    return [*cycle[first:], *cycle[:first], cycle[first]]


def compute_reach(starts: Iterable[Node], edges: Mapping[Node, Collection[Node]]) -> set[Node]:
    """Return *starts* and everything that can be reached from them along *edges*."""
    reached = set(starts)
    front = list(reached)
    while front:
        for node in edges.get(front.pop(), ()):
            if node not in reached:
                reached.add(node)
                front.append(node)
    return reached


def open_cycles(
    dependencies: Mapping[Node, Collection[Node]], preferred: Iterable[Node]
) -> dict[Node, tuple[Node, ...]]:
    """Return *dependencies* without those that close a cycle.

    Of a cycle, what the nodes named first in *preferred* depend on stays.
    """
    opened: dict[Node, tuple[Node, ...]] = {}
    for node in preferred:
        needs = dependencies.get(node, ())
        opened[node] = tuple(need for need in needs if node not in compute_reach([need], opened))
    return opened


def has_cycle(dependencies: Mapping[Node, Collection[Node]]) -> bool:
    """Tell whether there is no order in which each node follows all it depends on."""
    try:
        compute_order(dependencies)
    except DependencyCycle:
        return True
    return False


def invert(edges: Mapping[Node, Collection[Node]]) -> dict[Node, list[Node]]:
    """Return the graph with every edge turned round."""
    inverted: dict[Node, list[Node]] = {}
    for node, targets in edges.items():
        for target in targets:
            inverted.setdefault(target, []).append(node)
    return inverted
