"""Wraps data keys by Google Cloud KMS.

The calls are those of
https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from sops_python.errors import KeyUnusable
from sops_python.keys import http_calls
from sops_python.keys.google_tokens import find_universe, get_headers

ENDPOINT = "SOPS_GCP_KMS_ENDPOINT"
"""The variable that names another server, as `HOST[:PORT]` or `https://…`."""

HINT = "check the key and who may use it: `gcloud kms keys get-iam-policy KEY`"

_ID = re.compile(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+")


def wrap(fields: Mapping[str, Any], data: bytes, environ: Mapping[str, str]) -> str:
    """Return *data* encrypted by the key that *fields* name, in base64.

    Raises:
        KeyUnusable: If there are no credentials, or KMS refuses, or does not answer.
    """
    body = {"plaintext": base64.b64encode(data).decode()}
    return _call(fields, "encrypt", body, "ciphertext", environ)


def unwrap(fields: Mapping[str, Any], wrapped: str, environ: Mapping[str, str]) -> bytes:
    """Return what *wrapped* holds.

    Raises:
        KeyUnusable: If there are no credentials, or KMS refuses, or does not answer.
    """
    plain = _call(fields, "decrypt", {"ciphertext": wrapped}, "plaintext", environ)
    try:
        return base64.b64decode(plain, validate=True)
    except ValueError as exc:
        raise KeyUnusable(
            "GCP KMS answered with a plaintext that is no base64", hint=f"check {ENDPOINT}"
        ) from exc


def _call(
    fields: Mapping[str, Any],
    method: str,
    body: dict[str, str],
    wanted: str,
    environ: Mapping[str, str],
) -> str:
    name = str(fields["resource_id"])
    if not _ID.fullmatch(name):
        raise KeyUnusable(
            f"{name!r} is not the resource ID of a GCP KMS key",
            hint="write projects/PROJECT/locations/PLACE/keyRings/RING/cryptoKeys/KEY",
        )
    server = environ.get(ENDPOINT) or f"cloudkms.{find_universe(environ)}"
    server = server if "://" in server else f"https://{server}"
    answer = http_calls.call(
        f"GCP KMS, asked to {method} with {name},",
        f"{server.rstrip('/')}/v1/{quote(name)}:{method}",
        headers=get_headers(environ),
        body=body,
        hint=HINT,
    )
    return http_calls.take(answer, wanted, "the answer of GCP KMS", f"check {ENDPOINT}")
