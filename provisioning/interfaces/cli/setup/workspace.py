"""`workspace init`: a new workspace, committed and ready to plan."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import click

from provisioning.core.model.errors import InvalidArgument, RepositoryUnusable, StorageFailed
from provisioning.core.model.ids import NAME
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
    from provisioning.config.workspace import check_free, render_workspace, write_workspace
    from provisioning.gitstore.repository.work_tree import create_repository, is_repository

    folder = (Path(session.folder) / path).resolve()
    name = _check_name(name or folder.name.lower())
    files = render_workspace(name, str(_build_id()))
    check_free(folder, files)
    had_repository = is_repository(folder)
    if not had_repository:
        _make_folder(folder)
        create_repository(folder)
    written = write_workspace(folder, files)
    click.echo(f"made workspace {name!r} in {folder}")
    for file in written:
        click.echo(f"  {file}")
    if had_repository:
        click.echo("next: git add and commit these files, then `provisioning plan`")
    else:
        _commit(folder, written)
    return 0


def _check_name(name: str) -> str:
    if not NAME.match(name):
        raise InvalidArgument(
            f"{name!r} cannot be a workspace's name",
            hint="pass --name with small letters, digits, - and _",
        )
    return name


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StorageFailed(
            f"{folder} cannot be made: {exc.strerror}", hint="choose another folder"
        ) from exc


def _commit(folder: Path, files: Sequence[str]) -> None:
    """Make the first commit, or say why there is none: Git may not know who the user is."""
    from provisioning.gitstore.repository.work_tree import commit_all

    try:
        commit_all(folder, files, "Begin the workspace")
    except RepositoryUnusable as exc:
        click.echo(f"not committed: {exc.message}")
        click.echo("next: git add -A && git commit, then `provisioning plan`")
        return
    click.echo(f"next: cd {folder}, look at infra/web/example.yaml, and `provisioning plan`")


def _build_id() -> uuid.UUID:
    """Build a version 7 UUID (RFC 9562, 5.7): milliseconds since the epoch, then random."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64
    return uuid.UUID(int=value | 0b10 << 62 | secrets.randbits(62))
