"""Finds everything below some folders that bears a mark, in an attribute or in a side-car."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from provisioning.core.model.ids import Mark
from provisioning.providers.local.files.marks import MARK, read_mark, write_attribute
from provisioning.providers.local.files.path_syntax import MARK_SUFFIX, NEW_SUFFIX
from provisioning.providers.local.files.roots import FOLDER


class Marked(msgspec.Struct, frozen=True):
    """A file or directory that bears a mark; *path* is written as a spec writes it."""

    path: str
    mark: Mark


def find_marked(roots: Iterable[tuple[Path, bool]], owner: str) -> Iterator[Marked]:
    """Yield what bears a mark of *owner* below *roots*, each once, no link followed.

    A root comes with whether paths are written relative to it.
    """
    seen: set[Path] = set()
    for root, is_relative in roots:
        for folder, folders, files in os.walk(root):
            here = Path(folder)
            folders.sort()
            for name in (*folders, *sorted(files)):
                path = here / name
                if path in seen or name.endswith((NEW_SUFFIX, MARK_SUFFIX)):
                    continue
                seen.add(path)
                mark = _read(here, name)
                if mark and mark.owner.startswith(f"{owner}/"):
                    shown = path.relative_to(root) if is_relative else path
                    yield Marked(str(shown), mark)


def _read(folder: Path, name: str) -> Mark | None:
    """Return the mark of *name*; what vanishes meanwhile, or may not be read, bears none."""
    try:
        fd = os.open(folder, FOLDER)
    except OSError:
        return None
    try:
        inode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_ino
        return read_mark(fd, name, inode, name)
    except OSError:
        return None
    finally:
        os.close(fd)


def diagnose_root(root: Path) -> tuple[str, str] | None:
    """Say what is not well with *root*, and what to do; None if nothing."""
    there = next((item for item in (root, *root.parents) if item.exists()), root)
    try:
        with tempfile.NamedTemporaryFile(dir=there) as file:
            if write_attribute(file.fileno(), MARK, "probe"):
                return None
    except OSError as exc:
        remedy = "make it writable, or set `local.root` and `local.allow`"
        return f"{root} cannot be written: {exc.strerror}", remedy
    told = f"{root} is on a file system without extended attributes: marks lie in files beside"
    return told, "mount one that has them, as ext4 and xfs do, or leave it so"
