"""`workspace init`: a new workspace, committed and ready to plan."""

from __future__ import annotations

from pathlib import Path

import click

from provisioning.interfaces.cli.session import Session, pass_session


@click.group()
def workspace() -> None:
    """Make a workspace."""


@workspace.command()
@click.argument("path", type=click.Path(file_okay=False), default=".")
@click.option("--name", default=None, help="The workspace's name; by default the folder's.")
@pass_session
def init(session: Session, path: str, name: str | None) -> int:
    """Make a workspace at PATH: a repository with settings and one infra with an example.

    Where there is a repository already, only the files are written.
    """
    from provisioning.application.setup.init import InitRequest

    folder = (Path(session.folder) / path).resolve()
    made = session.call(InitRequest(folder=folder, name=name))
    click.echo(f"made workspace {made.name!r} in {folder}")
    for file in made.files:
        click.echo(f"  {file}")
    if made.is_committed:
        click.echo(f"next: cd {folder}, look at infra/web/example.yaml, and `provisioning plan`")
    elif made.problem:
        click.echo(f"not committed: {made.problem}")
        click.echo("next: git add -A && git commit, then `provisioning plan`")
    else:
        click.echo("next: git add and commit these files, then `provisioning plan`")
    return 0
