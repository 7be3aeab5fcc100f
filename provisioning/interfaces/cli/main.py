"""The command line's entry: finds the command, and turns errors into text and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from provisioning import __version__
from provisioning.application.operations import OPERATIONS
from provisioning.interfaces.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from provisioning.core.model.errors import ProvisioningError
    from provisioning.interfaces.cli.wiring import Wiring

HERE = "provisioning.interfaces.cli"

PLACES = {
    "plan": f"{HERE}.runs.plan:plan",
    "apply": f"{HERE}.runs.apply:apply",
    "reconcile": f"{HERE}.runs.apply:reconcile",
    "serve": f"{HERE}.setup.serve:serve",
    "review": f"{HERE}.runs.review:review",
    "forge": f"{HERE}.setup.forge:forge",
    "status": f"{HERE}.inspect.status:status",
    "get": f"{HERE}.inspect.status:get",
    "tree": f"{HERE}.inspect.graph:tree",
    "graph": f"{HERE}.inspect.graph:graph",
    "impact": f"{HERE}.inspect.impact:impact",
    "diff": f"{HERE}.inspect.status:diff",
    "why": f"{HERE}.inspect.why:why",
    "at": f"{HERE}.inspect.at:at",
    "replay": f"{HERE}.runs.replay:replay",
    "undo": f"{HERE}.runs.undo:undo",
    "events": f"{HERE}.inspect.events:events",
    "log": f"{HERE}.inspect.status:log",
    "fsck": f"{HERE}.inspect.status:fsck",
    "gc": f"{HERE}.runs.gc:gc",
    "lock": f"{HERE}.runs.lock:lock",
    "import": f"{HERE}.runs.ownership:import_",
    "forget": f"{HERE}.runs.ownership:forget",
    "adopt": f"{HERE}.runs.ownership:adopt",
    "suspend": f"{HERE}.runs.suspend:suspend",
    "resume": f"{HERE}.runs.suspend:resume",
    "validate": f"{HERE}.inspect.manifests:validate",
    "doctor": f"{HERE}.inspect.doctor:doctor",
    "schema": f"{HERE}.inspect.manifests:schema",
    "config": f"{HERE}.setup.config:config",
    "secrets": f"{HERE}.setup.secrets:secrets",
    "sops": "sops_python.cli:sops",
    "workspace": f"{HERE}.setup.workspace:workspace",
    "completion": f"{HERE}.setup.completion:completion",
}
"""Each command, in the order of `provisioning --help`, and where it is defined."""

SUMMARIES = {operation.name: operation.summary for operation in OPERATIONS} | {
    "serve": "Keep every infra equal to Git, until stopped.",
    "forge": "Set the repository up at its forge, and check it.",
    "tree": "Show resources above what they need.",
    "at": "Show what was desired and recorded then.",
    "lock": "See, hold, release or steal locks.",
    "config": "Show settings, and where each comes from.",
    "secrets": "Keys, recipients and checks of secrets.",
    "sops": "Encrypt, decrypt and edit SOPS files.",
    "workspace": "Make a workspace.",
    "completion": "Print the shell's completion script.",
}
"""The line of each operation, and of each command that is more, or none."""

COMMANDS = {name: (place, SUMMARIES[name]) for name, place in PLACES.items()}
"""Each command: where it is defined, and its line in `provisioning --help`."""


@click.command(
    cls=LazyGroup,
    commands_table=COMMANDS,
    entry_points="commands",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "-C", "folder", type=click.Path(file_okay=False), default=".", help="Run as if started there."
)
@click.option(
    "-c", "flags", multiple=True, metavar="KEY=VALUE", help="Override a setting for this command."
)
@click.version_option(__version__, prog_name="provisioning")
@click.pass_context
def cli(context: click.Context, folder: str, flags: tuple[str, ...]) -> None:
    """Keep real infrastructure equal to a Git repository.

    Push a commit, read the plan, and let the reconciler apply only what changed.
    """
    from provisioning.interfaces.cli.session import Session

    context.obj = Session(folder=folder, flags=flags, wiring=context.obj)
    context.meta["sops_python.folder"] = folder


def run_command_line(wiring: Wiring, arguments: Sequence[str] | None = None) -> None:
    """Run the command line; the exit codes are in `docs/reference/exit-codes.md`."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _check_words(words)
        code = cli.main(words, prog_name="provisioning", standalone_mode=False, obj=wiring)
    except click.exceptions.Abort:
        click.echo("aborted; nothing was changed", err=True)
        sys.exit(130)
    except click.ClickException as exc:
        from provisioning.core.model.terminal_text import render_plain

        exc.message = render_plain(exc.message)  # type: ignore[misc]
        exc.show()
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as exc:  # noqa: BLE001  whatever is not ours goes on from there
        sys.exit(_report(exc, words))
    sys.exit(code if isinstance(code, int) else 0)


def _check_words(words: Sequence[str]) -> None:
    """Refuse arguments that are not UTF-8: what they say could be neither recorded nor shown.

    `sops` takes any name of a file, as the program of that name does.
    """
    if words[:1] != ["sops"] and (error := _find_unreadable(words)):
        raise error


def _find_unreadable(words: Sequence[str]) -> ProvisioningError | None:
    from provisioning.core.model.terminal_text import is_utf8, render_plain

    number = next((number for number, word in enumerate(words) if not is_utf8(word)), None)
    if number is None:
        return None
    from provisioning.core.model.errors import InvalidArgument

    shown = render_plain(words[number])
    return InvalidArgument(f"argument {number + 1}, '{shown}', is not UTF-8", hint="write it so")


def _wants(words: Sequence[str], output: str) -> bool:
    """Return whether `-o` *output* was given; the error may come before it was parsed."""
    pairs = zip(words, [*words[1:], ""], strict=True)
    return any(
        (one in {"-o", "--output"} and other == output)
        or one in {f"-o{output}", f"--output={output}"}
        for one, other in pairs
    )


def _report(error: Exception, words: Sequence[str]) -> int:
    """Show an error of ours and return its exit code; any other is a defect, and goes on."""
    from provisioning.core.model.errors import ProvisioningError

    if isinstance(error, UnicodeEncodeError):
        error = _find_unreadable(words) or error
    if not isinstance(error, ProvisioningError):
        raise error
    _show(error, as_json=_wants(words, "json"))
    return error.exit_code


def _show(error: ProvisioningError, *, as_json: bool) -> None:
    if as_json:
        import json

        import msgspec

        from provisioning.interfaces.schema.plans import ErrorDocument

        click.echo(json.dumps(msgspec.to_builtins(ErrorDocument.of(error))), err=True)
        return
    from provisioning.interfaces.cli.render.errors import render_error

    click.echo(render_error(error), err=True)
