"""One setting: its key, the values that it may have, and the layers that may set it."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

import msgspec

from provisioning.core.expressions.interpolation import is_templated
from provisioning.core.model.ids import NAME
from provisioning.core.model.values import Tree


class Layer(StrEnum):
    """Where a value can come from; later layers win."""

    DEFAULTS = "defaults"
    USER = "user"
    WORKSPACE = "workspace"
    ENVIRONMENT = "environment"
    INFRA = "infra"
    OVERRIDE = "environment variable or flag"


ANYWHERE = frozenset(Layer)
BEFORE_INFRA = frozenset({Layer.USER, Layer.WORKSPACE, Layer.OVERRIDE})
"""The layers of a setting that decides which further values are read."""

OF_OPERATOR = frozenset({Layer.USER, Layer.OVERRIDE})
"""The layers of a setting that no commit changes."""

IN_WORKSPACE = frozenset({Layer.WORKSPACE, Layer.OVERRIDE})
ONLY_WORKSPACE = frozenset({Layer.WORKSPACE})
IN_COMMITS = frozenset({Layer.WORKSPACE, Layer.ENVIRONMENT, Layer.INFRA})
"""The layers of a setting that only a commit changes."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting.

    Args:
        key: Its dotted name.
        type: `str`, `int`, `float`, `list` or `dict`; a `float` takes whole numbers too.
        default: Its value if neither a layer nor the mode sets it.
        doc: One sentence for people.
        choices: The values it may have, if not any.
        optional: It may be null.
        named: It must be a name, as resources have; then it may hold no interpolation.
        minimum: The least value of a number.
        maximum: The greatest value of a number.
        layers: Which layers may set it.
    """

    key: str
    type: type
    default: Tree
    doc: str
    choices: tuple[str, ...] = ()
    optional: bool = False
    named: bool = False
    minimum: float | None = None
    maximum: float | None = None
    layers: frozenset[Layer] = ANYWHERE


def describe_expected(setting: Setting) -> str:
    """Say what a value of *setting* must be."""
    if setting.choices:
        return "one of " + ", ".join(setting.choices)
    names = {
        str: "a name of small letters, digits, - and _" if setting.named else "a string",
        int: "a whole number",
        float: "a number",
        list: "a list of strings",
        dict: "a map",
    }
    least = f" of at least {setting.minimum:g}" if setting.minimum is not None else ""
    most = f" and at most {setting.maximum:.0f}" if setting.maximum is not None else ""
    return names[setting.type] + least + most + (" or null" if setting.optional else "")


def is_fitting(setting: Setting, value: Any) -> bool:
    """Return whether *value* may be a value of *setting*."""
    if value is None:
        return setting.optional
    if isinstance(value, bool):
        return False
    wanted: Any = (int, float) if setting.type is float else setting.type
    if not isinstance(value, wanted):
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if setting.minimum is not None and value < setting.minimum:
        return False
    if setting.maximum is not None and value > setting.maximum:
        return False
    if setting.named and not NAME.match(value):
        return False
    if setting.type is list and not all(isinstance(item, str) for item in value):
        return False
    return not setting.choices or value in setting.choices


def has_interpolation(setting: Setting, value: Tree) -> bool:
    """Return whether *value* is only known once its interpolations are resolved."""
    texts = value if isinstance(value, list) else [value]
    found = any(isinstance(text, str) and is_templated(text) for text in texts)
    return found and not setting.named
