"""Checks the values of one layer against the registered settings, and keeps their places."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from provisioning.config.provenance import Branch, Origin, SettingValue, describe_unknown
from provisioning.config.registry import get_setting, list_groups, list_maps
from provisioning.config.setting import (
    Setting,
    describe_expected,
    has_interpolation,
    is_fitting,
)
from provisioning.core.formats.scalars import NUMBER_HINT, read_plain
from provisioning.core.model.errors import InvalidConfiguration
from provisioning.core.model.terminal_text import is_utf8
from provisioning.core.model.values import Path, Tree, find_nearest

_UNREACHABLE = re.compile(r"[.{}]|\A\s|\s\Z|\A\Z")
"""The keys that no `{{config.KEY}}` could name."""


class Reader:
    """Reads the tree of one layer; *locate* returns the origin of a place in it."""

    def __init__(self, locate: Callable[[Path], Origin]) -> None:
        self._locate = locate

    def read(self, tree: Tree) -> Branch:
        """Return *tree* with the origin of every value.

        Raises:
            InvalidConfiguration: If a key is unknown or a value is not what it must be.
        """
        return self._read_map(tree, ())

    def _read_map(self, tree: Tree, place: tuple[str, ...]) -> Branch:
        if tree is None:
            return {}
        if not isinstance(tree, dict):
            key = ".".join(place) or "the whole"
            raise _describe_unfit(key, tree, "a map of settings", self._locate(place))
        return {name: self._read_entry(below, (*place, name)) for name, below in tree.items()}

    def _read_entry(self, tree: Tree, place: tuple[str, ...]) -> Branch | SettingValue:
        key, origin = ".".join(place), self._locate(place)
        if _UNREACHABLE.search(place[-1]):
            raise InvalidConfiguration(
                f"the key {place[-1]!r} has a dot, a brace, a space at an end, or is empty",
                hint="put maps into each other instead of a dot: `lock: {ttl: 60}`",
                source=origin.source,
            )
        is_own_map = place[0] in list_maps() and isinstance(tree, dict)
        if key in list_groups() or key in list_maps() or is_own_map:
            return self._read_map(tree, place)
        _check_entry(key, tree, origin)
        return SettingValue(tree, origin)


def _check_entry(key: str, value: Tree, origin: Origin) -> None:
    setting = get_setting(key)
    if setting is None:
        raise describe_unknown(key, origin)
    if origin.layer not in setting.layers:
        raise InvalidConfiguration(
            f"{key} cannot be set here ({origin.name or origin.layer})",
            hint="set it in config/provisioning.yaml",
            source=origin.source,
        )
    if not has_interpolation(setting, value):
        check_value(key, value, origin)


def check_value(key: str, value: Tree, origin: Origin) -> None:
    """Make sure that *value* fits the setting *key*; below a map anything does.

    Raises:
        InvalidConfiguration: If it does not.
    """
    setting = get_setting(key)
    if setting and setting.type is not dict and not is_fitting(setting, value):
        hint = _suggest(setting, value)
        raise _describe_unfit(key, value, describe_expected(setting), origin, hint)


def _suggest(setting: Setting, value: Tree) -> str:
    nearest = find_nearest(str(value), list(setting.choices))
    return f"did you mean {nearest!r}?" if nearest else setting.doc


def _describe_unfit(
    key: str, value: Tree, expected: str, origin: Origin, hint: str | None = None
) -> InvalidConfiguration:
    where = f" ({origin.name})" if origin.name else ""
    return InvalidConfiguration(
        f"{key}{where} is {value!r}, and must be {expected}", hint=hint, source=origin.source
    )


def read_text(key: str, text: str, name: str) -> Tree:
    """Return the value that *text*, of a variable or a flag called *name*, means for *key*.

    A setting that is a string takes the text as it is. Otherwise it is a plain scalar, as in
    YAML, or JSON if it begins as a list, a map or a quoted string does.

    Raises:
        InvalidConfiguration: If it is no UTF-8, or a number or JSON that cannot be read.
    """
    if not is_utf8(text):
        raise InvalidConfiguration(f"{key} ({name}) is not UTF-8", hint="write it as UTF-8")
    setting = get_setting(key)
    if text.startswith("{{") or (setting and setting.type is str and text != "null"):
        return text
    try:
        if text.startswith(("[", "{", '"')):
            return msgspec.json.decode(text)
        return read_plain(text)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise InvalidConfiguration(
            f"{key} ({name}) is not JSON: {exc}",
            hint="""write a list as '["a", "b"]', a map as '{"a": 1}', a text as '"[a"'""",
        ) from exc
    except ValueError as exc:
        raise InvalidConfiguration(f"{key} ({name}): {exc}", hint=NUMBER_HINT) from exc
