"""Reads the tokens that a caller signs, as https://www.rfc-editor.org/rfc/rfc7519 has them."""

from __future__ import annotations

import base64
import json
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

SCHEMES = {
    "RS256": padding.PKCS1v15(),
    "PS256": padding.PSS(padding.MGF1(SHA256()), padding.PSS.DIGEST_LENGTH),
}


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def read_assertion(text, key):
    """Return the header and the claims of *text*; None if *key* has not signed it, or not now."""
    head, body, signature = text.split(".")
    header, claims = json.loads(decode(head)), json.loads(decode(body))
    try:
        scheme = SCHEMES[header["alg"]]
        key.verify(decode(signature), f"{head}.{body}".encode(), scheme, SHA256())
    except InvalidSignature:
        return None
    now = time.time()
    is_now = claims.get("iat", claims.get("nbf")) - 60 < now < claims["exp"] < now + 3700
    return (header, claims) if is_now else None
