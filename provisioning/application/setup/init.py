"""`workspace init`: a new workspace, committed and ready to plan."""

from __future__ import annotations

import secrets
import time
import uuid
from pathlib import Path

import msgspec

from provisioning.application.context import Context, UseCaseRequest
from provisioning.core.model.errors import InvalidArgument, RepositoryUnusable, StorageFailed
from provisioning.core.model.ids import NAME


class NewWorkspace(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace that was made.

    `is_committed`: its files are committed; else `problem` says why they could not be.
    """

    name: str
    folder: Path
    files: tuple[str, ...]
    is_committed: bool
    problem: str | None = None


class InitRequest(UseCaseRequest[NewWorkspace], frozen=True, kw_only=True):
    """Make a workspace in *folder*; its name is the folder's by default."""

    folder: Path
    name: str | None = None


def init(request: InitRequest, context: Context) -> NewWorkspace:
    """Write settings and one infra with an example, into a new repository if there is none."""
    from provisioning.config.workspace import check_free, render_workspace, write_workspace
    from provisioning.gitstore.repository.work_tree import create_repository, is_repository

    del context
    folder = request.folder
    name = request.name or folder.name.lower()
    if not NAME.match(name):
        raise InvalidArgument(
            f"{name!r} cannot be a workspace's name",
            hint="pass --name with small letters, digits, - and _",
        )
    files = render_workspace(name, str(_build_id()))
    check_free(folder, files)
    had_repository = is_repository(folder)
    if not had_repository:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            message = f"{folder} cannot be made: {exc.strerror}"
            raise StorageFailed(message, hint="choose another folder") from exc
        create_repository(folder)
    written = tuple(write_workspace(folder, files))
    problem = None if had_repository else _commit(folder, written)
    is_committed = not had_repository and problem is None
    return NewWorkspace(
        name=name, folder=folder, files=written, is_committed=is_committed, problem=problem
    )


def _commit(folder: Path, files: tuple[str, ...]) -> str | None:
    """Make the first commit; return why there is none: Git may not know who the user is."""
    from provisioning.gitstore.repository.work_tree import commit_all

    try:
        commit_all(folder, files, "Begin the workspace")
    except RepositoryUnusable as exc:
        return exc.message
    return None


def _build_id() -> uuid.UUID:
    """Build a version 7 UUID (RFC 9562, 5.7): milliseconds since the epoch, then random."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64
    return uuid.UUID(int=value | 0b10 << 62 | secrets.randbits(62))
