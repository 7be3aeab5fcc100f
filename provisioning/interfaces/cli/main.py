"""The command line's entry: finds the command, and turns errors into text and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from provisioning import __version__
from provisioning.interfaces.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from provisioning.core.model.errors import ProvisioningError

COMMANDS = {
    "plan": (
        "provisioning.interfaces.cli.runs.plan:plan",
        "Show what would change and why, field by field.",
    ),
    "apply": (
        "provisioning.interfaces.cli.runs.plan:apply",
        "Show the plan, ask, and apply exactly that.",
    ),
    "reconcile": (
        "provisioning.interfaces.cli.runs.plan:reconcile",
        "Fetch, plan, gate, apply and record.",
    ),
    "serve": (
        "provisioning.interfaces.cli.setup.serve:serve",
        "Keep every infra equal to Git, until stopped.",
    ),
    "review": (
        "provisioning.interfaces.cli.runs.review:review",
        "Show pull requests what they would do.",
    ),
    "forge": (
        "provisioning.interfaces.cli.setup.forge:forge",
        "Set the repository up at its forge, and check it.",
    ),
    "status": (
        "provisioning.interfaces.cli.inspect.status:status",
        "Tell whether each infra is as Git wants it.",
    ),
    "get": ("provisioning.interfaces.cli.inspect.status:get", "List recorded resources."),
    "tree": (
        "provisioning.interfaces.cli.inspect.graph:tree",
        "Show resources above what they need.",
    ),
    "graph": (
        "provisioning.interfaces.cli.inspect.graph:graph",
        "Draw what depends on what: SVG, DOT, text.",
    ),
    "impact": (
        "provisioning.interfaces.cli.inspect.impact:impact",
        "Tell what a change can affect, and why.",
    ),
    "diff": (
        "provisioning.interfaces.cli.inspect.status:diff",
        "Compare what is live with what was recorded.",
    ),
    "why": (
        "provisioning.interfaces.cli.inspect.why:why",
        "Tell who asked for it, where, and which run did it.",
    ),
    "at": ("provisioning.interfaces.cli.inspect.at:at", "Tell what was desired and recorded then."),
    "replay": (
        "provisioning.interfaces.cli.runs.replay:replay",
        "Compute a past run's plan again.",
    ),
    "undo": (
        "provisioning.interfaces.cli.runs.undo:undo",
        "Commit the desired state before a run again.",
    ),
    "events": (
        "provisioning.interfaces.cli.inspect.events:events",
        "Tell what happened, a line each.",
    ),
    "log": ("provisioning.interfaces.cli.inspect.status:log", "Tell the story of the state log."),
    "fsck": (
        "provisioning.interfaces.cli.inspect.status:fsck",
        "Prove the state log: linear, fenced, complete.",
    ),
    "gc": ("provisioning.interfaces.cli.runs.gc:gc", "Compact the old part of state logs."),
    "lock": ("provisioning.interfaces.cli.runs.lock:lock", "See, hold, release or steal locks."),
    "import": (
        "provisioning.interfaces.cli.runs.ownership:import_",
        "Take over one thing that exists.",
    ),
    "forget": (
        "provisioning.interfaces.cli.runs.ownership:forget",
        "No longer manage it, and leave it.",
    ),
    "adopt": (
        "provisioning.interfaces.cli.runs.ownership:adopt",
        "Rebuild a lost state log from the marks.",
    ),
    "suspend": (
        "provisioning.interfaces.cli.runs.suspend:suspend",
        "Let runs leave something alone.",
    ),
    "resume": ("provisioning.interfaces.cli.runs.suspend:resume", "End a suspension."),
    "validate": (
        "provisioning.interfaces.cli.inspect.manifests:validate",
        "Check the manifests of a commit.",
    ),
    "doctor": (
        "provisioning.interfaces.cli.inspect.doctor:doctor",
        "Check machine, Git, remotes, keys, providers.",
    ),
    "schema": (
        "provisioning.interfaces.cli.inspect.manifests:schema",
        "Print a kind's JSON Schema.",
    ),
    "config": (
        "provisioning.interfaces.cli.setup.config:config",
        "Show settings, and where each comes from.",
    ),
    "secrets": (
        "provisioning.interfaces.cli.setup.secrets:secrets",
        "Keys, recipients and checks of secrets.",
    ),
    "sops": ("sops_python.cli:sops", "Encrypt, decrypt and edit SOPS files."),
    "workspace": ("provisioning.interfaces.cli.setup.workspace:workspace", "Make a workspace."),
    "completion": (
        "provisioning.interfaces.cli.setup.completion:completion",
        "Print the shell's completion script.",
    ),
}
"""Each command: where it is defined, and its line in `provisioning --help`."""


@click.command(
    cls=LazyGroup,
    commands_table=COMMANDS,
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

    context.obj = Session(folder=folder, flags=flags)
    context.meta["sops_python.folder"] = folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; the exit codes are in `docs/reference/exit-codes.md`."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _check_words(words)
        code = cli.main(words, prog_name="provisioning", standalone_mode=False)
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
    """Tell whether `-o` *output* was given; the error may come before it was parsed."""
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

        from provisioning.interfaces.schema.results import shape_error

        click.echo(json.dumps(shape_error(error)), err=True)
        return
    from provisioning.interfaces.cli.render.errors import render_error

    click.echo(render_error(error), err=True)
