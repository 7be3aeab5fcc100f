"""Parses YAML 1.2 from libyaml's events, with the line of every key and list entry.

Events come one by one, so that depth and repetition are limited before libyaml's recursion or an
alias bomb does harm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from yaml import CSafeLoader
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from provisioning.core.formats.decoding import decode_text, refuse_characters
from provisioning.core.formats.documents import DEPTH_HINT, MAX_DEPTH, TOO_DEEP, ManifestDocument
from provisioning.core.formats.scalars import (
    NUMBER_HINT,
    SCALAR_TAGS,
    read_plain,
    read_tagged,
    show_tag,
)
from provisioning.core.formats.yaml_errors import describe_yaml_error
from provisioning.core.model.errors import InvalidManifest, Source
from provisioning.core.model.values import Path, Tree, render_path

MAX_REPEATED: Final = 1024 * 1024
"""Characters that the aliases of a file may repeat in total."""

_REFUSED = re.compile("[\x7f-\x9f\u2028\u2029\ufffe\uffff]")
"""Characters that libyaml refuses or, as in YAML 1.1, takes for line breaks."""

_COLLECTION_TAGS = {
    MappingStartEvent: (None, "!", "tag:yaml.org,2002:map"),
    SequenceStartEvent: (None, "!", "tag:yaml.org,2002:seq"),
}
_UNQUOTED = 'put a value with braces into quotes: "{{…}}"'


def parse_yaml(data: bytes, file: str) -> list[ManifestDocument]:
    """Parse every document of a YAML file; empty ones are skipped.

    `read_plain` reads scalars. Anchors, aliases and merge keys (`<<`) are resolved; their values
    keep the line where they are written.

    Raises:
        InvalidManifest: If it is not YAML, repeats a key, has a key that is no string,
            nests deeper than `MAX_DEPTH`, repeats more than `MAX_REPEATED` characters by
            aliases, or uses a tag of its own.
    """
    text = decode_text(data, file)
    refuse_characters(text, _REFUSED, file)
    try:
        return list(_Builder(text, file).build_documents())
    except MarkedYAMLError as exc:
        raise describe_yaml_error(exc, text, file) from exc


class _Anchored(msgspec.Struct, frozen=True):
    """A node with an anchor: its tree and depth, the entries below it, its size as text."""

    tree: Tree
    depth: int
    first: int
    last: int
    size: int


class _Builder:
    """Builds trees from events. Depth is bounded, so recursion is safe."""

    def __init__(self, text: str, file: str) -> None:
        self._next: Callable[[], Any] = CSafeLoader(text).get_event
        self._file = file
        self._position = 0
        self._repeated = 0
        self._entries: list[tuple[Path, int]] = []
        self._anchors: dict[str, _Anchored | None] = {}

    def build_documents(self) -> Iterator[ManifestDocument]:
        while type(event := self._next()) is not StreamEndEvent:
            if type(event) is DocumentStartEvent:
                self._entries, self._anchors = [], {}
                root = self._next()
                tree = self._build(root, ())
                if tree is not None:
                    yield ManifestDocument(tree, root.start_mark.line + 1, dict(self._entries))

    def _build(self, event: Any, path: Path) -> Tree:
        if type(event) is AliasEvent:
            return self._repeat(event, path)
        if event.anchor is not None:
            return self._build_anchored(event, path)
        return self._build_plain(event, path)

    def _build_plain(self, event: Any, path: Path) -> Tree:
        if type(event) is ScalarEvent:
            return self._read(event)
        if len(path) >= MAX_DEPTH:
            raise self._refuse(event, TOO_DEEP, DEPTH_HINT)
        if event.tag not in _COLLECTION_TAGS[type(event)]:
            raise self._refuse_tag(event)
        is_map = type(event) is MappingStartEvent
        return self._build_map(path) if is_map else self._build_list(path)

    def _build_list(self, path: Path) -> list[Tree]:
        items: list[Tree] = []
        while type(event := self._next()) is not SequenceEndEvent:
            here = (*path, len(items))
            self._entries.append((here, event.start_mark.line + 1))
            items.append(self._build(event, here))
        self._close(event)
        return items

    def _build_map(self, path: Path) -> dict[str, Tree]:
        tree: dict[str, Tree] = {}
        merged: tuple[list[Tree] | Tree, int, int] | None = None
        while type(event := self._next()) is not MappingEndEvent:
            key = self._read_key(event)
            here = (*path, key)
            is_merge = key == "<<" and type(event) is ScalarEvent and event.implicit[0]
            if key in tree or (is_merge and merged):
                raise self._refuse_repeated(event, here)
            self._entries.append((here, event.start_mark.line + 1))
            first = len(self._entries)
            value = self._build(self._next(), here)
            if is_merge:
                self._check_merged(event, value)
                merged = (value, first, len(self._entries))
            else:
                tree[key] = value
        self._close(event)
        if merged:
            self._merge(tree, path, *merged)
        return tree

    def _close(self, event: Any) -> None:
        self._position = event.end_mark.index

    def _read_key(self, event: Any) -> str:
        if type(event) in _COLLECTION_TAGS:
            raise self._refuse(event, "a map or a list stands where a key should", _UNQUOTED)
        key = self._build(event, ())
        if not isinstance(key, str):
            raise self._refuse(event, "a key is not a string", "put the key in quotes")
        return key

    def _read(self, event: Any) -> Tree:
        tag, text = event.tag, event.value
        try:
            if tag is None:
                return read_plain(text) if event.implicit[0] else text
            if tag in SCALAR_TAGS:
                return read_tagged(text, tag)
        except ValueError as exc:
            raise self._refuse(event, str(exc), NUMBER_HINT) from exc
        raise self._refuse_tag(event)

    def _build_anchored(self, event: Any, path: Path) -> Tree:
        first, repeated = len(self._entries), self._repeated
        self._anchors[event.anchor] = None
        self._close(event)
        tree = self._build_plain(event, path)
        size = self._position - event.start_mark.index + self._repeated - repeated
        self._anchors[event.anchor] = _Anchored(tree, len(path), first, len(self._entries), size)
        return tree

    def _repeat(self, event: Any, path: Path) -> Tree:
        anchored = self._find_anchored(event)
        self._close(event)
        self._repeated += anchored.size
        if self._repeated > MAX_REPEATED:
            raise self._refuse(
                event,
                f"the aliases of the file repeat more than {MAX_REPEATED // 1024} KiB of text",
                "write the values out, or declare several resources",
            )
        for below, line in self._entries[anchored.first : anchored.last]:
            here = path + below[anchored.depth :]
            if len(here) > MAX_DEPTH:
                raise self._refuse(event, TOO_DEEP, DEPTH_HINT)
            self._entries.append((here, line))
        return anchored.tree

    def _find_anchored(self, event: Any) -> _Anchored:
        name = event.anchor
        if name not in self._anchors:
            raise self._refuse(
                event,
                f"the alias *{name} has no anchor above it in its document",
                f"write &{name} before the value it repeats, or put a text with * in quotes",
            )
        anchored = self._anchors[name]
        if anchored is None:
            raise self._refuse(
                event,
                f"the alias *{name} stands inside what it repeats",
                "write out what it should hold, or put a text with * in quotes",
            )
        return anchored

    def _check_merged(self, event: Any, value: Tree) -> None:
        if not all(isinstance(item, dict) for item in _as_list(value)):
            raise self._refuse(event, "<< merges maps only", "write <<: *anchor of a map")

    def _merge(self, tree: dict[str, Tree], path: Path, value: Tree, first: int, last: int) -> None:
        """Add the keys that *tree* lacks; of several maps the first wins."""
        givers: dict[str | int, int] = {}
        for index, item in enumerate(_as_list(value)):
            for key in item.keys() - tree.keys():
                tree[key] = item[key]
                givers[key] = index
        skipped = len(path) + 1 + isinstance(value, list)
        for below, line in self._entries[first:last]:
            giver = below[skipped - 1] if isinstance(value, list) else 0
            if len(below) > skipped and givers.get(below[skipped]) == giver:
                self._entries.append((path + below[skipped:], line))

    def _refuse_repeated(self, event: Any, here: Path) -> InvalidManifest:
        line = next(line for path, line in reversed(self._entries) if path == here)
        return self._refuse(
            event,
            f"the key {render_path(here)} is given twice, first on line {line}",
            "remove one of them",
        )

    def _refuse_tag(self, event: Any) -> InvalidManifest:
        return self._refuse(
            event, f"the tag {show_tag(event.tag)} is not known here", "remove the tag"
        )

    def _refuse(self, event: Any, message: str, hint: str | None = None) -> InvalidManifest:
        return InvalidManifest(
            message, hint=hint, source=Source(self._file, event.start_mark.line + 1)
        )


def _as_list(value: Tree) -> list[Tree]:
    return value if isinstance(value, list) else [value]
