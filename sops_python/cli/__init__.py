"""The command line: a drop-in for the `sops` program."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from sops_python.cli import options as shared
from sops_python.cli.environment import read_environment
from sops_python.cli.files import Bench
from sops_python.cli.words import read_leading
from sops_python.errors import SopsError
from sops_python.metadata import VERSION
from sops_python.terminal_text import escape_controls

FOLDER = "sops_python.folder"
"""The key of `click.Context.meta` by which an outer command line names the working folder."""

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
    "filestatus": (f"{_HERE}.keys:filestatus", "Print whether a file is encrypted."),
    "completion": (f"{_HERE}.completion:completion", "Print the shell's completion script."),
}


class _SopsGroup(click.Group):
    """Imports a command when it runs, and takes a first word that is no command as a file."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; return None if there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

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
        return super().parse_args(ctx, read_leading(self.get_params(ctx), args))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error ends it with an exit code of `sops`."""
        try:
            return super().invoke(ctx)
        except SopsError as exc:
            click.echo(str(exc), err=True)
            if exc.hint:
                click.echo(f"  {exc.hint}", err=True)
            return exc.exit_code


@click.group(
    cls=_SopsGroup,
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
@click.pass_context
def sops(context: click.Context, /, **options: Any) -> int | None:
    """Encrypt, decrypt and edit SOPS files, as `sops` does.

    Without a command, the file is edited; or encrypted with -e, decrypted with -d, rotated
    with -r.
    """
    context.obj = Bench(
        folder=Path(context.meta.get(FOLDER, ".")).resolve(),
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


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, and end the process with an exit code of `sops`."""
    try:
        code = sops.main(arguments, prog_name="sops-python", standalone_mode=False)
    except click.Abort:
        click.echo("aborted; nothing was changed", err=True)
        code = 130
    except click.ClickException as exc:
        exc.message = escape_controls(exc.message)  # type: ignore[misc]
        exc.show()
        code = 1
    sys.exit(code if isinstance(code, int) else 0)
