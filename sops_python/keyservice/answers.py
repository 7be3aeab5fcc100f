"""Answers what a key service is asked, with the keys of a keyring."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from sops_python.data_keys import Keyring
from sops_python.errors import SopsError
from sops_python.keyservice.messages import (
    MalformedMessage,
    NoKeyNamed,
    Request,
    parse_request,
    render_answer,
)
from sops_python.metadata import MasterKey
from sops_python.terminal_text import escape_controls

_KINDS = {
    "age": "age key with recipient",
    "pgp": "PGP key with fingerprint",
    "kms": "AWS KMS key with ARN",
    "gcp_kms": "GCP KMS key with resource ID",
    "azure_kv": "Azure Key Vault key with URL",
    "hc_vault": "Hashicorp Vault key with URI",
    "hckms": "HuaweiCloud KMS key with ID",
}

_LONGEST = 500
"""Characters of a text that a client has a part in: gRPC may drop an answer with 8 KiB of them."""


class RpcStatus(StrEnum):
    """Why there is no answer, in the words of gRPC."""

    NOT_FOUND = "NOT_FOUND"
    INVALID = "INVALID_ARGUMENT"
    DENIED = "PERMISSION_DENIED"
    UNKNOWN = "UNKNOWN"


class RequestRefused(SopsError):
    """A request has no answer; the client gets `status` and the message."""

    code = "key-unusable"

    def __init__(self, status: RpcStatus, message: str) -> None:
        super().__init__(_shorten(message))
        self.status = status


class KeyService(msgspec.Struct, frozen=True, kw_only=True):
    """Uses keys for those who ask.

    Args:
        open_keyring: Returns the keys that are at hand when a request comes.
        confirm: Decides by the words for a request whether to answer it.
        report: Takes the outcome of each request, in words without a secret.
    """

    open_keyring: Callable[[], Keyring]
    confirm: Callable[[str], bool]
    report: Callable[[str], None]

    def answer(self, verb: str, message: bytes) -> bytes:
        """Return the answer to the request *message*, to "encrypt" or "decrypt" as *verb* says.

        Raises:
            RequestRefused: If there is none.
        """
        what = f"{verb} request"
        try:
            request = _parse(message)
            what = f"{what} using {describe_key(request.key)}"
            answer = self._use(verb, request, what)
        except RequestRefused as exc:
            self.report(f"Refused {what}: {escape_controls(exc.message)}")
            raise
        self.report(f"Answered {what}")
        return render_answer(answer)

    def _use(self, verb: str, request: Request, what: str) -> bytes:
        try:
            self._ask(what)
            key, keyring = request.key, self.open_keyring()
            if verb == "encrypt":
                return keyring.wrap(key, request.data).encode()
            wrapped = request.data.decode()
            return keyring.unwrap(MasterKey(key.section, key.fields, wrapped))
        except RequestRefused:
            raise
        except SopsError as exc:
            raise RequestRefused(RpcStatus.UNKNOWN, exc.message) from exc
        except ValueError as exc:
            raise RequestRefused(
                RpcStatus.INVALID, "the key, or what it is to decrypt, is malformed"
            ) from exc

    def _ask(self, what: str) -> None:
        if not self.confirm(what):
            raise RequestRefused(RpcStatus.DENIED, "Request rejected by user")


def describe_key(key: MasterKey) -> str:
    """Return what *key* is, for people, with nothing in it that moves a cursor."""
    return escape_controls(f"{_KINDS[key.section]} {_shorten(key.label)}")


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _parse(message: bytes) -> Request:
    try:
        return parse_request(message)
    except NoKeyNamed as exc:
        raise RequestRefused(RpcStatus.NOT_FOUND, exc.message) from exc
    except MalformedMessage as exc:
        raise RequestRefused(RpcStatus.INVALID, exc.message) from exc
