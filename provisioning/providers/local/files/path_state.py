"""Looks at one place in an open folder: what stands there, whose it is, what was left beside it."""

from __future__ import annotations

import os
import stat

import msgspec

from provisioning.core.model.errors import ProviderConflict
from provisioning.core.model.ids import Mark
from provisioning.providers.local.files.marks import PARENT, read_attribute, read_mark, read_sidecar
from provisioning.providers.local.files.path_syntax import name_new, name_sidecar


class PathState(msgspec.Struct, frozen=True):
    """What stands at a place.

    Args:
        status: Its status; None if only the traces of a call that was cut off are there.
        mark: The mark it bears, or the traces do.
        is_littered: Whether such traces lie beside it.
        made_for: The infra for which it was made as a folder on the way, no more.
    """

    status: os.stat_result | None
    mark: Mark | None
    is_littered: bool = False
    made_for: str | None = None


def get_infra(owner: str) -> str:
    """Return the part of a mark's owner that names the workspace and the infra."""
    return "/".join(owner.split("/")[:2])


def look(folder: int, name: str, owner: str) -> PathState | None:
    """Return what stands at *name*; traces count if they bear the mark of *owner*."""
    status = read_status(folder, name)
    trace = _find_trace(folder, name, owner)
    if status is None:
        trace = trace or _find_orphan(folder, name, owner)
        return PathState(None, trace, is_littered=True) if trace else None
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return PathState(status, None)
    mark = read_mark(folder, name, status.st_ino, name)
    is_parent = mark is None and stat.S_ISDIR(status.st_mode)
    made_for = read_attribute(folder, name, PARENT) if is_parent else None
    return PathState(status, mark, is_littered=trace is not None, made_for=made_for)


def read_status(folder: int, name: str) -> os.stat_result | None:
    """Return the status of *name* itself, not of what a link points to; None if it is not there."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _find_trace(folder: int, name: str, owner: str) -> Mark | None:
    new = name_new(name)
    status = read_status(folder, new)
    mark = read_mark(folder, new, status.st_ino, name) if status else None
    return mark if mark and mark.owner == owner else None


def _find_orphan(folder: int, name: str, owner: str) -> Mark | None:
    marks = reversed(read_sidecar(folder, name).values())
    return next((mark for mark in marks if mark.owner == owner), None)


def clear_new(folder: int, name: str, owner: str) -> None:
    """Remove what a call that was cut off left where the new version of *name* is put together.

    That is what bears a mark of the same infra, or is empty and unmarked: between making and
    marking it there is a moment, and nothing is lost with it.

    Raises:
        ProviderConflict: If it is something else.
    """
    new = name_new(name)
    status = read_status(folder, new)
    if status is None:
        return
    mark = read_mark(folder, new, status.st_ino, name)
    is_ours = get_infra(mark.owner) == get_infra(owner) if mark else _may_be_bare(status)
    if not is_ours:
        raise ProviderConflict(
            f"{new} is where the new version of {name} would be put together, and is not ours",
            hint="move it out of the way",
        )
    remove = os.rmdir if stat.S_ISDIR(status.st_mode) else os.unlink
    remove(new, dir_fd=folder)


def _may_be_bare(status: os.stat_result) -> bool:
    is_empty = stat.S_ISREG(status.st_mode) and status.st_size == 0
    return is_empty or stat.S_ISDIR(status.st_mode)


def clear_sidecar(folder: int, name: str) -> None:
    """Remove the side-car of *name*, if there is one."""
    if read_status(folder, name_sidecar(name)):
        os.unlink(name_sidecar(name), dir_fd=folder)
