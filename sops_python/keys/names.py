"""Master keys from what people write: recipients, fingerprints, ARNs and addresses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping

from sops_python.errors import InvalidContext, KeyUnusable
from sops_python.keys import age
from sops_python.metadata import MasterKey

Context = Mapping[str, str | None]
"""A KMS encryption context."""


def split_list(text: str) -> list[str]:
    """Return the parts of a list that commas separate, without the empty ones."""
    return [part.strip() for part in text.split(",") if part.strip()]


def name_age(recipients: Iterable[str]) -> Iterator[MasterKey]:
    """Yield the key of each of *recipients*.

    Raises:
        KeyUnusable: If one is none.
    """
    for recipient in recipients:
        age.check_recipient(recipient)
        yield MasterKey("age", {"recipient": recipient})


def name_pgp(fingerprints: Iterable[str]) -> Iterator[MasterKey]:
    """Yield the key of each of *fingerprints*."""
    for fingerprint in fingerprints:
        yield MasterKey("pgp", {"fp": fingerprint.replace(" ", "")})


def name_kms(
    arns: Iterable[str], context: Context | None = None, profile: str = "", role: str = ""
) -> Iterator[MasterKey]:
    """Yield the key of each of *arns*; behind a `+` stands the ARN of the role that uses it."""
    for text in arns:
        arn, mark, other = text.replace(" ", "").partition("+arn:")
        fields: dict[str, object] = {"arn": arn, "aws_profile": profile}
        if mark or role:
            fields["role"] = f"arn:{other}" if mark else role
        if context:
            fields["context"] = dict(context)
        yield MasterKey("kms", fields)


def name_vault(addresses: Iterable[str]) -> Iterator[MasterKey]:
    """Yield the transit key of each of *addresses*: `https://HOST/v1/ENGINE/keys/NAME`.

    Raises:
        KeyUnusable: If one is not of that form.
    """
    from urllib.parse import urlsplit

    for address in addresses:
        parts = urlsplit(address)
        match = re.fullmatch(r"/v\d+/(.+)/[^/]+/([^/]+)/?", parts.path)
        if not parts.scheme or not match:
            raise KeyUnusable(
                f"{address!r} is not the address of a Vault transit key",
                hint="write https://vault.example.com:8200/v1/transit/keys/NAME",
            )
        place = f"{parts.scheme}://{parts.netloc}"
        fields = {"vault_address": place, "engine_path": match[1], "key_name": match[2]}
        yield MasterKey("hc_vault", fields)


def name_gcp(ids: Iterable[str]) -> Iterator[MasterKey]:
    """Yield the key of each of the GCP resource *ids*."""
    for item in ids:
        yield MasterKey("gcp_kms", {"resource_id": item.replace(" ", "")})


def name_huawei(ids: Iterable[str]) -> Iterator[MasterKey]:
    """Yield the key of each of the HuaweiCloud key *ids*."""
    for item in ids:
        yield MasterKey("hckms", {"key_id": item})


def name_azure(addresses: Iterable[str]) -> Iterator[MasterKey]:
    """Yield the key of each of *addresses*: `https://VAULT/keys/NAME/VERSION`.

    Raises:
        KeyUnusable: If one is not of that form, or its newest version cannot be asked for.
    """
    for address in addresses:
        match = re.fullmatch(r"(https://[^/]+)/keys/([^/]+)(?:/([^/]*))?", address)
        if not match:
            raise KeyUnusable(
                f"{address!r} is not the address of an Azure key",
                hint="write https://NAME.vault.azure.net/keys/KEY/VERSION",
            )
        yield name_azure_key(match[1], match[2], match[3] or "")


def name_azure_key(vault: str, name: str, version: str) -> MasterKey:
    """Return the Azure key *name*, of *version*; of the newest if it is "".

    Raises:
        KeyUnusable: If the vault refuses to name the newest, or does not answer.
    """
    if not version:
        from sops_python.keys import azure_kv

        version = azure_kv.find_version(vault, name, os.environ)
    return MasterKey("azure_kv", {"vault_url": vault, "name": name, "version": version})


def parse_context(text: str) -> dict[str, str]:
    """Return the encryption context in *text*: `key:value,…`.

    Raises:
        InvalidContext: If a part has no colon.
    """
    context = {}
    for part in split_list(text):
        name, mark, value = part.partition(":")
        if not mark:
            raise InvalidContext(
                "Invalid KMS encryption context format", hint="write key:value,key:value"
            )
        context[name] = value
    return context
