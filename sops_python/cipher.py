"""One encrypted value: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.

AES-256 in Galois/counter mode with a 32-byte nonce; the additional data is the path of the
value, each key followed by a colon. The empty string stays empty.
"""

from __future__ import annotations

import binascii
import os
import re
from functools import partial
from typing import TYPE_CHECKING

from sops_python.errors import UndecryptableValue
from sops_python.stores.go_floats import render_positional
from sops_python.tree import (
    Comment,
    Timestamp,
    Value,
    decode_text,
    encode_text,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 32
TAG_BYTES = 16
KEY_BYTES = 32

_ENCRYPTED = re.compile(
    r"ENC\[AES256_GCM,data:([^,]+),iv:([^,]+),tag:([^,]+),type:(.+)\]", re.DOTALL
)


def looks_encrypted(value: object) -> bool:
    """Return whether *value* is text that begins as an encrypted value does."""
    return isinstance(value, str) and value.startswith("ENC[")


def as_bytes(value: Value) -> bytes:
    """Return *value* as it is encrypted, and as the MAC takes it in."""
    match value:
        case str():  # most of them: what is asked first is answered soonest
            return encode_text(value)
        case bool():
            return b"True" if value else b"False"
        case int():
            return str(value).encode()
        case float():
            return render_positional(value).encode()
    return encode_text(value.text)


class Cipher:
    """Encrypts and decrypts values under one data key.

    It remembers the nonce of each value it decrypted, so that a value which is encrypted again
    unchanged, at the same path, gives the same text.
    """

    def __init__(self, key: bytes) -> None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if len(key) != KEY_BYTES:
            raise UndecryptableValue(
                f"the data key has {len(key)} bytes instead of {KEY_BYTES}",
                hint="the file was damaged: restore it from Git",
            )
        self._aead: AESGCM = AESGCM(key)
        self._refusals = (InvalidTag, ValueError)
        self._nonces: dict[tuple[str, str, bytes], bytes] = {}

    def encrypt(self, value: Value, path: str) -> str:
        """Return *value* encrypted; *path* is its additional data."""
        data, kind = as_bytes(value), _name_type(value)
        if not data:
            return ""
        nonce = self._nonces.get((path, kind, data)) or os.urandom(NONCE_BYTES)
        sealed = self._aead.encrypt(nonce, data, encode_text(path))
        body, tag = sealed[:-TAG_BYTES], sealed[-TAG_BYTES:]
        return (
            f"ENC[AES256_GCM,data:{_as_base64(body)},iv:{_as_base64(nonce)},"
            f"tag:{_as_base64(tag)},type:{kind}]"
        )

    def decrypt(self, text: str, path: str) -> Value:
        """Return the value that *text* is the encryption of.

        Raises:
            UndecryptableValue: If it is none, or not of this data key and *path*.
        """
        if not text:
            return ""
        match = _ENCRYPTED.match(text)
        if not match:
            raise UndecryptableValue(
                "Input string does not match sops' data format",
                hint="encrypt the file again: this value was written in plain text",
            )
        try:
            body, iv, tag, kind = match.groups()
            nonce = _read_base64(iv)
            sealed = _read_base64(body) + _read_base64(tag)
            plain = self._aead.decrypt(nonce, sealed, encode_text(path))
        except self._refusals as exc:
            raise UndecryptableValue(
                "Could not decrypt with AES_GCM: the value was changed, moved or damaged",
                hint="restore the file from Git",
            ) from exc
        self._nonces[path, kind, plain] = nonce
        return _read_typed(plain, kind)


def _name_type(value: Value) -> str:
    match value:
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case Timestamp():
            return "time"
        case Comment():
            return "comment"
    return "str"


def _read_typed(data: bytes, kind: str) -> Value:
    text = decode_text(data)
    try:
        match kind:
            case "str" | "bytes":
                return text
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return {"true": True, "false": False}[text.lower()]
            case "time":
                return Timestamp(text)
            case "comment":
                return Comment(text)
    except (ValueError, KeyError):
        pass
    raise UndecryptableValue(
        f"Unknown datatype: {kind}" if kind.isalpha() else "an encrypted value has no type",
        hint="the file was written by a newer sops: upgrade this program",
    )


_read_base64 = partial(binascii.a2b_base64, strict_mode=True)


def _as_base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()
