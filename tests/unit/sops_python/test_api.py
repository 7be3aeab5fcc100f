"""The functions that `sops_python` offers to other programs."""

import json
import subprocess
import sys

import pyrage
import pytest

import sops_python

PLAIN = b"# who\nuser: shop\npassword: correct horse\nports:\n    - 80\n    - 443\n"
VALUES = {"user": "shop", "password": "correct horse", "ports": [80, 443]}


@pytest.fixture
def rule(environ):
    identity = pyrage.x25519.Identity.from_str(environ["SOPS_AGE_KEY"])
    return {"age": str(identity.to_public()), "encrypted_regex": "^password$"}


@pytest.fixture(scope="module")
def environ():
    return {"SOPS_AGE_KEY": str(pyrage.x25519.Identity.generate()), "HOME": "/nowhere"}


@pytest.fixture
def file(rule):
    return sops_python.encrypt(PLAIN, "db.enc.yaml", rule)


def test_every_public_name_is_there():
    assert [name for name in sops_python.__all__ if not hasattr(sops_python, name)] == []


def test_values_and_text_come_back(file, environ):
    assert b"correct horse" not in file
    assert b"user: shop" in file
    assert sops_python.load(file, "db.enc.yaml", environ) == VALUES
    assert sops_python.load_all(file, "db.enc.yaml", environ) == [VALUES]
    assert sops_python.decrypt(file, "db.enc.yaml", environ) == PLAIN


def test_the_name_chooses_the_format(rule, environ):
    text = json.dumps(VALUES).encode()
    for name, made in (("a.json", VALUES), ("a.enc", {"data": text.decode()})):
        found = sops_python.encrypt(text, name, rule | {"encrypted_regex": ""})
        assert sops_python.load(found, name, environ) == made
        assert json.loads(sops_python.decrypt(found, name, environ)) == VALUES


def test_several_documents_are_not_taken_for_one(rule, environ):
    found = sops_python.encrypt(b"password: a\n---\npassword: b\n", "a.yaml", rule)
    both = sops_python.load_all(found, "a.yaml", environ)
    assert both == [{"password": "a"}, {"password": "b"}]
    with pytest.raises(sops_python.SopsError, match="2 documents"):
        sops_python.load(found, "a.yaml", environ)


def test_an_unchanged_value_keeps_its_text(file, environ):
    line = next(line for line in file.splitlines() if line.startswith(b"password"))
    edited = sops_python.edit(
        file, "db.enc.yaml", lambda text: text.replace(b"shop", b"till"), environ
    )
    assert line in edited.splitlines()
    assert sops_python.load(edited, "db.enc.yaml", environ) == VALUES | {"user": "till"}


def test_a_value_is_set(file, environ):
    for path, value in ((["password"], "new"), (["ports", 1], 8443), (["more", "deep"], [1])):
        file = sops_python.set_value(file, "db.enc.yaml", path, value, environ)
    assert sops_python.load(file, "db.enc.yaml", environ) == {
        "user": "shop", "password": "new", "ports": [80, 8443], "more": {"deep": [1]}
    }  # fmt: skip
    with pytest.raises(sops_python.PathNotFound):
        sops_python.set_value(file, "db.enc.yaml", ["ports", "x"], 1, environ)


def test_what_is_wrong_has_a_class_of_its_own(file, rule, environ):
    name = "db.enc.yaml"
    assert sops_python.is_encrypted(file, name)
    assert not sops_python.is_encrypted(PLAIN, name)
    lonely = {"HOME": "/nowhere"}
    changed = file.replace(b"user: shop", b"user: thief")
    cases = [
        (sops_python.NotEncrypted, lambda: sops_python.load(PLAIN, name, environ)),
        (sops_python.NoKeyFits, lambda: sops_python.load(file, name, lonely)),
        (sops_python.Tampered, lambda: sops_python.load(changed, name, environ)),
        (sops_python.AlreadyEncrypted, lambda: sops_python.encrypt(file, name, rule)),
        (sops_python.UnreadableFile, lambda: sops_python.encrypt(b"[", "a.json", rule)),
        (sops_python.InvalidKeyGroups, lambda: sops_python.encrypt(PLAIN, name, {})),
        (sops_python.KeyUnusable, lambda: sops_python.encrypt(PLAIN, name, {"age": "age1x"})),
    ]
    for kind, use in cases:
        with pytest.raises(kind) as caught:
            use()
        assert isinstance(caught.value, sops_python.SopsError)
        assert caught.value.hint


def test_importing_it_loads_none_of_its_libraries():
    heavy = ["click", "cryptography", "msgspec", "pyrage", "re2", "msal", "google.auth", "boto3"]
    code = f"import sys, sops_python; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"
