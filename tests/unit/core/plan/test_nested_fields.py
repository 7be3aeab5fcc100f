"""Behaviours of fields below the top of a spec."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.core.expressions.interpolation import Reference
from provisioning.core.expressions.references import compute_known_values
from provisioning.core.model.errors import InvalidArgument, ProviderMisbehaved
from provisioning.core.model.kinds import Field, Kind, ListBehaviour
from provisioning.core.model.schemas.field_tree import parse_name, touches
from provisioning.core.model.sensitive import Secret, is_marked, mark_secrets, reveal
from provisioning.core.model.values import (
    Omitted,
    Sensitive,
    Unknown,
    as_json,
    compute_fingerprint,
    render_canonical,
    summarise,
)
from provisioning.core.plan.diff import KEPT_WHOLE, Cause, compute_diff, compute_recorded

KEY = b"k" * 32
VALUE = "hunter2-hunter2"
FIELDS = (
    Field(name="disk.size", immutable=True),
    Field(name="disk.id", computed=True, derived_from=("disk.size",)),
    Field(name="disk.speed", defaulted=True),
    Field(name="disk.tags", lists=ListBehaviour.SET),
    Field(name="disk.label.text", omitted=True),
    Field(name="env.*", sensitive=True),
    Field(name="auth.password", sensitive=True),
    Field(name="ports[]", immutable=True),
    Field(name="rules", lists=ListBehaviour.KEYED, key="host"),
    Field(name="rules[].id", computed=True, derived_from=("rules[].host",)),
    Field(name="rules[].weight", defaulted=True),
    Field(name="rules[].token", sensitive=True),
    Field(name="rules[].zone", immutable=True),
    Field(name="rules[].methods", lists=ListBehaviour.SET),
    Field(name="users", lists=ListBehaviour.SET),
    Field(name="users[].id", computed=True),
    Field(name="users[].role", defaulted=True),
    Field(name="users[].key", sensitive=True),
    Field(name="users[].groups", lists=ListBehaviour.SET),
    Field(name="status.address", computed=True, derived_from=("disk",)),
    Field(name="status.digest", computed=True, derived_from=("auth.password",)),
    Field(name="status.pid", computed=True, public=True),
)
KIND = Kind(name="Box", provider="memory", summary="", model=lambda: None, fields=FIELDS)


def diff(desired, recorded, live):
    return compute_diff(KIND, desired, recorded, live, KEY)


def record(values):
    return compute_recorded(KIND, values, KEY)


def fingerprint(value):
    return compute_fingerprint(value, KEY)


RULE = {"host": "a", "port": 1}

SAME = {
    "what the provider says below": ({"disk": {"size": 1}}, {"disk": {"size": 1, "id": "d1"}}),
    "a map of nothing but that": ({"hw": {}, "status": {}}, {"hw": {}, "status": {"pid": 1}}),
    "what the provider chose": ({"disk": {"size": 1}}, {"disk": {"size": 1, "speed": 9}}),
    "a set below in another order": ({"disk": {"tags": [1, 2]}}, {"disk": {"tags": [2, 1]}}),
    "long content below": (
        {"disk": {"label": {"text": "x" * 999}}},
        {"disk": {"label": {"text": summarise("x" * 999)}}},
    ),
    "a secret whose content is kept as its digest": (
        {"disk": {"label": {"text": Secret("x" * 999)}}},
        {"disk": {"label": {"text": summarise("x" * 999)}}},
    ),
    "keyed by another name than name": (
        {"rules": [RULE, {"host": "b"}]},
        {"rules": [{"host": "b", "id": "2"}, {**RULE, "id": "1", "weight": 5}]},
    ),
    "a set in a keyed one": (
        {"rules": [{**RULE, "methods": ["GET", "PUT"]}]},
        {"rules": [{**RULE, "methods": ["PUT", "GET"], "id": "1"}]},
    ),
    "a set of maps": (
        {"users": [{"name": "a", "groups": [1, 2]}, {"name": "b"}]},
        {"users": [{"name": "b", "id": 7, "role": "r"}, {"name": "a", "groups": [2, 1], "id": 8}]},
    ),
    "sensitive ones in a set": (
        {"users": [{"name": "a", "key": VALUE}, {"name": "b", "key": "other"}]},
        {"users": [{"name": "b", "key": "other"}, {"name": "a", "key": VALUE, "role": "r"}]},
    ),
}


@pytest.mark.parametrize(("desired", "live"), SAME.values(), ids=SAME)
def test_what_is_the_same_below_is_no_change(desired, live):
    assert diff(desired, record(reveal(desired)), live) == ()
    assert diff(desired, None, live) == ()


def test_what_is_not_reported_below_is_as_recorded():
    """As at the top; but an item of a list and a key of a map that are gone are gone."""
    desired = {"auth": {"user": "u", "password": VALUE}, "rules": [{**RULE, "token": VALUE}]}
    live = {"auth": {"user": "u"}, "rules": [{**RULE, "id": "1"}]}
    assert diff(desired, record(desired), live) == ()
    other = {**desired, "auth": {"user": "u", "password": "new-new"}}
    (found,) = diff(other, record(desired), live)
    assert (found.path, found.after) == ("auth.password", fingerprint("new-new"))
    (found,) = diff({"env": {"A": "1"}}, record({"env": {"A": "1"}}), {"env": {}})
    assert (found.path, found.before, found.cause) == ("env.A", None, Cause.DRIFT)


def test_what_the_manifest_stops_to_state_is_the_providers_choice():
    stated = {"disk": {"size": 1, "speed": 5}}
    assert diff({"disk": {"size": 1}}, stated, stated) == ()
    assert diff({"rules": [RULE]}, {"rules": [{**RULE, "weight": 3}]}, {}) == ()


REPLACING = {
    "at it": ({"disk": {"size": 2, "a": 1}}, True),
    "beside it": ({"disk": {"size": 1, "a": 2}}, False),
    "above it": ({"disk": {}}, True),
    "all of it": ({"disk": None}, True),
    "an item": ({"ports": [1, 3]}, True),
    "one more item": ({"ports": [1, 2, 3]}, True),
    "in a keyed item": ({"rules": [{**RULE, "zone": "y", "port": 1}]}, True),
    "beside it in a keyed item": ({"rules": [{**RULE, "zone": "x", "port": 2}]}, False),
    "a keyed item without it": ({"rules": [{**RULE, "zone": "x"}, {"host": "b"}]}, False),
    "not known yet": ({"disk": {"size": Unknown("x"), "a": 1}}, True),
}


@pytest.mark.parametrize(("changed", "replaces"), REPLACING.values(), ids=REPLACING)
def test_a_change_at_or_below_an_immutable_path_replaces(changed, replaces):
    old = {"disk": {"size": 1, "a": 1}, "ports": [1, 2], "rules": [{**RULE, "zone": "x"}]}
    found = diff({**old, **changed}, old, old)
    assert found
    assert any(item.replaces for item in found) is replaces


def test_a_list_that_is_concealed_as_a_whole_replaces_only_if_an_immutable_one_changed():
    old = {"rules": [{**RULE, "zone": "x", "note": VALUE}]}
    for zone, replaces in (("x", False), ("y", True)):
        desired = {"rules": [{**RULE, "zone": zone, "note": Secret("another-secret")}]}
        (found,) = diff(desired, record(old), old)
        assert isinstance(found.after, Sensitive)
        assert found.replaces is replaces


def test_a_field_of_any_key_and_one_of_a_single_key_add_up():
    fields = (Field(name="env.*", sensitive=True), Field(name="env.PATH", immutable=True))
    tree = Kind(name="K", provider="", summary="", model=lambda: None, fields=fields).tree
    assert tree.find(("env", "PATH")).field.sensitive
    assert tree.find(("env", "PATH")).field.immutable
    assert not tree.find(("env", "OTHER")).field.immutable
    assert tree.find(("env", "PATH", "below")).field.sensitive


def test_nested_secrets_are_recorded_as_fingerprints_and_their_siblings_are_readable():
    spec = {
        "auth": {"user": "u", "password": VALUE},
        "env": {"A": VALUE},
        "rules": [{**RULE, "token": VALUE}],
        "users": [{"name": "a", "key": VALUE}],
    }
    seen = fingerprint(VALUE)
    assert record(spec) == {
        "auth": {"user": "u", "password": seen},
        "env": {"A": seen},
        "rules": [{**RULE, "token": seen}],
        "users": [{"name": "a", "key": seen}],
    }
    assert record(mark_secrets(KIND, spec, {})) == record(spec)
    assert record(mark_secrets(KIND, spec, record(spec))) == record(spec)


@pytest.mark.parametrize("wrong", [VALUE, [VALUE], {"deep": [VALUE]}, VALUE.encode()])
@pytest.mark.parametrize("name", ["auth", "env", "rules", "users"])
def test_what_has_another_shape_than_its_kind_says_is_concealed_as_a_whole(name, wrong):
    shape = {name: wrong if name != "auth" or not isinstance(wrong, dict) else [wrong]}
    if name in ("rules", "users") and isinstance(wrong, list):
        wrong = shape[name] = [[VALUE]]
    kept = record(shape)
    assert VALUE not in str(kept)
    assert is_marked(kept)
    for desired, recorded, live in ((shape, None, {}), ({name: {}}, kept, shape)):
        assert VALUE not in str(diff(desired, recorded, live))


def test_content_below_is_kept_as_its_digest():
    text = "x" * (KEPT_WHOLE + 1)
    kept = record({"disk": {"label": {"text": text, "other": text}}})
    assert isinstance(kept["disk"]["label"]["text"], Omitted)
    assert kept["disk"]["label"]["other"] == text


def test_a_computed_field_below_is_secret_if_what_it_is_derived_from_is():
    answer = {"status": {"digest": VALUE, "address": "here", "pid": 7}}
    marked = mark_secrets(KIND, answer, {"auth": {"password": Secret("x"), "user": "u"}})
    assert isinstance(marked["status"]["digest"], Secret)
    assert marked["status"]["address"] == "here"
    assert marked["status"]["pid"] == 7
    assert mark_secrets(KIND, answer, {"auth": {"user": Secret("x")}}) == answer


def get(values, path):
    return values.get(tuple(path.split(".")), Reference("resources", ("Box/a", path)), None)


def test_what_a_reference_gives_below_a_field():
    spec = {"disk": {"size": 2}, "rules": [{"host": "b"}, RULE], "auth": {"password": VALUE}}
    live = {
        "disk": {"size": 1, "id": "d1", "speed": 9},
        "rules": [{**RULE, "id": "1", "weight": 4}, {"host": "b", "id": "2"}],
        "status": {"address": "here", "pid": 7, "digest": "x"},
    }
    new = compute_known_values("Box/a", KIND, spec, None, frozenset())
    kept = compute_known_values("Box/a", KIND, spec, live, frozenset({"rules[host=c].port"}))
    resized = compute_known_values("Box/a", KIND, spec, live, frozenset({"disk.size"}))
    renamed = compute_known_values("Box/a", KIND, spec, live, frozenset({"rules"}))
    for path in ("disk.id", "disk.speed", "rules.0.id", "rules.1.weight", "status.address"):
        assert isinstance(get(new, path), Unknown), path
    assert get(new, "disk.size") == 2
    assert (get(kept, "disk.id"), get(kept, "disk.speed")) == ("d1", 9)
    assert (get(kept, "rules.0.id"), get(kept, "rules.1.weight")) == ("2", 4)
    assert get(kept, "status.address") == "here"
    assert isinstance(get(kept, "status.pid"), Unknown)
    assert isinstance(get(resized, "disk.id"), Unknown)
    assert isinstance(get(resized, "status.address"), Unknown)
    assert isinstance(get(renamed, "rules.0.id"), Unknown)
    assert all(reveal(get(it, "auth.password")) == VALUE for it in (new, kept))
    assert all(isinstance(get(it, "auth.password"), Secret) for it in (new, kept))
    assert isinstance(get(kept, "status.digest"), Secret | Unknown)


@pytest.mark.parametrize(
    ("name", "changed", "touched"),
    [
        ("disk.size", "disk.size", True),
        ("disk.size", "disk", True),
        ("disk", "disk.size.unit", True),
        ("disk.size", "disk.speed", False),
        ("env.*", "env.A", True),
        ("rules[].id", "rules[host=a.b].id", True),
        ("rules[].id", "rules[0].port", False),
        ("rules[].id", "rules[host=a]b].port", True),
        ("disk", "diskette", False),
    ],
)
def test_what_a_change_touches(name, changed, touched):
    assert touches(name, changed) is touched


@pytest.mark.parametrize("name", ["", ".", "a.", "a..b", "a[0]", "a[", "[].", "a]"])
def test_a_name_that_is_none_is_blamed_on_its_kind(name):
    with pytest.raises(InvalidArgument):
        parse_name(name)
    kind = Kind(name="Bad", provider="", summary="", model=lambda: None, fields=(Field(name=name),))
    with pytest.raises(ProviderMisbehaved, match="kind Bad"):
        _ = kind.tree


# Whatever is written at a sensitive path, nobody sees it

SAFE = st.none() | st.integers(0, 3) | st.text("ab", max_size=3)
TEXTS = st.sampled_from([VALUE, [VALUE], Secret(VALUE), f"a {VALUE}"])
SECRETS = TEXTS | st.just({"x": VALUE})
MAPS = st.dictionaries(st.sampled_from("xyz"), SAFE, max_size=2)


@st.composite
def specs(draw):
    """A spec with secrets at sensitive places only, and anything else elsewhere."""
    rules = draw(st.lists(MAPS, max_size=3))
    users = draw(st.lists(MAPS, max_size=3))
    return {
        "plain": draw(SAFE | MAPS),
        "auth": draw(TEXTS | st.builds(lambda it, new: {**it, "password": new}, MAPS, SECRETS)),
        "env": draw(SECRETS | st.dictionaries(st.sampled_from("AB"), SECRETS, max_size=2)),
        "rules": [{**it, "host": str(at), "token": draw(SECRETS)} for at, it in enumerate(rules)],
        "users": [{**it, "key": draw(SECRETS)} for it in users],
        "disk": draw(MAPS),
    }


@given(specs(), specs(), specs())
def test_no_nested_secret_is_in_a_record_or_a_change(desired, recorded, live):
    """P8: neither in what is recorded nor in what differs, nor is a digest of it without a key."""
    kept = record(recorded)
    shown = [diff(desired, kept, reveal(live)), diff(desired, None, {}), kept]
    shown += [record(mark_secrets(KIND, reveal(live), it)) for it in (desired, kept)]
    texts = [str(shown), json.dumps(as_json(kept)), render_canonical(kept).decode()]
    unkeyed = summarise(VALUE).sha256
    assert not any(VALUE in text or unkeyed in text for text in texts)


@given(specs())
def test_what_was_applied_is_no_change(spec):
    assert diff(spec, record(spec), reveal(spec)) == ()
    assert diff(spec, record(spec), {}) == ()
