"""Reads and writes refs that are plain files, and finds repositories, without libgit2.

`None` and `UNSURE` mean that libgit2 must answer: symbolic refs, other formats, linked work
trees, folders of another user.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

UNSURE: Final = "?"
"""No answer: libgit2 must read the ref."""

_NAME = re.compile(r"[0-9a-f]{40}")
_LINE = re.compile(r"([0-9a-f]{40}) (\S+)")
_USUAL = re.compile(r"^\s*repositoryformatversion\s*=\s*0\s*$", re.MULTILINE)
_UNUSUAL = re.compile(r"extensions|worktree|include|bare\s*=\s*(true|yes|on|1)", re.IGNORECASE)


def read_loose_ref(folder: Path, name: str) -> str | None:
    """Return the id of *name*, a full ref name; None if there is none, or `UNSURE`."""
    try:
        text = (folder / name).read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        packed = _read_packed(folder)
        return UNSURE if packed is None else _find_packed(packed, name)
    except (OSError, ValueError):
        return UNSURE
    return text if _NAME.fullmatch(text) else UNSURE


def list_loose_refs(folder: Path, prefix: str) -> list[str] | None:
    """Return the full names of the refs below *prefix*, which ends with a slash; None if unsure."""
    packed = _read_packed(folder)
    known = None if packed is None else _parse_packed(packed)
    if known is None:
        return None
    found = {name for name in known if name.startswith(prefix)}
    for base, _, files in os.walk(folder / prefix, onerror=None):
        below = Path(base).relative_to(folder).as_posix()
        found |= {f"{below}/{name}" for name in files if not name.endswith(".lock")}
    return sorted(found)


def _read_packed(folder: Path) -> str | None:
    if (folder / "reftable").exists():
        return None
    try:
        return (folder / "packed-refs").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError):
        return None


def _find_packed(packed: str, name: str) -> str | None:
    """Return the id of *name*; all lines are parsed only if it is not there."""
    before, found, _ = packed.partition(f" {name}\n")
    line = before.rpartition("\n")[2]
    if found and _NAME.fullmatch(line):
        return line
    known = _parse_packed(packed)
    return UNSURE if known is None else known.get(name)


def _parse_packed(packed: str) -> dict[str, str] | None:
    lines = (line for line in packed.splitlines() if line[:1] not in {"", "#", "^"})
    found = [_LINE.fullmatch(line) for line in lines]
    if None in found:
        return None
    return {match[2]: match[1] for match in found if match}


def write_loose_ref(folder: Path, name: str, new: str) -> None:
    """Point *name*, a full ref name, to *new*, whatever it pointed to.

    As Git does, it writes `<name>.lock`, and renames that once it is on disk.

    Raises:
        OSError: If another process writes the ref, or the disk fails.
    """
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")
    with lock.open("x", encoding="ascii") as file:
        try:
            file.write(f"{new}\n")
            file.flush()
            os.fsync(file.fileno())
            lock.replace(path)
        except OSError:
            lock.unlink()
            raise


def find_plain_repository(path: Path) -> Path | None:
    """Return the `.git` folder of the work tree of *path*, if it is a plain one; else None.

    A plain one belongs to the user, is on the file system of *path*, and its configuration does
    not change the place or the format of objects and refs.
    """
    try:
        start = path.resolve()
        device = start.stat().st_dev
        for folder in (start, *start.parents):
            about = folder.stat()
            if about.st_dev != device or (folder / "HEAD").exists():
                return None
            git = folder / ".git"
            if git.exists():
                return git if _is_usual(git, about.st_uid) else None
    except (OSError, ValueError):
        return None
    return None


def _is_usual(git: Path, owner: int) -> bool:
    about = git.lstat()
    if not git.is_dir() or git.is_symlink() or {owner, about.st_uid} != {os.geteuid()}:
        return False
    if (git / "commondir").exists() or not (git / "HEAD").is_file():
        return False
    config = (git / "config").read_text(encoding="utf-8")
    return bool(_USUAL.search(config)) and not _UNUSUAL.search(config)
