"""Wraps data keys by the transit engine of HashiCorp Vault or OpenBao.

The calls are those of https://developer.hashicorp.com/vault/api-docs/secret/transit.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from sops_python.errors import KeyUnusable
from sops_python.keys.vault_api import ask


def wrap(fields: Mapping[str, Any], data: bytes, environ: Mapping[str, str]) -> str:
    """Return *data* encrypted by the key that *fields* name.

    Raises:
        KeyUnusable: If Vault refuses, or does not answer.
    """
    body = {"plaintext": base64.b64encode(data).decode()}
    return _call(fields, "encrypt", body, "ciphertext", environ)


def unwrap(fields: Mapping[str, Any], wrapped: str, environ: Mapping[str, str]) -> bytes:
    """Return what *wrapped* holds.

    Raises:
        KeyUnusable: If Vault refuses, or does not answer.
    """
    return base64.b64decode(_call(fields, "decrypt", {"ciphertext": wrapped}, "plaintext", environ))


def _call(
    fields: Mapping[str, Any],
    method: str,
    body: dict[str, str],
    wanted: str,
    environ: Mapping[str, str],
) -> str:
    address = f"{fields['vault_address']}/v1/{fields['engine_path']}/{method}/{fields['key_name']}"
    try:
        answer: str = ask("PUT", address, environ, body)[wanted]
    except KeyError as exc:
        raise KeyUnusable(
            f"Vault answered without a {wanted} at {address}", hint="check the engine in .sops.yaml"
        ) from exc
    return answer
