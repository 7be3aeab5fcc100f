import pytest

from provisioning.core.model.kinds import Field, Kind, ListBehaviour
from provisioning.core.model.sensitive import Secret
from provisioning.core.model.values import (
    Omitted,
    Sensitive,
    Unknown,
    compute_fingerprint,
    summarise,
)
from provisioning.core.plan.diff import (
    KEPT_WHOLE,
    Cause,
    FieldChange,
    compute_diff,
    compute_recorded,
)

KEY = b"k" * 32
KIND = Kind(
    name="Box",
    provider="memory",
    summary="A field of every behaviour.",
    model=lambda: None,
    fields=(
        Field(name="zone", immutable=True),
        Field(name="serial", computed=True),
        Field(name="color", defaulted=True),
        Field(name="password", sensitive=True),
        Field(name="content", omitted=True),
        Field(name="tags", lists=ListBehaviour.SET),
        Field(name="rules", lists=ListBehaviour.KEYED),
    ),
)


def diff(desired, recorded, live):
    return compute_diff(KIND, desired, recorded, live, KEY)


def change(path, before, after, cause, *, replaces=False):
    return FieldChange(path=path, before=before, after=after, cause=cause, replaces=replaces)


ONE, TWO = {"name": "one", "port": 1}, {"name": "two", "port": 2}

SAME = {
    "nothing": ({}, None, {}),
    "the same": ({"size": 1}, {"size": 1}, {"size": 1}),
    "not reported, as recorded": ({"size": 1}, {"size": 1}, {}),
    "another's field": ({"size": 1}, {"size": 1}, {"size": 1, "other": 2}),
    "a computed field that is stated": ({"serial": "x"}, {"serial": "y"}, {"serial": "z"}),
    "a computed field that was stated": ({}, {"serial": "y"}, {"serial": "z"}),
    "a defaulted field that was stated": ({}, {"color": "red"}, {"color": "red"}),
    "one and one point nothing": ({"size": 1}, {"size": 1}, {"size": 1.0}),
    "a set in another order": ({"tags": [1, 2]}, {"tags": [1, 2]}, {"tags": [2, 1]}),
    "keyed in another order": (
        {"rules": [ONE, TWO]},
        {"rules": [ONE, TWO]},
        {"rules": [TWO, ONE]},
    ),
    "content kept as its digest": (
        {"content": "long"},
        {"content": summarise("long")},
        {"content": summarise("long")},
    ),
    "a fingerprint of the same secret": (
        {"password": "s3cret"},
        {"password": compute_fingerprint("s3cret", KEY)},
        {},
    ),
    "a secret whose content is kept as its digest": (
        {"content": Secret("long")},
        {"content": compute_fingerprint("long", KEY)},
        {"content": summarise("long")},
    ),
}


@pytest.mark.parametrize(("desired", "recorded", "live"), SAME.values(), ids=SAME)
def test_what_is_the_same_is_no_change(desired, recorded, live):
    """Only fields that are or were stated count, and equal is equal as JSON says it."""
    assert diff(desired, recorded, live) == ()


