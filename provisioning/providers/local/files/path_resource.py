"""Serves the kinds that are found by their path: files and directories."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from provisioning.core.model.errors import ProviderConflict, ProviderError
from provisioning.core.model.ids import Mark
from provisioning.core.model.providers import (
    Absent,
    Call,
    Observation,
    ObservationTarget,
    Observed,
    Present,
    Unreadable,
)
from provisioning.core.model.values import Tree
from provisioning.providers.local.files.accounts import Accounts
from provisioning.providers.local.files.directory import make_parent
from provisioning.providers.local.files.path_state import (
    PathState,
    clear_new,
    clear_sidecar,
    get_infra,
    look,
)
from provisioning.providers.local.files.replacement import sync_folder
from provisioning.providers.local.files.roots import Folder, Roots, enter, name_type
from provisioning.providers.local.kernel_errors import explain, translated

ABSENT = Absent()


class PathKind(Protocol):
    """What differs between the kinds that are found by their path.

    `unmade` holds the attributes of what is there in part only; they differ from any spec's.
    `guard` is held while one is made or changed.
    """

    unmade: Mapping[str, Tree]

    @property
    def guard(self) -> AbstractContextManager[object]:
        """What to hold meanwhile."""

    def fits(self, status: os.stat_result) -> bool:
        """Tell whether what stands there is of this form."""

    def read(self, folder: int, name: str, status: os.stat_result) -> Mapping[str, Tree]:
        """Return the attributes beyond path and rights."""

    def write(self, folder: int, name: str, call: Call, standing: os.stat_result | None) -> None:
        """Make it, or change what stands there, with the call's mark."""

    def remove(self, folder: int, name: str) -> None:
        """Remove it."""


@dataclass(slots=True)
class _Glance:
    """One look at many targets: the answers so far, each under its target's position."""

    infra: str
    targets: Sequence[ObservationTarget]
    answers: list[Observation]
    accounts: Accounts


_Entries = list[tuple[int, str]]
"""The positions of targets in one folder, and their names there."""


