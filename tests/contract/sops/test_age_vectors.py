"""The public test vectors of age (c2sp.org/CCTV/age): what opens, and what must not."""

import hashlib
import json
import os
import subprocess
import zlib
from pathlib import Path

import pyrage
import pytest
from peer_programs import require_peer

MODULE = Path(__file__).parents[2] / "peers" / "age_vectors"
ENVIRON = dict(os.environ)
LEFT_OUT = ("hybrid", "tagpq", "p256tag", "mlkem768p256tag", "work_factor_23")
"""Kinds of keys that pyrage cannot use, and a passphrase that takes it a minute."""

LENIENT = ["stanza_missing_body", "stanza_missing_final_line"]
"""What pyrage opens although the format forbids it; none of it is about authenticity."""


@pytest.fixture(scope="module")
def vectors():
    """Every vector by its name; they are a Go module without a program."""
    require_peer("go")
    done = subprocess.run(
        ["go", "mod", "download", "-json", "c2sp.org/CCTV/age"],
        cwd=MODULE,
        env=ENVIRON,
        capture_output=True,
        check=True,
    )
    folder = Path(json.loads(done.stdout)["Dir"]) / "testdata"
    return {path.name: read(path.read_bytes()) for path in sorted(folder.iterdir())}


def read(data):
    """Split a vector into what it says of itself, and the file."""
    head, _, body = data.partition(b"\n\n")
    told = {}
    for line in head.decode().splitlines():
        name, _, value = line.partition(": ")
        told.setdefault(name, []).append(value)
    return told, zlib.decompress(body) if "compressed" in told else body


def decrypt(told, body):
    if "passphrase" in told:
        return pyrage.passphrase.decrypt(body, told["passphrase"][0])
    body = body.strip() if "armored" in told else body  # as our own reader does
    identities = [pyrage.x25519.Identity.from_str(text) for text in told.get("identity", [])]
    return pyrage.decrypt(body, identities)


def select(vectors, succeeds):
    for name, (told, body) in vectors.items():
        is_usable = not any(word in name for word in LEFT_OUT)
        if is_usable and (told["expect"] == ["success"]) is succeeds:
            yield name, told, body


def test_there_are_vectors_of_every_kind(vectors):
    assert len(list(select(vectors, succeeds=True))) > 15
    assert len(list(select(vectors, succeeds=False))) > 80


def test_what_is_right_opens(vectors):
    for name, told, body in select(vectors, succeeds=True):
        digest = hashlib.sha256(decrypt(told, body)).hexdigest()
        assert [digest] == told["payload"], name


def test_what_is_wrong_does_not_open(vectors):
    opened = []
    for name, told, body in select(vectors, succeeds=False):
        try:
            decrypt(told, body)
        except (pyrage.DecryptError, pyrage.IdentityError, ValueError):
            continue
        opened.append(name)
    assert opened == LENIENT
