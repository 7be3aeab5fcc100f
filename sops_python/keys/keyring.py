"""The keys of a process: each master key with the program or service that uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from sops_python.errors import KeyUnusable
from sops_python.keys import age
from sops_python.metadata import MasterKey


def _refuse_to_ask(place: str) -> str:
    raise KeyUnusable(
        f"{place} is protected by a passphrase, and nobody can be asked for it",
        hint="run the command at a terminal, or use an identity without a passphrase",
    )


@dataclass(slots=True, kw_only=True)
class EnvironmentKeyring:
    """Uses the keys that a process's environment gives access to.

    Args:
        environ: The environment variables.
        ask: Asks for a passphrase; by default nobody is asked.
    """

    environ: Mapping[str, str] = field(repr=False)
    ask: age.AskPassphrase = _refuse_to_ask
    _identities: age.Identities = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._identities = age.Identities(self.environ, self.ask)

    def wrap(self, key: MasterKey, data: bytes) -> str:
        """Return *data* encrypted by *key*.

        Raises:
            KeyUnusable: If the key is malformed, or its service does not answer.
        """
        if key.section == "age":
            return age.wrap(key.fields["recipient"], data)
        return _load_service(key).wrap(key.fields, data, self.environ)

    def unwrap(self, key: MasterKey) -> bytes:
        """Return what *key* has wrapped.

        Raises:
            KeyUnusable: If the key is not at hand, or its service does not answer.
        """
        if key.section == "age":
            return self._identities.unwrap(key.fields["recipient"], key.wrapped)
        return _load_service(key).unwrap(key.fields, key.wrapped, self.environ)


class KeyUser(Protocol):
    """The program or service that uses one kind of key: a module of this package."""

    def wrap(self, fields: Mapping[str, Any], data: bytes, environ: Mapping[str, str]) -> str:
        """Return *data* encrypted by the key that *fields* name."""

    def unwrap(self, fields: Mapping[str, Any], wrapped: str, environ: Mapping[str, str]) -> bytes:
        """Return what *wrapped* holds."""


_MODULES = {
    "azure_kv": "azure_kv",
    "gcp_kms": "gcp_kms",
    "hc_vault": "vault",
    "kms": "aws_kms",
    "pgp": "pgp",
}
"""The module that uses each kind of key, imported with the first."""


def _load_service(key: MasterKey) -> KeyUser:
    if key.section not in _MODULES:
        raise KeyUnusable(
            f"keys of the kind {key.section} cannot be used here: {key.label}",
            hint="add a key of another kind: age, PGP, AWS, GCP, Azure or Vault",
        )
    module: KeyUser = import_module(f"sops_python.keys.{_MODULES[key.section]}")
    return module


class NoKeyring:
    """Uses no key at all."""

    def wrap(self, key: MasterKey, data: bytes) -> str:
        """Refuse.

        Raises:
            KeyUnusable: Always.
        """
        del data
        raise _describe_none(key)

    def unwrap(self, key: MasterKey) -> bytes:
        """Refuse.

        Raises:
            KeyUnusable: Always.
        """
        raise _describe_none(key)


def _describe_none(key: MasterKey) -> KeyUnusable:
    return KeyUnusable(
        f"the local key service is switched off, and no other can be asked for {key.label}",
        hint="name one: --keyservice ADDRESS; or leave out --enable-local-keyservice=false "
        "and SOPS_ENABLE_LOCAL_KEYSERVICE",
    )
