"""Reads YAML with its comments: the tree from libyaml's events, the comments from between them.

A comment belongs to the innermost block collection that is open at its place and does not begin
right of it; one behind a value, on the same line, belongs to that value.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec
import yaml

from sops_python.errors import SopsError, UnreadableFile
from sops_python.stores.yaml.resolver import TooBig, parse_timestamp, resolve
from sops_python.tree import Branch, Comment, Value, decode_text

MAX_DEPTH = 150
"""How deep collections may lie in each other."""

MAX_ALIASED = 100_000
"""How many values the aliases of a file may add."""

Event: TypeAlias = Any
"""An event of PyYAML, whose marks its types call optional and libyaml always gives."""

_COMMENT = re.compile(r"(?:^|(?<=[\s,\[\]{}]))#([^\n]*)", re.MULTILINE)
_TAG = "tag:yaml.org,2002:"
_SCALAR = yaml.ScalarEvent
_PLAIN_STYLES = (None, "")


class _Note(msgspec.Struct, frozen=True):
    """A comment between two tokens, and whether its line holds something before it."""

    text: str
    column: int
    is_beside: bool


@dataclass(slots=True)
class _Open:
    """A collection that is being read; `key` is the key whose value comes next."""

    node: Branch | list[Value]
    column: int
    is_flow: bool
    anchor: str | None
    line: int
    key: Value = None
    has_key: bool = False
    seen: set[str] = field(default_factory=set)


def load_documents(text: str) -> list[Branch]:
    """Return the documents of *text*.

    Raises:
        UnreadableFile: If it is not YAML, or a document is no mapping.
        SopsError: If a number has more than 64 bits.
    """
    try:
        return _YamlReader(text).read()
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise UnreadableFile(
            f"Error unmarshaling input YAML: {where}{exc.problem}", hint="correct the YAML"
        ) from exc
    except yaml.YAMLError as exc:
        raise UnreadableFile(
            f"Error unmarshaling input YAML: {exc}", hint="correct the YAML"
        ) from exc


class _YamlReader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._has_notes = "#" in text
        self._position = 0
        self._notes: list[_Note] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Value] = {}
        self._aliased = 0
        self._last: tuple[Branch | list[Value], int] | None = None
        self._documents: list[Branch] = []

    def read(self) -> list[Branch]:
        parser = getattr(yaml, "CLoader", yaml.Loader)(self._text)
        event: Event
        while (event := parser.get_event()) is not None:
            if self._has_notes:
                self._collect_notes(event.start_mark.index)
            self._read_event(event)
            if self._has_notes:
                self._position = max(self._position, event.end_mark.index)
        return self._documents

    def _read_event(self, event: Event) -> None:
        if type(event) is _SCALAR:  # most of them: what is asked first saves a tenth of the time
            self._read_scalar(event)
            return
        match event:
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event)
            case yaml.AliasEvent():
                self._place(self._find_anchor(event), None, event)
            case yaml.DocumentStartEvent():
                self._anchors.clear()

    def _collect_notes(self, end: int) -> None:
        """Take the comments between the last token and *end*."""
        start = self._position
        if end <= start or "#" not in self._text[start:end]:
            self._position = max(start, end)
            return
        for match in _COMMENT.finditer(self._text, start, end):
            line_start = self._text.rfind("\n", 0, match.start()) + 1
            before = self._text[line_start : match.start()]
            note = _Note(match[1].rstrip("\r"), match.start() - line_start, bool(before.strip()))
            if not (note.is_beside and self._attach(note)):
                self._notes.append(note)
        self._position = end

    def _attach(self, note: _Note) -> bool:
        """Put a comment beside the value that was read last."""
        if self._last is None:
            return False
        container, index = self._last
        value = container[index]
        value = value[1] if isinstance(container, Branch) else value
        comment = Comment(note.text, is_inline=not isinstance(value, list))
        if isinstance(container, Branch) and isinstance(value, Branch):
            value.insert(0, (comment, None))
        elif isinstance(container, Branch) and isinstance(value, list):
            value.insert(0, comment)
        elif isinstance(container, Branch):
            container.insert(index, (comment, None))
        else:
            container.insert(index, Comment(note.text, is_inline=True))
        self._last = None
        return True

    def _flush(self, container: Branch | list[Value], column: int = -1) -> None:
        """Give *container* the comments at hand that do not begin left of *column*."""
        while self._notes and self._notes[0].column >= column:
            comment = Comment(self._notes.pop(0).text)
            if isinstance(container, Branch):
                container.append((comment, None))
            else:
                container.append(comment)

    def _read_scalar(self, event: Event) -> None:
        value = self._resolve(event)
        top = self._stack[-1] if self._stack else None
        if top and not top.has_key and isinstance(top.node, Branch):
            if self._notes:
                self._flush(top.node)
            self._check_key(top, value, event)
            top.key, top.has_key = value, True
            self._last = None
            if event.anchor:
                self._anchors[event.anchor] = value
            return
        self._place(value, event.anchor, event)
        if self._has_notes and event.style in ("|", ">"):
            header = self._text[event.start_mark.index : event.end_mark.index].partition("\n")[0]
            if found := re.search(r"\s#(.*)", header):
                self._attach(_Note(found[1], 0, is_beside=True))

    def _check_key(self, top: _Open, key: Value, event: Event) -> None:
        if isinstance(key, str) and key != "<<":
            if key in top.seen:
                raise UnreadableFile(
                    f"Error unmarshaling input YAML: line {event.start_mark.line + 1}: "
                    f"mapping key {key!r} already defined",
                    hint="remove one of the two",
                )
            top.seen.add(key)

    def _place(self, value: Value, anchor: str | None, event: Event) -> None:
        """Put *value* where the reader is."""
        if anchor:
            self._anchors[anchor] = value
        if not self._stack:
            self._finish(value, event.start_mark.line)
            return
        top = self._stack[-1]
        is_branch = isinstance(top.node, Branch)
        if is_branch and not top.has_key:
            raise UnreadableFile(
                f"Error unmarshaling input YAML: line {event.start_mark.line + 1}: "
                "a key is not a single value",
                hint="only text can be a key",
            )
        if self._notes:
            self._flush(top.node)
        top.node.append((top.key, value) if is_branch else value)
        top.has_key = False
        self._last = (top.node, len(top.node) - 1)

    def _finish(self, value: Value, line: int) -> None:
        if value is None:
            value = Branch()
            self._flush(value)
        if not isinstance(value, Branch):
            kind = "sequences" if isinstance(value, list) else "values"
            raise UnreadableFile(
                f"Error unmarshaling input YAML: line {line + 1}: YAML documents that are {kind} "
                "are not supported",
                hint="begin with a key",
            )
        self._documents.append(value)

    def _open(self, event: Event) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise UnreadableFile(
                f"line {event.start_mark.line + 1}: values lie in each other more than "
                f"{MAX_DEPTH} deep",
                hint="write it flatter",
            )
        node: Branch | list[Value] = Branch() if isinstance(event, yaml.MappingStartEvent) else []
        is_flow = bool(event.flow_style)
        top = self._stack[-1] if self._stack else None
        if top and isinstance(top.node, Branch) and top.has_key and self._notes:
            beside = [note for note in self._notes if note.is_beside]
            top.node.extend((Comment(note.text), None) for note in beside)
            self._notes = [note for note in self._notes if not note.is_beside]
        if top and not isinstance(top.node, Branch):
            self._flush(top.node)
        column = 0 if not self._stack else event.start_mark.column
        self._stack.append(_Open(node, column, is_flow, event.anchor, event.start_mark.line))
        self._last = None

    def _close(self) -> None:
        closed = self._stack.pop()
        self._flush(closed.node, -1 if closed.is_flow or not self._stack else closed.column)
        if closed.anchor:
            self._anchors[closed.anchor] = closed.node
        if not self._stack:
            self._finish(closed.node, closed.line)
            return
        top = self._stack[-1]
        if isinstance(top.node, Branch):
            if not top.has_key:
                raise UnreadableFile(
                    f"Error unmarshaling input YAML: line {closed.line + 1}: "
                    "a key is not a single value",
                    hint="only text can be a key",
                )
            top.node.append((top.key, closed.node))
            top.has_key = False
        else:
            top.node.append(closed.node)
        self._last = (top.node, len(top.node) - 1) if closed.is_flow else None

    def _find_anchor(self, event: Event) -> Value:
        if event.anchor not in self._anchors:
            raise UnreadableFile(
                f"Error unmarshaling input YAML: line {event.start_mark.line + 1}: unknown anchor "
                f"{event.anchor!r} referenced",
                hint="define it before it is used",
            )
        value = self._anchors[event.anchor]
        self._aliased += sum(1 for _ in _walk(value))
        if self._aliased > MAX_ALIASED:
            raise UnreadableFile(
                "Error unmarshaling input YAML: document contains excessive aliasing",
                hint="repeat less by aliases",
            )
        return value

    def _resolve(self, event: Event) -> Value:
        text, tag = event.value, event.tag
        try:
            if tag:
                return _convert(text, tag.removeprefix(_TAG))
            return resolve(text) if event.style in _PLAIN_STYLES else text
        except TooBig as exc:
            raise SopsError(
                f"line {event.start_mark.line + 1}: {text} does not fit in 64 bits",
                hint="put it in quotes",
                exit_code=23,
            ) from exc
        except ValueError as exc:
            raise UnreadableFile(
                f"Error unmarshaling input YAML: line {event.start_mark.line + 1}: cannot decode "
                f"the value as {tag}",
                hint="correct the tag",
            ) from exc


def _convert(text: str, tag: str) -> Value:
    match tag:
        case "binary":
            return decode_text(base64.b64decode("".join(text.split()), validate=True))
        case "float":
            return float(resolve(text))
        case "int" | "bool" | "null":
            return resolve(text)
        case "timestamp":
            return parse_timestamp(text) or text
    return text


def _walk(value: Value) -> Iterator[Value]:
    yield value
    if isinstance(value, Branch):
        for _, item in value:
            yield from _walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item)
