import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.core.model.errors import DependencyCycle, Source
from provisioning.core.model.graph import compute_order, compute_reach, has_cycle, open_cycles


def test_each_node_follows_what_it_depends_on():
    """An order puts every dependency first, and breaks ties by name."""
    assert compute_order({"c": ["a"], "b": ["a"], "a": []}) == ["a", "b", "c"]


@given(st.permutations(range(8)), st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7))))
def test_the_order_does_not_depend_on_the_mapping_s_order(nodes, pairs):
    """The same graph gives the same order, however it was written down."""
    edges = {(max(pair), min(pair)) for pair in pairs if pair[0] != pair[1]}
    graph = {node: [low for high, low in edges if high == node] for node in nodes}
    assert compute_order(graph) == compute_order(dict(sorted(graph.items())))


@given(st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7))))
def test_an_order_respects_every_edge(pairs):
    """In any acyclic graph no node comes before one it depends on."""
    edges = {(max(pair), min(pair)) for pair in pairs if pair[0] != pair[1]}
    graph = {node: [low for high, low in edges if high == node] for node in range(8)}
    place = {node: index for index, node in enumerate(compute_order(graph))}
    assert all(place[low] < place[high] for high, low in edges)


def test_a_ring_is_reported_as_its_path_with_places():
    """A cycle names every resource in it, where each stands, and begins with the smallest."""
    graph = {"b": ["c"], "c": ["a"], "a": ["b"], "d": ["a"]}
    with pytest.raises(DependencyCycle) as caught:
        compute_order(graph, lambda node: Source(f"{node}.yaml", 3))
    assert "a -> b -> c -> a" in caught.value.message
    assert "b.yaml:3" in (caught.value.hint or "")
    assert caught.value.source == Source("a.yaml", 3)


def test_reach_follows_edges_to_the_end():
    """Everything that can be reached is reached, rings included."""
    assert compute_reach(["a"], {"a": ["b"], "b": ["c"], "c": ["a"], "d": ["e"]}) == {"a", "b", "c"}


def test_a_ring_of_what_has_no_place_is_told_by_its_names():
    """Where nobody knows the place of a node, its name stands alone."""
    with pytest.raises(DependencyCycle) as caught:
        compute_order({"a": ["b"], "b": ["a"]})
    assert caught.value.hint == "remove one of these references:\n  a\n  b"
    assert caught.value.source is None


def test_a_ring_is_opened_where_it_matters_least():
    """What is named first keeps what it depends on; what is no ring stays as it is."""
    cycle = {"a": ["b"], "b": ["c"], "c": ["a", "d"], "d": [], "e": ["a"]}
    assert has_cycle(cycle)
    opened = open_cycles(cycle, ["c", "b", "a", "d", "e"])
    assert opened == {"a": (), "b": ("c",), "c": ("a", "d"), "d": (), "e": ("a",)}
    assert not has_cycle(opened)
    assert open_cycles({"a": ["a"]}, ["a"]) == {"a": ()}
