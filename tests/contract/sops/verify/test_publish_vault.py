"""`publish` to Vault's key-value engine, beside `sops`, as its API is documented.

https://developer.hashicorp.com/vault/api-docs/secret/kv
"""

from __future__ import annotations

import pytest
from vault_server import KeyValues

pytestmark = [pytest.mark.peer("sops"), pytest.mark.peer("age-keygen")]

TEXTS = {
    "yaml": "name: text # note\nnumber: 1\nlist:\n    - a\n    - 1.5\nno: null\nyes: true\n",
    "json": '{"name": "text", "list": ["x", 1], "map": {"y": {}}}',
    "env": "name=text\n# note\nother=b\n",
    "ini": "[section]\nname = text\n",
    "bin": "hello\n",
}
YAML = {"name": "text", "number": 1, "list": ["a", 1.5], "no": None, "yes": True}


@pytest.fixture
def engine():
    return KeyValues()


@pytest.fixture
def files(folder, home, recipient, theirs):
    for suffix, text in TEXTS.items():
        (folder / f"file.{suffix}").write_text(text)
        assert theirs("encrypt", "-i", "--age", recipient, f"file.{suffix}").code == 0
    return folder


@pytest.fixture
def write_rule(files, serve):
    """Write a destination rule with the address of Vault, and what is given besides."""

    def write(text, address=None):
        rule = f"vault_address: {address or serve()}, {text}"
        (files / ".sops.yaml").write_text(f"destination_rules:\n  - {{{rule}}}\n")

    return write


def publish_alike(ours, theirs, engine, *words, stdin=b""):
    """Give the words to both programs; return what each found there, ours last."""
    found = []
    for program in (theirs, ours):
        engine.versions = {}
        answer = program("publish", *words, stdin=stdin)
        found.append((answer.code, answer.output, engine.versions))
    assert found[0] == found[1], answer.errors
    return engine.versions


@pytest.mark.parametrize("suffix", TEXTS)
def test_values_of_every_format_are_written_alike(suffix, ours, theirs, engine, write_rule, files):
    """In plain text: Vault encrypts what it keeps."""
    write_rule("vault_path: shop")
    (versions,) = publish_alike(ours, theirs, engine, "--yes", f"file.{suffix}").values()
    assert suffix != "yaml" or versions == [YAML]


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ("vault_path: shop", "secret/data/shop/file.yaml"),
        ("vault_path: shop/web/", "secret/data/shop/web/file.yaml"),
        ("vault_path: shop, omit_extensions: true", "secret/data/shop/file"),
        ("vault_path: s, vault_kv_version: 1, vault_kv_mount_name: kv", "kv/s/file.yaml"),
        ("vault_path: s, vault_kv_version: 1, vault_kv_mount_name: kv/", "kv/s/file.yaml"),
        (
            "vault_path: s, vault_kv_version: 2, vault_kv_mount_name: secret",
            "secret/data/s/file.yaml",
        ),
    ],
)
def test_the_rule_says_where(rule, place, ours, theirs, engine, write_rule):
    """By mount, version and path; the question shows the address."""
    write_rule(rule)
    found = publish_alike(ours, theirs, engine, "file.yaml", stdin=b"y\n")
    assert {name: versions for name, versions in found.items() if versions} == {place: [YAML]}


def test_a_rule_without_an_address_means_the_environment_s(
    ours, theirs, engine, serve, files, monkeypatch
):
    """VAULT_ADDR, and the namespace and token of the environment."""
    (files / ".sops.yaml").write_text("destination_rules: [{vault_path: shop}]\n")
    monkeypatch.setenv("VAULT_ADDR", serve())
    engine.namespace = "ops"
    monkeypatch.setenv("VAULT_NAMESPACE", "ops")
    assert publish_alike(ours, theirs, engine, "file.yaml", stdin=b"y\n")


def test_what_is_there_already_makes_no_version(ours, engine, write_rule):
    """It is read first."""
    write_rule("vault_path: shop")
    for _ in range(2):
        assert ours("publish", "--yes", "file.yaml").code == 0
    assert engine.asked == ["GET", "PUT", "GET"]


def test_what_may_be_written_only_is_written(ours, theirs, engine, write_rule):
    """A policy without `read` makes a version each time."""
    write_rule("vault_path: shop")
    engine.may_read = False
    (versions,) = publish_alike(ours, theirs, engine, "--yes", "file.yaml").values()
    assert versions == [YAML]


def seal(engine, _):
    engine.is_sealed = True


def have_another_token(_, monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", "hvs.other")


def have_no_token(_, monkeypatch):
    monkeypatch.delenv("VAULT_TOKEN")


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (seal, "503 Vault is sealed"),
        (have_another_token, "403 permission denied"),
        (have_no_token, "400 missing client token"),
    ],
)
def test_what_vault_refuses_is_told(spoil, what, ours, theirs, engine, write_rule, monkeypatch):
    """And nothing is written; no token is shown."""
    write_rule("vault_path: shop")
    spoil(engine, monkeypatch)
    publish_alike(ours, theirs, engine, "--yes", "file.yaml")
    found = ours("publish", "--yes", "file.yaml")
    assert found.code == 1
    assert what in found.errors
    assert "hvs." not in found.errors


def test_a_server_that_is_down_is_told(ours, write_rule):
    write_rule("vault_path: shop", "http://127.0.0.1:9")
    found = ours("publish", "--yes", "file.yaml")
    assert found.code == 1
    assert "Vault did not answer at http://127.0.0.1:9" in found.errors


def test_an_engine_of_the_other_version_is_told(ours, engine, write_rule):
    """What is written there would be no secret."""
    write_rule("vault_path: shop, vault_kv_version: 1")
    found = ours("publish", "--yes", "file.yaml")
    assert (found.code, engine.versions) == (1, {})
    assert "404 Invalid path for a versioned K/V secrets engine" in found.errors


def test_maps_in_a_list_stay_maps(ours, engine, write_rule, files, theirs, recipient):
    """`sops` writes how it holds them in memory: `[{"Key": …, "Value": …}]`."""
    (files / "deep.json").write_text('{"list": [{"a": 1}, {"a": [{}]}]}')
    assert theirs("encrypt", "-i", "--age", recipient, "deep.json").code == 0
    write_rule("vault_path: shop")
    assert ours("publish", "--yes", "deep.json").code == 0
    assert [*engine.versions.values()] == [[{"list": [{"a": 1}, {"a": [{}]}]}]]


def test_bytes_that_are_no_text_are_refused(ours, engine, write_rule, files, theirs, recipient):
    """JSON has no place for them."""
    (files / "raw").write_bytes(b"a\xff\n")
    assert theirs("encrypt", "-i", "--age", recipient, "raw").code == 0
    write_rule("vault_path: shop")
    found = ours("publish", "--yes", "raw")
    assert (found.code, engine.versions) == (1, {})
    assert "holds a value that is no JSON" in found.errors
