"""SOPS files as bytes: which format they have, and how they are encrypted and decrypted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import PurePath
from typing import Protocol

import msgspec
from msgspec.structs import replace

from sops_python.cipher import Cipher
from sops_python.data_keys import (
    DECRYPTION_ORDER,
    Keyring,
    generate_data_key,
    naming_step,
    unwrap_data_key,
    wrap_data_key,
)
from sops_python.document import Document, decrypt_document, encrypt_document
from sops_python.errors import AlreadyEncrypted, SopsError
from sops_python.metadata import (
    TOP_LEVEL_KEY,
    Metadata,
    check_version,
    explain_newer,
    parse_metadata,
    render_metadata,
)
from sops_python.tree import Branch, Comment, Confidential, Value


class Format(StrEnum):
    """The format of a file."""

    BINARY = "binary"
    DOTENV = "dotenv"
    INI = "ini"
    JSON = "json"
    YAML = "yaml"


_SUFFIXES = {
    ".yaml": Format.YAML,
    ".yml": Format.YAML,
    ".json": Format.JSON,
    ".env": Format.DOTENV,
    ".ini": Format.INI,
}


def choose_format(path: str | PurePath, given: str = "") -> Format:
    """Return the format *given*; else that of the suffix of *path*; else binary."""
    if given in set(Format):
        return Format(given)
    return next(
        (kind for suffix, kind in _SUFFIXES.items() if str(path).endswith(suffix)), Format.BINARY
    )


class Store(Protocol):
    """Reads and writes one format."""

    name: str

    def load(self, data: bytes) -> list[Branch]:
        """Return the trees of *data*."""

    def extract_metadata(self, branches: list[Branch]) -> tuple[list[Branch], Branch]:
        """Split the metadata off *branches*."""

    def dump(self, branches: list[Branch]) -> bytes:
        """Write *branches*."""

    def dump_encrypted(self, branches: list[Branch], metadata: Branch) -> bytes:
        """Write *branches* with their *metadata*."""

    def dump_value(self, value: Value) -> bytes:
        """Write one value."""


class Indents(msgspec.Struct, frozen=True):
    """How many spaces each format indents by; None for its default."""

    yaml: int | None = None
    json: int | None = None
    json_binary: int | None = None


_DEFAULT_INDENTS = Indents()


def open_store(kind: Format, indents: Indents = _DEFAULT_INDENTS) -> Store:
    """Return what reads and writes *kind*."""
    match kind:
        case Format.YAML:
            from sops_python.stores.yaml import YamlStore

            return YamlStore(indents.yaml)
        case Format.JSON:
            from sops_python.stores.json import JsonStore

            return JsonStore(indents.json)
        case Format.BINARY:
            from sops_python.stores.json import BinaryStore

            return BinaryStore(indents.json_binary)
        case Format.DOTENV:
            from sops_python.stores.dotenv import DotenvStore

            return DotenvStore()
        case Format.INI:
            from sops_python.stores.ini import IniStore

            return IniStore()


def load_encrypted(data: bytes, store: Store) -> Document:
    """Return the encrypted file *data*.

    Raises:
        UnreadableFile: If it is not of the store's format.
        NotEncrypted: If it has no metadata.
    """
    load: Callable[[bytes], list[Branch]] = getattr(store, "load_encrypted", store.load)
    branches, metadata = store.extract_metadata(load(data))
    return Document(branches, parse_metadata(metadata))


def load_plain(data: bytes, store: Store, target: Store) -> list[Branch]:
    """Return the trees of the file *data*, which is to be encrypted for *target*.

    Raises:
        SopsError: If there is nothing in it.
        AlreadyEncrypted: If it is encrypted already.
    """
    branches = store.load(data)
    if not branches:
        raise SopsError(
            "File cannot be completely empty, it must contain at least one document",
            hint="write a value into it first",
            exit_code=92,
        )
    check_no_metadata(branches[0], target.name)
    return branches


def check_no_metadata(branch: Branch, store: str) -> None:
    """Make sure that nothing in *branch* would be taken for metadata in a file of *store*.

    Raises:
        AlreadyEncrypted: If something would.
    """
    if any(_is_metadata_key(key, store) for key, _ in branch):
        raise AlreadyEncrypted(
            f"the file has a top-level entry {TOP_LEVEL_KEY!r}, so it is encrypted already",
            hint="edit it with `sops edit FILE`, or rename the entry",
        )


def _is_metadata_key(key: str | Comment, store: str) -> bool:
    if not isinstance(key, str):
        return False
    return key.startswith(f"{TOP_LEVEL_KEY}_") if store == "dotenv" else key == TOP_LEVEL_KEY


class Opened(Confidential, frozen=True, kw_only=True):
    """A file that was decrypted: its trees in plain text, and all to encrypt them again."""

    document: Document
    cipher: Cipher
    data_key: bytes

    def seal(self, now: str) -> Document:
        """Return the document encrypted; values that did not change give the same text."""
        return encrypt_document(self.document, self.cipher, now)


def open_document(
    document: Document,
    keyring: Keyring,
    *,
    order: Sequence[str] = DECRYPTION_ORDER,
    ignore_mac: bool = False,
) -> Opened:
    """Decrypt *document*.

    Raises:
        SopsError: If it does not say by which version it was written.
        NoKeyFits: If no key of the keyring opens it.
        UndecryptableValue: If a value is damaged, or was moved to another key.
        Tampered: If values were added, removed or reordered.
    """
    check_version(document.metadata)
    data_key = unwrap_data_key(document.metadata, keyring, order)
    cipher = Cipher(data_key)
    with explain_newer(document.metadata):
        plain = decrypt_document(document, cipher, ignore_mac=ignore_mac)
    return Opened(document=plain, cipher=cipher, data_key=data_key)


def encrypt_branches(
    branches: list[Branch], metadata: Metadata, keyring: Keyring, now: str
) -> Document:
    """Return *branches* encrypted under a new data key.

    Raises:
        SopsError: If there are no keys, or a value cannot be encrypted.
        KeyUnusable: If a key cannot wrap.
    """
    data_key = generate_data_key()
    with naming_step("Could not generate data key"):
        wrapped = wrap_data_key(metadata, data_key, keyring, now)
    return encrypt_document(Document(branches, wrapped), Cipher(data_key), now)


def rotate_document(opened: Opened, metadata: Metadata, keyring: Keyring, now: str) -> Document:
    """Return *opened* encrypted under a new data key, wrapped by the keys of *metadata*."""
    return encrypt_branches(opened.document.branches, metadata, keyring, now)


def rewrap_document(
    document: Document, data_key: bytes, metadata: Metadata, keyring: Keyring, now: str
) -> Document:
    """Return the encrypted *document* with its data key wrapped by the keys of *metadata*."""
    with naming_step("error updating one or more master keys"):
        wrapped = wrap_data_key(metadata, data_key, keyring, now)
    kept = document.metadata
    return Document(
        document.branches, replace(kept, groups=wrapped.groups, threshold=wrapped.threshold)
    )


def dump_document(document: Document, store: Store) -> bytes:
    """Write the encrypted *document*.

    Raises:
        SopsError: If the store's format has no place for it.
    """
    return store.dump_encrypted(document.branches, render_metadata(document.metadata))
