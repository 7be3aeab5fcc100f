"""Wraps data keys for age recipients (https://age-encryption.org/v1), native and SSH."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from sops_python.errors import KeyUnusable

if TYPE_CHECKING:
    import pyrage

    Identity: TypeAlias = pyrage.x25519.Identity | pyrage.ssh.Identity | pyrage.plugin.Identity

KEY, KEY_FILE, KEY_COMMAND = "SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD"
SSH_FILE, SSH_COMMAND = "SOPS_AGE_SSH_PRIVATE_KEY_FILE", "SOPS_AGE_SSH_PRIVATE_KEY_CMD"
RECIPIENT = "SOPS_AGE_RECIPIENT"
"""The variable by which the two commands know the recipient."""

DEFAULT_FILE = "sops/age/keys.txt"
"""Where identities lie below the user's folder of configurations."""

AskPassphrase: TypeAlias = Callable[[str], str]
"""Asks for the passphrase of the place it is given."""


def wrap(recipient: str, data_key: bytes) -> str:
    """Return *data_key* encrypted to *recipient*, armoured.

    Raises:
        KeyUnusable: If it is no age or SSH recipient.
    """
    import pyrage

    armoured: bytes = pyrage.encrypt(data_key, [_parse_recipient(recipient)], armored=True)
    return armoured.decode()


def check_recipient(text: str) -> None:
    """Make sure that *text* is a recipient.

    Raises:
        KeyUnusable: If it is none.
    """
    _parse_recipient(text)


def _parse_recipient(text: str) -> object:
    import pyrage

    try:
        if text.startswith("ssh-"):
            return pyrage.ssh.Recipient.from_str(text)
        if text.startswith("age1pq1"):
            return _build_hybrid(text)
        if text.startswith("age1") and text.count("1") > 1:
            return _build_plugin(text)
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as exc:
        raise KeyUnusable(
            f"{text!r} is not an age recipient: {exc}",
            hint="it begins with age1 or ssh-; `age-keygen -y FILE` prints that of an identity",
        ) from exc


def _build_hybrid(text: str) -> object:
    raise KeyUnusable(
        f"{text[:20]}… is a post-quantum recipient, which pyrage cannot use yet",
        hint="use an X25519 recipient (age1…)",
    )


def _build_plugin(text: str) -> object:
    import pyrage

    recipient = pyrage.plugin.Recipient.from_str(text)
    return pyrage.plugin.RecipientPluginV1(recipient.plugin(), [recipient], [])


class Identities:
    """The age identities of a user, read when the first is needed, and never again.

    Args:
        environ: The environment variables; `HOME` and `XDG_CONFIG_HOME` say the default places.
        ask: Asks for the passphrase of an encrypted identity file.
    """

    def __init__(self, environ: Mapping[str, str], ask: AskPassphrase) -> None:
        self._environ = environ
        self._ask = ask
        self._loaded: list[Identity] | None = None
        self._missing: list[str] = []
        self._errors: list[str] = []

    def unwrap(self, recipient: str, wrapped: str) -> bytes:
        """Return the data key that *wrapped* holds for *recipient*.

        Raises:
            KeyUnusable: If no identity at hand is the recipient's.
        """
        import pyrage

        identities = [*self._load(), *self._run_commands(recipient)]
        if not identities:
            raise KeyUnusable(f"failed to load age identities{self._describe()}", hint=HINT)
        try:
            data_key: bytes = pyrage.decrypt(wrapped.strip().encode(), identities)
        except pyrage.DecryptError as exc:
            raise KeyUnusable(
                f"no identity matched the recipient {recipient}{self._describe()}: {exc}",
                hint=HINT,
            ) from exc
        return data_key

    def _describe(self) -> str:
        errors = f". Errors while loading age identities: {'; '.join(self._errors)}"
        return (errors if self._errors else "") + (
            f". Did not find keys in {', '.join(self._missing)}" if self._missing else ""
        )

    def _load(self) -> list[Identity]:
        if self._loaded is None:
            self._loaded = []
            for read in (self._read_ssh, self._read_variable, self._read_file, self._read_default):
                try:
                    self._loaded += read()
                except (OSError, KeyUnusable) as exc:
                    self._errors.append(str(exc))
        return self._loaded

    def _read_ssh(self) -> Iterator[Identity]:
        if path := self._environ.get(SSH_FILE):
            yield _parse_ssh(Path(path).read_bytes(), path)
        else:
            self._missing.append(SSH_FILE)
        for name in ("id_ed25519", "id_rsa"):
            place = Path(self._environ.get("HOME", "/")) / ".ssh" / name
            if not place.exists():
                self._missing.append(str(place))
                continue
            try:
                yield _parse_ssh(place.read_bytes(), str(place))
            except (OSError, KeyUnusable) as exc:
                self._errors.append(str(exc))

    def _read_variable(self) -> Iterator[Identity]:
        text = self._environ.get(KEY)
        if text is None:
            self._missing.append(KEY)
            return
        yield from parse_identities(text, KEY)

    def _read_file(self) -> Iterator[Identity]:
        path = self._environ.get(KEY_FILE)
        if path is None:
            self._missing.append(KEY_FILE)
            return
        yield from self._parse_file(Path(path))

    def _read_default(self) -> Iterator[Identity]:
        path = find_default_file(self._environ)
        if path.exists():
            yield from self._parse_file(path)
        else:
            self._missing.append(str(path))

    def _parse_file(self, path: Path) -> Iterator[Identity]:
        data = path.read_bytes()
        if data.startswith((b"age-encryption", b"-----BEGIN AGE")):
            data = self._open_encrypted(data, path)
        yield from parse_identities(data.decode("utf-8", "replace"), str(path))

    def _open_encrypted(self, data: bytes, path: Path) -> bytes:
        import pyrage

        try:
            text: bytes = pyrage.passphrase.decrypt(data, self._ask(str(path)))
        except pyrage.DecryptError as exc:
            raise KeyUnusable(
                f"{path}: the passphrase is wrong", hint="try again with the right one"
            ) from exc
        return text

    def _run_commands(self, recipient: str) -> Iterator[Identity]:
        if command := self._environ.get(KEY_COMMAND):
            output = self._run(command, KEY_COMMAND, recipient)
            yield from parse_identities(output.decode("utf-8", "replace"), KEY_COMMAND)
        if command := self._environ.get(SSH_COMMAND):
            yield _parse_ssh(self._run(command, SSH_COMMAND, recipient), SSH_COMMAND)

    def _run(self, command: str, name: str, recipient: str) -> bytes:
        import shlex
        import subprocess

        environ = {**self._environ, RECIPIENT: recipient}
        try:
            done = subprocess.run(
                shlex.split(command), env=environ, capture_output=True, check=True
            )
        except (OSError, ValueError, subprocess.CalledProcessError) as exc:
            raise KeyUnusable(
                f"the command in {name} failed: {_describe_failure(exc)}",
                hint=f"run it yourself, or unset {name}",
            ) from exc
        return done.stdout


