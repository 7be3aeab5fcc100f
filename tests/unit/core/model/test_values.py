import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.core.model.values import (
    Omitted,
    Sensitive,
    Unknown,
    as_json,
    compute_digest,
    compute_fingerprint,
    from_json,
    has_unknown,
    is_equal,
    read_at,
    render_path,
    replace_at,
    summarise,
)

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.builds(Unknown, st.text())
    | st.builds(Sensitive, st.text())
    | st.builds(Omitted, st.text(), st.integers(0, 2**40))
)
keys = st.text(max_size=4) | st.sampled_from(["$unknown", "$sensitive", "$omitted", "$$"])
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)


@given(trees)
def test_a_tree_survives_json(tree):
    """Special leaves, and maps that look like them, come back from JSON as they were."""
    assert from_json(as_json(tree)) == tree


@given(st.dictionaries(st.text(max_size=4), trees, max_size=5))
def test_a_digest_does_not_depend_on_the_order_of_keys(tree):
    """Equal maps have equal digests."""
    assert compute_digest(tree) == compute_digest(dict(reversed(tree.items())))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, True, False),
        (0, False, False),
        (1, 1.0, True),
        ([1], (1,), True),
        ({"a": 1}, {"a": True}, False),
        ({"a": None}, {}, False),
        ("", None, False),
        (summarise("text"), "text", True),
        ("text", summarise(b"text"), True),
        (summarise("text"), "other", False),
    ],
)
def test_equality_is_that_of_json(one, other, same):
    """`1` is not `true`, `1` is `1.0`, and content equals its digest."""
    assert is_equal(one, other) is same
    assert is_equal(other, one) is same


def test_a_fingerprint_needs_the_key():
    """Equal secrets have equal fingerprints under one key, and others under another."""
    one, other = b"k" * 32, b"j" * 32
    assert compute_fingerprint("pw", one) == compute_fingerprint("pw", one)
    assert compute_fingerprint("pw", one) != compute_fingerprint("pw", other)
    assert "pw" not in repr(compute_fingerprint("pw", one))


def test_a_change_deep_in_a_tree_leaves_the_original_alone():
    """`replace_at` copies the way to the change and shares the rest."""
    tree = {"a": [1, {"b": 2}], "c": {"d": 3}}
    new = replace_at(tree, ("a", 1, "b"), lambda value: value + 1)
    assert new == {"a": [1, {"b": 3}], "c": {"d": 3}}
    assert tree["a"][1]["b"] == 2
    assert new["c"] is tree["c"]


def test_paths_read_as_people_write_them():
    """Keys are joined by dots and positions stand in brackets."""
    assert render_path(("ready", "exec", 0)) == "ready.exec[0]"
    assert read_at({"ready": {"exec": ["a"]}}, ("ready", "exec", 0)) == "a"
    with pytest.raises(KeyError):
        read_at({"a": [1]}, ("a", 1))


def test_unknown_is_found_at_any_depth():
    """One unknown leaf makes a tree unknown."""
    assert has_unknown({"a": [{"b": Unknown("x")}]})
    assert not has_unknown({"a": [{"b": "x"}]})
