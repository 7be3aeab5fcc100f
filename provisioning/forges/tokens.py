"""Secrets shared with a forge: each is read from its file at each use, and never shown."""

from __future__ import annotations

import secrets
import stat
from pathlib import Path

import msgspec

from provisioning.config.home import make_private
from provisioning.core.model.errors import InvalidConfiguration
from provisioning.core.model.redaction import Redactor
from provisioning.transport.http import check_token

LIMIT = 4096
"""Bytes of the largest file that may hold a token."""


class TokenFile(msgspec.Struct, frozen=True):
    """The file at *path*, which holds a token and nothing else.

    Args:
        path: The file, absolute.
        repository: The folder that it must be outside of, lest it be committed.
        redactor: Learns the token.
        setting: The setting that names the file.
    """

    path: Path
    repository: Path
    redactor: Redactor
    setting: str = "forge.token_file"

    def read(self) -> str:
        """Return the token as the file has it now: a rotated one counts from the next call on.

        Raises:
            InvalidConfiguration: If it cannot be read, others may read it, it is inside of the
                repository, or it holds no token.
        """
        if self.path.resolve().is_relative_to(self.repository.resolve()):
            raise self._describe(
                f"is inside of the repository {self.repository}",
                f"move it out, as to ~/.provisioning, and set {self.setting} to its new place",
            )
        token = self._load().strip().decode("latin-1")
        check_token(token, str(self.path), self.setting)
        self.redactor.add(token)
        return token

    def _load(self) -> bytes:
        try:
            about = self.path.stat()
            if not stat.S_ISREG(about.st_mode):
                raise self._describe("is not a plain file", "name a file that holds the token")
            if about.st_mode & stat.S_IROTH:
                raise self._describe("can be read by everybody", f"chmod 600 {self.path}")
            with self.path.open("rb") as file:
                return file.read(LIMIT)
        except OSError as exc:
            raise self._describe(
                f"cannot be read: {exc.strerror}",
                f"make a token in the forge, and write it alone into {self.path}",
            ) from exc

    def _describe(self, why: str, hint: str) -> InvalidConfiguration:
        return InvalidConfiguration(f"{self.path}, the file of {self.setting}, {why}", hint=hint)

    def read_or_make(self) -> str:
        """Return what the file holds; a new secret, which it holds from now on, if there is none.

        Raises:
            InvalidConfiguration: As `read`, and if it cannot be made.
        """
        if not self.path.exists():
            try:
                make_private(self.path, f"{secrets.token_urlsafe(32)}\n".encode())
            except OSError as exc:
                raise self._describe(
                    f"cannot be made: {exc.strerror}",
                    f"make room or rights there, or set {self.setting} to another place",
                ) from exc
        return self.read()

    def read_time_made(self) -> float | None:
        """Return when the file was written, in seconds since the epoch; None if it was not."""
        try:
            return self.path.stat().st_mtime
        except OSError:
            return None
