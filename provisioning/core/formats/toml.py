"""Parses TOML 1.0: one document, or one for each `[[resources]]`."""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime, time
from typing import NoReturn

from provisioning.core.formats.decoding import decode_text
from provisioning.core.formats.documents import (
    DEPTH_HINT,
    MAX_DEPTH,
    TOO_DEEP,
    ManifestDocument,
    has_place,
    split_list,
)
from provisioning.core.formats.scalars import NUMBER_HINT, check_number
from provisioning.core.model.errors import InvalidManifest, Source
from provisioning.core.model.values import Path, Tree

_LIST = "resources"
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)\Z")
_NAME = r"""(?:[\w-]++|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_KEY = rf"{_NAME}(?:[ \t]*\.[ \t]*{_NAME})*"
_LINE = re.compile(rf"[ \t]*(?:\[(\[?)[ \t]*({_KEY})[ \t]*\]|({_KEY})[ \t]*=)")
_BARE = re.compile(r"[\w-]+(?:\.[\w-]+)*\Z")
_LONG_KEY = re.compile(rf"(?<![\w.-])(?<!\.[ \t])(?:{_NAME}[ \t]*\.[ \t]*){{{MAX_DEPTH}}}")
_LONG_NUMBER = re.compile(r"[0-9_]{4300}")
_OPAQUE = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL
)


def parse_toml(data: bytes, file: str) -> list[ManifestDocument]:
    """Parse one document, or each table of a list `[[resources]]` as one.

    Dates and times become strings in the form of RFC 3339. Table headers and keys that begin a
    line have their line; places inside a value have that of its key.

    Raises:
        InvalidManifest: If it is not TOML, nests deeper than `MAX_DEPTH`, or has a number
            that JSON readers do not agree on.
    """
    text = decode_text(data, file)
    loaded = _load(text, file)
    lines = _scan_lines(text, loaded)
    tree = _Plain(ManifestDocument(loaded, 1, lines), file).convert(loaded, ())
    if not isinstance(tree.get(_LIST), list):
        return [ManifestDocument(tree, min(lines.values(), default=1), lines)] if tree else []
    for key in tree.keys() - {_LIST}:
        raise InvalidManifest(
            f"{key} stands beside [[{_LIST}]]",
            hint=f"move it into each [[{_LIST}]] that needs it",
            source=Source(file, lines.get((key,), 1)),
        )
    return split_list(tree[_LIST], {path[1:]: line for path, line in lines.items()})


def _load(text: str, file: str) -> dict[str, Tree]:
    if found := _LONG_KEY.search(text):  # tomllib takes quadratic time for long keys
        _refuse_depth(file, _count_line(text, found.start()))
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        place = _PLACE.search(str(exc))
        raise InvalidManifest(
            f"this is not TOML: {_PLACE.sub('', str(exc))}",
            hint="texts stand in quotes, and every key and table only once",
            source=Source(
                file, int(place[1]) if place and place[1] else _count_line(text, len(text))
            ),
        ) from exc
    except RecursionError:
        _refuse_depth(file, 1)
    except ValueError as exc:  # Python's int() refuses more than 4,300 digits
        found = _LONG_NUMBER.search(text)
        raise InvalidManifest(
            "a number does not fit into 64 bits",
            hint=NUMBER_HINT,
            source=Source(file, _count_line(text, found.start() if found else 0)),
        ) from exc


def _count_line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _refuse_depth(file: str, line: int) -> NoReturn:
    raise InvalidManifest(TOO_DEEP, hint=DEPTH_HINT, source=Source(file, line))


class _Plain:
    """Converts the values of TOML into those of JSON."""

    def __init__(self, document: ManifestDocument, file: str) -> None:
        self._document = document
        self._file = file

    def convert(self, value: Tree, path: Path) -> Tree:
        if isinstance(value, dict | list) and len(path) >= MAX_DEPTH:
            _refuse_depth(self._file, self._document.get_line(path))
        match value:
            case dict():
                return {key: self.convert(item, (*path, key)) for key, item in value.items()}
            case list():
                return [self.convert(item, (*path, index)) for index, item in enumerate(value)]
            case datetime() | date() | time():
                return value.isoformat()
            case int() | float():
                return self._check(value, path)
        return value

    def _check(self, number: float, path: Path) -> float:
        try:
            return check_number(number)
        except ValueError as exc:
            line = self._document.get_line(path)
            raise InvalidManifest(
                str(exc), hint=NUMBER_HINT, source=Source(self._file, line)
            ) from exc


def _scan_lines(text: str, tree: Tree) -> dict[Path, int]:
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(_OPAQUE.sub(_blank, text).split("\n"), 1):
        if found := _LINE.match(line):
            is_list, header, key = found.groups()
            path = _resolve(() if header else table, _split(header or key), counts)
            if not has_place(tree, path):
                continue  # a line inside a list that only looks like a header
            for length in range(1, len(path) + 1):
                lines.setdefault(path[:length], number)
            if is_list:
                counts[path] = counts.get(path, 0) + 1
                path = (*path, counts[path] - 1)
                lines[path] = number
            table = path if header else table
    return lines


def _blank(opaque: re.Match[str]) -> str:
    text = opaque[0]
    return "\n" * text.count("\n") if text.startswith(('"""', "'''", "#")) else text


def _split(key: str) -> list[str]:
    if _BARE.match(key):
        return key.split(".")
    names = []
    tree: Tree = tomllib.loads(f"{key} = 0")
    while isinstance(tree, dict):
        ((name, tree),) = tree.items()
        names.append(name)
    return names


def _resolve(path: Path, names: list[str], counts: dict[Path, int]) -> Path:
    *tables, last = names
    for name in tables:
        path = (*path, name)
        if path in counts:
            path = (*path, counts[path] - 1)
    return (*path, last)