class PathResource:
    """Serves one kind that is found by its path.

    *making* lets only one thread at a time make a directory, as a resource or on the way to one.
    What a look was told of users and groups holds until the next one.
    """

    def __init__(self, roots: Roots, form: PathKind, making: threading.Lock) -> None:
        self._roots = roots
        self._form = form
        self._making = making
        self._accounts = Accounts()

    # Looking

    def observe(self, owner: str, targets: Sequence[ObservationTarget]) -> Observed:
        """Look at *targets*, opening each folder once."""
        self._accounts = Accounts()
        glance = _Glance(owner, targets, [ABSENT] * len(targets), self._accounts)
        for folder, entries in self._group(glance).items():
            self._observe_folder(glance, folder, entries)
        return Observed(answers=glance.answers)

    def _group(self, glance: _Glance) -> Mapping[Folder, _Entries]:
        folders: dict[Folder, _Entries] = {}
        for position, target in enumerate(glance.targets):
            if "path" not in target.attributes:
                continue
            try:
                folder, name = self._roots.locate(target.attributes["path"])
            except ProviderError as exc:
                glance.answers[position] = Unreadable(exc.message)
            else:
                folders.setdefault(folder, []).append((position, name))
        return folders

    def _observe_folder(self, glance: _Glance, folder: Folder, entries: _Entries) -> None:
        reason = ""
        try:
            with self._roots.open(folder) as fd:
                for position, name in entries:
                    glance.answers[position] = self._observe(glance, fd, name, position)
        except FileNotFoundError:
            return
        except ProviderError as exc:
            reason = exc.message
        except OSError as exc:
            reason = explain(str(folder), exc)
        if reason:
            for position, _ in entries:
                glance.answers[position] = Unreadable(reason)

    def _observe(self, glance: _Glance, fd: int, name: str, position: int) -> Observation:
        target = glance.targets[position]
        try:
            standing = look(fd, name, f"{glance.infra}/{target.id}")
            if standing is None or self._is_parent(standing, glance.infra):
                return ABSENT
            attributes = self._describe(fd, name, standing, target.attributes, glance.accounts)
        except FileNotFoundError:
            return ABSENT
        except OSError as exc:
            return Unreadable(explain(str(target.attributes["path"]), exc))
        return Present(attributes, self._get_mark(standing))

    def _describe(
        self,
        fd: int,
        name: str,
        standing: PathState,
        said: Mapping[str, Tree],
        accounts: Accounts,
    ) -> dict[str, Tree]:
        status, path = standing.status, said["path"]
        litter = {"leftover": True} if standing.is_littered else {}
        if status is None:
            return {"path": path, **self._form.unmade, **litter}
        if not self._form.fits(status):
            return {"path": path, **self._form.unmade, "type": name_type(status.st_mode)}
        return {
            "path": path,
            "mode": f"{stat.S_IMODE(status.st_mode):04o}",
            **accounts.name(status, said),
            **self._form.read(fd, name, status),
            **litter,
        }

    # Changing

    def create(self, call: Call) -> Mapping[str, Tree]:
        """See `Provider.create`."""
        with self._open_to_write(call) as (fd, name):
            standing = look(fd, name, call.mark.owner)
            if standing and not self._is_own(standing, call):
                raise _build_conflict(call, standing)
            return self._write(fd, name, call, standing)

    def update(self, call: Call) -> Mapping[str, Tree]:
        """See `Provider.update`; what is gone is made again."""
        with self._open_to_write(call) as (fd, name):
            standing = look(fd, name, call.mark.owner)
            if standing and not self._may_take(standing, call):
                raise _build_conflict(call, standing)
            return self._write(fd, name, call, standing)

    def delete(self, call: Call) -> None:
        """See `Provider.delete`."""
        folder, name = self._roots.locate(call.attributes.get("path"))
        what = f"{call.id}: {call.attributes['path']}"
        with translated(what), suppress(FileNotFoundError), self._roots.open(folder) as fd:
            standing = look(fd, name, call.mark.owner)
            if standing is None:
                return
            mark = self._get_mark(standing)
            if mark is None or mark.owner != call.mark.owner:
                raise _build_conflict(call, standing)
            self._remove(fd, name, call, standing)

    def _remove(self, fd: int, name: str, call: Call, standing: PathState) -> None:
        """Remove it, and then its side-car: without the one the other proves that we were here."""
        clear_new(fd, name, call.mark.owner)
        if standing.status:
            self._form.remove(fd, name)
        clear_sidecar(fd, name)
        sync_folder(fd)

    @contextmanager
    def _open_to_write(self, call: Call) -> Iterator[tuple[int, str]]:
        folder, name = self._roots.locate(call.spec.get("path"))
        step = partial(self._enter_or_make, infra=get_infra(call.mark.owner))
        what = f"{call.id}: {call.spec['path']}"
        with translated(what), self._roots.open(folder, step) as fd, self._form.guard:
            yield fd, name

    def _enter_or_make(self, fd: int, name: str, infra: str) -> int:
        try:
            return enter(fd, name)
        except FileNotFoundError:
            with self._making:
                make_parent(fd, name, infra)
        return enter(fd, name)

    def _write(
        self, fd: int, name: str, call: Call, standing: PathState | None
    ) -> Mapping[str, Tree]:
        clear_new(fd, name, call.mark.owner)
        try:
            self._form.write(fd, name, call, standing.status if standing else None)
        except FileExistsError as exc:
            raise ProviderConflict(
                f"{call.id}: something came to stand at {call.spec['path']} just now",
                hint="move it out of the way, then run again",
            ) from exc
        made = look(fd, name, call.mark.owner)
        if made is None:
            raise ProviderError(f"{call.id}: {call.spec['path']} vanished as it was made")
        return self._describe(fd, name, made, call.spec, self._accounts)

    # Whose is it?

    def _fits(self, standing: PathState) -> bool:
        return standing.status is None or self._form.fits(standing.status)

    def _get_mark(self, standing: PathState) -> Mark | None:
        return standing.mark if self._fits(standing) else None

    def _is_parent(self, standing: PathState, infra: str) -> bool:
        """Tell whether it is but a folder on the way to something, and so no resource yet."""
        return standing.made_for == infra and self._fits(standing)

    def _is_own(self, standing: PathState, call: Call) -> bool:
        mark = self._get_mark(standing)
        is_ours = mark is not None and mark.owner == call.mark.owner
        return is_ours or self._is_parent(standing, get_infra(call.mark.owner))

    def _may_take(self, standing: PathState, call: Call) -> bool:
        mark = standing.mark
        return (mark is None or call.may_take(mark.owner)) and self._fits(standing)


def _build_conflict(call: Call, standing: PathState) -> ProviderConflict:
    path = call.spec.get("path") or call.attributes.get("path")
    whose = f"bears the mark {standing.mark}" if standing.mark else "was not made by us"
    what = name_type(standing.status.st_mode) if standing.status else "leftover"
    return ProviderConflict(
        f"{call.id}: the {what} at {path} {whose}",
        hint="move it out of the way, or choose another path",
    )
