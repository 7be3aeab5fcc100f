"""JSON, and binary files in a JSON envelope."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from sops_python.errors import SopsError, UnreadableFile
from sops_python.metadata import TOP_LEVEL_KEY, find_metadata
from sops_python.stores.go_floats import render_json
from sops_python.tree import (
    Branch,
    Comment,
    Timestamp,
    Value,
    decode_text,
    encode_text,
)

_TAB = -1
"""The indentation that stands for a tab."""

_MOST, _LEAST = 2**63 - 1, -(2**63)

_ESCAPED = re.compile('["\\\\\x00-\x1f<>&\u2028\u2029\ud800-\udfff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"} | {
    "\b": "\\b",
    "\f": "\\f",
}


class JsonStore:
    """Reads and writes JSON objects; *indent* is a number of spaces, None a tab."""

    name = "json"
    extract_metadata = staticmethod(find_metadata)

    def __init__(self, indent: int | None = None) -> None:
        self._spaces = _TAB if indent is None else indent
        self._indent = "\t" if self._spaces == _TAB else " " * self._spaces

    def load(self, data: bytes) -> list[Branch]:
        """Return the one tree of *data*.

        Raises:
            UnreadableFile: If it is not a JSON object.
        """
        try:
            tree = json.loads(
                decode_text(data),
                object_pairs_hook=Branch,
                parse_int=_read_integer,
                parse_constant=_refuse_constant,
                strict=True,
            )
        except (ValueError, RecursionError) as exc:
            raise UnreadableFile(
                f"Could not unmarshal input data: {exc}", hint="correct the JSON"
            ) from exc
        if not isinstance(tree, Branch):
            raise UnreadableFile(
                "SOPS only supports JSON files with a top-level object (starting with '{')",
                hint='wrap it in an object, for example {"data": [...]}',
            )
        return [_repair(tree) if rb"\ud" in data.lower() else tree]

    def dump(self, branches: list[Branch]) -> bytes:
        """Write the first of *branches*; comments have no place in JSON.

        Raises:
            SopsError: If the indentation is negative.
        """
        if self._spaces < _TAB:
            raise SopsError(
                "JSON Indentation parameter smaller than -1 is not accepted",
                hint="-1 stands for a tab",
                exit_code=4,
            )
        return encode_text("".join(self._render(branches[0], "\n"))) + b"\n"

    def dump_encrypted(self, branches: list[Branch], metadata: Branch) -> bytes:
        """Write *branches* with their *metadata*."""
        return self.dump([Branch([*branches[0], (TOP_LEVEL_KEY, metadata)])])

    def dump_value(self, value: Value) -> bytes:
        """Write one value of a tree."""
        return encode_text("".join(self._render(value, "\n")))

    def _render(self, value: Value, newline: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield _render_scalar(value)
            return
        is_branch = isinstance(value, Branch)
        items = [item for item in value if not isinstance(item[0] if is_branch else item, Comment)]
        opening, closing = "{}" if is_branch else "[]"
        yield opening
        inner = newline + self._indent
        for index, item in enumerate(items):
            yield f",{inner}" if index else inner
            if is_branch:
                yield f"{quote(item[0])}: "
            yield from self._render(item[1] if is_branch else item, inner)
        yield f"{newline}{closing}" if items else closing


class BinaryStore:
    """Keeps any file as one text below the key `data`."""

    name = "binary"
    extract_metadata = staticmethod(find_metadata)

    def __init__(self, indent: int | None = None) -> None:
        self._envelope = JsonStore(indent)

    def load(self, data: bytes) -> list[Branch]:
        """Return the tree that holds *data*."""
        return [Branch([("data", decode_text(data))])]

    def load_encrypted(self, data: bytes) -> list[Branch]:
        """Return the tree of the envelope *data*."""
        return self._envelope.load(data)

    def dump(self, branches: list[Branch]) -> bytes:
        """Return the file that the first of *branches* holds.

        Raises:
            SopsError: If it holds none, because it is of another format.
        """
        content = branches[0].get("data") if len(branches) == 1 else None
        if not isinstance(content, str):
            raise SopsError(
                "error emitting binary store: no binary data found in tree",
                hint="this is not an encrypted binary file: pass --output-type json, or another",
                exit_code=4,
            )
        return encode_text(content)

    def dump_encrypted(self, branches: list[Branch], metadata: Branch) -> bytes:
        """Write *branches* with their *metadata* as JSON."""
        return self._envelope.dump_encrypted(branches, metadata)

    def dump_value(self, value: Value) -> bytes:
        """Refuse: there is one value only.

        Raises:
            SopsError: Always.
        """
        del value
        raise SopsError(
            "Binary files are not structured and extracting a single value is not possible",
            hint="leave out --extract, or pass --output-type",
        )


def _read_integer(text: str) -> int | float:
    number = int(text)
    return number if _LEAST <= number <= _MOST else float(text)


def _refuse_constant(text: str) -> Value:
    raise ValueError(f"{text} is not JSON")


def _repair(value: Value) -> Value:
    r"""Replace the halves of characters, which `\u` escapes can spell, as Go does."""
    match value:
        case Branch():
            return Branch((_repair(key), _repair(item)) for key, item in value)
        case list():
            return [_repair(item) for item in value]
        case str():
            return re.sub("[\ud800-\udfff]", "\ufffd", value)
    return value


def _render_scalar(value: Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return render_json(value)
        case Timestamp():
            return quote(value.text)
    return quote(value)


def quote(text: str) -> str:
    """Write *text* as a JSON string that is safe in HTML, as Go does."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    letter = match[0]
    if letter in _SHORT:
        return _SHORT[letter]
    return "\\ufffd" if "\ud800" <= letter <= "\udfff" else f"\\u{ord(letter):04x}"
