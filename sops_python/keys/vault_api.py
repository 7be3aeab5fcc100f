"""Asks HashiCorp Vault or OpenBao: where it is, with which token, and what it answers.

The calls are those of https://developer.hashicorp.com/vault/api-docs.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from sops_python.errors import KeyUnusable

ADDRESS, DEFAULT_ADDRESS = "VAULT_ADDR", "https://127.0.0.1:8200"
TOKEN, TOKEN_FILE = "VAULT_TOKEN", ".vault-token"
NAMESPACE, CERTIFICATES = "VAULT_NAMESPACE", "VAULT_CACERT"
TIMEOUT = 10.0
"""Seconds after which a server that does not answer is taken to be down."""

LONGEST = 1 << 24
"""Bytes of an answer that are read."""

_NO_ANSWER = (
    OSError,
    http.client.HTTPException,
    ValueError,
    KeyError,
    TypeError,
    RecursionError,
)


class VaultFailed(KeyUnusable):
    """Vault refused, with the HTTP status `answered`, or did not answer at all (None)."""

    def __init__(self, message: str, *, hint: str, answered: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.answered = answered


def find_address(environ: Mapping[str, str]) -> str:
    """Return the address of the server that the environment names."""
    return environ.get(ADDRESS) or DEFAULT_ADDRESS


def ask(
    method: str, address: str, environ: Mapping[str, str], body: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """Return the data of Vault's answer; nothing if it has none.

    Args:
        method: The HTTP method.
        address: The address of the server and, below `/v1/`, the path of the call.
        environ: The environment variables; `HOME` says where the token may lie.
        body: What is sent.

    Raises:
        VaultFailed: If Vault refuses, or does not answer.
    """
    server = _find_server(address)
    data = None if body is None else json.dumps(body, allow_nan=False).encode()
    request = Request(quote(address, ":/%"), data, _build_headers(environ), method=method)  # noqa: S310  checked above
    try:
        with urlopen(request, timeout=TIMEOUT, context=_trust(environ)) as answer:  # noqa: S310
            text = answer.read(LONGEST)
            found: Mapping[str, Any] = json.loads(text)["data"] if text else {}
            return found
    except HTTPError as exc:
        raise VaultFailed(
            f"Vault refused to {method} {address}: {exc.code} {_read_errors(exc)}",
            hint="check the token and its policy: `vault token capabilities`",
            answered=exc.code,
        ) from exc
    except _NO_ANSWER as exc:
        raise VaultFailed(
            f"Vault did not answer at {server}: {exc}",
            hint="check the address in .sops.yaml, and that the server is unsealed",
        ) from exc


def _find_server(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"https", "http"} or not parts.netloc:
        raise VaultFailed(f"{address!r} is not an address of the web", hint="write https://…")
    return f"{parts.scheme}://{parts.netloc}"


def _build_headers(environ: Mapping[str, str]) -> dict[str, str]:
    token = environ.get(TOKEN) or _read_token_file(environ)
    if any(letter < "!" for letter in token):
        raise VaultFailed("the Vault token holds a blank or a line break", hint=f"set {TOKEN}")
    headers = {"Content-Type": "application/json", "X-Vault-Request": "true"}
    if token:
        headers["X-Vault-Token"] = token
    if namespace := environ.get(NAMESPACE):
        headers["X-Vault-Namespace"] = namespace
    return headers


def _read_token_file(environ: Mapping[str, str]) -> str:
    try:
        return (Path(environ.get("HOME", "/")) / TOKEN_FILE).read_text().strip()
    except (OSError, ValueError):
        return ""


def _trust(environ: Mapping[str, str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=environ.get(CERTIFICATES) or None)


def _read_errors(error: HTTPError) -> str:
    try:
        errors = json.loads(error.read(LONGEST))["errors"]
        return "; ".join(map(str, errors)) or error.reason
    except _NO_ANSWER:
        return error.reason
