"""Walks trees of a repository, skipping what is equal, and refuses what cannot be a manifest.

A hostile tree (links, submodules, names that leave the folder, a depth without end) gives one
clear error with the path; it is only looked at below the folder that is walked.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from provisioning.core.errors import InvalidManifest, RepositoryUnusable, Source
from provisioning.core.ids import BlobId
from provisioning.gitstore.commits import File, FileChange

MAX_DEPTH = 100
"""Folders below each other that are followed."""

HEAD = 64
"""Bytes that the header of a loose object is in."""

FOLDER, LINK, SUBMODULE = 0o040000, 0o120000, 0o160000
FILES = frozenset({0o100644, 0o100664, 0o100755})


def walk_files(git: Any, tree: str) -> Iterator[File]:
    """Yield every file below *tree*, a tree's id.

    Raises:
        InvalidManifest: If there is anything but plain files and folders.
    """
    for change in walk_changes(git, None, tree):
        if change.after:
            yield File(change.path, change.after)


def walk_changes(git: Any, before: str | None, after: str | None) -> Iterator[FileChange]:
    """Yield every path whose file differs, without reading subtrees with equal ids.

    Raises:
        InvalidManifest: If the new tree has anything but plain files and folders.
    """
    waiting = [("", before, after)]
    while waiting:
        prefix, old, new = waiting.pop()
        if prefix.count("/") > MAX_DEPTH:
            raise _refuse(prefix, f"lies more than {MAX_DEPTH} folders deep")
        old_entries, new_entries = _read(git, old, prefix), _read(git, new, prefix)
        _check_names(prefix, new_entries)
        for name in sorted(old_entries.keys() | new_entries.keys()):
            one, other = old_entries.get(name), new_entries.get(name)
            if _get_key(one) == _get_key(other):
                continue
            if other is not None:
                _check_mode(prefix + name, other.filemode)
            folders = _get_folder(one), _get_folder(other)
            if any(folders):
                waiting.append((f"{prefix}{name}/", *folders))
            blobs = _get_blob(one), _get_blob(other)
            if any(blobs):
                yield FileChange(prefix + name, *blobs)


def _get_key(entry: Any) -> tuple[str, int] | None:
    """Return what tells an entry from another; its truth value would read what it names."""
    return None if entry is None else (str(entry.id), entry.filemode)


def read_object(git: Any, name: str, path: str = "") -> Any:
    """Return the object with the id *name*; *path* is for the error.

    Raises:
        RepositoryUnusable: If it is damaged or missing.
    """
    with _damage_named(name, path):
        _check_loose(git.path, name)
        return git[name]


def read_blob(git: Any, name: str, path: str, limit: int) -> bytes | int:
    """Return the content of a blob, or only its size in bytes if that is above *limit*.

    Raises:
        RepositoryUnusable: If it is damaged or missing.
    """
    with _damage_named(name, path):
        file = _read_loose(git.path, name, limit)
        if file is None:
            size: int = git.odb.read_header(name)[1]
            return size if size > limit else bytes(git[name].data)
        return _inflate_blob(file, name, limit)


def _inflate_blob(file: bytes, name: str, limit: int) -> bytes | int:
    """Inflate a loose blob: `blob SIZE NUL content`, whose SHA-1 is its name."""
    inflater = zlib.decompressobj()
    head, _, content = inflater.decompress(file, HEAD).partition(b"\0")
    kind, _, size = head.partition(b" ")
    if kind != b"blob" or not size.isdigit():
        raise ValueError(head)
    if int(size) > limit:
        return int(size)
    content += inflater.decompress(inflater.unconsumed_tail, int(size) + 1) + inflater.flush()
    if hashlib.sha1(head + b"\0" + content, usedforsecurity=False).hexdigest() != name:
        raise ValueError(name)
    return content


@contextmanager
def _damage_named(name: str, path: str) -> Iterator[None]:
    import pygit2

    try:
        yield
    except (KeyError, ValueError, OSError, zlib.error, pygit2.GitError) as exc:
        raise RepositoryUnusable(
            f"object {name[:10]} ({path or 'no path'}) is damaged or missing",
            hint="git fsck tells more",
        ) from exc


def _check_loose(folder: str, name: str) -> None:
    """Inflate an object that is a file first: on one cut short libgit2 1.9 never returns.

    See https://github.com/libgit2/libgit2/issues/7342.
    """
    file = _read_loose(folder, name)
    if file is not None:
        zlib.decompress(file)


def _read_loose(folder: str, name: str, limit: int | None = None) -> bytes | None:
    try:
        handle = os.open(f"{folder}/objects/{name[:2]}/{name[2:]}", os.O_RDONLY)
    except FileNotFoundError:
        return None
    with open(handle, "rb") as file:  # noqa: PTH123  a path object costs more than the look
        is_large = limit is not None and os.fstat(handle).st_size > limit
        return None if is_large else file.read()


def _read(git: Any, tree: str | None, prefix: str) -> dict[str, Any]:
    if tree is None:
        return {}
    entries = read_object(git, tree, prefix)
    return {entry.raw_name.decode(errors="surrogateescape"): entry for entry in entries}


def _get_folder(entry: Any) -> str | None:
    return str(entry.id) if entry is not None and entry.filemode == FOLDER else None


def _get_blob(entry: Any) -> BlobId | None:
    if entry is None or entry.filemode in {FOLDER, SUBMODULE, LINK}:
        return None
    return BlobId(str(entry.id))


def _check_mode(path: str, mode: int) -> None:
    if mode == LINK:
        raise _refuse(path, "is a symbolic link, which is not followed")
    if mode == SUBMODULE:
        raise _refuse(path, "is a submodule, which is not read")


def _check_names(prefix: str, entries: dict[str, Any]) -> None:
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
