"""The user's home of the product: caches, journals, process logs, and the fingerprint key."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from provisioning.core.model.errors import StorageFailed
from provisioning.core.model.values import FingerprintKey, list_keys

KEY_BYTES = 32


class Home(msgspec.Struct, frozen=True):
    """The folders below the home; none is made before it is needed."""

    path: Path

    @property
    def compiled(self) -> Path:
        """Compiled manifests; may vanish at any time."""
        return self.path / "cache" / "compiled"

    @property
    def mirrors(self) -> Path:
        """Private clones of remotes; may vanish at any time."""
        return self.path / "cache" / "git"

    @property
    def plan_cache(self) -> Path:
        """The plan cache; may vanish at any time."""
        return self.path / "cache" / "settled"

    @property
    def checkpoints(self) -> Path:
        """Journals of runs that are not recorded yet."""
        return self.path / "orchestrator" / "data" / "checkpoints"

    @property
    def locks(self) -> Path:
        """Since when locks were seen, and this machine's own lock files."""
        return self.path / "orchestrator" / "data" / "locks"

    @property
    def control(self) -> Path:
        """The control socket of the service."""
        return self.path / "services" / "state" / "serve.sock"

    def read_fingerprint_key(self) -> FingerprintKey:
        """Return the key of this user's fingerprints; make it when it is first needed.

        It is in no repository. Its loss only makes sensitive values appear changed once. The file
        holds the key, and behind it those that were in use before.

        Raises:
            StorageFailed: If it can be neither read nor made, or is damaged.
        """
        path = self.path / "fingerprint.key"
        try:
            if not path.exists():
                make_private(path, secrets.token_bytes(KEY_BYTES))
            content = path.read_bytes()
        except OSError as exc:
            raise StorageFailed(
                f"{path} cannot be used: {exc.strerror}",
                hint="make room or rights there, or move it with PROVISIONING_HOME",
            ) from exc
        keys = [content[at : at + KEY_BYTES] for at in range(0, len(content), KEY_BYTES)]
        if not keys or len(keys[-1]) != KEY_BYTES:
            raise StorageFailed(
                f"{path} is damaged: it holds {len(content)} bytes, not {KEY_BYTES} for each key",
                hint="remove it; sensitive values will appear changed once",
            )
        return FingerprintKey(keys[0], keys[1:])

    def rotate_fingerprint_key(self, *, finish: bool = False) -> FingerprintKey:
        """Put a new key before the present one; with *finish*, forget the former ones instead.

        Raises:
            StorageFailed: If it cannot be written.
        """
        key, path = self.read_fingerprint_key(), self.path / "fingerprint.key"
        keys = [bytes(key)] if finish else [secrets.token_bytes(KEY_BYTES), *list_keys(key)]
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        try:
            _write_private(temporary, b"".join(keys))
            temporary.replace(path)
        except OSError as exc:
            temporary.unlink(missing_ok=True)
            raise StorageFailed(
                f"{path} cannot be written: {exc.strerror}",
                hint="make room or rights there; the key is as it was",
            ) from exc
        return self.read_fingerprint_key()


def make_private(path: Path, data: bytes) -> None:
    """Write *data* to a new file for its owner alone, whole or not at all.

    Of several makers the first one wins.

    Raises:
        OSError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        _write_private(temporary, data)
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def _write_private(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def find_home(environ: Mapping[str, str]) -> Home:
    """Return the home: `PROVISIONING_HOME`, or `~/.provisioning`."""
    chosen = environ.get("PROVISIONING_HOME")
    return Home(Path(chosen).absolute() if chosen else Path.home() / ".provisioning")
