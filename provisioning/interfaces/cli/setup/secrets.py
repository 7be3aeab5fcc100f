"""`secrets`: keys, recipients, checks, and secrets that are made here."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from provisioning.core.model.errors import InvalidArgument
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape
from provisioning.secrets.audit import Checker, SecretFinding, check_all
from provisioning.secrets.files import MARK, write_file
from sops_python.keys.keyring import EnvironmentKeyring
from sops_python.rules import FILE_NAME, Rules

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


def _need_rules(root: Path) -> Rules:
    from provisioning.secrets.recipients import find_rules

    rules = find_rules(root)
    if rules is None:
        raise InvalidArgument(
            f"there is no {FILE_NAME} in {root}", hint="`provisioning secrets init` makes one"
        )
    return rules


def _open_checker(root: Path) -> Checker:
    from provisioning.secrets.recipients import find_rules

    return Checker(root, find_rules(root), EnvironmentKeyring(environ=os.environ))


@secrets.command()
@pass_session
def init(session: Session) -> int:
    """Make an age identity, outside of the repository, and .sops.yaml in the workspace.

    An identity that exists already is used.
    """
    from provisioning.secrets.recipients import make_rules

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
    from provisioning.secrets.recipients import list_keys

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
    from provisioning.secrets.recipients import add_recipient

    root = _find_root(session)
    data = add_recipient(_need_rules(root).path.read_bytes(), key)
    _rewrap(root, data, f"Let {key} read the secrets", rotate=False)
    return 0


@recipients.command()
@click.argument("key")
@pass_session
def remove(session: Session, key: str) -> int:
    """Encrypt every secret anew, without the age recipient KEY; in one commit."""
    from provisioning.secrets.recipients import remove_recipient

    root = _find_root(session)
    data = remove_recipient(_need_rules(root).path.read_bytes(), key)
    _rewrap(root, data, f"{key} no longer reads the secrets", rotate=True)
    click.echo("what that key could read is still in Git's history: change those secrets")
    return 0


def _rewrap(root: Path, data: bytes, message: str, *, rotate: bool) -> None:
    """Write the rules *data* and every file by them; write nothing if one cannot be read."""
    from provisioning.gitstore.repository.work_tree import commit_all
    from provisioning.secrets.recipients import follow_rules, read_rules

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
    from provisioning.secrets.audit import is_encrypted

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
@click.option("--all", "everything", is_flag=True, help="Check every file, not what is staged.")
@click.option("--install", is_flag=True, help="Make it Git's pre-commit hook here.")
@output_option
@pass_session
def guard(session: Session, everything: bool, install: bool, output: str) -> int:  # noqa: FBT001
    """Refuse secrets in plain text: in what is staged, or with --all anywhere."""
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
        shape = [
            {
                "path": finding.path,
                "commit": finding.commit,
                "what": finding.what,
                "hint": finding.hint,
            }
            for finding in findings
        ]
        print_shape(shape, output)
        return 1 if findings else 0
    for finding in findings:
        click.echo(str(finding))
        click.echo(f"  {finding.hint}")
    if not findings:
        click.echo(f"nothing wrong in {count} files")
    return 1 if findings else 0


# Secrets that are made here


@secrets.group("ssh-key")
def ssh_key() -> None:
    """SSH keys: new, rotate, ls, rm."""


@secrets.group()
def token() -> None:
    """API tokens: new, rotate, ls, rm."""


def _add_commands(group: click.Group, sort: str) -> None:
    @group.command()
    @click.argument("name")
    @pass_session
    def new(session: Session, name: str) -> int:
        """Make one, encrypted in secrets/NAME.enc.yaml."""
        from provisioning.secrets.store import SecretStore

        listed = SecretStore(_find_root(session)).make(sort, name)
        click.echo(f"made {listed.path}: {listed.fingerprint}")
        click.echo(f"  refer to it as {{{{secrets.{name}.{listed.field}}}}}; commit the file")
        return 0

    @group.command()
    @click.argument("name")
    @click.option("--finish", is_flag=True, help="Remove the previous one: nobody uses it.")
    @pass_session
    def rotate(session: Session, name: str, finish: bool) -> int:  # noqa: FBT001
        """Make a new one; the old one stays as `previous` until --finish."""
        from provisioning.secrets.store import SecretStore

        store = SecretStore(_find_root(session))
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
        from provisioning.secrets.store import SecretStore

        found = [item for item in SecretStore(_find_root(session)).list_all() if item.sort == sort]
        if output != "text":
            shape = [
                {
                    "name": item.name,
                    "fingerprint": item.fingerprint,
                    "created": item.created,
                    "previous": item.has_previous,
                }
                for item in found
            ]
            print_shape(shape, output)
            return 0
        for item in found:
            note = "  (rotation not finished)" if item.has_previous else ""
            click.echo(f"{item.name}  {item.fingerprint}  {item.age}{note}")
        return 0

    @group.command()
    @click.argument("name")
    @click.option("--yes", is_flag=True, help="Do not ask.")
    @pass_session
    def rm(session: Session, name: str, yes: bool) -> int:  # noqa: FBT001
        """Remove the file of one; Git's history still has it, encrypted."""
        from provisioning.secrets.store import SecretStore

        if not yes and not (sys.stdin.isatty() and click.confirm(f"Remove {name}?")):
            raise InvalidArgument(f"{name} was not removed", hint="confirm it, or pass --yes")
        click.echo(f"removed {SecretStore(_find_root(session)).remove(name)}")
        return 0


_add_commands(ssh_key, "ssh-key")
_add_commands(token, "token")
