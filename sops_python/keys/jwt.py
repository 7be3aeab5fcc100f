"""JSON Web Tokens that a private key signs (https://www.rfc-editor.org/rfc/rfc7519)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


def sign(claims: Mapping[str, Any], header: Mapping[str, Any], key: RSAPrivateKey) -> str:
    """Return *claims* signed by *key*, with what *header* says beside the type.

    The algorithm in *header* is RS256, or PS256 (https://www.rfc-editor.org/rfc/rfc7518).
    """
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256

    scheme = (
        padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
        if header["alg"] == "PS256"
        else padding.PKCS1v15()
    )
    parts = (json.dumps(part).encode() for part in ({"typ": "JWT", **header}, claims))
    text = ".".join(map(encode, parts))
    return f"{text}.{encode(key.sign(text.encode(), scheme, SHA256()))}"


def encode(data: bytes) -> str:
    """Return *data* in the base64 of web addresses, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return what `encode` was given.

    Raises:
        ValueError: If it cannot have returned *text*.
    """
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
