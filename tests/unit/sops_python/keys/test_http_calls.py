"""Calls to services that a file of the repository names: whatever they are, one clear error."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sops_python.errors import KeyUnusable
from sops_python.keys import azure_kv, gcp_kms, http_calls, vault

DEEP = b"[" * 200_000
HEADER = b"HTTP/1.1 %d no\r\nConnection: close\r\n\r\n"


class Hostile(BaseHTTPRequestHandler):
    """Answers by its path: `/STATUS/deep`, `/STATUS/endless` or `/STATUS/slow`."""

    def do_GET(self):
        _, status, how = self.path.split("/")
        self.wfile.write(HEADER % int(status))
        try:
            getattr(self, how)()
        except OSError:
            return  # who asked has heard enough

    def deep(self):
        self.wfile.write(DEEP)

    def endless(self):
        while True:
            self.wfile.write(b"x" * (1 << 20))

    def slow(self):
        while True:
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)

    def log_message(self, *_):
        """Write nothing."""


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Hostile) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("how", ["deep", "endless", "slow"])
@pytest.mark.parametrize("status", [200, 401])
def test_an_answer_that_does_not_end_is_an_error(server, status, how, monkeypatch):
    monkeypatch.setattr(http_calls, "TIMEOUT", 1.0)
    with pytest.raises(KeyUnusable, match="the vault"):
        http_calls.call("the vault", f"{server}/{status}/{how}", hint="", is_near=True)


def test_a_header_is_not_repeated(server):
    with pytest.raises(KeyUnusable, match="a header is malformed") as caught:
        http_calls.fetch(
            "it", f"{server}/200/deep", headers={"X": "s3cr3t\n"}, hint="", is_near=True
        )
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("address", ["https://[x", "https://a\u2100.example", "https://", "x", ""])
def test_an_address_that_is_none_is_an_error(address):
    with pytest.raises(KeyUnusable):
        http_calls.fetch("it", address, hint="")
    fields = {"vault_address": address, "engine_path": "transit", "key_name": "k"}
    with pytest.raises(KeyUnusable):
        vault.unwrap(fields, "vault:v1:x", {})


VAULT = "https://shop.vault.azure.net"


@pytest.mark.parametrize(
    ("place", "name", "version"),
    [
        ("https://[x", "sops", "v1"),
        (f"{VAULT}/keys/db/rotate?api-version=7.4&x=", "sops", "v1"),
        (f"{VAULT}?x=", "sops", "v1"),
        (f"{VAULT}#", "sops", "v1"),
        ("https://me@shop.vault.azure.net", "sops", "v1"),
        (VAULT, "..", "v1"),
        (VAULT, "sops/rotate", "v1"),
        (VAULT, "sops", "v1/rotate"),
        (VAULT, "sops", ""),
    ],
)
def test_a_file_cannot_choose_another_call_of_azure(place, name, version, monkeypatch):
    """Whoever may add a file must not have a machine rotate or delete keys."""
    monkeypatch.setattr(http_calls, "fetch", lambda *_, **__: pytest.fail("it was asked"))
    fields = {"vault_url": place, "name": name, "version": version}
    with pytest.raises(KeyUnusable):
        azure_kv.unwrap(fields, "eA", {})


@pytest.mark.parametrize("challenge", ['Bearer resource="https://[x"', "Bearer", ""])
def test_a_challenge_that_is_none_gets_no_token(challenge):
    with pytest.raises(KeyUnusable, match="does not belong"):
        azure_kv._read_challenge(challenge, VAULT)


@pytest.mark.parametrize(("own", "asked"), [("", "other.example"), ("other.example", "")])
def test_credentials_are_not_shown_to_another_universe(own, asked, monkeypatch):
    monkeypatch.setattr(http_calls, "fetch", lambda *_, **__: pytest.fail("it was asked"))
    environ = {
        "GOOGLE_CREDENTIALS": f'{{"type": "authorized_user", "universe_domain": "{own}"}}',
        "SOPS_GCP_KMS_UNIVERSE_DOMAIN": asked,
    }
    key = {"resource_id": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}
    with pytest.raises(KeyUnusable, match="belong to"):
        gcp_kms.unwrap(key, "eA==", environ)
