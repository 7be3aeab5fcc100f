import copy
import dataclasses
import json
import logging
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.core.expressions.interpolation import resolve_text
from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.kinds import Field, Kind, ListBehaviour
from provisioning.core.model.sensitive import (
    Secret,
    expand_unseen,
    find_encrypted,
    has_secret,
    mark_secrets,
    reveal,
)
from provisioning.core.model.values import Sensitive, Unknown, render_canonical
from provisioning.core.plan.diff import Cause, compute_diff, compute_recorded

VALUE = "hunter2-hunter2"
KEY = b"k" * 32
KIND = Kind(
    name="App",
    provider="test",
    summary="",
    model=lambda: None,
    fields=(
        Field(name="members", lists=ListBehaviour.SET),
        Field(name="digest", computed=True, derived_from=("env",)),
        Field(name="pid", computed=True, derived_from=("env",), public=True),
    ),
)


@dataclasses.dataclass
class Holder:
    secret: Secret


def show_everywhere(secret):
    yield repr(secret)
    yield str(secret)
    yield f"{secret}{secret!r}{secret:>20}"
    yield "%s %r" % (secret, secret)  # noqa: UP031  old code writes so
    yield json.dumps({"a": secret}, default=str)
    yield str(dataclasses.asdict(Holder(secret)))
    yield str(copy.deepcopy([copy.copy(secret)]))
    yield pickle.dumps(secret).decode("latin-1")
    yield str({secret: secret})


def test_a_secret_shows_itself_nowhere(caplog):
    secret = Secret(VALUE)
    assert not any(VALUE in text for text in show_everywhere(secret))
    assert all("***" in text for text in show_everywhere(secret))
    with caplog.at_level(logging.DEBUG):
        logging.getLogger().warning("%s", {"a": [secret]})
    assert VALUE not in caplog.text


def test_a_traceback_with_its_variables_shows_no_secret():
    secret = Secret(VALUE)
    try:
        raise ValueError(secret)  # noqa: TRY301  its own variables are to be shown
    except ValueError as exc:
        told = traceback.TracebackException.from_exception(exc, capture_locals=True)
        text = "".join(told.format())
    assert "secret = ***" in text
    assert text.count(VALUE) == 0


def test_a_secret_is_no_value_that_could_be_written():
    with pytest.raises(TypeError):
        render_canonical({"a": Secret(VALUE)})


def test_secrets_are_equal_by_their_values():
    assert Secret(VALUE) == Secret(Secret(VALUE))
    assert Secret("1") != Secret(1)
    assert Secret(VALUE) != VALUE


def test_a_text_with_a_secret_in_it_is_secret():
    resolved = resolve_text("a {{secrets.x}} b", lambda _: Secret(VALUE))
    assert isinstance(resolved, Secret)
    assert reveal(resolved) == f"a {VALUE} b"


def test_what_is_unknown_stays_unknown_beside_a_secret():
    answers = {"secrets": Secret(VALUE), "resources": Unknown("x")}
    text = "{{secrets.x}} {{resources.File/a.b}}"
    assert isinstance(resolve_text(text, lambda it: answers[it.namespace]), Unknown)


def test_the_record_keeps_a_fingerprint():
    kept = compute_recorded(KIND, {"env": {"A": Secret(VALUE), "B": "b"}}, KEY)
    assert isinstance(kept["env"]["A"], Sensitive)
    assert kept["env"]["B"] == "b"


def test_a_list_with_a_secret_is_kept_as_one_fingerprint():
    kept = compute_recorded(KIND, {"command": ["a", Secret(VALUE)]}, KEY)
    assert isinstance(kept["command"], Sensitive)


def diff(desired, recorded, live):
    return compute_diff(KIND, desired, recorded, live, KEY)


def record(values):
    return compute_recorded(KIND, values, KEY)


def test_what_is_live_as_the_secret_says_is_no_change():
    desired = {"env": {"A": Secret(VALUE)}, "command": ["x", Secret(VALUE)]}
    live = {"env": {"A": VALUE}, "command": ["x", VALUE]}
    assert diff(desired, record(desired), live) == ()


def test_drift_of_a_secret_shows_neither_side():
    desired = {"env": {"A": Secret(VALUE)}}
    (change,) = diff(desired, record(desired), {"env": {"A": "changed-by-hand"}})
    assert (change.path, change.cause) == ("env.A", Cause.DRIFT)
    assert isinstance(change.before, Sensitive)
    assert isinstance(change.after, Sensitive)


