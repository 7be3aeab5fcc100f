"""The user's home of the product: caches, journals, process logs, and the fingerprint key."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

from provisioning.core.model.errors import StorageFailed

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

    def read_fingerprint_key(self) -> bytes:
        """Return the key of this user's fingerprints; make it when it is first needed.

        It is in no repository. Losing it only shows sensitive values as changed once.

        Raises:
            StorageFailed: If it can be neither read nor made, or is damaged.
        """
        path = self.path / "fingerprint.key"
        try:
            if not path.exists():
                make_private(path, secrets.token_bytes(KEY_BYTES))
            key = path.read_bytes()
        except OSError as exc:
            raise StorageFailed(
                f"{path} cannot be used: {exc.strerror}",
                hint="make room or rights there, or move it with PROVISIONING_HOME",
            ) from exc
        if len(key) != KEY_BYTES:
            raise StorageFailed(
                f"{path} is damaged: it holds {len(key)} bytes, not {KEY_BYTES}",
                hint="remove it; sensitive values will be shown as changed once",
            )
        return key


def make_private(path: Path, data: bytes) -> None:
    """Write *data* to a new file for its owner alone, whole or not at all.

    Of several makers the first one wins.

    Raises:
        OSError: If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, data)
        os.fsync(handle)
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.close(handle)
        temporary.unlink()


def find_home(environ: Mapping[str, str]) -> Home:
    """Return the home: `PROVISIONING_HOME`, or `~/.provisioning`."""
    chosen = environ.get("PROVISIONING_HOME")
    return Home(Path(chosen).absolute() if chosen else Path.home() / ".provisioning")
