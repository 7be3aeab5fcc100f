"""Puts a file into a bucket of S3, with the credentials that boto3 finds."""

from __future__ import annotations

from typing import Any

from sops_python.errors import SopsError
from sops_python.publishing.destinations import Bucket

TIMEOUT = 10.0
"""Seconds after which a service that does not answer is taken to be down."""


def upload(bucket: Bucket, name: str, data: bytes) -> None:
    """Write *data* to the key *name* behind the prefix of *bucket*.

    Raises:
        SopsError: If S3 refuses, or does not answer.
    """
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as exc:
        raise SopsError("S3 needs boto3", hint="pip install 'provisioning[aws]'") from exc
    try:
        _open_client().put_object(Bucket=bucket.name, Key=bucket.prefix + name, Body=data)
    except (BotoCoreError, ClientError) as exc:
        raise SopsError(
            f"S3 could not write {bucket.locate(name)}: {exc}",
            hint="check the credentials: `aws sts get-caller-identity`",
        ) from exc


def _open_client() -> Any:
    import boto3
    from botocore.config import Config

    settings = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"max_attempts": 3})
    return boto3.Session().client("s3", config=settings)
