"""`secrets`: keys, recipients, checks, and generated secrets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from provisioning.interfaces.cli.arguments import yes_option
from provisioning.interfaces.cli.confirmation import build_confirm
from provisioning.interfaces.cli.session import Session, output_option, pass_session, print_shape

if TYPE_CHECKING:
    from provisioning.application.setup.secrets import CheckedSecrets


@click.group()
def secrets() -> None:
    """Keys, recipients and checks of the workspace's secrets."""


@secrets.command()
@pass_session
def init(session: Session) -> int:
    """Make an age identity, outside of the repository, and .sops.yaml in the workspace.

    An identity that exists already is used.
    """
    from provisioning.application.setup.secrets import InitSecretsRequest
    from provisioning.secrets.files import MARK

    made = session.call(InitSecretsRequest(folder=Path(session.folder)))
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
    from provisioning.application.setup.secrets import ListRecipientsRequest

    for file in session.call(ListRecipientsRequest(folder=Path(session.folder))):
        click.echo(file.path)
        for key in file.keys:
            click.echo(f"  {key.section}  {key.label}")
    return 0


@recipients.command()
@click.argument("key")
@pass_session
def add(session: Session, key: str) -> int:
    """Let the owner of the age recipient KEY read every secret; in one commit."""
    from provisioning.application.setup.secrets import AddRecipientRequest

    _print_rewrapped(session.call(AddRecipientRequest(folder=Path(session.folder), key=key)))
    return 0


@recipients.command()
@click.argument("key")
@pass_session
def remove(session: Session, key: str) -> int:
    """Encrypt every secret anew, without the age recipient KEY; in one commit."""
    from provisioning.application.setup.secrets import RemoveRecipientRequest

    _print_rewrapped(session.call(RemoveRecipientRequest(folder=Path(session.folder), key=key)))
    click.echo("what that key could read is still in Git's history: change those secrets")
    return 0


def _print_rewrapped(count: int) -> None:
    from sops_python.rules import FILE_NAME

    click.echo(f"wrapped {count} files anew, and committed them with {FILE_NAME}")


@secrets.command()
@output_option
@pass_session
def check(session: Session, output: str) -> int:
    """Check that all secrets can be read, by whom .sops.yaml says, and nowhere in plain text.

    Git's whole history is searched.
    """
    from provisioning.application.setup.secrets import CheckSecretsRequest

    return _report(session.call(CheckSecretsRequest(folder=Path(session.folder))), output)


@secrets.command()
@click.option("--all", "everything", is_flag=True, help="Check every file, staged or not.")
@click.option("--install", is_flag=True, help="Make it Git's pre-commit hook here.")
@output_option
@pass_session
def guard(session: Session, everything: bool, install: bool, output: str) -> int:  # noqa: FBT001
    """Refuse secrets in plain text: in staged files, or with --all in any file."""
    from provisioning.application.setup.secrets import GuardSecretsRequest, InstallGuardRequest

    folder = Path(session.folder)
    if install:
        click.echo(f"made {session.call(InstallGuardRequest(folder=folder))}")
        return 0
    return _report(session.call(GuardSecretsRequest(folder=folder, everything=everything)), output)


def _report(checked: CheckedSecrets, output: str) -> int:
    if output != "text":
        print_shape([*checked.findings], output)
    else:
        for finding in checked.findings:
            click.echo(f"{finding}\n  {finding.hint}")
        if not checked.findings:
            click.echo(f"nothing wrong in {checked.count} files")
    return 1 if checked.findings else 0


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
@pass_session
def rotate_fingerprint_key(session: Session, finish: bool) -> int:  # noqa: FBT001
    """Make a new one; fingerprints of the former ones are known until --finish."""
    from provisioning.application.setup.secrets import RotateFingerprintKeyRequest

    made = session.call(RotateFingerprintKeyRequest(finish=finish))
    click.echo(f"{made.path}: a key and {len(made.key.former)} former")
    if made.key.former:
        click.echo("  the next run of each infra renews the fingerprints of its records")
        click.echo("  `provisioning secrets fingerprint-key rotate --finish` then forgets them")
    return 0


def _add_commands(group: click.Group, sort: str) -> None:
    @group.command()
    @click.argument("name")
    @pass_session
    def new(session: Session, name: str) -> int:
        """Make one, encrypted in secrets/NAME.enc.yaml."""
        from provisioning.application.setup.secrets import MakeSecretRequest

        made = session.call(MakeSecretRequest(folder=Path(session.folder), sort=sort, name=name))
        click.echo(f"made {made.path}: {made.fingerprint}")
        click.echo(f"  refer to it as {{{{secrets.{name}.{made.field}}}}}; commit the file")
        return 0

    @group.command()
    @click.argument("name")
    @click.option("--finish", is_flag=True, help="Remove the previous one: nobody uses it.")
    @pass_session
    def rotate(session: Session, name: str, finish: bool) -> int:  # noqa: FBT001
        """Make a new one; the old one stays as `previous` until --finish."""
        from provisioning.application.setup.secrets import RotateSecretRequest

        request = RotateSecretRequest(folder=Path(session.folder), name=name, finish=finish)
        made = session.call(request)
        click.echo(f"{made.path}: {made.fingerprint}")
        if made.has_previous:
            click.echo(f"  the old one is {{{{secrets.{name}.previous.{made.field}}}}}")
            click.echo(f"  who still reads that: `provisioning why secrets.{name}.previous`")
        return 0

    @group.command()
    @output_option
    @pass_session
    def ls(session: Session, output: str) -> int:
        """List them with fingerprint and age; no key is needed."""
        from provisioning.application.setup.secrets import ListSecretsRequest
        from provisioning.interfaces.schema.states import GeneratedSecretDocument

        found = session.call(ListSecretsRequest(folder=Path(session.folder), sort=sort))
        if output != "text":
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
        from provisioning.application.setup.secrets import RemoveSecretRequest

        request = RemoveSecretRequest(folder=Path(session.folder), name=name)
        confirm = build_confirm(yes=yes, command=f"secrets {sort} rm {name}")
        click.echo(f"removed {session.call(request, confirm=confirm)}")
        return 0


_add_commands(ssh_key, "ssh-key")
_add_commands(token, "token")
