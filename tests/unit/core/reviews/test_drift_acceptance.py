"""A manifest is edited so that it asks for what is live, and nothing else in it changes."""

import pytest

from provisioning.core.manifests.compilation import compile_manifest
from provisioning.core.model.values import Omitted, Sensitive
from provisioning.core.plan.diff import Cause, FieldChange
from provisioning.core.reviews.drift_acceptance import accept_drift
from provisioning.providers.local.kinds import KINDS

HEAD = "apiVersion: provisioning/v1\nkind: File\nmetadata: {name: motd}\n"
OTHER = (
    "apiVersion: provisioning/v1\nkind: File\nmetadata: {name: b}\nspec: {path: b, content: x}\n"
)
KINDS_BY_NAME = {kind.name: kind for kind in KINDS}


def accept(text, live, file="a.yaml"):
    data = text.encode()
    resource = compile_manifest(data, file, KINDS_BY_NAME)[0]
    fields = [
        FieldChange(path=path, before=value, after=None, cause=Cause.DRIFT)
        for path, value in live.items()
    ]
    edited = accept_drift(data, resource, fields)
    return None if edited is None else edited.decode()


@pytest.mark.parametrize(
    ("written", "live", "edited"),
    [
        ("hello", "other", "other"),
        ("hello  # said at the door", "other", "other  # said at the door"),
        ("'hello'", "other", "'other'"),
        ('"hello"', "other", '"other"'),
        ('""', "other", '"other"'),
        ("hello", "it's: two # words\n", '"it\'s: two # words\\n"'),
        ("'hello'", "it's", '"it\'s"'),
        ("hello", "", '""'),
        ("hello", "no", '"no"'),
        ("hello", "0644", '"0644"'),
        ("hello", "gr\u00fc\u00df dich \u2615", '"gr\u00fc\u00df dich \u2615"'),
        ("hello", 'back\\slash "quote"\ttab', '"back\\\\slash \\"quote\\"\\ttab"'),
    ],
)  # fmt: skip
def test_a_value_on_the_line_of_its_key_is_replaced(written, live, edited):
    """The value alone changes; comments, order, quotes and other documents stay."""
    text = (
        HEAD + "# why\nspec:\n  path: motd   # where\n  content: {}\n  mode: '0600'\n---\n" + OTHER
    )
    assert accept(text.replace("{}", written), {"content": live}) == text.replace("{}", edited)


def test_several_fields_are_accepted_at_once():
    """Every field that differs, or none."""
    text = f"{HEAD}spec:\r\n  path: motd\r\n  mode: '0600'\r\n  content: a\r\n"
    expected = text.replace("'0600'", '"0644"').replace("content: a", "content: b")
    assert accept(text, {"mode": "0644", "content": "b"}) == expected
    assert accept(text, {"mode": "0644", "owner": "root"}) is None


def test_all_that_is_asked_for_may_be_accepted():
    """Nothing is left as it was."""
    text = f"{HEAD}spec:\n  path: motd\n  content: a\n"
    expected = text.replace("motd\n  content: a", "other\n  content: b")
    assert accept(text, {"path": "other", "content": "b"}) == expected


def test_a_byte_order_mark_stays():
    """It is no part of the manifest, and the places in it are counted without it."""
    text = f"\ufeff{HEAD}spec:\n  path: motd\n  content: a\n"
    assert accept(text, {"content": "b"}) == text.replace("content: a", "content: b")


def test_a_number_is_written_as_one():
    """What a process waits for is no text."""
    text = (
        "apiVersion: provisioning/v1\nkind: Process\nmetadata:\n  name: web\nspec:\n"
        "  command: [sleep, '9']\n  timeout: 30\n"
    )
    assert accept(text, {"timeout": 45}) == text.replace("30", "45")
    assert accept(text, {"timeout": 1.5}) == text.replace("30", "1.5")


@pytest.mark.parametrize(
    "spec",
    [
        "spec: {path: motd, content: hello}\n",
        "spec:\n  path: motd\n  content: |\n    hello\n",
        "spec:\n  path: motd\n  content: hello\n    you\n",
        "spec:\n  path: motd\n  content:\n    hello\n",
        "spec:\n  path: motd\n  content: '{{env.X}}'\n",
        "spec:\n  path: &x motd\n  content: *x\n",
        "spec:\n  path: motd\n  content: &x hello\n  owner: *x\n",
        "spec:\n  path: motd\n  content: !!str hello\n",
        "spec:\n  path: motd\n  source: files/motd\n",
    ],
    ids=["flow", "block", "folded", "below", "templated", "alias", "anchor", "tag", "elsewhere"],
)
def test_what_does_not_stand_by_itself_is_left(spec):
    """Where an edit could mean something else, there is none."""
    assert accept(HEAD + spec, {"content": "other"}) is None


@pytest.mark.parametrize(
    "live",
    [
        None,
        Omitted("0" * 64, 9),
        Sensitive("hmac-sha256:1"),
        b"\xff",
        ["a"],
        "{{env.HOME}}",
        "\x85 next line",
    ],
    ids=["unset", "digest", "secret", "bytes", "list", "template", "character"],
)
def test_what_cannot_be_written_is_not(live):
    """A secret, a digest, and what a manifest would read as something else stay out of Git."""
    assert accept(f"{HEAD}spec:\n  path: motd\n  content: hello\n", {"content": live}) is None


def test_only_yaml_is_edited():
    """Other formats are left to people."""
    text = (
        '[[resources]]\napiVersion = "provisioning/v1"\nkind = "File"\nmetadata = {name = "motd"}\n'
        'spec = {path = "motd", content = "hello"}\n'
    )
    assert accept(text, {"content": "other"}, "a.toml") is None
