"""SOPS files, read and written without the `sops` program.

A file is bytes with a name, which chooses its format: `db.enc.yaml`, `.json`, `.env`, `.ini`, any
other for a binary file. Values come as dicts, lists, text, numbers, booleans and None. Keys are
those that `sops` finds: age identities, GnuPG, and the credentials of AWS, Google Cloud, Azure and
Vault, in the environment variables that `docs/reference/secrets.md` lists. Every error is a
`SopsError`, and is raised before anything is changed.

    >>> import sops_python
    >>> values = sops_python.load(path.read_bytes(), path.name)
    >>> path.write_bytes(sops_python.set_value(path.read_bytes(), path.name, ["password"], "new"))

`python -m sops_python` is a drop-in for the `sops` 3.13 program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sops_python.errors import (
    AlreadyEncrypted,
    InvalidKeyGroups,
    KeyUnusable,
    NoKeyFits,
    NotEncrypted,
    PathNotFound,
    SopsError,
    Tampered,
    UndecryptableValue,
    UnreadableFile,
)

if TYPE_CHECKING:
    from sops_python.files import Opened, Store

__all__ = [
    "AlreadyEncrypted",
    "InvalidKeyGroups",
    "KeyUnusable",
    "NoKeyFits",
    "NotEncrypted",
    "PathNotFound",
    "SopsError",
    "Tampered",
    "UndecryptableValue",
    "UnreadableFile",
    "decrypt",
    "edit",
    "encrypt",
    "is_encrypted",
    "load",
    "load_all",
    "set_value",
]


def load(data: bytes, name: str, environ: Mapping[str, str] | None = None) -> Any:
    """Return the values of the encrypted file *data*.

    Args:
        data: The file.
        name: Its name, which chooses the format.
        environ: The variables by which keys are found; the process's own by default.

    Raises:
        NotEncrypted: If it is no SOPS file.
        NoKeyFits: If no key at hand opens it.
        UndecryptableValue: If a value is damaged, or was moved.
        Tampered: If values were added, removed or reordered.
        SopsError: If it holds several YAML documents, for which there is `load_all`.
    """
    documents = load_all(data, name, environ)
    if len(documents) > 1:
        raise SopsError(f"{name} holds {len(documents)} documents", hint="use load_all")
    return documents[0]


def load_all(data: bytes, name: str, environ: Mapping[str, str] | None = None) -> list[Any]:
    """Return the values of each YAML document of the encrypted file *data*; see `load`."""
    from sops_python.tree import as_plain

    _, opened = _open(data, name, environ)
    return [as_plain(branch) for branch in opened.document.branches]


def decrypt(data: bytes, name: str, environ: Mapping[str, str] | None = None) -> bytes:
    """Return the encrypted file *data* in plain text, with its comments and its order.

    Raises as `load` does, but for several documents.
    """
    store, opened = _open(data, name, environ)
    return store.dump(opened.document.branches)


def encrypt(
    text: bytes, name: str, rule: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> bytes:
    """Return the plain file *text* encrypted under a new data key.

    Args:
        text: The file in plain text.
        name: Its name, which chooses the format.
        rule: The keys and which values are encrypted, as a creation rule of `.sops.yaml` says it:
            `{"age": "age1…", "encrypted_regex": "^(data|stringData)$"}`.
        environ: The variables by which credentials are found.

    Raises:
        AlreadyEncrypted: If it is encrypted already.
        UnreadableFile: If it is not of the format.
        InvalidKeyGroups: If the rule names no key.
        KeyUnusable: If a key is malformed, or its service refuses or does not answer.
    """
    from sops_python.files import dump_document, encrypt_branches, load_plain
    from sops_python.metadata import Metadata
    from sops_python.rules import build_rule
    from sops_python.timestamps import now

    store = _open_store(name)
    made = build_rule(dict(rule), "the rule")
    metadata = Metadata(groups=made.groups, selection=made.selection, threshold=made.threshold)
    branches = load_plain(text, store, store)
    return dump_document(encrypt_branches(branches, metadata, _find_keys(environ), now()), store)


def edit(
    data: bytes,
    name: str,
    change: Callable[[bytes], bytes],
    environ: Mapping[str, str] | None = None,
) -> bytes:
    """Return the encrypted file *data* with the plain text that *change* makes of its own.

    The keys stay, and a value that did not change keeps its encrypted text.

    Raises as `load` does, but for several documents, and as `encrypt` does.
    """
    from msgspec.structs import replace

    from sops_python.document import Document
    from sops_python.files import dump_document, load_plain
    from sops_python.timestamps import now

    store, opened = _open(data, name, environ)
    branches = load_plain(change(store.dump(opened.document.branches)), store, store)
    edited = Document(branches, opened.document.metadata)
    return dump_document(replace(opened, document=edited).seal(now()), store)


def set_value(
    data: bytes,
    name: str,
    path: Sequence[str | int],
    value: Any,
    environ: Mapping[str, str] | None = None,
) -> bytes:
    """Return the encrypted file *data* with *value* at *path* of its first document.

    Args:
        data: The file.
        name: Its name, which chooses the format.
        path: Keys, and positions in lists counted from 0; what is missing is made.
        value: Dicts, lists and scalars.
        environ: The variables by which keys are found.

    Raises as `load` does, but for several documents.

    Raises:
        PathNotFound: If *path* has a key where there is a list, or the other way round.
    """
    from msgspec.structs import replace

    from sops_python.document import Document
    from sops_python.files import check_no_metadata, dump_document
    from sops_python.timestamps import now
    from sops_python.tree import from_plain, write_path

    store, opened = _open(data, name, environ)
    first, *others = opened.document.branches
    changed = write_path(first, tuple(path), from_plain(value))
    check_no_metadata(changed, store.name)
    edited = Document([changed, *others], opened.document.metadata)
    return dump_document(replace(opened, document=edited).seal(now()), store)


def is_encrypted(data: bytes, name: str) -> bool:
    """Return whether *data* is a SOPS file; no key is needed.

    Raises:
        UnreadableFile: If it is not of the format that *name* chooses.
    """
    from sops_python.files import load_encrypted

    try:
        load_encrypted(data, _open_store(name))
    except NotEncrypted:
        return False
    return True


def _open(data: bytes, name: str, environ: Mapping[str, str] | None) -> tuple[Store, Opened]:
    from sops_python.files import load_encrypted, open_document

    store = _open_store(name)
    return store, open_document(load_encrypted(data, store), _find_keys(environ))


def _open_store(name: str) -> Store:
    from sops_python.files import choose_format, open_store

    return open_store(choose_format(name))


def _find_keys(environ: Mapping[str, str] | None) -> Any:
    import os

    from sops_python.keys.keyring import EnvironmentKeyring

    return EnvironmentKeyring(environ=os.environ if environ is None else environ)
