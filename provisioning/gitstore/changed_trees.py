"""Writes trees that differ from others in some paths; what is the same is not written again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FILE, FOLDER = 0o100644, 0o040000
"""The modes of what we write: git-fast-import(1)."""


def write_tree(git: Any, base: Any, changes: Mapping[str, bytes | None]) -> Any:
    """Write the tree *base* (None: an empty one) with *changes*; return its id.

    Args:
        git: libgit2's repository.
        base: The id of a tree.
        changes: The content of each path that changes, None to remove it. A folder in which
            nothing is left goes.
    """
    builder = git.TreeBuilder(base) if base else git.TreeBuilder()
    folders: dict[str, dict[str, bytes | None]] = {}
    for path, content in changes.items():
        name, slash, rest = path.partition("/")
        if slash:
            folders.setdefault(name, {})[rest] = content
        elif content is not None:
            builder.insert(name, git.create_blob(content), FILE)
        elif builder.get(name):
            builder.remove(name)
    for name, below in folders.items():
        _write_folder(git, builder, name, below)
    return builder.write()


def _write_folder(git: Any, builder: Any, name: str, below: Mapping[str, bytes | None]) -> None:
    old = builder.get(name)
    is_folder = old is not None and old.filemode == FOLDER
    tree = write_tree(git, old.id if is_folder else None, below)
    if len(git[tree]):
        builder.insert(name, tree, FOLDER)
    elif old is not None:
        builder.remove(name)
