"""Lays a graph out in layers, from left to right, with few crossings of edges. Pure.

The method is that of Sugiyama, Tagawa and Toda (1981): layers by the longest path, dummy nodes
for edges over several layers, an order in each layer by the mean place of the adjacent nodes, and
then the places, by isotonic regression towards the means of adjacent nodes.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Generic, TypeVar

import msgspec

from provisioning.core.model.graph import compute_order, invert

Node = TypeVar("Node", bound=Hashable)

HEIGHT, GAP, SPACE, MARGIN = 30.0, 14.0, 70.0, 16.0
"""The height of a box, the gap below it, the gap between two layers, and the margin."""

ROUNDS = 6


class Box(msgspec.Struct, frozen=True):
    """A node's place: its left upper corner, and its size."""

    x: float
    y: float
    width: float
    height: float = HEIGHT

    @property
    def middle(self) -> float:
        """The height at which edges meet it."""
        return self.y + self.height / 2


class Layout(msgspec.Struct, Generic[Node], frozen=True):
    """The boxes, the way of each edge through the layers, and the size of the whole."""

    boxes: Mapping[Node, Box]
    routes: Mapping[tuple[Node, Node], Sequence[tuple[float, float]]]
    width: float
    height: float


def compute_layout(
    needs: Mapping[Node, Collection[Node]], widths: Mapping[Node, float]
) -> Layout[Node]:
    """Place every node right of all that it needs; equal graphs get equal layouts.

    Args:
        needs: What each node needs; each of them is a node.
        widths: How wide each node's box is.

    Raises:
        DependencyCycle: If the needs have a cycle.
    """
    depth: dict[Any, int] = {}
    for node in compute_order(needs):
        depth[node] = max((depth[need] + 1 for need in needs[node]), default=0)
    chains, below = _add_dummies(needs, depth)
    layers: list[list[Any]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in sorted(depth, key=str):
        layers[depth[node]].append(node)
    above = invert(below)
    _order(layers, below, above)
    places = _place(layers, below, above)
    boxes, x = {}, MARGIN
    columns: list[tuple[float, float]] = []
    for layer in layers:
        width = max(widths.get(node, 0.0) for node in layer)
        columns.append((x, width))
        for node in layer:
            boxes[node] = Box(x, places[node], widths.get(node, width))
        x += width + SPACE
    routes = {
        edge: _route(chain, boxes, columns, depth)
        for edge, chain in sorted(chains.items(), key=str)
    }
    bottom = max((box.y + box.height for box in boxes.values()), default=0.0)
    return Layout(
        boxes={node: boxes[node] for node in needs},
        routes=routes,
        width=max(x - SPACE + MARGIN, 2 * MARGIN),
        height=bottom + MARGIN,
    )


def _add_dummies(
    needs: Mapping[Node, Collection[Node]], depth: dict[Any, int]
) -> tuple[dict[tuple[Node, Node], list[Any]], dict[Any, list[Any]]]:
    """Return each edge as a chain of nodes one layer apart, and the adjacent nodes below each."""
    chains: dict[tuple[Node, Node], list[Any]] = {}
    below: dict[Any, list[Any]] = {node: [] for node in depth}
    for node, wanted in needs.items():
        for need in sorted(wanted, key=str):
            middle = [
                ("", str(need), str(node), level) for level in range(depth[need] + 1, depth[node])
            ]
            for dummy in middle:
                depth[dummy] = dummy[3]
            chain = chains[need, node] = [need, *middle, node]
            for one, other in pairwise(chain):
                below.setdefault(other, []).append(one)
    return chains, below


def _order(
    layers: list[list[Any]], below: Mapping[Any, list[Any]], above: Mapping[Any, list[Any]]
) -> None:
    """Sort each layer by the mean place of its adjacent nodes, in both directions."""
    place = {node: index for layer in layers for index, node in enumerate(layer)}
    for turn in range(ROUNDS):
        adjacent = above if turn % 2 else below
        for layer in reversed(layers) if turn % 2 else layers:
            keys = {node: _mean(adjacent.get(node, ()), place, place[node]) for node in layer}
            layer.sort(key=lambda node: (keys[node], place[node]))
            place.update({node: index for index, node in enumerate(layer)})


def _mean(nodes: Collection[Any], place: Mapping[Any, float], otherwise: float) -> float:
    return sum(place[node] for node in nodes) / len(nodes) if nodes else otherwise


def _place(
    layers: list[list[Any]], below: Mapping[Any, list[Any]], above: Mapping[Any, list[Any]]
) -> dict[Any, float]:
    step = HEIGHT + GAP
    places = {node: index * step for layer in layers for index, node in enumerate(layer)}
    for turn in range(ROUNDS):
        adjacent = above if turn % 2 else below
        for layer in reversed(layers) if turn % 2 else layers:
            wanted = [_mean(adjacent.get(node, ()), places, places[node]) for node in layer]
            fitted = _fit([want - index * step for index, want in enumerate(wanted)])
            places |= {node: fitted[index] + index * step for index, node in enumerate(layer)}
    top = min(places.values(), default=0.0)
    return {node: round(place - top + MARGIN, 1) for node, place in places.items()}


def _fit(wanted: Sequence[float]) -> list[float]:
    """Return the nearest values that never fall: pool adjacent violators."""
    blocks: list[tuple[float, int]] = []
    for value in wanted:
        mean, count = value, 1
        while blocks and blocks[-1][0] > mean:
            other, more = blocks.pop()
            mean, count = (mean * count + other * more) / (count + more), count + more
        blocks.append((mean, count))
    return [mean for mean, count in blocks for _ in range(count)]


def _route(
    chain: Sequence[Any],
    boxes: Mapping[Any, Box],
    columns: Sequence[tuple[float, float]],
    depth: Mapping[Any, int],
) -> list[tuple[float, float]]:
    """Return the points of an edge: out at the right, past each layer, in at the left."""
    first, last = boxes[chain[0]], boxes[chain[-1]]
    points = [(first.x + first.width, first.middle)]
    for dummy in chain[1:-1]:
        x, width = columns[depth[dummy]]
        points += [(x, boxes[dummy].middle), (x + width, boxes[dummy].middle)]
    return [*points, (last.x, last.middle)]
