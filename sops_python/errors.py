"""What can be wrong with a SOPS file; the exit codes are those of `sops`."""

from __future__ import annotations

from typing import ClassVar

from provisioning.core.model.errors import ProvisioningError, Source


class SopsError(ProvisioningError):
    """A SOPS file cannot be read or written."""

    code = "invalid-secret"
    status: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        source: Source | None = None,
        exit_code: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint, source=source)
        self.sops_exit_code = self.status if exit_code is None else exit_code


class UnreadableFile(SopsError):
    """The bytes are not of the format they are said to be."""

    status = 2


class PathNotFound(SopsError):
    """Nothing stands at the path."""


class NotEncrypted(SopsError):
    """The file holds no `sops` metadata."""


class AlreadyEncrypted(SopsError):
    """The file that is to be encrypted holds `sops` metadata already."""

    status = 203


class Tampered(SopsError):
    """The message authentication code does not fit the values."""

    status = 51


class UndecryptableValue(SopsError):
    """A value is damaged, was moved, or was encrypted with another data key."""

    status = 25


class NoKeyFits(SopsError):
    """No key at hand opens the file."""

    code = "no-key"
    status = 128
