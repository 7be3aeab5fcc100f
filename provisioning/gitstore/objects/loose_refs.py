"""Reads and writes refs and finds repositories where they are plain files, without libgit2.

`None` and `UNSURE` mean that only libgit2 can tell: symbolic refs, other formats, linked work
trees, somebody else's folders.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

UNSURE: Final = "?"
"""The answer that is none."""

_NAME = re.compile(r"[0-9a-f]{40}")
_LINE = re.compile(r"([0-9a-f]{40}) (\S+)")
_USUAL = re.compile(r"^\s*repositoryformatversion\s*=\s*0\s*$", re.MULTILINE)
_UNUSUAL = re.compile(r"extensions|worktree|include|bare\s*=\s*(true|yes|on|1)", re.IGNORECASE)


def read_plain_ref(folder: Path, name: str) -> str | None:
    """Return the id that *name*, a full ref name, stands for: None if there is none; `UNSURE`."""
    try:
        text = (folder / name).read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        packed = _read_packed(folder)
        return UNSURE if packed is None else _find_packed(packed, name)
    except (OSError, ValueError):
        return UNSURE
    return text if _NAME.fullmatch(text) else UNSURE


def list_plain_refs(folder: Path, prefix: str) -> list[str] | None:
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
    """Return the id that *name* stands for; a thousand lines are only parsed if it has none."""
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


def write_plain_ref(folder: Path, name: str, new: str) -> None:
    """Let *name*, a full ref name, stand for *new*, whatever it stood for.

    It is written as git does: into `<name>.lock`, which is renamed once it is on disk.

    Raises:
        OSError: If another process is writing it, or the disk does not take it.
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
    """Return the `.git` folder of the work tree that *path* lies in, if all about it is usual.

    That is: a folder of our own, on one file system with *path*, whose configuration names
    nothing that changes where or how its objects and refs are kept.
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
