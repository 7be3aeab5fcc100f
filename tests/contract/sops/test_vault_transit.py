"""Vault's transit engine beside `sops`, as its API is documented.

https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

from __future__ import annotations

import pytest
from certificates import make_context
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from vault_server import TOKEN, Transit

pytestmark = pytest.mark.peer("sops")

TEXT = b"password: secret\n"


@pytest.fixture
def engine():
    return Transit()


def check_both_ways(ours, theirs, folder, address, path="transit/keys/shop"):
    file = folder / "file.yaml"
    for one, other in ((ours, theirs), (theirs, ours)):
        file.write_bytes(TEXT)
        encrypted = one("encrypt", "--hc-vault-transit", f"{address}/v1/{path}", "file.yaml")
        assert encrypted.code == 0, encrypted.errors
        file.write_bytes(encrypted.output)
        for program in (one, other):
            found = program("decrypt", "file.yaml")
            assert (found.code, found.output) == (0, TEXT), found.errors


def test_what_one_program_encrypts_the_other_decrypts(ours, theirs, folder, home, serve, engine):
    check_both_ways(ours, theirs, folder, serve())
    assert engine.asked == ["encrypt", "decrypt", "decrypt"] * 2


def test_an_engine_may_be_mounted_deeper(ours, theirs, folder, home, serve):
    check_both_ways(ours, theirs, folder, serve(), "ops/transit/keys/shop")


def test_a_key_that_was_rotated_opens_what_it_wrapped(ours, folder, home, serve, engine):
    address = serve()
    (folder / "file.yaml").write_bytes(TEXT)
    key = f"{address}/v1/transit/keys/shop"
    assert ours("encrypt", "-i", "--hc-vault-transit", key, "file.yaml").code == 0
    engine.keys["transit/shop"].append(AESGCM.generate_key(256))
    assert ours("decrypt", "file.yaml").output == TEXT
    assert ours("rotate", "-i", "file.yaml").code == 0
    assert "vault:v2:" in (folder / "file.yaml").read_text()


def test_the_token_may_lie_in_the_home(ours, theirs, folder, home, serve, monkeypatch):
    monkeypatch.delenv("VAULT_TOKEN")
    (folder / ".vault-token").write_text(TOKEN)
    check_both_ways(ours, theirs, folder, serve())


def test_a_namespace_is_told(ours, theirs, folder, home, serve, engine, monkeypatch):
    engine.namespace = "shop/ops"
    monkeypatch.setenv("VAULT_NAMESPACE", "shop/ops")
    check_both_ways(ours, theirs, folder, serve())


def test_a_certificate_is_trusted_if_it_is_named(ours, theirs, folder, home, serve, monkeypatch):
    address = serve(make_context(folder))
    key = f"{address}/v1/transit/keys/shop"
    (folder / "file.yaml").write_bytes(TEXT)
    refused = ours("encrypt", "-i", "--hc-vault-transit", key, "file.yaml")
    assert refused.code == 1
    assert "certificate" in refused.errors
    monkeypatch.setenv("VAULT_CACERT", str(folder / "ca.pem"))
    check_both_ways(ours, theirs, folder, address)


def seal(engine, _):
    engine.is_sealed = True


def forget(engine, _):
    engine.keys.clear()


def remake(engine, _):
    engine.keys = {name: [AESGCM.generate_key(256)] for name in engine.keys}


def lose_the_token(_, monkeypatch):
    monkeypatch.delenv("VAULT_TOKEN")


def have_another_token(_, monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", "hvs.other")


def have_a_broken_token(_, monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", "hvs.two\nlines")


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (seal, "503 Vault is sealed"),
        (forget, "400 encryption key not found"),
        (remake, "400 cipher: message authentication failed"),
        (lose_the_token, "400 missing client token"),
        (have_another_token, "403 permission denied"),
        (have_a_broken_token, "a blank or a line break"),
    ],
)
def test_what_vault_refuses_is_told_and_changes_nothing(
    spoil, what, ours, theirs, folder, home, serve, engine, monkeypatch
):
    key = f"{serve()}/v1/transit/keys/shop"
    (folder / "file.yaml").write_bytes(TEXT)
    assert ours("encrypt", "-i", "--hc-vault-transit", key, "file.yaml").code == 0
    before = (folder / "file.yaml").read_bytes()
    spoil(engine, monkeypatch)
    assert theirs("decrypt", "file.yaml").code == 128
    for line in (["decrypt", "-i", "file.yaml"], ["set", "file.yaml", '["a"]', "1"]):
        found = ours(*line)
        assert found.code == 128
        assert what in found.errors
        assert "hvs." not in found.errors
    assert (folder / "file.yaml").read_bytes() == before


def test_a_server_that_is_down_is_told(ours, folder, home):
    (folder / "file.yaml").write_bytes(TEXT)
    key = "http://127.0.0.1:9/v1/transit/keys/shop"
    found = ours("encrypt", "-i", "--hc-vault-transit", key, "file.yaml")
    assert found.code == 1
    assert "Vault did not answer at http://127.0.0.1:9" in found.errors
    assert (folder / "file.yaml").read_bytes() == TEXT
