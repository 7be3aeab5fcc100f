"""`secrets`: keys, recipients, checks, and generated secrets."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioning.core.model.errors import InvalidArgument
from provisioning.interfaces.cli.arguments import yes_option
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape
from provisioning.secrets.audit import Checker, SecretFinding, check_all, is_encrypted
from provisioning.secrets.files import MARK, write_file
from provisioning.secrets.recipients import (
    add_recipient,
    find_rules,
    follow_rules,
    list_keys,
    make_rules,
    read_rules,
    remove_recipient,
)
from sops_python.keys.keyring import EnvironmentKeyring
from sops_python.rules import FILE_NAME

if TYPE_CHECKING:
    from provisioning.secrets.store import SecretStore

HOOK = """\
#!/bin/sh
# Refuses to commit secrets in plain text.
exec {python} -m provisioning secrets guard
"""


@click.group()
def secrets() -> None:
    """Keys, recipients and checks of the workspace's secrets."""


def _find_root(session: Session) -> Path:
    from provisioning.config.workspace import find_workspace

    return find_workspace(Path(session.folder))


def _read_rules(root: Path) -> bytes:
    rules = find_rules(root)
    if rules is None:
        raise InvalidArgument(
            f"there is no {FILE_NAME} in {root}", hint="`provisioning secrets init` makes one"
        )
    return rules.path.read_bytes()


def _open_checker(root: Path) -> Checker:
    return Checker(root, find_rules(root), EnvironmentKeyring(environ=os.environ))


@secrets.command()
@pass_session
def init(session: Session) -> int:
    """Make an age identity, outside of the repository, and .sops.yaml in the workspace.

    An identity that exists already is used.
    """
    made = make_rules(_find_root(session), os.environ)
    click.echo(f"{'using' if made.had_identity else 'made'} the age identity in {made.identity}")
    click.echo("  keep a copy of it where you keep your passwords: without it nothing opens")
    click.echo(f"made {made.path}, which encrypts *{MARK}.* for {made.recipient}")
    click.echo(f"next: `provisioning sops secrets/NAME{MARK}.yaml`, then git add and commit both")
    return 0


@secrets.group()
def recipients() -> None:
    """Who can read the secrets."""


@recipients.command("ls")
@pass_session
def list_recipients(session: Session) -> int:
    """List the recipients of each file."""
    root = _find_root(session)
    for name, data in _list_encrypted(root, _open_checker(root)):
        click.echo(name)
        for key in list_keys(name, data):
            click.echo(f"  {key.section}  {key.label}")
    return 0


@recipients.command()
@click.argument("key")
@pass_session
def add(session: Session, key: str) -> int:
    """Let the owner of the age recipient KEY read every secret; in one commit."""
    root = _find_root(session)
    data = add_recipient(_read_rules(root), key)
    _rewrap(root, data, f"Let {key} read the secrets", rotate=False)
    return 0


@recipients.command()
@click.argument("key")
@pass_session
def remove(session: Session, key: str) -> int:
    """Encrypt every secret anew, without the age recipient KEY; in one commit."""
    root = _find_root(session)
    data = remove_recipient(_read_rules(root), key)
    _rewrap(root, data, f"{key} no longer reads the secrets", rotate=True)
    click.echo("what that key could read is still in Git's history: change those secrets")
    return 0


def _rewrap(root: Path, data: bytes, message: str, *, rotate: bool) -> None:
    """Write the rules *data* and every file by them; write nothing if one cannot be read."""
    from provisioning.gitstore.repository.work_tree import commit_all

    rules = read_rules(data, root / FILE_NAME)
    keyring = EnvironmentKeyring(environ=os.environ)
    files = dict(_list_encrypted(root, Checker(root, rules, keyring)))
    changed = {FILE_NAME: data} | follow_rules(files, rules, keyring, rotate=rotate)
    for name, content in changed.items():
        write_file(root / name, content)
    commit_all(root, sorted(changed), message)
    click.echo(f"wrapped {len(changed) - 1} files anew, and committed them with {FILE_NAME}")


def _list_encrypted(root: Path, checker: Checker) -> Iterator[tuple[str, bytes]]:
    from provisioning.gitstore.repository.work_tree import list_files

    for name in list_files(root):
        if checker.must_be_encrypted(name):
            data = (root / name).read_bytes()
            if is_encrypted(name, data):
                yield name, data


@secrets.command()
@output_option
@pass_session
def check(session: Session, output: str) -> int:
    """Check that all secrets can be read, by whom .sops.yaml says, and nowhere in plain text.

    Git's whole history is searched.
    """
    from provisioning.gitstore.repository.repository import open_repository
    from provisioning.gitstore.repository.work_tree import list_files

    root = _find_root(session)
    checker = _open_checker(root)
    files = [(name, (root / name).read_bytes()) for name in list_files(root)]
    repository = open_repository(root)

    def walk_history() -> Iterator[tuple[str, bytes, str]]:
        current = {data for _, data in files}
        for commit, change in repository.walk_all_changes():
            data = repository.read_blob(change.after) if change.after else None
            if data is not None and data not in current:
                yield change.path, data, commit

    return _report(sorted(set(check_all(checker, files, walk_history()))), len(files), output)


