"""`workspace init`: a new workspace, committed and ready to plan."""

from __future__ import annotations

import secrets
import time
import uuid
from pathlib import Path

import click

from provisioning.core.errors import InvalidArgument, RepositoryUnusable
from provisioning.core.ids import NAME


@click.group()
def workspace() -> None:
    """Make a workspace."""


@workspace.command()
@click.argument("path", type=click.Path(file_okay=False), default=".")
@click.option("--name", default=None, help="The workspace's name; by default the folder's.")
def init(path: str, name: str | None) -> int:
    """Make a workspace at PATH: a repository with settings and one infra with an example.

    Where there is a repository already, only the files are written.
    """
    from provisioning.config.workspace import write_workspace
    from provisioning.gitstore.work_trees import commit_all, create_repository, is_repository

    folder = Path(path).resolve()
    name = name or folder.name.lower()
    if not NAME.match(name):
        raise InvalidArgument(
            f"{name!r} cannot be a workspace's name",
            hint="pass --name with small letters, digits, - and _",
        )
    had_repository = is_repository(folder)
    files = write_workspace(folder, name, str(_build_id()))
    click.echo(f"made workspace {name!r} in {folder}")
    for file in files:
        click.echo(f"  {file}")
    if had_repository:
        click.echo("next: git add and commit these files, then `provisioning plan`")
        return 0
    create_repository(folder)
    try:
        commit_all(folder, files, "Begin the workspace")
    except RepositoryUnusable as exc:
        click.echo(f"not committed: {exc.message}")
        click.echo("next: git add -A && git commit, then `provisioning plan`")
        return 0
    click.echo(f"next: cd {path}, look at infra/web/example.yaml, and `provisioning plan`")
    return 0


def _build_id() -> uuid.UUID:
    """Build a version 7 UUID (RFC 9562, 5.7): milliseconds since the epoch, then random."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64
    return uuid.UUID(int=value | 0b10 << 62 | secrets.randbits(62))
