"""Builds a tree that differs from another in some paths; equal objects are not written again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from provisioning.gitstore.objects.object_files import TreeEntry

if TYPE_CHECKING:
    from provisioning.gitstore.objects.object_store import ObjectStore
    from provisioning.gitstore.objects.object_writer import ObjectWriter

FILE, FOLDER = 0o100644, 0o040000
"""The modes of written entries: git-fast-import(1)."""


def add_tree(
    store: ObjectStore, new: ObjectWriter, base: str | None, changes: Mapping[str, bytes | None]
) -> str:
    """Add the tree *base* (None: an empty one) with *changes* to *new*; return its id.

    Args:
        store: The objects of *base*.
        new: Receives the trees and blobs that differ.
        base: The id of a tree.
        changes: The content of each path that changes, None to remove it. An empty
            folder is removed.

    Raises:
        RepositoryUnusable: If a tree is damaged or missing.
    """
    return new.add("tree", render_tree(_change(store, new, base, changes)))


def _change(
    store: ObjectStore, new: ObjectWriter, base: str | None, changes: Mapping[str, bytes | None]
) -> list[TreeEntry]:
    entries = {entry.name: entry for entry in store.read_tree(base)} if base else {}
    folders: dict[str, dict[str, bytes | None]] = {}
    for path, content in changes.items():
        name, slash, rest = path.partition("/")
        if slash:
            folders.setdefault(name, {})[rest] = content
        elif content is not None:
            entries[name] = TreeEntry(name, new.add("blob", content), FILE)
        else:
            entries.pop(name, None)
    for name, below in folders.items():
        old = entries.pop(name, None)
        left = _change(store, new, old.id if old and old.mode == FOLDER else None, below)
        if left:
            entries[name] = TreeEntry(name, new.add("tree", render_tree(left)), FOLDER)
    return list(entries.values())


def render_tree(entries: Iterable[TreeEntry]) -> bytes:
    """Return a tree's content; see `parse_tree`. Git sorts a folder as if it ended in a slash."""
    rows = [(os.fsencode(entry.name), entry) for entry in entries]
    rows.sort(key=lambda row: row[0] + b"/" * (row[1].mode == FOLDER))
    return b"".join(b"%o %s\0%s" % (item.mode, name, bytes.fromhex(item.id)) for name, item in rows)