HINT = f"set {KEY_FILE} to the file that holds the identity, or ask for access"


def _describe_failure(error: Exception) -> str:
    status = getattr(error, "returncode", None)
    return str(error) if status is None else f"it ended with status {status}"


def find_default_file(environ: Mapping[str, str]) -> Path:
    """Return where a user's identities lie unless a variable says otherwise."""
    home = Path(environ.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111  HOME may be unset
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / DEFAULT_FILE


def make_identity(path: Path) -> str:
    """Return the recipient of the identity at *path*; make one if there is none.

    Raises:
        KeyUnusable: If what is there is no X25519 identity, or it cannot be written.
    """
    import pyrage

    if path.exists():
        found = parse_identities(path.read_text("utf-8", "replace"), str(path))
        own = next((item for item in found if hasattr(item, "to_public")), None)
        if own is None:
            raise KeyUnusable(f"{path} holds no age identity", hint="make one with `age-keygen`")
        return str(own.to_public())
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as exc:
        raise KeyUnusable(
            f"{path} cannot be made: {exc.strerror}", hint=f"set {KEY_FILE} to another place"
        ) from exc
    with os.fdopen(handle, "w") as file:
        file.write(f"# public key: {recipient}\n{identity}\n")
    return recipient


def parse_identities(text: str, place: str) -> list[Identity]:
    """Return the identities in *text*; empty lines and those that begin with # say nothing.

    Raises:
        KeyUnusable: If a word of it is no identity; the error does not repeat it.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            continue
        found += [_parse_identity(word, place, number) for word in line.split()]
    return found


@lru_cache
def _parse_identity(text: str, place: str, line: int) -> Identity:
    import pyrage

    try:
        if re.match("AGE-PLUGIN-", text):
            identity = pyrage.plugin.Identity.from_str(text)
            return pyrage.plugin.IdentityPluginV1(identity.plugin(), [identity])
        if text.startswith("AGE-SECRET-KEY-1"):
            return pyrage.x25519.Identity.from_str(text)
    except pyrage.IdentityError:
        pass
    raise KeyUnusable(
        f"{place}, line {line}: this is not an age identity",
        hint="a line holds AGE-SECRET-KEY-1… and nothing else; make one with `age-keygen`",
    )


def _parse_ssh(data: bytes, place: str) -> Identity:
    import pyrage

    try:
        return pyrage.ssh.Identity.from_buffer(data)
    except pyrage.IdentityError as exc:
        raise KeyUnusable(
            f"{place} holds no SSH identity that can be used: {exc}",
            hint="keys with a passphrase cannot be used; make an age identity instead",
        ) from exc
