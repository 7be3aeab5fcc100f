"""Every kind of key that both programs use, both ways."""

import base64
import hashlib
import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytestmark = [pytest.mark.peer("sops"), pytest.mark.peer("age-keygen")]

TEXT = b"password: secret\n"
ARN = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000"


def check_both_ways(ours, theirs, folder, *options):
    """Encrypt with each program, decrypt with the other."""
    file = folder / "file.yaml"
    for one, other in ((ours, theirs), (theirs, ours)):
        file.write_bytes(TEXT)
        encrypted = one("encrypt", *options, "file.yaml")
        assert encrypted.code == 0, encrypted.errors
        file.write_bytes(encrypted.output)
        for program in (one, other):
            found = program("decrypt", "file.yaml")
            assert (found.code, found.output) == (0, TEXT), found.errors


@pytest.fixture
def home(folder, monkeypatch):
    """A home without any key."""
    monkeypatch.delenv("SOPS_AGE_KEY_FILE", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(folder / "home"))
    (folder / "home").mkdir()
    return folder / "home"


def take_identity(folder):
    """Return the text of the identity that `recipient` made."""
    return (folder / "age.key").read_text()


def set_variable(folder, home, monkeypatch):
    key = [line for line in take_identity(folder).splitlines() if line.startswith("AGE")]
    monkeypatch.setenv("SOPS_AGE_KEY", key[0])


def set_command(folder, home, monkeypatch):
    script = folder / "key.sh"
    script.write_text(f'#!/bin/sh\ntest "$SOPS_AGE_RECIPIENT" && cat {folder / "age.key"}\n')
    script.chmod(0o755)
    monkeypatch.setenv("SOPS_AGE_KEY_CMD", str(script))


def set_default_place(folder, home, monkeypatch):
    place = home / ".config/sops/age/keys.txt"
    place.parent.mkdir(parents=True)
    place.write_text(take_identity(folder))


def set_other_place(folder, home, monkeypatch):
    place = folder / "xdg/sops/age/keys.txt"
    place.parent.mkdir(parents=True)
    place.write_text(take_identity(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "xdg"))


@pytest.mark.parametrize("place", [set_variable, set_command, set_default_place, set_other_place])
def test_age_identities_are_found_where_sops_finds_them(
    place, ours, theirs, folder, recipient, home, monkeypatch
):
    place(folder, home, monkeypatch)
    check_both_ways(ours, theirs, folder, "--age", recipient)


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
@pytest.mark.parametrize("place", ["home", "SOPS_AGE_SSH_PRIVATE_KEY_FILE"])
@pytest.mark.peer("ssh-keygen")
def test_ssh_keys_are_age_keys(kind, place, ours, theirs, folder, home, monkeypatch):
    path = home / ".ssh" / f"id_{kind}"
    if place != "home":
        path = folder / "elsewhere"
        monkeypatch.setenv(place, str(path))
    path.parent.mkdir(exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
    public = path.with_name(f"{path.name}.pub").read_text().strip()
    check_both_ways(ours, theirs, folder, "--age", public)


@pytest.fixture
def fingerprint(folder, monkeypatch):
    """An OpenPGP key in a keyring of its own."""
    place = folder / "gnupg"
    place.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(place))
    command = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key"]
    subprocess.run([*command, "ann@example.org", "default", "default"], check=True)
    listed = subprocess.run(
        ["gpg", "--list-keys", "--with-colons"], check=True, capture_output=True, text=True
    )
    yield next(line.split(":")[9] for line in listed.stdout.splitlines() if line[:3] == "fpr")
    subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=True)


@pytest.mark.peer("gpg")
def test_openpgp_keys(ours, theirs, folder, home, fingerprint):
    check_both_ways(ours, theirs, folder, "--pgp", fingerprint)


@pytest.mark.peer("gpg")
def test_an_unknown_openpgp_key_is_named(ours, folder, home, fingerprint):
    (folder / "file.yaml").write_bytes(TEXT)
    found = ours("encrypt", "-i", "--pgp", "0" * 40, "file.yaml")
    assert found.code == 1
    assert "0" * 40 in found.errors
    assert (folder / "file.yaml").read_bytes() == TEXT


