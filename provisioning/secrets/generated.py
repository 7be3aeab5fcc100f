"""SSH keys and tokens that are made here, kept encrypted, and replaced with an overlap."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from provisioning.secrets.errors import InvalidSecret
from sops_python.tree import Branch, Value, from_plain

TOKEN_BYTES = 32


class Sort(StrEnum):
    """The kinds of generated secrets."""

    SSH_KEY = "ssh-key"
    TOKEN = "token"  # noqa: S105  a name


_FIELDS = {Sort.SSH_KEY: "private", Sort.TOKEN: "value"}


class GeneratedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about a generated secret that need no key.

    `path` is its file, `created` a time in RFC 3339; `has_previous` is true while the secret that
    it replaced is still there.
    """

    name: str
    path: str
    sort: Sort
    fingerprint: str
    created: str
    has_previous: bool

    @property
    def field(self) -> str:
        """The key of its value."""
        return _FIELDS[self.sort]

    @property
    def age(self) -> str:
        """Its age, in whole days."""
        try:
            days = (datetime.now(UTC) - datetime.fromisoformat(self.created)).days
        except ValueError:
            return "of unknown age"
        return f"{days} days old"


def generate(sort: Sort, name: str, now: str) -> dict[str, Value]:
    """Return a new secret: its values, those that may be read by anybody with that suffix."""
    made = _MAKERS[sort](name)
    return {"sort_unencrypted": str(sort), "created_unencrypted": now, **made}


def rotate(values: Branch, name: str, now: str) -> Branch:
    """Return *values* with a new secret; the old one stays as `previous` until `finish`.

    Raises:
        InvalidSecret: If it was not made here, or the last rotation is not finished.
    """
    sort = _read_sort(values, name)
    if values.get("previous"):
        raise InvalidSecret(
            f"{name} still has its previous value",
            hint=f"when nobody uses that any more: `provisioning secrets {sort} rotate {name} "
            "--finish`",
        )
    old = Branch(pair for pair in values if pair[0] != "sort_unencrypted")
    new = from_plain(generate(sort, name, now))
    return Branch([*new, ("previous", old)])


def finish(values: Branch, name: str) -> Branch:
    """Return *values* without the one that was replaced.

    Raises:
        InvalidSecret: If none is left.
    """
    _read_sort(values, name)
    if not values.get("previous"):
        raise InvalidSecret(f"{name} has no previous value", hint="there is nothing to finish")
    return Branch(pair for pair in values if pair[0] != "previous")


def describe(name: str, values: Branch, path: str = "") -> GeneratedSecret | None:
    """Return the facts in *values*, encrypted or not; None if they were not made here."""
    sort = values.get("sort_unencrypted")
    if sort not in set(Sort):
        return None
    return GeneratedSecret(
        name=name,
        path=path,
        sort=Sort(sort),
        fingerprint=str(values.get("fingerprint_unencrypted") or "?"),
        created=str(values.get("created_unencrypted") or "?"),
        has_previous=values.get("previous") is not None,
    )


def _read_sort(values: Branch, name: str) -> Sort:
    sort = values.get("sort_unencrypted")
    if sort not in set(Sort):
        raise InvalidSecret(
            f"{name} was not made by `provisioning secrets`",
            hint="edit it: `provisioning sops FILE`",
        )
    return Sort(sort)


def _make_ssh_key(name: str) -> Mapping[str, Value]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return {
        "public_unencrypted": f"{public} {name}",
        "fingerprint_unencrypted": "SHA256:" + base64.b64encode(digest).decode().rstrip("="),
        "private": private,
    }


def _make_token(name: str) -> Mapping[str, Value]:
    del name
    token = secrets.token_urlsafe(TOKEN_BYTES)
    tag = secrets.token_hex(4)
    return {"fingerprint_unencrypted": f"token:{tag}", "value": token}


_MAKERS: Mapping[Sort, Callable[[str], Mapping[str, Value]]] = {
    Sort.SSH_KEY: _make_ssh_key,
    Sort.TOKEN: _make_token,
}
