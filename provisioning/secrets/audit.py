"""Finds secrets that can be read by somebody who should not, or by nobody who should."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.sensitive import list_secret_texts
from provisioning.secrets.errors import mapping_sops_errors
from provisioning.secrets.exposed_credentials import CREDENTIALS
from provisioning.secrets.files import MARK
from provisioning.secrets.recipients import differs, read_wanted
from provisioning.secrets.values import open_secrets
from sops_python.data_keys import Keyring
from sops_python.errors import NotEncrypted, SopsError
from sops_python.files import choose_format, load_encrypted, open_store
from sops_python.rules import Rules

SHORTEST = 8
"""Secrets of fewer characters are not searched in other files, which hold them by chance."""


class SecretFinding(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong: the file, the commit if it is in history, what, and what to do."""

    path: str
    commit: str
    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.path}{f' in commit {self.commit[:10]}' if self.commit else ''}: {self.what}"


class Checker:
    """Checks files by the rules of a workspace.

    Args:
        root: The workspace's folder.
        rules: Its `.sops.yaml`, if there is one.
        keyring: The available keys.
    """

    def __init__(self, root: Path, rules: Rules | None, keyring: Keyring) -> None:
        self._root, self._rules, self._keyring = root, rules, keyring
        self._known: dict[bytes, str] = {}

    @mapping_sops_errors()
    def must_be_encrypted(self, path: str) -> bool:
        """Return whether the name of *path*, or a rule with a `path_regex`, says encrypted.

        Raises:
            InvalidSecret: If a `path_regex` is no expression.
        """
        if MARK in Path(path).suffixes:
            return True
        return self._rules is not None and self._rules.has_pattern_for(path)

    def check_encrypted(self, path: str, data: bytes) -> Iterator[SecretFinding]:
        """Check that the SOPS file *data* can be read, and by whom its rule says."""
        try:
            with mapping_sops_errors():
                document = load_encrypted(data, open_store(choose_format(path)))
            values = open_secrets(data, path, self._keyring)
            if self._rules:
                wanted = read_wanted(self._rules, self._root / path, document.metadata)
                if differs(document.metadata, wanted):
                    yield SecretFinding(
                        path,
                        "",
                        "its recipients are not those of .sops.yaml",
                        f"provisioning sops updatekeys {path}",
                    )
        except ProvisioningError as exc:
            yield SecretFinding(path, "", exc.message, exc.hint or "")
            return
        for text in list_secret_texts(values):
            if len(text) >= SHORTEST:
                self._known[text.encode("utf-8", "surrogateescape")] = path

    def check_plain(self, path: str, data: bytes, commit: str = "") -> Iterator[SecretFinding]:
        """Check that *data* holds nothing that ought to be encrypted."""
        if self.must_be_encrypted(path) and not is_encrypted(path, data):
            hint = (
                "take it out of the history (git filter-repo) and change the secret"
                if commit
                else f"provisioning sops encrypt -i {path}"
            )
            yield SecretFinding(path, commit, "it is in plain text and must be encrypted", hint)
            return
        for what, shape in CREDENTIALS.items():
            if shape.search(data):
                hint = "keep it as a secret: `provisioning sops secrets/NAME.enc.yaml`"
                yield SecretFinding(path, commit, f"it holds {what}", hint)
        for text, source in self._known.items():
            if text in data:
                hint = "refer to it as {{secrets.…}}, and change the secret: it is known"
                yield SecretFinding(path, commit, f"it holds a secret of {source}", hint)


def is_encrypted(path: str, data: bytes) -> bool:
    """Return whether *data* is a SOPS file."""
    try:
        load_encrypted(data, open_store(choose_format(path)))
    except NotEncrypted:
        return False
    except SopsError:
        return b"ENC[AES256_GCM" in data
    return True


def check_all(
    checker: Checker,
    files: Iterable[tuple[str, bytes]],
    history: Iterable[tuple[str, bytes, str]],
) -> Iterator[SecretFinding]:
    """Check *files*, and then *history*, in which each file has the commit it came with."""
    known = list(files)
    for path, data in known:
        if checker.must_be_encrypted(path) and is_encrypted(path, data):
            yield from checker.check_encrypted(path, data)
    for path, data in known:
        yield from checker.check_plain(path, data)
    for path, data, commit in history:
        yield from checker.check_plain(path, data, commit)
