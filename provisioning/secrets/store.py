"""Keeps generated secrets in the workspace's `secrets` folder, encrypted by its rules."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import NAME
from provisioning.secrets.errors import InvalidSecret, mapping_sops_errors
from provisioning.secrets.files import FOLDER, MARK
from provisioning.secrets.generated import Listed, Sort, describe, finish, generate, rotate
from sops_python.disk.replacement import replace_file
from sops_python.document import Document
from sops_python.files import (
    Opened,
    dump_document,
    encrypt_branches,
    load_encrypted,
    open_document,
)
from sops_python.keys.keyring import EnvironmentKeyring
from sops_python.metadata import Metadata
from sops_python.rules import FILE_NAME, load_rules
from sops_python.stores.yaml import YamlStore
from sops_python.timestamps import now
from sops_python.tree import Branch, from_plain

_FIELDS = {Sort.SSH_KEY: "private", Sort.TOKEN: "value"}


class StoredSecret(msgspec.Struct, frozen=True):
    """A generated secret, and the file it is in."""

    path: str
    listed: Listed

    @property
    def name(self) -> str:
        """Its name."""
        return self.listed.name

    @property
    def sort(self) -> str:
        """The kind of secret."""
        return self.listed.sort

    @property
    def field(self) -> str:
        """The key of its value."""
        return _FIELDS[Sort(self.listed.sort)]

    @property
    def fingerprint(self) -> str:
        """The text that distinguishes it from others."""
        return self.listed.fingerprint

    @property
    def created(self) -> str:
        """When it was made, in RFC 3339."""
        return self.listed.created

    @property
    def has_previous(self) -> bool:
        """True if the secret that it replaced is still there."""
        return self.listed.has_previous

    @property
    def age(self) -> str:
        """How old it is, in whole days."""
        try:
            days = (datetime.now(UTC) - datetime.fromisoformat(self.created)).days
        except ValueError:
            return "of unknown age"
        return f"{days} days old"


class SecretStore:
    """The generated secrets of the workspace at *root*."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._format = YamlStore()
        self._keyring = EnvironmentKeyring(environ=os.environ)

    @mapping_sops_errors()
    def make(self, sort: str, name: str) -> StoredSecret:
        """Make a new one.

        Raises:
            InvalidArgument: If the name is taken, or is none.
            InvalidSecret: If no rule says for whom to encrypt it.
        """
        if not NAME.match(name):
            raise InvalidArgument(
                f"{name!r} cannot be a secret's name", hint="use small letters, digits, - and _"
            )
        path = self._locate(name)
        if path.exists():
            raise InvalidArgument(
                f"{self._shorten(path)} exists already",
                hint=f"`provisioning secrets {sort} rotate {name}` makes a new one",
            )
        rule = load_rules(self._root / FILE_NAME).find_rule(path)
        if rule is None:
            raise InvalidSecret(
                f"{FILE_NAME} has no creation rules", hint="provisioning secrets init"
            )
        metadata = Metadata(groups=rule.groups, selection=rule.selection, threshold=rule.threshold)
        values = from_plain(generate(Sort(sort), name, now()))
        document = encrypt_branches([values], metadata, self._keyring, now())
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, dump_document(document, self._format))
        return self._describe(name, values)

    @mapping_sops_errors()
    def rotate(self, name: str) -> StoredSecret:
        """Put a new one in place of that of *name*, which is kept as `previous`."""
        opened = self._open(name)
        return self._write(name, opened, rotate(opened.document.branches[0], name, now()))

    @mapping_sops_errors()
    def finish(self, name: str) -> StoredSecret:
        """Remove the one that was replaced."""
        opened = self._open(name)
        return self._write(name, opened, finish(opened.document.branches[0], name))

    @mapping_sops_errors()
    def remove(self, name: str) -> str:
        """Remove the file of *name*, and return its path."""
        path = self._locate(name)
        if describe(name, self._load(name).branches[0]) is None:
            raise InvalidArgument(
                f"{self._shorten(path)} was not made by `provisioning secrets`", hint="git rm it"
            )
        path.unlink()
        return self._shorten(path)

    @mapping_sops_errors()
    def list_all(self) -> list[StoredSecret]:
        """Return all of them; no key is needed."""
        names = sorted(
            path.name.partition(MARK)[0] for path in (self._root / FOLDER).glob(f"*{MARK}.yaml")
        )
        found = ((name, describe(name, self._load(name).branches[0])) for name in names)
        return [
            StoredSecret(self._shorten(self._locate(name)), item) for name, item in found if item
        ]

    def _locate(self, name: str) -> Path:
        return self._root / FOLDER / f"{name}{MARK}.yaml"

    def _shorten(self, path: Path) -> str:
        return str(path.relative_to(self._root))

    def _load(self, name: str) -> Document:
        path = self._locate(name)
        if not path.is_file():
            raise InvalidArgument(
                f"there is no {self._shorten(path)}", hint="`provisioning secrets token ls`"
            )
        return load_encrypted(path.read_bytes(), self._format)

    def _open(self, name: str) -> Opened:
        return open_document(self._load(name), self._keyring)

    def _write(self, name: str, opened: Opened, values: Branch) -> StoredSecret:
        document = Document([values], opened.document.metadata)
        sealed = replace(opened, document=document).seal(now())
        replace_file(self._locate(name), dump_document(sealed, self._format))
        return self._describe(name, values)

    def _describe(self, name: str, values: Branch) -> StoredSecret:
        listed = describe(name, values)
        assert listed is not None  # noqa: S101  it was made just now
        return StoredSecret(self._shorten(self._locate(name)), listed)
