"""The errors of secrets, and the one place where those of `sops_python` become them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from provisioning.core.model.errors import ProvisioningError, Source
from sops_python import SopsError


class InvalidSecret(ProvisioningError):
    """A SOPS file cannot be read or written, or was tampered with."""

    code = "invalid-secret"


class SecretLocked(ProvisioningError):
    """No available key opens a SOPS file; the message says why for each."""

    code = "no-key"


class SecretKeyUnusable(ProvisioningError):
    """A master key cannot wrap or unwrap: it is malformed, missing, or its service is down."""

    code = "key-unusable"


_CLASSES = {kind.code: kind for kind in (InvalidSecret, SecretLocked, SecretKeyUnusable)}


@contextmanager
def mapping_sops_errors(file: str = "") -> Iterator[None]:
    """Raise each `SopsError` of the block as the error with the same code, message and hint.

    Args:
        file: The file of the workspace that the error is about; "" if the message names it.
    """
    try:
        yield
    except SopsError as exc:
        source = Source(file, 1) if file else None
        raise _CLASSES[exc.code](exc.message, hint=exc.hint, source=source) from exc
