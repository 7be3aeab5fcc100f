"""The values of `{{secrets.NAME.…}}`: those of a commit's SOPS files, as secrets.

`NAME` is a file `NAME.enc.yaml`, `.yml`, `.json`, `.env`, `.ini`, or `NAME.enc` for any other
content, in the infra's folder or in `secrets/`; the infra's comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from provisioning.core.expressions.interpolation import Reference
from provisioning.core.model.errors import InvalidManifest, ProvisioningError, Source
from provisioning.core.model.redaction import Redactor
from provisioning.core.model.sensitive import Secret, find_encrypted, list_secret_texts, reveal
from provisioning.core.model.values import Path, Tree, find_nearest, read_at
from provisioning.secrets.errors import mapping_sops_errors
from provisioning.secrets.files import MARK, Read, find_file
from sops_python.cipher import Cipher
from sops_python.data_keys import Keyring, unwrap_data_key
from sops_python.document import Document, decrypt_document
from sops_python.files import Format, choose_format, load_encrypted, open_store
from sops_python.metadata import explain_newer
from sops_python.tree import Value, as_plain


@mapping_sops_errors()
def open_secrets(data: bytes, path: str, keyring: Keyring) -> Tree:
    """Return the values of the SOPS file *data*, those that were encrypted as secrets.

    A file of no format that has keys is one secret as a whole.

    Raises:
        InvalidSecret: If it cannot be read, or was tampered with.
        SecretLocked: If no key opens it.
    """
    kind = choose_format(path)
    document = load_encrypted(data, open_store(kind))
    cipher = Cipher(unwrap_data_key(document.metadata, keyring))
    with explain_newer(document.metadata):
        return join_values(decrypt_document(document, cipher, wrap=_hide), kind)


def join_values(document: Document, kind: Format) -> Tree:
    """Return the values of *document*, a file of the format *kind*, as references find them."""
    branches = document.branches
    values = {name: item for branch in branches for name, item in as_plain(branch).items()}
    return values["data"] if kind == Format.BINARY and values.keys() == {"data"} else values


def _hide(value: Value) -> Secret:
    return Secret(as_plain(value))


@dataclass(slots=True, kw_only=True)
class SecretFiles:
    """The secrets of one infra at one commit; each file is decrypted once.

    Args:
        folders: The folders of secrets, relative to the workspace; the first has precedence.
        read: Reads a file of the commit.
        list_names: Lists the files of a folder of the commit.
        keyring: Holds the keys.
        redactor: Gets every secret.
    """

    folders: Sequence[str]
    read: Read
    list_names: Callable[[str], Sequence[str]]
    keyring: Keyring
    redactor: Redactor = field(default_factory=Redactor)
    _known: dict[str, Tree] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, reference: Reference, source: Source | None) -> Tree:
        """Return the value of *reference*.

        Raises:
            InvalidManifest: If there is no such file or value, or it cannot be decrypted.
        """
        name, *steps = reference.steps
        values = self._load(name, reference, source)
        try:
            value = read_at(values, find_path(values, steps))
        except KeyError:
            raise _describe_missing(reference, name, values, steps, source) from None
        if find_encrypted(reveal(value)) is not None:
            raise InvalidManifest(
                f"{{{{{reference}}}}} is still encrypted after it was decrypted",
                hint="it was encrypted twice: `sops FILE`, and write the plain text",
                source=source,
            )
        return value

    def _load(self, name: str, reference: Reference, source: Source | None) -> Tree:
        if name not in self._known:
            path, data = self._find(name, reference, source)
            try:
                values = self._known[name] = open_secrets(data, path, self.keyring)
            except ProvisioningError as exc:
                raise InvalidManifest(
                    f"{{{{{reference}}}}}: {path}: {exc.message}", hint=exc.hint, source=source
                ) from exc
            for text in list_secret_texts(values):
                self.redactor.add(text)
        return self._known[name]

    def _find(self, name: str, reference: Reference, source: Source | None) -> tuple[str, bytes]:
        found = find_file(name, self.folders, self.read)
        if found is not None:
            return found
        known = sorted({item for folder in self.folders for item in self._list(folder)})
        nearest = find_nearest(name, known)
        raise InvalidManifest(
            f"{{{{{reference}}}}} has no value: no committed file {name}{MARK}.yaml is in "
            f"{' or '.join(self.folders)}",
            hint=f"did you mean {nearest!r}?"
            if nearest
            else f"make it: `provisioning sops {self.folders[-1]}/{name}{MARK}.yaml`, and commit",
            source=source,
        )

    def _list(self, folder: str) -> list[str]:
        return [name.partition(MARK)[0] for name in self.list_names(folder) if MARK in name]


def find_path(values: Tree, steps: Sequence[str]) -> Path:
    """Return *steps* with numbers where a list is gone through.

    Raises:
        KeyError: If nothing stands there.
    """
    path: list[str | int] = []
    for step in steps:
        is_position = isinstance(values, list) and step.isdecimal()
        path.append(int(step) if is_position else step)
        values = read_at(values, (path[-1],))
    return tuple(path)


def _describe_missing(
    reference: Reference, name: str, values: Tree, steps: Sequence[str], source: Source | None
) -> InvalidManifest:
    known = list(values) if isinstance(values, Mapping) else []
    nearest = find_nearest(steps[0], known) if steps else None
    return InvalidManifest(
        f"{{{{{reference}}}}} has no value: {name} has no {'.'.join(steps)!r}",
        hint=f"did you mean {nearest!r}?"
        if nearest
        else f"it has: {', '.join(known) or 'no keys'}",
        source=source,
    )
