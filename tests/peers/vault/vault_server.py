"""A Vault on loopback, with one engine, which answers as its API is documented.

https://developer.hashicorp.com/vault/api-docs/secret/transit
https://developer.hashicorp.com/vault/api-docs/secret/kv
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN = "hvs.token"


class Refused(Exception):
    """What Vault answers: a status, and its reasons."""


class Engine:
    """What every engine shares: who may ask, and in which namespace."""

    mounts = ()

    def __init__(self):
        self.is_sealed = False
        self.namespace = ""
        self.asked = []

    def answer(self, method, path, headers, body):
        """Return the data of the answer; None if there is none."""
        if self.is_sealed:
            raise Refused(503, "Vault is sealed")
        token = headers.get("X-Vault-Token")
        if not token:
            raise Refused(400, "missing client token")
        if token != TOKEN or headers.get("X-Vault-Namespace", "") != self.namespace:
            raise Refused(403, "permission denied")
        below = path.removeprefix("/v1/")
        mount = next((each for each in self.mounts if below.startswith(f"{each}/")), None)
        if mount is None:
            raise Refused(404, f"no handler for route {below!r}")
        return self.call(method, mount, below.removeprefix(f"{mount}/"), body)


class Transit(Engine):
    """The keys of a transit engine mounted at `transit`, or at `ops/transit`."""

    mounts = ("transit", "ops/transit")

    def __init__(self):
        super().__init__()
        self.keys = {}

    def call(self, method, mount, path, body):
        action, _, name = path.partition("/")
        if method not in {"POST", "PUT"} or action not in {"encrypt", "decrypt"}:
            raise Refused(405, "unsupported operation")
        self.asked.append(action)
        return getattr(self, action)(f"{mount}/{name}", body)

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


class KeyValues(Engine):
    """The secrets of two key-value engines: `secret` of version 2, and `kv` of version 1."""

    mounts = ("secret", "kv")

    def __init__(self):
        super().__init__()
        self.versions = {}
        self.may_read = True

    def call(self, method, mount, path, body):
        self.asked.append(method)
        has_versions = mount == "secret"
        if has_versions and not path.startswith("data/"):
            raise Refused(404, "Invalid path for a versioned K/V secrets engine")
        versions = self.versions.setdefault(f"{mount}/{path}", [])
        if method == "GET":
            return self.read(versions, has_versions=has_versions)
        if method not in {"POST", "PUT"}:
            raise Refused(405, "unsupported operation")
        if not has_versions:
            versions[:] = [body]
            return None
        if "data" not in body:
            raise Refused(400, "no data provided")
        versions.append(body["data"])
        return {"created_time": "2026-01-02T03:04:05.6Z", "version": len(versions)}

    def read(self, versions, *, has_versions):
        if not self.may_read:
            raise Refused(403, "1 error occurred: permission denied")
        if not versions:
            raise Refused(404)
        metadata = {"version": len(versions), "destroyed": False, "deletion_time": ""}
        return {"data": versions[-1], "metadata": metadata} if has_versions else versions[-1]


class VaultServer:
    """Serves *engine*, with TLS if it is given a context."""

    def __init__(self, engine, context=None):
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_PUT(self):
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = json.loads(text) if text else {}
                try:
                    data = engine.answer(self.command, self.path, self.headers, body)
                    status, answer = 200, {"request_id": "1", "lease_id": "", "data": data}
                except Refused as exc:
                    status, answer = exc.args[0], {"errors": [*exc.args[1:]]}
                if status == 200 and answer["data"] is None:
                    self.send_response(204)
                    self.end_headers()
                    return
                raw = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_PUT  # noqa: N815  the server's own naming

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"http{'s' if context else ''}://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
