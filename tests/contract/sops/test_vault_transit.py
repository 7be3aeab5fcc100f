"""Vault's transit engine beside `sops`, as its API is documented.

https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import os
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

pytestmark = pytest.mark.peer("sops")

TEXT = b"password: secret\n"
TOKEN = "hvs.token"


class Refused(Exception):
    """What Vault answers: a status, and its reasons."""


class Engine:
    """The keys of a transit engine mounted at `transit`, or at `ops/transit` in a namespace."""

    def __init__(self):
        self.is_sealed = False
        self.namespace = ""
        self.keys = {}
        self.asked = []

    def answer(self, path, headers, body):
        """Return the data of the answer."""
        if self.is_sealed:
            raise Refused(503, "Vault is sealed")
        token = headers.get("X-Vault-Token")
        if not token:
            raise Refused(400, "missing client token")
        if token != TOKEN or headers.get("X-Vault-Namespace", "") != self.namespace:
            raise Refused(403, "permission denied")
        _, version, *mount, method, name = path.split("/")
        if version != "v1" or mount not in (["transit"], ["ops", "transit"]):
            raise Refused(404, f"no handler for route {path.removeprefix('/v1/')!r}")
        self.asked.append(method)
        return getattr(self, method)("/".join([*mount, name]), body)

    def encrypt(self, name, body):
        """Encrypt under the newest version of the key, which is made if it is not there."""
        try:
            plain = base64.b64decode(body["plaintext"], validate=True)
        except (binascii.Error, KeyError):
            raise Refused(400, "failed to base64-decode plaintext") from None
        versions = self.keys.setdefault(name, [AESGCM.generate_key(256)])
        nonce = os.urandom(12)
        sealed = base64.b64encode(nonce + AESGCM(versions[-1]).encrypt(nonce, plain, None))
        return {"ciphertext": f"vault:v{len(versions)}:{sealed.decode()}"}

    def decrypt(self, name, body):
        if name not in self.keys:
            raise Refused(400, "encryption key not found")
        prefix, version, sealed = body["ciphertext"].split(":")
        if prefix != "vault" or int(version[1:]) > len(self.keys[name]):
            raise Refused(400, "invalid ciphertext: version is too new")
        raw = base64.b64decode(sealed)
        try:
            plain = AESGCM(self.keys[name][int(version[1:]) - 1]).decrypt(raw[:12], raw[12:], None)
        except InvalidTag:
            raise Refused(400, "cipher: message authentication failed") from None
        return {"plaintext": base64.b64encode(plain).decode()}


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def serve(engine):
    """Start the server, with TLS if it is given a context; return its address."""
    servers = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_PUT(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                data = engine.answer(self.path, self.headers, body)
                status, answer = 200, {"request_id": "1", "lease_id": "", "data": data}
            except Refused as exc:
                status, answer = exc.args[0], {"errors": [exc.args[1]]}
            raw = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_POST = do_PUT  # noqa: N815  the server's own naming

    def start(context=None):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def home(folder, monkeypatch):
    for name in [name for name in os.environ if name.startswith("VAULT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    monkeypatch.setenv("VAULT_MAX_RETRIES", "0")


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


def make_context(folder):
    """Make a certificate for the loopback, and what a server needs to show it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "vault")])
    now = datetime.now(UTC)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


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