CHANGED = {
    "the manifest asks for something else": (
        {"size": 2},
        {"size": 1},
        {"size": 1},
        change("size", 1, 2, Cause.MANIFEST),
    ),
    "the world has another value": (
        {"size": 1},
        {"size": 1},
        {"size": 3},
        change("size", 3, 1, Cause.DRIFT),
    ),
    "what it refers to is not known yet": (
        {"size": Unknown("Thing/a.size")},
        {"size": 1},
        {"size": 1},
        change("size", 1, Unknown("Thing/a.size"), Cause.UPSTREAM),
    ),
    "an unknown inside": (
        {"size": [{"a": Unknown("x")}]},
        {"size": 1},
        {"size": 1},
        change("size", 1, [{"a": Unknown("x")}], Cause.UPSTREAM),
    ),
    "it is new": ({"size": 1}, None, {}, change("size", None, 1, Cause.MANIFEST)),
    "it is no longer stated": (
        {},
        {"size": 1},
        {"size": 1},
        change("size", 1, None, Cause.MANIFEST),
    ),
    "it is no longer stated and not reported": (
        {},
        {"size": 1},
        {},
        change("size", 1, None, Cause.MANIFEST),
    ),
    "it is no longer stated and was changed by hand": (
        {},
        {"size": 1},
        {"size": 3},
        change("size", 3, None, Cause.MANIFEST),
    ),
    "true is not one": (
        {"size": True},
        {"size": 1},
        {"size": 1},
        change("size", 1, True, Cause.MANIFEST),
    ),
    "a text is not a number": (
        {"size": "1"},
        {"size": 1},
        {"size": 1},
        change("size", 1, "1", Cause.MANIFEST),
    ),
    "what cannot be changed in place": (
        {"zone": "y"},
        {"zone": "x"},
        {"zone": "x"},
        change("zone", "x", "y", Cause.MANIFEST, replaces=True),
    ),
    "below a map": (
        {"settings": {"a": {"b": 2}, "c": 1}},
        {"settings": {"a": {"b": 1}, "c": 1}},
        {"settings": {"a": {"b": 1}, "c": 1}},
        change("settings.a.b", 1, 2, Cause.MANIFEST),
    ),
    "a key of a map that goes": (
        {"settings": {}},
        {"settings": {"a": 1}},
        {"settings": {"a": 1}},
        change("settings.a", 1, None, Cause.MANIFEST),
    ),
    "a list in another order": (
        {"list": [2, 1]},
        {"list": [1, 2]},
        {"list": [1, 2]},
        change("list", [1, 2], [2, 1], Cause.MANIFEST),
    ),
    "a set with another entry": (
        {"tags": [1, 2]},
        {"tags": [1]},
        {"tags": [1]},
        change("tags", [1], [1, 2], Cause.MANIFEST),
    ),
    "one of the keyed": (
        {"rules": [TWO, {"name": "one", "port": 9}]},
        {"rules": [ONE, TWO]},
        {"rules": [ONE, TWO]},
        change("rules[name=one].port", 1, 9, Cause.MANIFEST),
    ),
    "keyed twice is a plain list": (
        {"rules": [ONE, ONE]},
        {"rules": [ONE, TWO]},
        {"rules": [ONE, TWO]},
        change("rules", [ONE, TWO], [ONE, ONE], Cause.MANIFEST),
    ),
    "keyed without a key is a plain list": (
        {"rules": [{"port": 1}]},
        {"rules": [ONE]},
        {"rules": [ONE]},
        change("rules", [ONE], [{"port": 1}], Cause.MANIFEST),
    ),
    "a keyed one that drifts alone": (
        {"rules": [ONE, TWO]},
        {"rules": [TWO, ONE]},
        {"rules": [ONE]},
        change("rules[name=two]", None, TWO, Cause.DRIFT),
    ),
    "a set of unknowns": (
        {"tags": [Unknown("x")]},
        {"tags": [1]},
        {"tags": [1]},
        change("tags", [1], [Unknown("x")], Cause.UPSTREAM),
    ),
    "another content": (
        {"content": "new"},
        {"content": summarise("old")},
        {"content": summarise("old")},
        change("content", summarise("old"), "new", Cause.MANIFEST),
    ),
}


@pytest.mark.parametrize(("desired", "recorded", "live", "wanted"), CHANGED.values(), ids=CHANGED)
def test_what_differs_is_told_with_its_path_and_cause(desired, recorded, live, wanted):
    """From what is there to what is asked for, as deep as it can be said."""
    assert diff(desired, recorded, live) == (wanted,)


def test_a_sensitive_value_is_told_by_its_fingerprint():
    """P8: neither the old nor the new value is in a change."""
    (found,) = diff({"password": "new"}, {"password": compute_fingerprint("old", KEY)}, {})
    assert found.before == compute_fingerprint("old", KEY)
    assert found.after == compute_fingerprint("new", KEY)
    assert found.cause is Cause.MANIFEST
    (found,) = diff({"password": "new"}, None, {"password": "old"})
    assert isinstance(found.before, Sensitive)
    assert isinstance(found.after, Sensitive)


def test_every_field_is_told_in_the_order_of_the_manifest():
    """What is stated first comes first, what is no longer stated last."""
    found = diff({"b": 2, "a": 2}, {"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 1, "c": 1})
    assert [each.path for each in found] == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ({"size": 1, "settings": {"a": [1]}}, {"size": 1, "settings": {"a": [1]}}),
        ({"password": "s3cret"}, {"password": compute_fingerprint("s3cret", KEY)}),
        ({"size": Secret("s3cret")}, {"size": compute_fingerprint("s3cret", KEY)}),
        ({"content": "x" * KEPT_WHOLE}, {"content": "x" * KEPT_WHOLE}),
        ({"content": "x" * (KEPT_WHOLE + 1)}, {"content": summarise("x" * (KEPT_WHOLE + 1))}),
        ({"content": b"\xff"}, {"content": summarise(b"\xff")}),
        ({"size": b"\xff"}, {"size": summarise(b"\xff")}),
        ({"size": "x" * 999}, {"size": "x" * 999}),
        ({"content": ["x" * 999]}, {"content": ["x" * 999]}),
        ({"content": Omitted("0", 1)}, {"content": Omitted("0", 1)}),
    ],
)
def test_what_the_state_log_may_keep(values, kept):
    """P8: nothing sensitive, no large content, and everything else as it is."""
    assert compute_recorded(KIND, values, KEY) == kept