@secrets.command()
@click.option("--all", "everything", is_flag=True, help="Check every file, staged or not.")
@click.option("--install", is_flag=True, help="Make it Git's pre-commit hook here.")
@output_option
@pass_session
def guard(session: Session, everything: bool, install: bool, output: str) -> int:  # noqa: FBT001
    """Refuse secrets in plain text: in staged files, or with --all in any file."""
    from provisioning.gitstore.repository.work_tree import list_files, list_staged

    root = _find_root(session)
    if install:
        return _install_hook(root)
    checker = _open_checker(root)
    files = (
        {name: (root / name).read_bytes() for name in list_files(root)}
        if everything
        else list_staged(root)
    )
    found = [item for name, data in files.items() for item in checker.check_plain(name, data)]
    return _report(sorted(found), len(files), output)


def _install_hook(root: Path) -> int:
    from provisioning.gitstore.repository.work_tree import find_hooks

    hook = find_hooks(root) / "pre-commit"
    if hook.exists():
        raise InvalidArgument(
            f"{hook} exists already", hint="add `provisioning secrets guard` to it"
        )
    hook.parent.mkdir(parents=True, exist_ok=True)
    write_file(hook, HOOK.format(python=shlex.quote(sys.executable)).encode())
    hook.chmod(0o755)
    click.echo(f"made {hook}")
    return 0


def _report(findings: list[SecretFinding], count: int, output: str) -> int:
    if output != "text":
        print_shape(findings, output)
        return 1 if findings else 0
    for finding in findings:
        click.echo(f"{finding}\n  {finding.hint}")
    if not findings:
        click.echo(f"nothing wrong in {count} files")
    return 1 if findings else 0


# Generated secrets


@secrets.group("ssh-key")
def ssh_key() -> None:
    """SSH keys: new, rotate, ls, rm."""


@secrets.group()
def token() -> None:
    """API tokens: new, rotate, ls, rm."""


@secrets.group("fingerprint-key")
def fingerprint_key() -> None:
    """The key of this user's fingerprints: rotate."""


@fingerprint_key.command("rotate")
@click.option("--finish", is_flag=True, help="Forget the former keys: every record is renewed.")
def rotate_fingerprint_key(finish: bool) -> int:  # noqa: FBT001
    """Make a new one; fingerprints of the former ones are known until --finish."""
    from provisioning.config.home import find_home

    home = find_home(os.environ)
    former = home.rotate_fingerprint_key(finish=finish).former
    click.echo(f"{home.path / 'fingerprint.key'}: a key and {len(former)} former")
    if former:
        click.echo("  the next run of each infra renews the fingerprints of its records")
        click.echo("  `provisioning secrets fingerprint-key rotate --finish` then forgets them")
    return 0


def _open_store(session: Session) -> SecretStore:
    from provisioning.secrets.store import SecretStore

    return SecretStore(_find_root(session))


def _add_commands(group: click.Group, sort: str) -> None:
    @group.command()
    @click.argument("name")
    @pass_session
    def new(session: Session, name: str) -> int:
        """Make one, encrypted in secrets/NAME.enc.yaml."""
        listed = _open_store(session).make(sort, name)
        click.echo(f"made {listed.path}: {listed.fingerprint}")
        click.echo(f"  refer to it as {{{{secrets.{name}.{listed.field}}}}}; commit the file")
        return 0

    @group.command()
    @click.argument("name")
    @click.option("--finish", is_flag=True, help="Remove the previous one: nobody uses it.")
    @pass_session
    def rotate(session: Session, name: str, finish: bool) -> int:  # noqa: FBT001
        """Make a new one; the old one stays as `previous` until --finish."""
        store = _open_store(session)
        listed = store.finish(name) if finish else store.rotate(name)
        click.echo(f"{listed.path}: {listed.fingerprint}")
        if listed.has_previous:
            click.echo(f"  the old one is {{{{secrets.{name}.previous.{listed.field}}}}}")
            click.echo(f"  who still reads that: `provisioning why secrets.{name}.previous`")
        return 0

    @group.command()
    @output_option
    @pass_session
    def ls(session: Session, output: str) -> int:
        """List them with fingerprint and age; no key is needed."""
        found = [item for item in _open_store(session).list_all() if item.sort == sort]
        if output != "text":
            from provisioning.interfaces.schema.states import GeneratedSecretDocument

            return print_shape([*map(GeneratedSecretDocument.of, found)], output)
        for item in found:
            note = "  (rotation not finished)" if item.has_previous else ""
            click.echo(f"{item.name}  {item.fingerprint}  {item.age}{note}")
        return 0

    @group.command()
    @click.argument("name")
    @yes_option
    @pass_session
    def rm(session: Session, name: str, yes: bool) -> int:  # noqa: FBT001
        """Remove the file of one; Git's history still has it, encrypted."""
        if not yes and not (sys.stdin.isatty() and click.confirm(f"Remove {name}?")):
            raise InvalidArgument(f"{name} was not removed", hint="confirm it, or pass --yes")
        click.echo(f"removed {_open_store(session).remove(name)}")
        return 0


_add_commands(ssh_key, "ssh-key")
_add_commands(token, "token")
