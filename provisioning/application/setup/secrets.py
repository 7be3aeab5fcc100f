"""`secrets`: the rules, recipients, checks and generated secrets of a workspace's work tree."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Generic

import msgspec

from provisioning.application.context import Context, Result_co, UseCaseRequest
from provisioning.config.home import find_home
from provisioning.config.workspace import find_workspace
from provisioning.core.model.errors import InvalidArgument
from provisioning.core.model.values import FingerprintKey
from provisioning.gitstore.repository.repository import open_repository
from provisioning.gitstore.repository.work_tree import (
    commit_all,
    find_hooks,
    list_files,
    list_staged,
)
from provisioning.secrets import recipients
from provisioning.secrets.audit import Checker, SecretFinding, check_all, is_encrypted
from provisioning.secrets.files import write_file
from provisioning.secrets.generated import GeneratedSecret
from provisioning.secrets.store import SecretStore
from sops_python.keys.keyring import EnvironmentKeyring
from sops_python.metadata import MasterKey
from sops_python.rules import FILE_NAME

HOOK = """\
#!/bin/sh
# Refuses to commit secrets in plain text.
exec {python} -m provisioning secrets guard
"""


class SecretsRequest(UseCaseRequest[Result_co], Generic[Result_co], frozen=True, kw_only=True):
    """The request of a use case on the secrets of the workspace at or above *folder*."""

    folder: Path

    @property
    def root(self) -> Path:
        """The folder of the workspace.

        Raises:
            WorkspaceNotFound: If there is none.
        """
        return find_workspace(self.folder)


# Rules and recipients


class InitSecretsRequest(SecretsRequest[recipients.NewRules], frozen=True, kw_only=True):
    """Make an age identity, unless there is one, and the rules that encrypt for it."""


def init_secrets(request: InitSecretsRequest, context: Context) -> recipients.NewRules:
    """Write the identity outside of the repository, and the rules into the workspace."""
    del context
    return recipients.make_rules(request.root, os.environ)


class FileRecipients(msgspec.Struct, frozen=True):
    """One encrypted file, and the keys that open it."""

    path: str
    keys: tuple[MasterKey, ...]


class ListRecipientsRequest(SecretsRequest[tuple[FileRecipients, ...]], frozen=True, kw_only=True):
    """List who can read each file."""


def list_recipients(request: ListRecipientsRequest, context: Context) -> tuple[FileRecipients, ...]:
    """Return the recipients of each encrypted file; no key is needed."""
    del context
    root = request.root
    files = _list_encrypted(root, _open_checker(root))
    return tuple(
        FileRecipients(name, tuple(recipients.list_keys(name, data))) for name, data in files
    )


class AddRecipientRequest(SecretsRequest[int], frozen=True, kw_only=True):
    """Let the owner of the age recipient *key* read every secret."""

    key: str


def add_recipient(request: AddRecipientRequest, context: Context) -> int:
    """Change the rules and wrap every file anew, in one commit; return how many files."""
    del context
    data = recipients.add_recipient(_read_rules(request.root), request.key)
    return _rewrap(request.root, data, f"Let {request.key} read the secrets", rotate=False)


class RemoveRecipientRequest(SecretsRequest[int], frozen=True, kw_only=True):
    """Encrypt every secret anew, without the age recipient *key*."""

    key: str


def remove_recipient(request: RemoveRecipientRequest, context: Context) -> int:
    """Change the rules and encrypt every file anew, in one commit; return how many files."""
    del context
    data = recipients.remove_recipient(_read_rules(request.root), request.key)
    return _rewrap(request.root, data, f"{request.key} no longer reads the secrets", rotate=True)


def _read_rules(root: Path) -> bytes:
    rules = recipients.find_rules(root)
    if rules is None:
        raise InvalidArgument(
            f"there is no {FILE_NAME} in {root}", hint="`provisioning secrets init` makes one"
        )
    return rules.path.read_bytes()


def _rewrap(root: Path, data: bytes, message: str, *, rotate: bool) -> int:
    """Write the rules *data* and every file by them; write nothing if one cannot be read."""
    rules = recipients.read_rules(data, root / FILE_NAME)
    keyring = EnvironmentKeyring(environ=os.environ)
    files = dict(_list_encrypted(root, Checker(root, rules, keyring)))
    changed = {FILE_NAME: data} | recipients.follow_rules(files, rules, keyring, rotate=rotate)
    for name, content in changed.items():
        write_file(root / name, content)
    commit_all(root, sorted(changed), message)
    return len(changed) - 1


def _list_encrypted(root: Path, checker: Checker) -> Iterator[tuple[str, bytes]]:
    for name in list_files(root):
        if checker.must_be_encrypted(name):
            data = (root / name).read_bytes()
            if is_encrypted(name, data):
                yield name, data


# Checks


class CheckedSecrets(msgspec.Struct, frozen=True):
    """The findings in *count* files."""

    findings: tuple[SecretFinding, ...]
    count: int


class CheckSecretsRequest(SecretsRequest[CheckedSecrets], frozen=True, kw_only=True):
    """Check every file, and Git's whole history."""


