"""Where the secrets of a workspace lie: which files, by what names, and which comes first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from provisioning.secrets.errors import mapping_sops_errors

MARK = ".enc"
SUFFIXES = (".yaml", ".yml", ".json", ".env", ".ini", "")
FOLDER = "secrets"
"""Where the secrets of all infras lie."""

Read = Callable[[str], bytes | None]
"""Returns the content of a file of the workspace by its path; None if there is none."""


def list_folders(infra: str) -> tuple[str, ...]:
    """Return the folders of the secrets of *infra*; the first has precedence."""
    return f"infra/{infra}", FOLDER


def find_file(name: str, folders: Sequence[str], read: Read) -> tuple[str, bytes] | None:
    """Return path and content of the file of secrets called *name*; None if there is none."""
    if "/" in name:
        return None
    paths = (f"{folder}/{name}{MARK}{suffix}" for folder in folders for suffix in SUFFIXES)
    found = ((path, read(path)) for path in paths)
    return next(((path, data) for path, data in found if data is not None), None)


@mapping_sops_errors()
def write_file(path: Path, data: bytes) -> None:
    """Write *data* to *path*, as a whole or not at all; mode and owner stay.

    Raises:
        InvalidSecret: If it cannot be written.
    """
    from sops_python.disk.replacement import replace_file

    replace_file(path, data)
