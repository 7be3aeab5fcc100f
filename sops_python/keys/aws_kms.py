"""Wraps data keys by AWS KMS, with the credentials that boto3 finds."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Mapping
from typing import Any

from sops_python.errors import KeyUnusable

_ARN = re.compile(r"arn:[^:]+:kms:([^:]+):\d+:(?:key|alias)/.+")
TIMEOUT = 10.0
"""Seconds after which a service that does not answer is taken to be down."""


def wrap(fields: Mapping[str, Any], data: bytes, _: Mapping[str, str]) -> str:
    """Return *data* encrypted by the key that *fields* name, in base64.

    Raises:
        KeyUnusable: If KMS refuses, or does not answer.
    """
    answer = _call(fields, "encrypt", {"KeyId": fields["arn"], "Plaintext": data})
    return base64.b64encode(answer["CiphertextBlob"]).decode()


def unwrap(fields: Mapping[str, Any], wrapped: str, _: Mapping[str, str]) -> bytes:
    """Return what *wrapped* holds.

    Raises:
        KeyUnusable: If KMS refuses, or does not answer.
    """
    blob = base64.b64decode(wrapped)
    answer = _call(fields, "decrypt", {"KeyId": fields["arn"], "CiphertextBlob": blob})
    plain: bytes = answer["Plaintext"]
    return plain


def _call(fields: Mapping[str, Any], method: str, arguments: dict[str, Any]) -> Any:
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as exc:
        raise KeyUnusable(
            "AWS KMS keys need boto3", hint="pip install 'provisioning[aws]'"
        ) from exc
    context = {name: value for name, value in (fields.get("context") or {}).items() if value}
    try:
        client = _open_client(fields)
        return getattr(client, method)(**arguments, EncryptionContext=context)
    except (BotoCoreError, ClientError) as exc:
        raise KeyUnusable(
            f"AWS KMS could not {method} with {fields['arn']}: {exc}",
            hint="check the credentials: `aws sts get-caller-identity`",
        ) from exc


def _open_client(fields: Mapping[str, Any]) -> Any:
    import boto3
    from botocore.config import Config

    match = _ARN.fullmatch(fields["arn"])
    if not match:
        raise KeyUnusable(
            f"{fields['arn']!r} is not the ARN of a KMS key",
            hint="write arn:aws:kms:REGION:ACCOUNT:key/ID",
        )
    settings = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"max_attempts": 3})
    session = boto3.Session(profile_name=fields.get("aws_profile") or None, region_name=match[1])
    if not fields.get("role"):
        return session.client("kms", config=settings)
    name = "sops@" + re.sub(r"[^A-Za-z0-9=,.@-]", "", socket.gethostname())[:59]
    sts = session.client("sts", config=settings)
    granted = sts.assume_role(RoleArn=fields["role"], RoleSessionName=name)["Credentials"]
    return session.client(
        "kms",
        config=settings,
        aws_access_key_id=granted["AccessKeyId"],
        aws_secret_access_key=granted["SecretAccessKey"],
        aws_session_token=granted["SessionToken"],
    )