class Loopback(BaseHTTPRequestHandler):
    """Answers as a service does that keeps keys; what it wraps is only told by its tag."""

    def log_message(self, *_):
        pass

    def answer(self, code, body):
        raw = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def read(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))


class Kms(Loopback):
    """AWS KMS, as its API documentation has it; the context is bound to what is wrapped."""

    def do_POST(self):
        body = self.read()
        context = json.dumps(body.get("EncryptionContext") or {}, sort_keys=True).encode()
        tag = hashlib.sha256(context).digest()
        if self.headers["X-Amz-Target"].endswith(".Encrypt"):
            blob = base64.b64encode(tag + base64.b64decode(body["Plaintext"])).decode()
            self.answer(200, {"CiphertextBlob": blob, "KeyId": body["KeyId"]})
            return
        blob = base64.b64decode(body["CiphertextBlob"])
        if not blob.startswith(tag):
            self.answer(400, {"__type": "InvalidCiphertextException", "message": "context"})
            return
        plain = base64.b64encode(blob[len(tag) :]).decode()
        self.answer(200, {"Plaintext": plain, "KeyId": body["KeyId"]})


@pytest.fixture
def serve():
    servers = []

    def start(handler):
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def kms(serve, monkeypatch):
    pytest.importorskip("boto3")
    address = serve(Kms)
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", address)
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    return address


@pytest.mark.parametrize("options", [(), ("--encryption-context", "app:shop,stage:test")])
def test_aws_kms_keys(options, ours, theirs, folder, home, kms):
    check_both_ways(ours, theirs, folder, "--kms", ARN, *options)


def test_aws_kms_opens_nothing_in_another_context(ours, folder, home, kms):
    (folder / "file.yaml").write_bytes(TEXT)
    assert ours("encrypt", "-i", "--kms", ARN, "--encryption-context", "a:b", "file.yaml").code == 0
    changed = (folder / "file.yaml").read_bytes().replace(b"a: b", b"a: c")
    (folder / "file.yaml").write_bytes(changed)
    assert ours("decrypt", "file.yaml").code == 128


