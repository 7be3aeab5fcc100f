"""`provisioning completion`: the script that lets a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL; `eval "$(provisioning completion bash)"`."""
    from provisioning.interfaces.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  the choice admits known shells only
    click.echo(kind(cli, {}, "provisioning", "_PROVISIONING_COMPLETE").source())
