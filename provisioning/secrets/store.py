"""Keeps generated secrets in the workspace's `secrets` folder, encrypted by its rules."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.ids import NAME
from provisioning.secrets.errors import InvalidSecret, mapping_sops_errors
from provisioning.secrets.files import FOLDER, MARK
from provisioning.secrets.generated import GeneratedSecret, Sort, describe, finish, generate, rotate
from sops_python.disk.replacement import replace_file
from sops_python.document import Document
from sops_python.files import dump_document, encrypt_branches, load_encrypted, open_document
from sops_python.keys.keyring import EnvironmentKeyring
from sops_python.metadata import Metadata
from sops_python.rules import FILE_NAME, load_rules
from sops_python.stores.yaml import YamlStore
from sops_python.timestamps import now
from sops_python.tree import Branch, from_plain


class SecretStore:
    """The generated secrets of the workspace at *root*."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._format = YamlStore()
        self._keyring = EnvironmentKeyring(environ=os.environ)

    @mapping_sops_errors()
    def make(self, sort: str, name: str) -> GeneratedSecret:
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
        return self._write(name, document, values)

    @mapping_sops_errors()
    def rotate(self, name: str) -> GeneratedSecret:
        """Put a new one in place of that of *name*, which is kept as `previous`."""
        return self._change(name, lambda values: rotate(values, name, now()))

    @mapping_sops_errors()
    def finish(self, name: str) -> GeneratedSecret:
        """Remove the one that was replaced."""
        return self._change(name, lambda values: finish(values, name))

    @mapping_sops_errors()
    def remove(self, name: str) -> str:
        """Remove the file of *name*, and return its path."""
        path = self._locate(name)
        if self._describe(name, self._load(name).branches[0]) is None:
            raise InvalidArgument(
                f"{self._shorten(path)} was not made by `provisioning secrets`", hint="git rm it"
            )
        path.unlink()
        return self._shorten(path)

    @mapping_sops_errors()
    def list_all(self) -> list[GeneratedSecret]:
        """Return all of them; no key is needed."""
        names = sorted(
            path.name.partition(MARK)[0] for path in (self._root / FOLDER).glob(f"*{MARK}.yaml")
        )
        found = (self._describe(name, self._load(name).branches[0]) for name in names)
        return [secret for secret in found if secret]

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

    def _change(self, name: str, change: Callable[[Branch], Branch]) -> GeneratedSecret:
        opened = open_document(self._load(name), self._keyring)
        values = change(opened.document.branches[0])
        document = Document([values], opened.document.metadata)
        return self._write(name, replace(opened, document=document).seal(now()), values)

    def _write(self, name: str, document: Document, values: Branch) -> GeneratedSecret:
        replace_file(self._locate(name), dump_document(document, self._format))
        written = self._describe(name, values)
        assert written is not None  # noqa: S101  it was made here
        return written

    def _describe(self, name: str, values: Branch) -> GeneratedSecret | None:
        return describe(name, values, self._shorten(self._locate(name)))
