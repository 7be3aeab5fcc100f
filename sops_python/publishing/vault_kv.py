"""Writes values to the key-value engine of HashiCorp Vault or OpenBao.

The calls are those of https://developer.hashicorp.com/vault/api-docs/secret/kv.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sops_python.keys.vault_api import VaultFailed, ask
from sops_python.publishing.destinations import Engine


def write(engine: Engine, name: str, values: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Make *values* the secret *name*.

    Equal values are not written again, for each write makes a version. A secret that the token may
    write and not read is always written.

    Raises:
        VaultFailed: If Vault refuses, or does not answer.
    """
    address, has_versions = engine.locate(name), engine.version > 1
    if _read(address, environ, has_versions=has_versions) != values:
        ask("PUT", address, environ, {"data": values} if has_versions else values)


def _read(address: str, environ: Mapping[str, str], *, has_versions: bool) -> Any:
    """Return what is there; None if nothing is, or it may not be read."""
    try:
        data = ask("GET", address, environ)
    except VaultFailed as exc:
        if exc.answered in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
            return None
        raise
    return data.get("data") if has_versions else data
