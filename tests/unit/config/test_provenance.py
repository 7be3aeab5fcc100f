"""Where values come from, told layer by layer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.config.provenance import (
    Origin,
    SettingValue,
    as_plain,
    list_leaves,
    merge_branches,
)
from provisioning.config.setting import Layer
from provisioning.core.model.errors import InvalidConfiguration

FILES = {
    "config/provisioning.yaml": "lock:\n  ttl: 60\nvalues: {a: {b: 1, c: 2}}\n",
    "infra/web/config.toml": "[lock]\nttl = 30\n\n[values.a]\nb = 3\n",
}


def test_every_layer_is_explained(load):
    """Every layer has a line, with file and line or where it would be set; one wins."""
    found = load(FILES, infra="web").explain("lock.ttl")
    assert [(each.layer, each.value, str(each.origin or each.place)) for each in found[2:]] == [
        ("workspace", 60, "config/provisioning.yaml:2"),
        ("environment", None, ""),
        ("infra", 30, "infra/web/config.toml:2"),
        ("environment variable or flag", None, ""),
    ]
    assert [each.layer for each in found] == list(Layer)
    assert [each.layer for each in found if each.wins] == ["infra"]


def test_key_that_nobody_set_is_explained(load):
    """A key that nobody set has its default, which wins."""
    found = load().explain("serve.resync")
    assert (found[0].value, found[0].wins) == (600, True)
    assert not any(each.origin for each in found[1:])


def test_null_that_was_set_is_no_absence(load):
    """A layer that says null is told apart from one that says nothing."""
    found = load({"config/provisioning.yaml": "remote: null"}).explain("remote")
    assert [each.origin is not None for each in found] == [True, False, True, False, False, False]


def test_map_is_explained_with_all_its_givers(load):
    """Of a map, every layer whose values are left in it wins."""
    found = load(FILES, infra="web").explain("values.a")
    assert [each.value for each in found if each.wins] == [{"b": 1, "c": 2}, {"b": 3}]
    assert load(FILES).explain("values")[2].value == {"a": {"b": 1, "c": 2}}


@pytest.mark.parametrize(
    ("key", "hint"),
    [("lock.tll", "lock.ttl"), ("values.a.bb", "values.a.b"), ("lok", "lock")],
)
def test_unknown_key_is_answered_with_the_nearest(load, key, hint):
    """A key that is none is answered with the nearest one."""
    with pytest.raises(InvalidConfiguration) as caught:
        load(FILES).explain(key)
    assert caught.value.hint == f"did you mean {hint!r}?"


def test_group_is_no_single_value(load):
    """A map of settings has no one value and origin."""
    with pytest.raises(KeyError):
        load().get("lock")


_NAMES = st.sampled_from("abc")
_LEAVES = st.builds(SettingValue, st.integers(), st.just(Origin(layer=Layer.USER)))
_BRANCHES = st.dictionaries(
    _NAMES, st.recursive(_LEAVES, lambda below: st.dictionaries(_NAMES, below, max_size=3))
)


@given(_BRANCHES, _BRANCHES)
def test_all_of_the_later_layer_survives(low, high):
    """Whatever the later layer says is in the result, and nothing comes from nowhere."""
    merged = dict(list_leaves(merge_branches(low, high)))
    given_high, given_low = dict(list_leaves(high)), dict(list_leaves(low))
    assert given_high.items() <= merged.items()
    assert merged.items() <= (given_low | given_high).items()


@given(_BRANCHES, _BRANCHES)
def test_merging_again_changes_nothing(low, high):
    """A layer that is merged twice, or says nothing, changes nothing."""
    merged = merge_branches(low, high)
    assert as_plain(merge_branches(merged, high)) == as_plain(merged)
    assert merge_branches({}, low) == low == merge_branches(low, {})
