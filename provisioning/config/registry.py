"""The registry of settings: every package registers its own, and `config` merges and explains them.

A package of this program registers by a module `settings` with a tuple `SETTINGS`; it is found by
its name, at the top or one level below. A package that the operator installed registers such a
tuple by an entry point of the group `provisioning.settings`.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from provisioning.config.entry_points import list_entry_points
from provisioning.config.setting import Setting
from provisioning.core.model.errors import InvalidConfiguration

ROOT = __name__.partition(".")[0]
OWN = f"{ROOT}.config.settings"


@cache
def load_settings() -> Mapping[str, Setting]:
    """Return every registered setting by its key.

    Raises:
        InvalidConfiguration: If two packages register one key, or a package cannot be loaded.
    """
    settings: dict[str, Setting] = {}
    for origin, setting in _list_registered():
        if setting.key in settings:
            raise InvalidConfiguration(
                f"{origin} registers the setting {setting.key}, and so does another package",
                hint="uninstall one of them",
            )
        settings[setting.key] = setting
    return settings


def _list_registered() -> Iterator[tuple[str, Setting]]:
    for name in (OWN, *(module for module in list_modules() if module != OWN)):
        for setting in importlib.import_module(name).SETTINGS:
            yield name, setting
    for point in list_entry_points("settings"):
        for setting in point.load(tuple):
            yield point.value, setting


def list_modules() -> list[str]:
    """Return the names of the modules by which packages of this program register settings."""
    return sorted(_find_modules(str(Path(__file__).parents[1]), ROOT, 2))


def _find_modules(folder: str, package: str, depth: int) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == "settings.py":
                yield f"{package}.settings"
            elif depth and "." not in entry.name and entry.name != "__pycache__":
                yield from _find_modules(entry.path, f"{package}.{entry.name}", depth - 1)


@cache
def list_maps() -> frozenset[str]:
    """Return the keys below which any other may stand."""
    return frozenset(key for key, setting in load_settings().items() if setting.type is dict)


@cache
def list_groups() -> frozenset[str]:
    """Return the keys that only hold others."""
    return frozenset(key.rpartition(".")[0] for key in load_settings() if "." in key)


def get_setting(key: str) -> Setting | None:
    """Return the setting that *key* is, or lies below; None if there is none."""
    first = key.partition(".")[0]
    return load_settings().get(first if first in list_maps() else key)
