"""`provisioning sops`: a drop-in for the `sops` program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from provisioning.core.model.errors import ProvisioningError
from provisioning.interfaces.cli.lazy import LazyGroup
from provisioning.interfaces.cli.session import Session, pass_session
from sops_python.cli import options as shared
from sops_python.cli.environment import read_environment
from sops_python.cli.files import Bench
from sops_python.cli.words import read_leading
from sops_python.errors import SopsError
from sops_python.metadata import VERSION

_HERE = "sops_python.cli"
COMMANDS = {
    "edit": (f"{_HERE}.edit:edit", "Edit a file; make it if there is none."),
    "encrypt": (f"{_HERE}.encrypt:encrypt", "Encrypt a file, or the standard input."),
    "decrypt": (f"{_HERE}.encrypt:decrypt", "Decrypt a file, or the standard input."),
    "rotate": (f"{_HERE}.encrypt:rotate", "Encrypt a file again under a new data key."),
    "set": (f"{_HERE}.edit:set_value", "Set one value."),
    "unset": (f"{_HERE}.edit:unset", "Remove one value."),
    "updatekeys": (f"{_HERE}.keys:updatekeys", "Take the keys that .sops.yaml names now."),
    "groups": (f"{_HERE}.keys:groups", "Add and delete key groups."),
    "exec-env": (f"{_HERE}.exec:exec_env", "Run a command with values in its environment."),
    "exec-file": (f"{_HERE}.exec:exec_file", "Run a command that reads the plain text."),
    "publish": (f"{_HERE}.publish:publish", "Put files where .sops.yaml says."),
    "keyservice": (f"{_HERE}.keyservice:keyservice", "Use keys for other processes."),
    "filestatus": (f"{_HERE}.keys:filestatus", "Tell whether a file is encrypted."),
    "completion": (f"{_HERE}.completion:completion", "Print the shell's completion script."),
}


class _SopsGroup(LazyGroup):
    """Reads a first word that is no command as a file, and ends as `sops` does."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command, or the one that the global options describe."""
        command = self.get_command(ctx, args[0]) if args else None
        if command is None:
            from sops_python.cli.legacy import legacy

            return "file", legacy, args
        return args[0], command, args[1:]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read options up to the first word that is none."""
        if args and args[0] in {"help", "h"}:
            args = [*args[1:], "--help"]
        return click.Group.parse_args(self, ctx, read_leading(self.get_params(ctx), args))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors end with the exit codes of `sops`."""
        try:
            return super().invoke(ctx)
        except ProvisioningError as exc:
            click.echo(str(exc), err=True)
            if exc.hint:
                click.echo(f"  {exc.hint}", err=True)
            return getattr(exc, "sops_exit_code", 1)


@click.group(
    cls=_SopsGroup,
    commands_table=COMMANDS,
    context_settings={"allow_interspersed_args": False, "help_option_names": ["-h", "--help"]},
    subcommand_metavar="[COMMAND] FILE [ARGS]...",
    no_args_is_help=False,
    invoke_without_command=True,
)
@click.option("--decrypt", "-d", is_flag=True, help="Decrypt the file.")
@click.option("--encrypt", "-e", is_flag=True, help="Encrypt the file.")
@click.option("--rotate", "-r", is_flag=True, help="Encrypt the file under a new data key.")
@click.option("--set", "set_text", default="", help="""Set a value: '["key"][0] JSON'.""")
@click.option("--extract", default="", help="""Only this part: '["key"][0]'.""")
@shared.OUTPUT
@shared.KEYS
@shared.TYPES
@shared.SELECTION
@shared.ROTATION
@click.option("--show-master-keys", "-s", is_flag=True, help="Show the keys while editing.")
@shared.IGNORE_MAC
@click.option("--mac-only-encrypted", is_flag=True, help="The MAC covers only what is encrypted.")
@click.option("--config", envvar="SOPS_CONFIG", default="", help="Use this .sops.yaml.")
@click.option("--indent", type=int, help="Indent YAML and JSON by this many spaces.")
@click.option("--verbose", is_flag=True, hidden=True)
@click.option("--disable-version-check", is_flag=True, hidden=True)
@click.option("--check-for-updates", is_flag=True, hidden=True)
@shared.NAME
@shared.ORDER
@shared.KEYSERVICE
@click.version_option(VERSION, "--version", "-v", message="sops %(version)s")
@pass_session
@click.pass_context
def sops(context: click.Context, session: Session, /, **options: Any) -> int | None:
    """Encrypt, decrypt and edit SOPS files, as `sops` does.

    Without a command, the file is edited; or encrypted with -e, decrypted with -d, rotated
    with -r.
    """
    context.obj = Bench(
        folder=Path(session.folder).resolve(),
        environ=read_environment(),
        config=options["config"],
        indent=options["indent"],
        only_encrypted=options["mac_only_encrypted"],
        has_local_service=options["has_local_service"],
        services=options["keyservice"],
    )
    if context.invoked_subcommand is None:
        raise SopsError("Error: no file specified", hint="`sops --help`", exit_code=100)
    return None
