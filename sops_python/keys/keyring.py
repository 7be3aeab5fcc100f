"""Finds for each master key the program or service that can use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
        match key.section:
            case "age":
                return age.wrap(key.fields["recipient"], data)
            case "pgp":
                from sops_python.keys import pgp

                return pgp.wrap(key.fields["fp"], data, self.environ)
            case "kms":
                from sops_python.keys import aws_kms

                return aws_kms.wrap(key.fields, data)
            case "hc_vault":
                from sops_python.keys import vault

                return vault.wrap(key.fields, data, self.environ)
            case "gcp_kms":
                from sops_python.keys import gcp_kms

                return gcp_kms.wrap(key.fields, data, self.environ)
            case "azure_kv":
                from sops_python.keys import azure_kv

                return azure_kv.wrap(key.fields, data, self.environ)
        raise _describe_unknown(key)

    def unwrap(self, key: MasterKey) -> bytes:
        """Return what *key* has wrapped.

        Raises:
            KeyUnusable: If the key is not at hand, or its service does not answer.
        """
        match key.section:
            case "age":
                return self._identities.unwrap(key.fields["recipient"], key.wrapped)
            case "pgp":
                from sops_python.keys import pgp

                return pgp.unwrap(key.wrapped, self.environ)
            case "kms":
                from sops_python.keys import aws_kms

                return aws_kms.unwrap(key.fields, key.wrapped)
            case "hc_vault":
                from sops_python.keys import vault

                return vault.unwrap(key.fields, key.wrapped, self.environ)
            case "gcp_kms":
                from sops_python.keys import gcp_kms

                return gcp_kms.unwrap(key.fields, key.wrapped, self.environ)
            case "azure_kv":
                from sops_python.keys import azure_kv

                return azure_kv.unwrap(key.fields, key.wrapped, self.environ)
        raise _describe_unknown(key)


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


def _describe_unknown(key: MasterKey) -> KeyUnusable:
    return KeyUnusable(
        f"keys of the kind {key.section} cannot be used here: {key.label}",
        hint="add a key of another kind: age, PGP, AWS, GCP, Azure or Vault",
    )
