"""Fields that belong to somebody else once a resource is made: `ignoreFields`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from provisioning.core.model.resources import Lifecycle
from provisioning.core.model.values import (
    Omitted,
    Sensitive,
    Tree,
    parse_field,
    read_at,
    replace_at,
)
from provisioning.core.plan.diff import FieldChange


def leave_ignored(lifecycle: Lifecycle, fields: tuple[FieldChange, ...]) -> tuple[FieldChange, ...]:
    """Return *fields* without those that are ignored, or lie below one that is."""
    if not lifecycle.ignore_fields:
        return fields
    return tuple(field for field in fields if not _is_ignored(field.path, lifecycle.ignore_fields))


def _is_ignored(path: str, ignored: tuple[str, ...]) -> bool:
    return any(path == item or path.startswith((f"{item}.", f"{item}[")) for item in ignored)


def keep_ignored(
    lifecycle: Lifecycle, spec: dict[str, Tree], live: Mapping[str, Tree]
) -> dict[str, Tree]:
    """Return *spec* with what is live at every ignored path, so that an update leaves it."""
    for field in lifecycle.ignore_fields:
        path = parse_field(field)
        try:
            value = read_at(live, path)
            read_at(spec, path)
        except KeyError:
            continue
        if not isinstance(value, Omitted | Sensitive):
            spec = replace_at(spec, path, partial(_always, value))
    return spec


def _always(value: Tree, _: Tree) -> Tree:
    return value