def check_secrets(request: CheckSecretsRequest, context: Context) -> CheckedSecrets:
    """Find secrets that cannot be read, are for others than the rules say, or are in plain text."""
    del context
    root = request.root
    files = [(name, (root / name).read_bytes()) for name in list_files(root)]
    history = _walk_history(root, {data for _, data in files})
    found = sorted(set(check_all(_open_checker(root), files, history)))
    return CheckedSecrets(tuple(found), len(files))


def _walk_history(root: Path, current: set[bytes]) -> Iterator[tuple[str, bytes, str]]:
    repository = open_repository(root)
    for commit, change in repository.walk_all_changes():
        data = repository.read_blob(change.after) if change.after else None
        if data is not None and data not in current:
            yield change.path, data, commit


class GuardSecretsRequest(SecretsRequest[CheckedSecrets], frozen=True, kw_only=True):
    """Find secrets in plain text in the staged files, or with *everything* in any file."""

    everything: bool = False


def guard_secrets(request: GuardSecretsRequest, context: Context) -> CheckedSecrets:
    """Return the secrets in plain text that a commit would take in."""
    del context
    root = request.root
    checker = _open_checker(root)
    files = (
        {name: (root / name).read_bytes() for name in list_files(root)}
        if request.everything
        else list_staged(root)
    )
    found = [item for name, data in files.items() for item in checker.check_plain(name, data)]
    return CheckedSecrets(tuple(sorted(found)), len(files))


class InstallGuardRequest(SecretsRequest[Path], frozen=True, kw_only=True):
    """Let Git ask the guard before each commit."""


def install_guard(request: InstallGuardRequest, context: Context) -> Path:
    """Write Git's pre-commit hook, and return its path."""
    del context
    hook = find_hooks(request.root) / "pre-commit"
    if hook.exists():
        raise InvalidArgument(
            f"{hook} exists already", hint="add `provisioning secrets guard` to it"
        )
    hook.parent.mkdir(parents=True, exist_ok=True)
    write_file(hook, HOOK.format(python=shlex.quote(sys.executable)).encode())
    hook.chmod(0o755)
    return hook


def _open_checker(root: Path) -> Checker:
    return Checker(root, recipients.find_rules(root), EnvironmentKeyring(environ=os.environ))


# Generated secrets


class MakeSecretRequest(SecretsRequest[GeneratedSecret], frozen=True, kw_only=True):
    """Make a secret of *sort*, `ssh-key` or `token`."""

    sort: str
    name: str


def make_secret(request: MakeSecretRequest, context: Context) -> GeneratedSecret:
    """Write it, encrypted by the workspace's rules."""
    del context
    return SecretStore(request.root).make(request.sort, request.name)


class RotateSecretRequest(SecretsRequest[GeneratedSecret], frozen=True, kw_only=True):
    """Make a secret anew and keep the old one, or with *finish* remove the old one."""

    name: str
    finish: bool = False


def rotate_secret(request: RotateSecretRequest, context: Context) -> GeneratedSecret:
    """Do the first or the second step of its rotation."""
    del context
    store = SecretStore(request.root)
    return store.finish(request.name) if request.finish else store.rotate(request.name)


class ListSecretsRequest(SecretsRequest[tuple[GeneratedSecret, ...]], frozen=True, kw_only=True):
    """List the generated secrets of *sort*."""

    sort: str


def list_secrets(request: ListSecretsRequest, context: Context) -> tuple[GeneratedSecret, ...]:
    """Return each with its fingerprint and age; no key is needed."""
    del context
    return tuple(item for item in SecretStore(request.root).list_all() if item.sort == request.sort)


class RemoveSecretRequest(SecretsRequest[str], frozen=True, kw_only=True):
    """Remove the file of a generated secret."""

    name: str


def remove_secret(request: RemoveSecretRequest, context: Context) -> str:
    """Ask, remove it, and return its path."""
    context.confirm(f"Remove {request.name}?")
    return SecretStore(request.root).remove(request.name)


class NewFingerprintKey(msgspec.Struct, frozen=True):
    """The key in *path*, which knows the fingerprints of its former ones."""

    path: Path
    key: FingerprintKey


class RotateFingerprintKeyRequest(UseCaseRequest[NewFingerprintKey], frozen=True, kw_only=True):
    """Make the key of this user's fingerprints anew, or with *finish* forget the former ones."""

    finish: bool = False


def rotate_fingerprint_key(
    request: RotateFingerprintKeyRequest, context: Context
) -> NewFingerprintKey:
    """Do the first or the second step of its rotation."""
    del context
    home = find_home(os.environ)
    key = home.rotate_fingerprint_key(finish=request.finish)
    return NewFingerprintKey(home.path / "fingerprint.key", key)
