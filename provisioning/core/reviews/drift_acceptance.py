"""Edits a manifest to accept a drift; all else in it stays byte for byte.

A value can be edited if it stands by itself on the line of its key, in block style YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from yaml import CSafeLoader
from yaml.events import (
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from provisioning.core.expressions.interpolation import find_templated
from provisioning.core.formats.documents import ManifestDocument
from provisioning.core.formats.yaml import parse_yaml
from provisioning.core.model.errors import ProvisioningError
from provisioning.core.model.resources import Resource
from provisioning.core.model.values import Tree, is_equal
from provisioning.core.plan.diff import FieldChange

_SUFFIXES = (".yaml", ".yml")
_PLAIN = re.compile(r"[A-Za-z][\w./-]*\Z", re.ASCII)
_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
_MARK = "\ufeff"


def accept_drift(data: bytes, resource: Resource, fields: Iterable[FieldChange]) -> bytes | None:
    """Return the manifest *data* with the live value of each of *fields*; None if it cannot be.

    It cannot where a value is templated, in flow style, on several lines, no scalar, secret, or
    known by its digest only. The result is parsed again, and differs from *data* in *fields*
    alone.

    Args:
        data: The file of *resource*.
        resource: The resource that drifted.
        fields: The fields that differ; `before` is the live value.
    """
    if not resource.source.file.endswith(_SUFFIXES):
        return None
    text, wanted = data.decode(), {field.path: field.before for field in fields}
    mark = _MARK if text.startswith(_MARK) else ""
    old = text.removeprefix(mark)
    new = old
    for name, value in wanted.items():
        edited = _edit(new, resource.lines.get(name, 0), name, value)
        if edited is None:
            return None
        new = edited
    return (mark + new).encode() if _reads_as(old, new, resource, wanted) else None


def _edit(text: str, line: int, name: str, value: Tree) -> str | None:
    if not isinstance(value, str | int | float) or "{{" in str(value):
        return None
    scalars = list(_find_scalars(text, line, name))
    if len(scalars) != 1:
        return None
    (scalar,) = scalars
    written = _render(value, scalar.style)
    return text[: scalar.start_mark.index] + written + text[scalar.end_mark.index :]


def _find_scalars(text: str, line: int, name: str) -> Iterator[Any]:
    """Yield the values of the key *name* on *line*, each by itself, in block style."""
    is_block: list[bool] = []
    key: Any = None
    for event in _list_events(text):
        match event:
            case MappingStartEvent() | SequenceStartEvent():
                is_block.append(not event.flow_style)
            case MappingEndEvent() | SequenceEndEvent():
                is_block.pop()
        if key is not None and all(is_block) and _stands_alone(event, line):
            yield event
        is_key = isinstance(event, ScalarEvent) and event.value == name
        key = event if is_key and key is None and event.start_mark.line + 1 == line else None


def _list_events(text: str) -> Iterator[Any]:
    loader = CSafeLoader(text)
    while not isinstance(event := loader.get_event(), StreamEndEvent):
        yield event


def _stands_alone(event: Any, line: int) -> bool:
    """Tell whether *event* is a plain or quoted scalar of *line*, without anchor and tag."""
    is_bare = isinstance(event, ScalarEvent) and not event.anchor and not event.tag
    if not is_bare or event.style in {"|", ">"}:
        return False
    start, end = event.start_mark, event.end_mark
    is_written = start.index < end.index
    return is_written and (start.line + 1, end.line + 1) == (line, line)


def _render(value: str | float, style: str | None) -> str:
    """Render *value* in the *style* of the old one, where that can hold it."""
    if not isinstance(value, str):
        return json.dumps(value)
    if style != '"' and _PLAIN.match(value) and value.lower() not in _WORDS:
        return f"'{value}'" if style == "'" else value
    return json.dumps(value, ensure_ascii=False)


def _reads_as(old: str, new: str, resource: Resource, wanted: dict[str, Tree]) -> bool:
    try:
        before, after = (parse_yaml(item.encode(), resource.source.file) for item in (old, new))
    except ProvisioningError:
        return False
    own = [item for item in before if _is_of(item, resource)]
    if len(own) != 1 or not _is_plain(own[0].tree["spec"], wanted):
        return False
    trees = [_replace(item.tree, wanted) if item is own[0] else item.tree for item in before]
    return is_equal(trees, [item.tree for item in after])


def _is_of(document: ManifestDocument, resource: Resource) -> bool:
    tree = document.tree
    return (
        isinstance(tree, dict)
        and f"{tree.get('kind')}/{(tree.get('metadata') or {}).get('name')}" == resource.id
    )


def _is_plain(spec: dict[str, Tree], wanted: dict[str, Tree]) -> bool:
    written = {name: spec.get(name) for name in wanted}
    return wanted.keys() <= spec.keys() and not list(find_templated(written))


def _replace(tree: dict[str, Tree], wanted: dict[str, Tree]) -> dict[str, Tree]:
    return {**tree, "spec": {**tree["spec"], **wanted}}
