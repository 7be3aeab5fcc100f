"""Writes YAML in the style of the Go library `yaml.v3`: block style, no folded lines."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from sops_python.stores.go_floats import render_general
from sops_python.stores.yaml.resolver import needs_quotes
from sops_python.tree import Branch, Comment, Timestamp, Value, encode_text

_LONGEST_KEY = 128
"""A longer key, in bytes, is written behind a `?`."""

_BASE64_LINE = 70

_UNPRINTABLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff\U00010000-\U0010ffff]"
)
_ESCAPED = re.compile(
    '[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff\U00010000-\U0010ffff"\\\\\u2028\u2029\x85]'
)
_ANY = re.compile(".", re.DOTALL)
_BREAKS = "\n\r\x85\u2028\u2029"
_NAMED = {
    "\x00": "0", "\x07": "a", "\x08": "b", "\t": "t", "\n": "n", "\x0b": "v", "\x0c": "f",
    "\r": "r", "\x1b": "e", '"': '"', "\\": "\\", "\x85": "N", "\u2028": "L", "\u2029": "P",
}  # fmt: skip
_ESCAPES = (("x", 2), ("u", 4), ("U", 8))
"""The escapes by number, and how many hexadecimal digits each has."""

_FORBIDDEN_PLAIN = re.compile(
    r"""[#,\[\]{}&*!|>'"%@`]|[?:](?:\s|\Z)|-(?:[ \t]|\Z)|---|\.\.\."""
    r"""|.*(?::(?:\s|\Z)|[ \t\r\n]\#)""",
    re.DOTALL,
)


def render_documents(branches: list[Branch], indent: int) -> str:
    """Write *branches* as the documents of one file."""
    writer = _Writer(indent)
    return "---\n".join("".join(writer.render_root(branch)) for branch in branches)


def render_value(value: Value, indent: int) -> str:
    """Write one value as a document of its own."""
    writer = _Writer(indent)
    if isinstance(value, Branch):
        return "".join(writer.render_root(value))
    if isinstance(value, list) and value:
        return "".join(writer.render_list(value, 0))
    return "".join(writer.render_leaf(value, -1, inside_list=False)).lstrip(" ") + "\n"


_INDENTS = range(2, 10)
"""The indents that the writer knows; any other counts as the first of them."""


