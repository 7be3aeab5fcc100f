"""The layout of a graph, looked at as a reader would."""

import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.core.model.errors import DependencyCycle
from provisioning.core.status.graph_layout import compute_layout


@st.composite
def graphs(draw):
    """Nodes that may need any of those before them."""
    count = draw(st.integers(0, 14))
    return {
        f"n{number}": tuple(f"n{other}" for other in range(number) if draw(st.integers(0, 4)) == 0)
        for number in range(count)
    }


def lay_out(needs):
    return compute_layout(needs, {name: 60.0 + 7 * len(name) for name in needs})


def overlap(one, other):
    beside = one.x + one.width <= other.x or other.x + other.width <= one.x
    above = one.y + one.height <= other.y or other.y + other.height <= one.y
    return not (beside or above)


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_no_box_lies_on_another_and_all_lie_inside(needs):
    """Every node has its place, on the page."""
    layout = lay_out(needs)
    assert layout.boxes.keys() == needs.keys()
    for one, other in combinations(layout.boxes.values(), 2):
        assert not overlap(one, other)
    for box in layout.boxes.values():
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= layout.width
        assert box.y + box.height <= layout.height


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_an_edge_goes_from_what_is_needed_to_the_right_and_through_no_box(needs):
    """It leaves at a right side, arrives at a left side, and where it is level it is free."""
    layout = lay_out(needs)
    assert set(layout.routes) == {(need, name) for name in needs for need in needs[name]}
    for (need, name), points in layout.routes.items():
        start, end = layout.boxes[need], layout.boxes[name]
        assert points[0] == (start.x + start.width, start.middle)
        assert points[-1] == (end.x, end.middle)
        assert [x for x, _ in points] == sorted(x for x, _ in points)
        for (left, y), (right, _) in zip(points[1:-1:2], points[2:-1:2], strict=True):
            for box in layout.boxes.values():
                is_level = box.y < y < box.y + box.height
                assert not (is_level and box.x < right and left < box.x + box.width)


@settings(max_examples=50, deadline=None)
@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_changes_nothing(needs, shuffled):
    """Equal graphs get equal pictures, so that a diff of two shows what changed."""
    names = list(needs)
    shuffled.shuffle(names)
    other = {name: tuple(reversed(needs[name])) for name in names}
    assert lay_out(other).boxes == lay_out(needs).boxes


def test_two_chains_do_not_cross():
    """What belongs together lies on one line, whatever the names say."""
    needs = {"a2": (), "b2": (), "b1": ("a2",), "a1": ("b2",), "z": ("b1",), "y": ("a1",)}
    boxes = lay_out(needs).boxes
    assert boxes["a2"].y == boxes["b1"].y == boxes["z"].y
    assert boxes["b2"].y == boxes["a1"].y == boxes["y"].y


def test_a_thousand_nodes_are_laid_out():
    """Large graphs have places, too."""
    chance = random.Random(1)
    needs = {
        f"n{number}": tuple({f"n{chance.randrange(number)}" for _ in range(2)}) if number else ()
        for number in range(1000)
    }
    assert len(lay_out(needs).boxes) == 1000


def test_a_ring_has_no_layers():
    """It is named as a path."""
    with pytest.raises(DependencyCycle, match="a -> b -> a"):
        lay_out({"a": ("b",), "b": ("a",)})
