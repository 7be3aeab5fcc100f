"""The errors of SOPS files and their keys; the exit codes are those of `sops`."""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class FilePlace(NamedTuple):
    """A line of a file, counted from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class SopsError(Exception):
    """The root of every error that this package raises on purpose.

    A class names the situation. An instance carries the message, the place if there is one, a
    `hint` that names the next command, and the `exit_code` of the command line.
    """

    code: ClassVar[str] = "invalid-secret"
    exit_code: int = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        source: FilePlace | None = None,
        exit_code: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.source = source
        if exit_code is not None:
            self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.source}: {self.message}" if self.source else self.message


class UnreadableFile(SopsError):
    """The bytes are not of the file's format."""

    exit_code = 2


class PathNotFound(SopsError):
    """The path leads to no value."""


class NotEncrypted(SopsError):
    """The file holds no `sops` metadata."""


class AlreadyEncrypted(SopsError):
    """The file that is to be encrypted holds `sops` metadata already."""

    exit_code = 203


class InvalidKeyGroups(SopsError):
    """Key groups cannot wrap a data key: there is none, one is empty, or the threshold is wrong."""


class Tampered(SopsError):
    """The message authentication code does not fit the values."""

    exit_code = 51


class UndecryptableValue(SopsError):
    """A value is damaged, was moved, or was encrypted with another data key."""

    exit_code = 25


class NoKeyFits(SopsError):
    """No key at hand opens the file."""

    code = "no-key"
    exit_code = 128


class KeyUnusable(SopsError):
    """A master key cannot wrap or unwrap: it is malformed, missing, or its service is down."""

    code = "key-unusable"


class InvalidContext(KeyUnusable):
    """An encryption context is not written as one."""

    exit_code = 6
