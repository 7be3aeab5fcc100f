"""The objects of a repository: read from their files if possible, else by libgit2."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from provisioning.core.model.errors import RepositoryUnusable
from provisioning.gitstore.objects.object_files import (
    ObjectFiles,
    TreeEntry,
    parse_parents_of,
    parse_tree,
    parse_tree_of,
)


class ObjectStore:
    """The objects below *folder*; *load* returns libgit2's repository for the calling thread."""

    def __init__(self, folder: Path, load: Callable[[], Any]) -> None:
        self._files = ObjectFiles(folder / "objects")
        self._load = load

    def has(self, name: str) -> bool:
        """Tell whether the object with the id *name* is here."""
        return self._files.has(name) or bool(self._load().odb.exists(name))

    def is_commit(self, name: str) -> bool:
        """Tell whether *name* is a commit in a readable file."""
        found = self._files.read(name)
        return found is not None and found[0] == "commit"

    def read_tree_of(self, commit: str) -> str:
        """Return the id of the tree of *commit*.

        Raises:
            RepositoryUnusable: If it is damaged or missing.
        """
        with naming_damage(commit, ""):
            return parse_tree_of(self._read("commit", commit, ""))

    def read_parents_of(self, commit: str) -> list[str]:
        """Return the ids of the parents of *commit*.

        Raises:
            RepositoryUnusable: If it is damaged or missing.
        """
        with naming_damage(commit, ""):
            return parse_parents_of(self._read("commit", commit, ""))

    def read_tree(self, name: str, path: str = "") -> list[TreeEntry]:
        """Return the entries of a tree; *path* is for the error.

        Raises:
            RepositoryUnusable: If it is damaged or missing.
        """
        with naming_damage(name, path):
            return parse_tree(self._read("tree", name, path))

    def read_blob(self, name: str, path: str, limit: int) -> bytes | int:
        """Return the content of a blob, or its size in bytes if that exceeds *limit*.

        Raises:
            RepositoryUnusable: If it is damaged or missing.
        """
        found = self._files.read(name)
        if found and found[0] == "blob":
            return found[1] if len(found[1]) <= limit else len(found[1])
        with naming_damage(name, path):
            size: int = self._load().odb.read_header(name)[1]
        return size if size > limit else self._read("blob", name, path)

    def _read(self, kind: str, name: str, path: str) -> bytes:
        found = self._files.read(name)
        if found and found[0] == kind:
            return found[1]
        there = read_object(self._load(), name, path)
        with naming_damage(name, path):
            if there.type_str != kind:
                raise ValueError(there.type_str)
            return bytes(there.read_raw())


def read_object(git: Any, name: str, path: str = "") -> Any:
    """Return libgit2's object with the id *name*; *path* is for the error.

    Raises:
        RepositoryUnusable: If it is damaged or missing.
    """
    with naming_damage(name, path):
        _check_loose(git.path, name)
        return git[name]


@contextmanager
def naming_damage(name: str, path: str) -> Iterator[None]:
    """Turn every error of a damaged object into `RepositoryUnusable`."""
    try:
        yield
    except Exception as exc:
        if not _is_damage(exc):
            raise
        raise RepositoryUnusable(
            f"object {name[:10]} ({path or 'no path'}) is damaged or missing",
            hint="run git fsck",
        ) from exc


def _is_damage(exc: Exception) -> bool:
    if isinstance(exc, KeyError | ValueError | OSError | zlib.error):
        return True
    import pygit2

    return isinstance(exc, pygit2.GitError)


def _check_loose(folder: str, name: str) -> None:
    """Inflate a loose object first: on a truncated one libgit2 1.9 never returns.

    See https://github.com/libgit2/libgit2/issues/7342.
    """
    try:
        handle = os.open(f"{folder}/objects/{name[:2]}/{name[2:]}", os.O_RDONLY)
    except FileNotFoundError:
        return
    with open(handle, "rb") as file:  # noqa: PTH123  a path object costs more than the call
        zlib.decompress(file.read())
