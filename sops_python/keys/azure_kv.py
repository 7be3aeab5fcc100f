"""Wraps data keys by Azure Key Vault, and by Azure's managed HSMs.

The calls are those of https://learn.microsoft.com/rest/api/keyvault/keys/operation-groups.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sops_python.errors import KeyUnusable
from sops_python.keys import http_calls
from sops_python.keys.azure_tokens import get_token

API = "api-version=7.4"
ALGORITHM = "RSA-OAEP-256"
HINT = "check the key and who may use it: `az keyvault key show --id ADDRESS`"

_VAULT = re.compile(r"https://[A-Za-z0-9.-]+(:\d{1,5})?/?")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_PART = re.compile(r'(\w+)="?([^",\s]+)')


def wrap(fields: Mapping[str, Any], data: bytes, environ: Mapping[str, str]) -> str:
    """Return *data* encrypted by the key that *fields* name, in the base64 of web addresses.

    Raises:
        KeyUnusable: If there are no credentials, or the vault refuses, or does not answer.
    """
    return _encode(_use(fields, "encrypt", data, environ))


def unwrap(fields: Mapping[str, Any], wrapped: str, environ: Mapping[str, str]) -> bytes:
    """Return what *wrapped* holds.

    Raises:
        KeyUnusable: If there are no credentials, or the vault refuses, or does not answer.
    """
    try:
        data = _decode(wrapped)
    except ValueError as exc:
        raise KeyUnusable(
            "what the Azure key has wrapped is damaged", hint="restore the file from Git"
        ) from exc
    return _use(fields, "decrypt", data, environ)


def find_version(vault: str, name: str, environ: Mapping[str, str]) -> str:
    """Return the newest version of the key *name* in the vault at *vault*.

    Raises:
        KeyUnusable: If there are no credentials, or the vault refuses, or does not answer.
    """
    answer = _ask(vault, f"/keys/{_check(name)}", None, environ)
    key = answer.get("key")
    address = http_calls.take(
        key if isinstance(key, dict) else {}, "kid", "the vault's answer", HINT
    )
    return address.rstrip("/").rpartition("/")[2]


def _use(fields: Mapping[str, Any], method: str, data: bytes, environ: Mapping[str, str]) -> bytes:
    name, version = (_check(str(fields[part])) for part in ("name", "version"))
    body = {"alg": ALGORITHM, "value": _encode(data)}
    path = f"/keys/{name}/{version}/{method}"
    answer = _ask(str(fields["vault_url"]), path, body, environ)
    try:
        return _decode(http_calls.take(answer, "value", "the vault's answer", HINT))
    except ValueError as exc:
        raise KeyUnusable("the vault answered with a value that is no base64", hint=HINT) from exc


def _encode(data: bytes) -> str:
    """Return *data* in the base64 of web addresses, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _check(name: str) -> str:
    """Return *name* if it is one of a key or of a version, which goes into an address as it is."""
    if not _NAME.fullmatch(name):
        raise KeyUnusable(
            f"{name!r} is not the name of an Azure key or of its version",
            hint="a name has letters, digits and dashes",
        )
    return name


def _ask(
    vault: str, path: str, body: Mapping[str, str] | None, environ: Mapping[str, str]
) -> Mapping[str, Any]:
    """Call the vault, whose answer to a first call without a token names the issuer."""
    if not _VAULT.fullmatch(vault):
        raise KeyUnusable(
            f"{vault!r} is not the address of an Azure vault",
            hint="write https://NAME.vault.azure.net",
        )
    service, address = f"Azure Key Vault, asked for {path},", f"{vault.rstrip('/')}{path}?{API}"
    try:
        http_calls.fetch(service, address, hint=HINT, data=None if body is None else b"")
    except http_calls.Refused as exc:
        challenge = exc.headers.get("WWW-Authenticate")
        if exc.status != HTTPStatus.UNAUTHORIZED or not challenge:
            raise
    else:
        raise KeyUnusable(f"{vault} asked for no token", hint="check the vault's address")
    scope, tenant = _read_challenge(challenge, vault)
    headers = http_calls.authorise(get_token(scope, tenant, environ), "Azure")
    return http_calls.call(service, address, headers=headers, body=body, hint=HINT)


def _read_challenge(text: str, vault: str) -> tuple[str, str]:
    """Return the scope and the tenant that a vault names; a foreign one gets no token.

    https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses
    """
    parts = dict(_PART.findall(text))
    scope = parts.get("scope") or parts.get("resource") or ""
    _, domain = http_calls.split(scope)
    if not domain or not http_calls.split(vault)[1].endswith(f".{domain}"):
        raise KeyUnusable(
            f"{vault} wants to see a token for {scope or 'nothing'}, to which it does not belong",
            hint="check the vault's address: https://NAME.vault.azure.net",
        )
    _, _, path = parts.get("authorization", "").partition("://")[2].partition("/")
    return scope.removesuffix("/.default"), path.partition("/")[0]