def test_aws_kms_that_is_down_is_told(ours, folder, home, kms, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    (folder / "file.yaml").write_bytes(TEXT)
    found = ours("encrypt", "-i", "--kms", ARN, "file.yaml")
    assert found.code == 1
    assert "AWS KMS could not encrypt" in found.errors
    assert (folder / "file.yaml").read_bytes() == TEXT


def write_groups(folder, recipients, threshold):
    groups = "".join(f"      - age: [{each}]\n" for each in recipients)
    (folder / ".sops.yaml").write_text(
        f"creation_rules:\n  - shamir_threshold: {threshold}\n    key_groups:\n{groups}"
    )


@pytest.fixture
def keys(peer, folder, monkeypatch):
    """Three identities, and a way to have only some of them at hand."""
    monkeypatch.setenv("HOME", str(folder / "nowhere"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    recipients, texts = [], []
    for number in range(3):
        path = folder / f"{number}.key"
        subprocess.run([peer("age-keygen"), "-o", path], check=True, capture_output=True)
        texts.append(path.read_text())
        recipients.append(texts[-1].split("public key: ")[1].split()[0])

    def take(*numbers):
        chosen = folder / "chosen.key"
        chosen.write_text("".join(texts[number] for number in numbers))
        monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(chosen))

    return recipients, take


def test_groups_open_by_as_many_as_the_threshold_says(ours, theirs, folder, keys):
    recipients, take = keys
    write_groups(folder, recipients, 2)
    file = folder / "file.yaml"
    for one, other in ((ours, theirs), (theirs, ours)):
        file.write_bytes(TEXT)
        take(0)
        file.write_bytes(one("encrypt", "file.yaml").output)
        for program in (one, other):
            take(0)
            refused = program("decrypt", "file.yaml")
            assert (refused.code, refused.output) == (128, b"")
            assert "Group 1: FAILED" in refused.errors.replace("\x1b[31m", "").replace(
                "\x1b[0m", ""
            )
            take(2, 1)
            assert program("decrypt", "file.yaml").output == TEXT


def test_groups_are_added_and_deleted_alike(ours, theirs, folder, keys):
    recipients, take = keys
    take(0, 1, 2)
    file = folder / "file.yaml"
    for one, other in ((ours, theirs), (theirs, ours)):
        file.write_bytes(TEXT)
        file.write_bytes(one("encrypt", "--age", recipients[0], "file.yaml").output)
        add = ["groups", "add", "--file", "file.yaml", "-i", "--age"]
        assert one(*add, recipients[1]).code == 0
        assert one(*add, recipients[2], "--shamir-secret-sharing-threshold", "2").code == 0
        assert other("decrypt", "file.yaml").output == TEXT
        assert one("groups", "delete", "-i", "--file", "file.yaml", "0").code == 0
        assert other("decrypt", "file.yaml").output == TEXT
        assert recipients[0].encode() not in file.read_bytes()
        assert one("groups", "delete", "-i", "--file", "file.yaml", "0").code == 1


def test_updatekeys_follows_the_rules(ours, theirs, folder, keys):
    recipients, take = keys
    take(0, 1)
    file = folder / "file.yaml"
    (folder / ".sops.yaml").write_text(f"creation_rules:\n  - age: {recipients[0]}\n")
    file.write_bytes(TEXT)
    file.write_bytes(theirs("encrypt", "file.yaml").output)
    (folder / ".sops.yaml").write_text(
        f"creation_rules:\n  - age: {recipients[1]},{recipients[2]}\n"
    )
    said = ours("updatekeys", "--yes", "file.yaml")
    assert f"--- {recipients[0]}" in said.output.decode()
    assert f"+++ {recipients[2]}" in said.output.decode()
    take(2)
    assert theirs("decrypt", "file.yaml").output == TEXT
    assert ours("updatekeys", "--yes", "file.yaml").output == b""


@pytest.mark.parametrize(
    "options",
    [("--age", "age1nonsense"), ("--age", "nonsense"), ("--kms", "arn:nonsense"),
     ("--hc-vault-transit", "vault/nonsense"), ("--azure-kv", "nonsense"), ()],
)  # fmt: skip
def test_a_malformed_key_changes_nothing(options, ours, folder, home):
    (folder / "file.yaml").write_bytes(TEXT)
    found = ours("encrypt", "-i", *options, "file.yaml")
    assert found.code == 1
    assert "secret" not in found.errors
    assert (folder / "file.yaml").read_bytes() == TEXT


def test_an_identity_with_a_passphrase_needs_somebody_to_ask(ours, folder, recipient, monkeypatch):
    import pyrage

    (folder / "file.yaml").write_bytes(TEXT)
    assert ours("encrypt", "-i", "--age", recipient, "file.yaml").code == 0
    locked = folder / "locked.key"
    locked.write_bytes(pyrage.passphrase.encrypt((folder / "age.key").read_bytes(), "open sesame"))
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(locked))
    assert ours("decrypt", "file.yaml", stdin=b"wrong\n").code == 128
    assert ours("decrypt", "file.yaml", stdin=b"open sesame\n").output.endswith(TEXT)


def test_a_key_of_a_kind_that_is_not_used_is_kept(ours, theirs, folder, recipient):
    (folder / "file.yaml").write_bytes(TEXT)
    encrypted = ours("encrypt", "--age", recipient, "--output-type", "json", "file.yaml").output
    tree = json.loads(encrypted)
    other = {"key_id": "tr-west-1:x", "created_at": "2026-01-01T00:00:00Z", "enc": "x"}
    tree["sops"]["hckms"] = [other]
    (folder / "file.json").write_text(json.dumps(tree))
    assert ours("set", "file.json", '["password"]', '"new"').code == 0
    assert json.loads((folder / "file.json").read_text())["sops"]["hckms"] == [other]
    assert b"new" in theirs("decrypt", "file.json").output
