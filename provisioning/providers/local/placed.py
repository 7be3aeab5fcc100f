"""Serves the kinds that are found by their path: files and directories."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from provisioning.core.errors import ProviderConflict, ProviderError
from provisioning.core.ids import Mark
from provisioning.core.providers import Absent, Call, Observation, Present, Target, Unreadable
from provisioning.core.values import Tree
from provisioning.providers.local.accounts import Accounts
from provisioning.providers.local.directories import enter_or_make
from provisioning.providers.local.failures import explain, translated
from provisioning.providers.local.paths import Folder, Roots, name_type
from provisioning.providers.local.renaming import sync_folder
from provisioning.providers.local.standing import (
    Standing,
    clear_new,
    clear_sidecar,
    get_infra,
    look,
)

ABSENT = Absent()


class Form(Protocol):
    """What differs between the kinds that are found by their path.

    `unmade` holds the attributes of what is there in part only; they differ from any spec's.
    """

    unmade: Mapping[str, Tree]

    def fits(self, status: os.stat_result) -> bool:
        """Tell whether what stands there is of this form."""

    def read(self, folder: int, name: str, status: os.stat_result) -> Mapping[str, Tree]:
        """Return the attributes beyond path and rights."""

    def write(self, folder: int, name: str, call: Call, standing: os.stat_result | None) -> None:
        """Make it, or change what stands there, with the call's mark."""

    def remove(self, folder: int, name: str) -> None:
        """Remove it."""


class Placed:
    """Serves one kind that is found by its path.

    *making* lets only one thread at a time make a directory, as a resource or on the way to one.
    """

    def __init__(self, roots: Roots, form: Form, making: threading.Lock) -> None:
        self._roots = roots
        self._form = form
        self._making = making

    # Looking

    def observe(self, owner: str, targets: Sequence[Target]) -> list[Observation]:
        """Look at *targets*, opening each folder once."""
        answers: list[Observation] = [ABSENT] * len(targets)
        folders: dict[Folder, list[tuple[int, str]]] = {}
        for position, target in enumerate(targets):
            if "path" not in target.attributes:
                continue
            try:
                folder, name = self._roots.locate(target.attributes["path"])
            except ProviderError as exc:
                answers[position] = Unreadable(exc.message)
                continue
            folders.setdefault(folder, []).append((position, name))
        accounts = Accounts()
        for folder, entries in folders.items():
            found = self._observe_folder(folder, entries, owner, targets, accounts)
            for (position, _), answer in zip(entries, found, strict=True):
                answers[position] = answer
        return answers

    def _observe_folder(
        self,
        folder: Folder,
        entries: Sequence[tuple[int, str]],
        owner: str,
        targets: Sequence[Target],
        accounts: Accounts,
    ) -> Sequence[Observation]:
        try:
            with self._roots.open(folder) as fd:
                return [
                    self._observe_entry(fd, name, owner, targets[position], accounts)
                    for position, name in entries
                ]
        except FileNotFoundError:
            return [ABSENT] * len(entries)
        except ProviderError as exc:
            return [Unreadable(exc.message)] * len(entries)
        except OSError as exc:
            return [Unreadable(explain(str(folder), exc))] * len(entries)

    def _observe_entry(
        self, fd: int, name: str, owner: str, target: Target, accounts: Accounts
    ) -> Observation:
        try:
            standing = look(fd, name, f"{owner}/{target.id}")
            if standing is None or self._is_parent(standing, owner):
                return ABSENT
            attributes = self._describe(fd, name, standing, target.attributes, accounts)
            return Present(attributes, self._get_mark(standing))
        except FileNotFoundError:
            return ABSENT
        except OSError as exc:
            return Unreadable(explain(str(target.attributes["path"]), exc))

    def _is_parent(self, standing: Standing, infra: str) -> bool:
        """Tell whether it is but a folder on the way to something, and so no resource yet."""
        fits = standing.status is not None and self._form.fits(standing.status)
        return fits and standing.mark is None and standing.made_for == infra

    def _get_mark(self, standing: Standing) -> Mark | None:
        fits = standing.status is None or self._form.fits(standing.status)
        return standing.mark if fits else None

    def _describe(
        self,
        fd: int,
        name: str,
        standing: Standing,
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
        with self._open(call, call.spec, make=True) as (fd, name), self._making:
            standing = look(fd, name, call.mark.owner)
            if standing and not self._is_own(standing, call):
                raise self._build_conflict(call, standing)
            return self._write(fd, name, call, standing)

    def update(self, call: Call) -> Mapping[str, Tree]:
        """See `Provider.update`; what is gone is made again."""
        with self._open(call, call.spec, make=True) as (fd, name), self._making:
            standing = look(fd, name, call.mark.owner)
            if standing and not self._may_take(standing, call):
                raise self._build_conflict(call, standing)
            return self._write(fd, name, call, standing)

    def delete(self, call: Call) -> None:
        """See `Provider.delete`."""
        try:
            with self._open(call, call.attributes, make=False) as (fd, name):
                self._delete(fd, name, call)
        except ProviderError as exc:
            if not isinstance(exc.__cause__, FileNotFoundError):
                raise

    def _delete(self, fd: int, name: str, call: Call) -> None:
        standing = look(fd, name, call.mark.owner)
        if standing is None:
            return
        mark = self._get_mark(standing)
        if mark is None or mark.owner != call.mark.owner:
            raise self._build_conflict(call, standing)
        clear_new(fd, name, call.mark.owner)
        if standing.status:
            self._form.remove(fd, name)
        clear_sidecar(fd, name)
        sync_folder(fd)

    def _write(
        self, fd: int, name: str, call: Call, standing: Standing | None
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
        return self._describe(fd, name, made, call.spec, Accounts())

    @contextmanager
    def _open(
        self, call: Call, values: Mapping[str, Tree], *, make: bool
    ) -> Iterator[tuple[int, str]]:
        folder, name = self._roots.locate(values.get("path"))
        step = partial(self._make_folder, infra=get_infra(call.mark.owner)) if make else None
        with translated(f"{call.id}: {values['path']}"), self._roots.open(folder, step) as fd:
            yield fd, name

    def _make_folder(self, fd: int, name: str, infra: str) -> int:
        with self._making:
            return enter_or_make(fd, name, infra)

    # Whose is it?

    def _is_own(self, standing: Standing, call: Call) -> bool:
        mark = self._get_mark(standing)
        is_ours = mark is not None and mark.owner == call.mark.owner
        return is_ours or self._is_parent(standing, get_infra(call.mark.owner))

    def _may_take(self, standing: Standing, call: Call) -> bool:
        if standing.status and not self._form.fits(standing.status):
            return False
        mark = standing.mark
        return mark is None or get_infra(mark.owner) == get_infra(call.mark.owner)

    def _build_conflict(self, call: Call, standing: Standing) -> ProviderConflict:
        path = call.spec.get("path") or call.attributes.get("path")
        whose = f"bears the mark {standing.mark}" if standing.mark else "was not made by us"
        what = name_type(standing.status.st_mode) if standing.status else "leftover"
        return ProviderConflict(
            f"{call.id}: the {what} at {path} {whose}",
            hint="move it out of the way, or choose another path",
        )
