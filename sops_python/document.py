"""Encrypts and decrypts a whole file's tree, and proves that nobody changed it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from msgspec.structs import replace

from sops_python.cipher import Cipher, as_bytes
from sops_python.errors import SopsError, Tampered, UndecryptableValue
from sops_python.metadata import Metadata
from sops_python.selection import Comments
from sops_python.tree import Branch, Comment, Confidential, Value

_ENCRYPTED_ONLY_SALT = hashlib.sha256(b"sops").digest()
"""The first input of a MAC that covers only encrypted values."""


class Document(Confidential, frozen=True):
    """A file: its documents (YAML may have several), encrypted or not, and its metadata."""

    branches: list[Branch]
    metadata: Metadata


def encrypt_document(document: Document, cipher: Cipher, now: str) -> Document:
    """Return *document* encrypted, modified at *now* (RFC 3339, UTC).

    Raises:
        SopsError: If a key is not text, or a value is of no type that can be encrypted.
    """
    selection = document.metadata.selection

    def encrypt(value: Value, path: str) -> tuple[Value, Value]:
        text = cipher.encrypt(value, path)
        if isinstance(value, Comment) and selection.leaves_by_comment(text):
            raise SopsError(
                "an encrypted comment matches unencrypted_comment_regex, so that it could not be "
                "decrypted",
                hint=f"choose a regex that fits only your comments, not {selection.pattern!r}",
                exit_code=23,
            )
        return text, value

    walk = _Walk(document, encrypt)
    branches = [walk.walk_branch(branch, (), ()) for branch in document.branches]
    mac = cipher.encrypt(walk.mac, now)
    return Document(branches, replace(document.metadata, last_modified=now, mac=mac))


def decrypt_document(
    document: Document,
    cipher: Cipher,
    *,
    ignore_mac: bool = False,
    wrap: Callable[[Value], Value] | None = None,
) -> Document:
    """Return *document* decrypted; *wrap* is given each value that was encrypted.

    Raises:
        UndecryptableValue: If a value is damaged, or was moved to another key.
        Tampered: If values were added, removed or reordered.
    """

    def decrypt(value: Value, path: str) -> tuple[Value, Value]:
        if isinstance(value, Comment):
            plain = _decrypt_comment(cipher, value, path)
        elif isinstance(value, str):
            plain = _locate(cipher, value, path)
        else:
            raise UndecryptableValue(
                f"{path.rstrip(':')}: Expected encrypted value as string, but got "
                f"{type(value).__name__}",
                hint="this value was written in plain text: edit it with `sops`",
            )
        is_wrapped = wrap is not None and not isinstance(plain, Comment)
        return (wrap(plain) if wrap and is_wrapped else plain), plain

    walk = _Walk(document, decrypt)
    branches = [walk.walk_branch(branch, (), ()) for branch in document.branches]
    if not ignore_mac:
        _check_mac(document.metadata, cipher, walk.mac)
    return Document(branches, document.metadata)


def _locate(cipher: Cipher, value: str, path: str) -> Value:
    try:
        return cipher.decrypt(value, path)
    except UndecryptableValue as exc:
        raise UndecryptableValue(f"{path.rstrip(':')}: {exc.message}", hint=exc.hint) from exc


def _decrypt_comment(cipher: Cipher, comment: Comment, path: str) -> Comment:
    """Return the comment in plain text; one that was never encrypted stays as it is."""
    try:
        plain = cipher.decrypt(comment.text, path)
    except UndecryptableValue:
        return comment
    return plain if isinstance(plain, Comment) else Comment(str(plain))


def _check_mac(metadata: Metadata, cipher: Cipher, computed: str) -> None:
    hint = "somebody changed the file without sops: restore it from Git"
    try:
        recorded = cipher.decrypt(metadata.mac, metadata.last_modified)
    except UndecryptableValue as exc:
        raise Tampered(f"Cannot decrypt MAC: {exc.message}", hint=hint) from exc
    if not hmac.compare_digest(str(recorded), computed):
        # The codes themselves are left out: each is a hash of all values, without a key.
        raise Tampered("MAC mismatch: the file is not what was encrypted", hint=hint)


class _Walk:
    """Passes through a tree once, and computes its MAC on the way.

    *convert* takes a value that is encrypted, and its path; it answers what the value becomes
    and what of it the MAC covers.
    """

    def __init__(
        self, document: Document, convert: Callable[[Value, str], tuple[Value, Value]]
    ) -> None:
        self._selection = document.metadata.selection
        self._convert = convert
        self._hash = hashlib.sha512()
        if self._selection.only_encrypted:
            self._hash.update(_ENCRYPTED_ONLY_SALT)

    @property
    def mac(self) -> str:
        return self._hash.hexdigest().upper()

    def walk_branch(self, branch: Branch, path: tuple[str, ...], comments: Comments) -> Branch:
        result = Branch()
        near: list[str] = []
        below = (*comments, near)
        for key, value in branch:
            if isinstance(key, Comment):
                near.append(key.text)
                result.append((_as_comment(self._convert_leaf(key, path, below), key), None))
            elif isinstance(key, str):
                result.append((key, self._walk_value(value, (*path, key), below)))
                near.clear()
            else:
                raise SopsError(
                    f"Tree contains a non-string key {key!r}. Only string keys are supported",
                    hint="put the key in quotes",
                    exit_code=23,
                )
        return result

    def _walk_list(self, items: list[Value], path: tuple[str, ...], above: Comments) -> list[Value]:
        """A comment in a list becomes an item of it when it is encrypted: that is the format."""
        result = []
        near: list[str] = []
        below = (*above, near)
        for item in items:
            if isinstance(item, Comment):
                near.append(item.text)
                result.append(self._convert_leaf(item, path, below))
            else:
                result.append(self._walk_value(item, path, below))
                near.clear()
        return result

    def _walk_value(self, value: Value, path: tuple[str, ...], comments: Comments) -> Value:
        match value:
            case None:
                return None
            case Branch():
                return self.walk_branch(value, path, comments)
            case list():
                return self._walk_list(value, path, comments)
        return self._convert_leaf(value, path, comments)

    def _convert_leaf(self, value: Value, path: tuple[str, ...], comments: Comments) -> Value:
        is_comment = isinstance(value, Comment)
        covered = value
        selected = self._selection.is_selected(path, comments, is_comment=is_comment)
        if selected:
            value, covered = self._convert(value, ":".join(path) + ":")
        if (selected or not self._selection.only_encrypted) and not isinstance(covered, Comment):
            self._hash.update(as_bytes(covered))
        return value


def _as_comment(value: Value, old: Comment) -> Comment:
    return value if isinstance(value, Comment) else Comment(value, old.is_inline)
