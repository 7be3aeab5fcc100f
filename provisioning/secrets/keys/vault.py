"""Wraps data keys by the transit engine of HashiCorp Vault or OpenBao.

The calls are those of https://developer.hashicorp.com/vault/api-docs/secret/transit.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from provisioning.secrets.keys.errors import KeyUnusable

TOKEN, TOKEN_FILE = "VAULT_TOKEN", ".vault-token"
NAMESPACE, CERTIFICATES = "VAULT_NAMESPACE", "VAULT_CACERT"
TIMEOUT = 10.0
"""Seconds after which a server that does not answer is taken to be down."""


def wrap(fields: Mapping[str, Any], data: bytes, environ: Mapping[str, str]) -> str:
    """Return *data* encrypted by the key that *fields* name.

    Raises:
        KeyUnusable: If Vault refuses, or does not answer.
    """
    body = {"plaintext": base64.b64encode(data).decode()}
    answer: str = _call(fields, "encrypt", body, environ)["ciphertext"]
    return answer


def unwrap(fields: Mapping[str, Any], wrapped: str, environ: Mapping[str, str]) -> bytes:
    """Return what *wrapped* holds.

    Raises:
        KeyUnusable: If Vault refuses, or does not answer.
    """
    answer = _call(fields, "decrypt", {"ciphertext": wrapped}, environ)
    return base64.b64decode(answer["plaintext"])


def _call(
    fields: Mapping[str, Any], method: str, body: dict[str, str], environ: Mapping[str, str]
) -> dict[str, str]:
    address = f"{fields['vault_address']}/v1/{fields['engine_path']}/{method}/{fields['key_name']}"
    if not address.startswith(("https://", "http://")):
        raise KeyUnusable(f"{address!r} is not an address of the web", hint="write https://…")
    request = Request(address, json.dumps(body).encode(), _build_headers(environ), method="PUT")  # noqa: S310  checked above
    try:
        with urlopen(request, timeout=TIMEOUT, context=_trust(environ)) as answer:  # noqa: S310
            data: dict[str, str] = json.load(answer)["data"]
            return data
    except HTTPError as exc:
        raise KeyUnusable(
            f"Vault refused to {method} with {address}: {exc.code} {_read_errors(exc)}",
            hint="check the token and its policy: `vault token capabilities`",
        ) from exc
    except (URLError, OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as exc:
        raise KeyUnusable(
            f"Vault did not answer at {fields['vault_address']}: {exc}",
            hint="check the address in .sops.yaml, and that the server is unsealed",
        ) from exc


def _build_headers(environ: Mapping[str, str]) -> dict[str, str]:
    token = environ.get(TOKEN) or _read_token_file(environ)
    if any(letter < "!" for letter in token):
        raise KeyUnusable("the Vault token holds a blank or a line break", hint=f"set {TOKEN}")
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
        return "; ".join(map(str, json.load(error)["errors"]))
    except (ValueError, KeyError, TypeError):
        return error.reason