class _Writer:
    """Writes block collections; columns are counted from 0.

    Every method yields pieces of text. A collection begins on a new line and ends with one.
    """

    def __init__(self, indent: int) -> None:
        self._indent = indent if indent in _INDENTS else _INDENTS[0]

    def render_root(self, branch: Branch) -> Iterator[str]:
        if any(not isinstance(key, Comment) for key, _ in branch):
            yield from self._render_branch(branch, 0)
            return
        yield from (f"#{key.text}\n" for key, _ in branch)
        yield "{}\n"

    def _render_branch(self, branch: Branch, column: int, start: str = "") -> Iterator[str]:
        """Write *branch*; *start* stands on the line of the first key, which fills its column."""
        margin = " " * column
        above: list[Comment] = []
        beside: list[Comment] = []
        for key, value in branch:
            if isinstance(key, Comment):
                (beside if key.is_inline else above).append(key)
                continue
            if isinstance(value, list):
                above, beside = above + beside, []
            yield from _render_comments(above, margin)
            yield f"{start or margin}{self._render_key(key, column)}:"
            yield from self._render_member(value, column, beside)
            start, above, beside = "", [], []
        yield from _render_comments(above + beside, margin)

    def _render_key(self, key: str, column: int) -> str:
        text = render_scalar(key, is_key=True)
        has_breaks = any(letter in key for letter in _BREAKS)
        if not has_breaks and len(key.encode("utf-8", "surrogateescape")) <= _LONGEST_KEY:
            return text
        return f"? {text}\n{' ' * column}"

    def _render_member(self, value: Value, column: int, beside: list[Comment]) -> Iterator[str]:
        deeper = self._indent * ((column + self._indent) // self._indent)
        if isinstance(value, list) and _has_items(value):
            yield "\n"
            if isinstance(value, Branch):
                yield from self._render_branch(value, deeper)
            else:
                yield from self.render_list(value, deeper)
            return
        yield from self.render_leaf(value, column, inside_list=False, beside=beside)
        yield "\n"

    def render_list(self, items: list[Value], column: int, start: str = "") -> Iterator[str]:
        """Write *items* with their dashes in *column*."""
        margin = " " * column
        above: list[Comment] = []
        beside: list[Comment] = []
        for item in items:
            if isinstance(item, Comment):
                (beside if item.is_inline else above).append(item)
                continue
            if isinstance(item, list):
                above, beside = above + beside, []
            value = item
            if isinstance(item, Branch) and _has_items(item):
                first = next(i for i, (key, _) in enumerate(item) if not isinstance(key, Comment))
                heads = [key for key, _ in item[:first] if not key.is_inline]
                above += heads
                value = Branch(
                    pair for pair in item if pair[0] not in heads or pair in item[first:]
                )
            yield from _render_comments(above, margin)
            yield from self._render_item(value, column, f"{start or margin}- ", beside)
            start, above, beside = "", [], []
        yield from _render_comments(above + beside, margin)

    def _render_item(
        self, value: Value, column: int, start: str, beside: list[Comment]
    ) -> Iterator[str]:
        if isinstance(value, list) and _has_items(value):
            if isinstance(value, Branch):
                yield from self._render_branch(value, column + 2, start)
            else:
                yield from self.render_list(value, column + 2, start)
            return
        yield start[:-1]
        yield from self.render_leaf(value, column, inside_list=True, beside=beside)
        yield "\n"

    def render_leaf(
        self, value: Value, column: int, *, inside_list: bool, beside: list[Comment] | None = None
    ) -> Iterator[str]:
        """Write a single value behind a space, its comments behind it, without a line's end."""
        note = "".join(f" #{item.text}" for item in beside or ())
        if isinstance(value, list):
            yield f" {'{}' if isinstance(value, Branch) else '[]'}{note}"
        elif isinstance(value, str) and (_is_literal(value) or _is_long_binary(value)):
            deeper = (
                column + 2
                if inside_list
                else self._indent * ((max(column, 0) + self._indent) // self._indent)
            )
            yield from _render_literal(value, deeper, deeper - max(column, 0), note)
        else:
            yield f" {render_scalar(value)}{note}"


def _render_literal(text: str, column: int, depth: int, note: str) -> Iterator[str]:
    """Write *text* in *column*, which is *depth* deeper than what holds it.

    `sops` always names its whole indentation as the depth, also in a list, where it is 2, and
    cannot read its own file then.
    """
    if _is_binary(text):
        yield " !!binary"
        text = _encode_base64(text)
    hint = str(depth) if text[0] in " \n" else ""
    chomp = "-"
    if text.endswith("\n"):
        chomp = "+" if text == "\n" or text.endswith("\n\n") else ""
    yield f" |{hint}{chomp}{note}"
    for line in text.removesuffix("\n").split("\n"):
        yield f"\n{' ' * column}{line}" if line else "\n"


def _has_items(value: Value) -> bool:
    if isinstance(value, Branch):
        return any(not isinstance(key, Comment) for key, _ in value)
    return any(not isinstance(item, Comment) for item in value)


def _render_comments(comments: list[Comment], margin: str) -> Iterator[str]:
    return (f"{margin}#{comment.text}\n" for comment in comments)


def _is_literal(text: str) -> bool:
    """Return whether *text* of several lines can stand unchanged below a `|`."""
    return (
        "\n" in text
        and not re.search(" [\n\r\x85\u2028\u2029]", text)
        and not text.endswith(" ")
        and not _has_special(text)
    )


def _has_special(text: str) -> bool:
    return bool(_UNPRINTABLE.search(text.replace("\t", "")))


def render_scalar(value: Value, *, is_key: bool = False) -> str:
    """Write a scalar on one line."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            text = render_general(value)
            return {"NaN": ".nan", "+Inf": ".inf", "-Inf": "-.inf"}.get(text, text)
        case Timestamp():
            return value.text
        case str():
            return _render_text(value, is_key=is_key)
    return str(value)


def _render_text(text: str, *, is_key: bool) -> str:
    if _is_binary(text):
        return f"!!binary {_encode_base64(text)}"
    if text == "<<":
        return "!!merge <<"
    if "\n" in text:
        return _quote_double(text)
    if needs_quotes(text):
        return _quote_double(text)
    if not is_key and not text:
        return '""'
    has_breaks = any(letter in text for letter in _BREAKS)
    is_special = "\t" in text or _has_special(text)
    if not (has_breaks or is_special or text != text.strip(" ") or _FORBIDDEN_PLAIN.match(text)):
        return text
    if is_special or has_breaks:
        return _quote_double(text)
    return "'" + text.replace("'", "''") + "'"


def _is_binary(text: str) -> bool:
    return bool(re.search("[\ud800-\udfff]", text))


def _is_long_binary(text: str) -> bool:
    return _is_binary(text) and "\n" in _encode_base64(text)


def _encode_base64(text: str) -> str:
    """Return what is no UTF-8 in base64, in lines if it is long."""
    encoded = base64.b64encode(encode_text(text)).decode()
    if len(encoded) < _BASE64_LINE:
        return encoded
    starts = range(0, len(encoded), _BASE64_LINE)
    return "".join(f"{encoded[start : start + _BASE64_LINE]}\n" for start in starts)


def _quote_double(text: str) -> str:
    """Write *text* in double quotes; behind a byte order mark, `yaml.v3` escapes all."""
    pattern = _ANY if text.startswith("\ufeff") else _ESCAPED
    return f'"{pattern.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    letter = match[0]
    if letter in _NAMED:
        return f"\\{_NAMED[letter]}"
    code = f"{ord(letter):X}"
    mark, width = next(escape for escape in _ESCAPES if len(code) <= escape[1])
    return f"\\{mark}{code:0>{width}}"
