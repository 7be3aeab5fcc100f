"""Files as the commands of `sops` use them: rules, keys, reading and writing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from sops_python.data_keys import DECRYPTION_ORDER, Keyring
from sops_python.disk.replacement import replace_file
from sops_python.document import Document
from sops_python.errors import SopsError, UnreadableFile
from sops_python.files import (
    Format,
    Indents,
    Opened,
    Store,
    choose_format,
    load_encrypted,
    open_document,
    open_store,
)
from sops_python.keys import names
from sops_python.keys.chain import join_keyrings
from sops_python.keys.keyring import EnvironmentKeyring
from sops_python.metadata import MasterKey, Metadata
from sops_python.rules import (
    Rule,
    Rules,
    describe_near_miss,
    find_file,
    load_rules,
)
from sops_python.selection import RULES, Selection

Options = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Bench:
    """Where the commands work: the folder, the environment, and the global options.

    Args:
        config: The `.sops.yaml` that was named; "" to search for one.
        indent: The indentation that was asked for.
        only_encrypted: The MAC is to cover only what is encrypted.
        has_local_service: The keys at hand may be used.
        services: The addresses of key services that were named.
    """

    folder: Path
    environ: Mapping[str, str] = field(repr=False)
    config: str = ""
    indent: int | None = None
    only_encrypted: bool = False
    has_local_service: bool = True
    services: tuple[str, ...] = ()
    _rules: Rules | None = None
    _keyring: Keyring | None = None

    @property
    def keyring(self) -> Keyring:
        """The keys at hand, if they may be used, and then those of each key service."""
        if self._keyring is None:
            local = (self.open_local_keyring(),) if self.has_local_service else ()
            self._keyring = join_keyrings((*local, *self._open_services()))
        return self._keyring

    def open_local_keyring(self) -> Keyring:
        """Return the keys that are at hand now."""
        return EnvironmentKeyring(environ=self.environ, ask=_ask_passphrase)

    def _open_services(self) -> Iterator[Keyring]:
        if not self.services:
            return
        from sops_python.keyservice.client import RemoteKeyring
        from sops_python.keyservice.transport import InvalidAddress

        for address in self.services:
            try:
                yield RemoteKeyring(address, self.folder)
            except InvalidAddress as exc:
                click.echo(f"{exc}, and is not asked; {exc.hint}", err=True)

    def locate(self, name: str) -> Path:
        """Return the absolute path of *name*."""
        return Path(os.path.normpath(self.folder / name))

    def find_rules(self) -> Rules | None:
        """Return the `.sops.yaml` that holds here; None if there is none."""
        if self._rules is None:
            path = self.locate(self.config) if self.config else find_file(self.folder)
            if path is None:
                if warning := describe_near_miss(self.folder):
                    click.echo(warning, err=True)
                return None
            self._rules = load_rules(path)
        return self._rules

    def need_rules(self) -> Rules:
        """Return the `.sops.yaml` that holds here.

        Raises:
            SopsError: If there is none.
        """
        rules = self.find_rules()
        if rules is None:
            raise SopsError("config file not found", hint="write .sops.yaml, or pass --config")
        return rules

    def find_rule(self, path: Path, options: Options) -> Rule | None:
        """Return the creation rule for *path*; None if there are no rules."""
        rules = self.find_rules()
        context = names.parse_context(options.get("encryption_context") or "")
        return rules.find_rule(path, context) if rules else None

    def open_input(self, path: Path, options: Options) -> Store:
        """Return what reads *path*."""
        return open_store(choose_format(path, options.get("input_type") or ""), self._indents)

    def open_output(self, path: Path, options: Options) -> Store:
        """Return what writes the result for *path*."""
        kind = choose_format(path, options.get("output_type") or "")
        if self.indent is not None:
            return open_store(kind, Indents(self.indent, self.indent, self.indent))
        return open_store(kind, self._indents)

    @property
    def _indents(self) -> Indents:
        rules = self.find_rules()
        return rules.indents if rules else Indents()

    def open(self, path: Path | None, name: Path, options: Options) -> Opened:
        """Decrypt the file at *path*, or the standard input, whose name is *name*."""
        document = self.load(path, name, options)
        return open_document(
            document,
            self.keyring,
            order=read_order(options),
            ignore_mac=bool(options.get("ignore_mac")),
        )

    def load(self, path: Path | None, name: Path, options: Options) -> Document:
        """Read the encrypted file at *path*, or the standard input, whose name is *name*."""
        store = self.open_input(name, options)
        with exit_with(1, UnreadableFile):
            return load_encrypted(read_input(path), store)

    def build_metadata(self, path: Path, options: Options, kind: str) -> Metadata:
        """Return the metadata of the new file *path*, of the format *kind*.

        Raises:
            SopsError: If neither an option nor a rule names a key.
        """
        rule = self.find_rule(path, options)
        groups = _read_groups(options)
        if not groups and rule is None:
            raise SopsError(
                "config file not found, or has no creation rules, and no keys provided through "
                "command line options",
                hint="pass --age RECIPIENT, or write a creation rule in .sops.yaml",
            )
        threshold = options.get("shamir_secret_sharing_threshold") or (
            rule.threshold if rule else 0
        )
        return Metadata(
            groups=groups or (rule.groups if rule else ()),
            selection=_build_selection(options, rule, kind, only=self.only_encrypted),
            threshold=threshold,
        )


def _ask_passphrase(place: str) -> str:
    if not sys.stdin.isatty() and not os.path.exists("/dev/tty"):  # noqa: PTH110
        raise SopsError(
            f"{place} is protected by a passphrase, and there is no terminal to ask at",
            hint="run the command at a terminal",
        )
    answer: str = click.prompt(
        f"Enter passphrase for identity '{place}'", hide_input=True, err=True
    )
    return answer


def read_order(options: Options) -> tuple[str, ...]:
    """Return the kinds of keys in the order to try.

    Raises:
        SopsError: If one is named twice.
    """
    order = tuple(names.split_list(options.get("decryption_order") or ""))
    doubles = [item for item in order if order.count(item) > 1]
    if doubles:
        raise SopsError(
            f"Duplicate decryption key type: {doubles[0]}", hint="name it once", exit_code=112
        )
    return order or DECRYPTION_ORDER


def _read_groups(options: Options) -> tuple[tuple[MasterKey, ...], ...]:
    keys = tuple(read_keys(options))
    return (keys,) if keys else ()


def read_keys(options: Options, prefix: str = "") -> Iterable[MasterKey]:
    """Yield the master keys that options name; *prefix* is `add_`, `rm_` or nothing."""

    def read(name: str) -> list[str]:
        value = options.get(prefix + name) or ""
        return names.split_list(value if isinstance(value, str) else ",".join(value))

    context = names.parse_context(options.get("encryption_context") or "")
    yield from names.name_kms(read("kms"), context, options.get("aws_profile") or "")
    yield from names.name_gcp(read("gcp_kms"))
    yield from names.name_huawei(read("hckms"))
    yield from names.name_azure(read("azure_kv"))
    yield from names.name_pgp(read("pgp"))
    yield from names.name_vault(read("hc_vault_transit"))
    yield from names.name_age(read("age"))


def _build_selection(options: Options, rule: Rule | None, kind: str, *, only: bool) -> Selection:
    """Return what is encrypted: by options, else by the rule; a binary file as a whole."""
    given = {name: options.get(name) or "" for name in RULES}
    if rule:
        given = {name: given[name] or rule.rules.get(name, "") for name in RULES}
    if kind == Format.BINARY:
        for name in filter(given.get, RULES):
            click.echo(f"{name} is not used: a binary file is encrypted as a whole", err=True)
        return Selection(rule="", pattern="")
    only = only or (rule is not None and rule.mac_only_encrypted)
    return replace(Selection.build(given), only_encrypted=only)


def read_input(path: Path | None) -> bytes:
    """Return the content of *path*, or of the standard input.

    Raises:
        SopsError: If it cannot be read.
    """
    if path is None:
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as exc:
        raise SopsError(
            f"Error reading file: {path}: {exc.strerror}", hint="check its name", exit_code=2
        ) from exc


@contextmanager
def exit_with(code: int, kind: type[SopsError] = SopsError) -> Iterator[None]:
    """Give every error of *kind* in the block the exit code *code*."""
    try:
        yield
    except kind as exc:
        raise SopsError(exc.message, hint=exc.hint, source=exc.source, exit_code=code) from exc


def refuse_new_keys(path: Path, options: Options) -> None:
    """Make sure that there is a file at *path* if keys are to be added or removed.

    Raises:
        SopsError: If there is none.
    """
    changes = any(value and name.startswith(("add_", "rm_")) for name, value in options.items())
    if changes and not path.exists():
        raise SopsError(
            f"Error: cannot add or remove keys on non-existent file {str(path)!r}",
            hint="make it: `sops edit FILE`",
            exit_code=49,
        )


def ask(question: str) -> bool:
    """Ask until the answer is `y` or `n`; return whether it is `y`.

    Raises:
        SopsError: If the input ends before.
    """
    answer = ""
    while answer not in {"y", "n"}:
        click.echo(question, nl=False)
        line = sys.stdin.readline()
        if not line:
            raise SopsError("nobody answered", hint="pass --yes")
        answer = line.strip()
    return answer == "y"


def check_exists(path: Path) -> None:
    """Make sure that there is something at *path*.

    Raises:
        SopsError: If there is not.
    """
    if not path.exists():
        raise SopsError(
            f'Error: cannot operate on non-existent file "{path}"',
            hint="check its name",
            exit_code=100,
        )


def write_output(data: bytes, path: Path | None, options: Options, bench: Bench) -> None:
    """Write *data* where the options say: in place, to a file, or to the standard output."""
    if options.get("in_place") and path is not None:
        replace_file(path, data)
    elif options.get("output"):
        replace_file(bench.folder / options["output"], data)
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def check_output(options: Options) -> None:
    """Refuse two places for the result.

    Raises:
        SopsError: If both were asked for.
    """
    if options.get("in_place") and options.get("output"):
        raise SopsError(
            "Error: cannot operate on both --output and --in-place",
            hint="choose one of them",
            exit_code=8,
        )