def test_a_new_secret_is_a_change_of_the_manifest():
    old, new = {"env": {"A": Secret(VALUE)}}, {"env": {"A": Secret("other-value")}}
    (change,) = diff(new, record(old), {"env": {"A": VALUE}})
    assert change.cause is Cause.MANIFEST


@pytest.mark.parametrize(
    ("desired", "live"),
    [
        ({"env": {"A": "plain now"}}, {"env": {"A": VALUE}}),
        ({"env": {}}, {"env": {"A": VALUE}}),
        ({}, {"env": {"A": VALUE}}),
        ({"env": {"B": Secret(VALUE)}}, {"env": {"A": VALUE}}),
        ({"env": {"A": Secret("other")}}, {"env": {"A": {"deep": VALUE}}}),
        ({"env": {"A": Secret(VALUE)}}, {"env": {"X": f"around {VALUE}"}}),
        ({"env": {"A": Secret(VALUE)}}, {"env": {"X": [f"around {VALUE}"]}}),
        ({"env": {"A": Secret(VALUE)}}, {"env": VALUE}),
    ],
)
def test_no_change_shows_what_was_or_becomes_secret(desired, live):
    changes = diff(desired, record({"env": {"A": Secret(VALUE)}}), live)
    assert changes
    assert VALUE not in repr(changes)


@pytest.mark.parametrize("name", ["command", "members"])
def test_a_list_whose_items_were_moved_shows_no_secret(name):
    desired = {name: ["a", Secret(VALUE), "b"]}
    changes = diff(desired, record(desired), {name: [VALUE, "x", "a", "b"]})
    assert VALUE not in repr(changes)


def test_what_a_provider_answers_is_secret_where_the_spec_is():
    spec = {"env": {"A": Secret(VALUE), "B": "b"}}
    answer = {"env": {"A": VALUE, "B": "b"}, "digest": "sha", "pid": 7, "other": 1}
    marked = mark_secrets(KIND, answer, spec)
    assert marked["env"] == {"A": Secret(VALUE), "B": "b"}
    assert marked["digest"] == Secret("sha")
    assert (marked["pid"], marked["other"]) == (7, 1)


def test_what_was_recorded_as_secret_is_marked_too():
    recorded = record({"env": {"A": Secret(VALUE)}})
    assert has_secret(mark_secrets(KIND, {"env": {"A": VALUE}}, recorded))


def test_whatever_a_kind_makes_of_a_secret_is_secret():
    def expand(spec):
        return {
            "plain": spec["plain"],
            "content": f"{spec['word'].upper()} {len(spec['plain'])}",
            "env": {"A": spec["word"][::-1], "B": "b"},
            "more": spec["number"] + 1,
        }

    made = expand_unseen({"plain": "p", "word": Secret(VALUE), "number": Secret(1)}, expand)
    assert made == {
        "plain": "p",
        "content": Secret(f"{VALUE.upper()} 1"),
        "env": {"A": Secret(VALUE[::-1]), "B": "b"},
        "more": Secret(2),
    }


def test_a_kind_that_refuses_a_made_up_value_hides_all_it_made():
    def expand(spec):
        return {"plain": spec["plain"], "port": int(spec["word"])}

    made = expand_unseen({"plain": "p", "word": Secret("5432")}, expand)
    assert made == {"plain": "p", "port": Secret(5432)}


def test_an_error_while_expanding_tells_no_secret():
    def expand(spec):
        raise ProvisioningError(f"cannot do with {spec['word']}", hint=f"not {spec['word']}")

    with pytest.raises(ProvisioningError) as caught:
        expand_unseen({"word": Secret(VALUE)}, expand)
    assert VALUE not in f"{caught.value} {caught.value.hint} {caught.value.args}"


def test_what_nobody_decrypted_is_found():
    tree = {"a": ["x", {"b": "ENC[AES256_GCM,data:…]"}]}
    assert find_encrypted(tree) == ("a", 1, "b")
    assert find_encrypted({"a": "ENC no"}) is None


trees = st.recursive(
    st.text() | st.integers() | st.none() | st.booleans(),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3)
    ),
    max_leaves=8,
)


@given(trees)
def test_revealing_gives_back_what_was_hidden(tree):
    assert reveal(Secret(tree)) == tree
    assert reveal([Secret(tree), {"a": Secret(tree)}]) == [tree, {"a": tree}]
