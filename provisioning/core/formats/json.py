"""Parses JSON (RFC 8259) strictly, with the line of every place."""

from __future__ import annotations

import json
import re

from provisioning.core.formats.decoding import decode_text
from provisioning.core.formats.documents import (
    DEPTH_HINT,
    MAX_DEPTH,
    TOO_DEEP,
    ManifestDocument,
    split_list,
)
from provisioning.core.formats.scalars import NUMBER_HINT, read_plain
from provisioning.core.model.errors import InvalidManifest, Source
from provisioning.core.model.values import Path, Tree, render_path

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]|\n|[^\s\[\]{},:"]+')
_MAX_DIGITS = 20
_OPENING = ("{", "[")
_WORDS = frozenset(("true", "false", "null"))


def parse_json(data: bytes, file: str) -> list[ManifestDocument]:
    """Parse one document, or a list of documents.

    Raises:
        InvalidManifest: If it is not strict JSON, repeats a key, nests deeper than
            `MAX_DEPTH`, or has a number that JSON readers do not agree on.
    """
    text = decode_text(data, file)
    tree = _load(text, file)
    scanner = _Scanner(text, file)
    scanner.scan()
    if isinstance(tree, list):
        return split_list(tree, scanner.lines)
    return [ManifestDocument(tree, scanner.first_line, scanner.lines)]


def _load(text: str, file: str) -> Tree:
    try:
        return json.loads(text, parse_int=_read_integer)
    except json.JSONDecodeError as exc:
        raise InvalidManifest(
            f"this is not JSON: {exc.msg} at column {exc.colno}",
            hint="JSON has double quotes only, no comments and no comma before a closing bracket",
            source=Source(file, exc.lineno),
        ) from exc
    except RecursionError:
        return None  # the scanner, which follows, reports the place


def _read_integer(digits: str) -> int:
    # Python refuses very long integers without a place; the scanner reports it.
    return int(digits) if len(digits) <= _MAX_DIGITS else 0


class _Scanner:
    """Scans valid JSON for lines, repeated keys, depth and numbers."""

    def __init__(self, text: str, file: str) -> None:
        self.lines: dict[Path, int] = {}
        self.first_line = 1
        self._tokens = (match[0] for match in _TOKEN.finditer(text))
        self._file = file
        self._line = 1

    def scan(self) -> None:
        word = self._next()
        self.first_line = self._line
        self._scan_value(word, ())

    def _next(self) -> str:
        while (word := next(self._tokens)) == "\n":
            self._line += 1
        return word

    def _scan_value(self, word: str, path: Path) -> None:
        if word in _OPENING and len(path) >= MAX_DEPTH:
            raise self._refuse(TOO_DEEP, hint=DEPTH_HINT)
        if word == "{":
            self._scan_map(path)
        elif word == "[":
            self._scan_list(path)
        elif word not in _WORDS:
            self._check_scalar(word)

    def _scan_map(self, path: Path) -> None:
        while (word := self._next()) != "}":
            here = (*path, self._check_scalar(word))
            if here in self.lines:
                raise self._refuse(
                    f"the key {render_path(here)} is given twice, first on line {self.lines[here]}",
                    hint="remove one of them",
                )
            self.lines[here] = self._line
            self._scan_value(self._next(), here)

    def _scan_list(self, path: Path) -> None:
        index = 0
        while (word := self._next()) != "]":
            here = (*path, index)
            self.lines[here] = self._line
            self._scan_value(word, here)
            index += 1

    def _check_scalar(self, word: str) -> str:
        if word[0] == '"':
            return self._check_string(word)
        try:
            if isinstance(read_plain(word), str):
                raise self._refuse(f"{word} is not a number JSON can hold", hint=NUMBER_HINT)
        except ValueError as exc:
            raise self._refuse(str(exc), hint=NUMBER_HINT) from exc
        return word

    def _check_string(self, word: str) -> str:
        if "\\" not in word:
            return word[1:-1]
        text: str = json.loads(word)
        try:
            text.encode()
        except UnicodeEncodeError as exc:
            raise self._refuse(
                "a string holds half of a surrogate pair", hint="write both halves, or neither"
            ) from exc
        return text

    def _refuse(self, message: str, *, hint: str | None = None) -> InvalidManifest:
        return InvalidManifest(message, hint=hint, source=Source(self._file, self._line))
