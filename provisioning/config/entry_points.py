"""Finds the entry points by which packages that the operator installed extend this program.

The format is that of the packaging standard: `entry_points.txt` in each distribution's `.dist-info`
folder (https://packaging.python.org/specifications/entry-points). They are read without
`importlib.metadata`, whose import would take longer than most commands have.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec

from provisioning.core.model.errors import InvalidConfiguration

_Wanted = TypeVar("_Wanted")

PREFIX = "[provisioning."
"""The beginning of every group's name, as it stands in the file."""

MARK = PREFIX.encode()

LIMIT = 1024 * 1024
"""Bytes of a file that are read."""


class EntryPoint(msgspec.Struct, frozen=True):
    """One entry point: *value* is `module:attribute`, and *place* its file."""

    group: str
    name: str
    value: str
    place: str

    def load(self, wanted: type[_Wanted]) -> _Wanted:
        """Import the module and return the attribute.

        Raises:
            InvalidConfiguration: If it cannot be imported, or is no *wanted*.
        """
        module, _, attribute = self.value.partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except Exception as exc:
            raise self._refuse(f"cannot be loaded: {type(exc).__name__}: {exc}") from exc
        if not isinstance(found, wanted):
            raise self._refuse(f"is {type(found).__name__}, and must be {wanted.__name__}")
        return found

    @property
    def package(self) -> str:
        """The name and version of the package, as its folder has them."""
        return Path(self.place).parent.name.removesuffix(".dist-info")

    def _refuse(self, reason: str) -> InvalidConfiguration:
        whose = f"of the installed package {self.package}"
        return InvalidConfiguration(
            f"provisioning.{self.group} {self.name!r} {whose} {reason}",
            hint="upgrade or uninstall that package",
        )


def list_entry_points(group: str) -> list[EntryPoint]:
    """Return the entry points of `provisioning.`*group* by name; the first of each name counts.

    The working directory is left out, although `python -m` puts it on the path: it may be a
    workspace, and code of a workspace never runs in this process.
    """
    points = reversed(_scan(_list_folders()))
    found = {point.name: point for point in points if point.group == group}
    return [found[name] for name in sorted(found)]


def _list_folders() -> tuple[str, ...]:
    try:
        here = os.getcwd()  # noqa: PTH109  as a text, to compare
    except OSError:  # it was deleted
        here = ""
    return tuple(folder for folder in sys.path if folder not in {"", here})


@cache
def _scan(folders: Sequence[str]) -> tuple[EntryPoint, ...]:
    return tuple(point for folder in folders for point in _scan_folder(folder))


def _scan_folder(folder: str) -> Iterator[EntryPoint]:
    try:
        names = [name for name in os.listdir(folder) if name.endswith(".dist-info")]  # noqa: PTH208
    except OSError:
        return
    for name in sorted(names):
        place = f"{folder}/{name}/entry_points.txt"
        data = _read(place)
        if MARK in data:
            yield from _parse(data.decode(errors="replace"), place)


def _read(place: str) -> bytes:
    """Read a file as quickly as can be: there are as many as installed packages."""
    try:
        handle = os.open(place, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(handle, LIMIT)
    finally:
        os.close(handle)


def _parse(text: str, place: str) -> Iterator[EntryPoint]:
    group = ""
    for line in text.splitlines():
        entry = line.strip()
        if entry.startswith("["):
            group = entry.removeprefix(PREFIX).removesuffix("]") if entry.startswith(PREFIX) else ""
        elif group and "=" in entry and not entry.startswith(("#", ";")):
            name, _, value = entry.partition("=")
            yield EntryPoint(group, name.strip(), value.strip(), place)
