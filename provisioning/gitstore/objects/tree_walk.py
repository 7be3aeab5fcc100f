"""Walks the differences of trees, and refuses entries that cannot be manifests.

A hostile tree (links, submodules, names that leave the folder, unbounded depth) gives one error
with its path; only the walked folder is checked.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

from provisioning.core.model.errors import InvalidManifest, Source
from provisioning.core.model.ids import BlobId
from provisioning.gitstore.objects.commits import FileChange, TreeFile
from provisioning.gitstore.objects.object_files import TreeEntry

if TYPE_CHECKING:
    from provisioning.gitstore.objects.object_store import ObjectStore

MAX_DEPTH = 100
"""Folders below each other that are followed."""

FOLDER, LINK, SUBMODULE = 0o040000, 0o120000, 0o160000
FILES = frozenset({0o100644, 0o100664, 0o100755})


def walk_files(store: ObjectStore, tree: str) -> Iterator[TreeFile]:
    """Yield every file below *tree*, a tree's id.

    Raises:
        InvalidManifest: If there is anything but plain files and folders.
    """
    for change in walk_changes(store, None, tree):
        if change.after:
            yield TreeFile(change.path, change.after)


def walk_changes(store: ObjectStore, before: str | None, after: str | None) -> Iterator[FileChange]:
    """Yield every path whose file differs, without reading subtrees with equal ids.

    Raises:
        InvalidManifest: If the new tree has anything but plain files and folders.
    """
    waiting = [("", before, after)]
    while waiting:
        prefix, old, new = waiting.pop()
        if prefix.count("/") > MAX_DEPTH:
            raise _refuse(prefix, f"lies more than {MAX_DEPTH} folders deep")
        old_entries, new_entries = _read(store, old, prefix), _read(store, new, prefix)
        _check_names(prefix, new_entries)
        for name in sorted(old_entries.keys() | new_entries.keys()):
            one, other = old_entries.get(name), new_entries.get(name)
            if _get_key(one) == _get_key(other):
                continue
            if other is not None:
                _check_mode(prefix + name, other.mode)
            folders = _get_folder(one), _get_folder(other)
            if any(folders):
                waiting.append((f"{prefix}{name}/", *folders))
            blobs = _get_blob(one), _get_blob(other)
            if any(blobs):
                yield FileChange(prefix + name, *blobs)


def _get_key(entry: TreeEntry | None) -> tuple[str, int] | None:
    return None if entry is None else (entry.id, entry.mode)


def _read(store: ObjectStore, tree: str | None, prefix: str) -> dict[str, TreeEntry]:
    return {entry.name: entry for entry in store.read_tree(tree, prefix)} if tree else {}


def _get_folder(entry: TreeEntry | None) -> str | None:
    return entry.id if entry is not None and entry.mode == FOLDER else None


def _get_blob(entry: TreeEntry | None) -> BlobId | None:
    if entry is None or entry.mode in {FOLDER, SUBMODULE, LINK}:
        return None
    return BlobId(entry.id)


def _check_mode(path: str, mode: int) -> None:
    if mode == LINK:
        raise _refuse(path, "is a symbolic link, which is not followed")
    if mode == SUBMODULE:
        raise _refuse(path, "is a submodule, which is not read")


def _check_names(prefix: str, entries: dict[str, TreeEntry]) -> None:
    seen: dict[str, str] = {}
    for name in entries:
        if _is_escaped(name):
            raise _refuse(ascii(prefix + name), "has a name that is not UTF-8")
        if name in {".", "..", ".git"} or "/" in name or "\0" in name:
            raise _refuse(prefix + name, "has a name that no file can have")
        first = seen.setdefault(unicodedata.normalize("NFC", name), name)
        if first != name:
            raise _refuse(prefix + name, "differs from another name only in its Unicode form")


def _is_escaped(name: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in name)


def _refuse(path: str, why: str) -> InvalidManifest:
    shown = path if len(path) <= 80 else f"{path[:60]}…"  # noqa: PLR2004  a line's worth
    return InvalidManifest(
        f"{shown} {why}",
        hint="replace it by a plain file, or move it out of this folder",
        source=Source(shown, 1),
    )
