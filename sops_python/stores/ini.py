"""INI files: sections of keys and texts, as the Go library `ini.v1` reads and writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sops_python.errors import SopsError, UnreadableFile
from sops_python.metadata import TOP_LEVEL_KEY, find_metadata, flatten, unflatten
from sops_python.stores.json import quote
from sops_python.stores.scalars import render_scalar
from sops_python.tree import Branch, Comment, Value, decode_text, encode_text

DEFAULT_SECTION = "DEFAULT"
"""The section of the keys that stand before any."""

_MARKS = re.compile("[#;]")


class IniStore:
    """Reads and writes INI files."""

    name = "ini"

    def load(self, data: bytes) -> list[Branch]:
        """Return the one tree of *data*: a branch for each section.

        Raises:
            UnreadableFile: If a line is none of INI.
        """
        sections = _IniReader(decode_text(data.removeprefix(b"\xef\xbb\xbf"))).read()
        return [Branch((section.name, section.as_branch()) for section in sections)]

    def extract_metadata(self, branches: list[Branch]) -> tuple[list[Branch], Branch]:
        """Split the metadata off *branches*.

        Raises:
            NotEncrypted: If there is none.
        """
        rest, mine = find_metadata(branches)
        texts = ((key, _unescape(value)) for key, value in mine if isinstance(key, str))
        return rest, unflatten(Branch(texts))

    def dump(self, branches: list[Branch]) -> bytes:
        """Write *branches*.

        Raises:
            SopsError: If they are not sections of single values.
        """
        sections = [
            (key, value)
            for branch in branches
            for key, value in branch
            if not isinstance(key, Comment)
        ]
        texts = []
        for index, (name, section) in enumerate(sections):
            if not isinstance(section, Branch):
                raise SopsError(
                    "Error encoding section: Section values should always be TreeBranches: "
                    f"{name} is none",
                    hint="choose another --output-type",
                    exit_code=4,
                )
            texts.append(_render_section(name, section, is_first=index == 0))
        return encode_text("\n".join(text for text in texts if text is not None))

    def dump_encrypted(self, branches: list[Branch], metadata: Branch) -> bytes:
        """Write *branches* with their *metadata*."""
        flat = Branch((key, _escape(value)) for key, value in flatten(metadata))
        return self.dump([Branch([*branches[0], (TOP_LEVEL_KEY, flat)])])

    def dump_value(self, value: Value) -> bytes:
        """Write one value as JSON.

        Raises:
            SopsError: If it is a section.
        """
        if isinstance(value, list):
            raise SopsError("a section is not a single value", hint="pass --output-type json")
        return encode_text(quote(value) if isinstance(value, str) else render_scalar(value))


def _escape(value: Value) -> Value:
    return value.replace("\n", "\\n") if isinstance(value, str) else value


def _unescape(value: Value) -> Value:
    return value.replace("\\n", "\n") if isinstance(value, str) else value


@dataclass(slots=True)
class _Section:
    name: str
    comment: str = ""
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)

    def as_branch(self) -> Branch:
        branch = Branch()
        if self.comment:
            branch.append((Comment(_strip_mark(self.comment)), None))
        for name, (value, comment) in self.keys.items():
            branch.append((name, value))
            if comment:
                branch.append((Comment(_strip_mark(comment)), None))
        return branch


def _strip_mark(comment: str) -> str:
    return comment.lstrip(f"{comment[0]} ") if comment[0] in ";#" else comment


class _IniReader:
    """Reads the lines of one file."""

    def __init__(self, text: str) -> None:
        self._lines = iter(enumerate(text.splitlines(keepends=True), 1))
        self._number = 0
        self._comment = ""
        self._counter = 1

    def read(self) -> list[_Section]:
        sections = [_Section(DEFAULT_SECTION)]
        for line in self._take_lines():
            text = line.lstrip()
            if not text:
                continue
            if text[0] in "#;":
                self._comment += text
            elif text[0] == "[":
                sections.append(self._read_header(text))
            else:
                self._read_key(text, sections[-1])
        return sections

    def _take_lines(self) -> Iterator[str]:
        for number, line in self._lines:
            self._number = number
            yield line

    def _take_comment(self) -> str:
        comment, self._comment = self._comment.strip(), ""
        return comment

    def _read_header(self, line: str) -> _Section:
        name, mark, rest = line[1:].rpartition("]")
        if not mark:
            raise self._refuse("unclosed section")
        if found := _MARKS.search(rest):
            self._comment += rest[found.start() :]
        self._counter = 1
        return _Section(name, self._take_comment())

    def _read_key(self, line: str, section: _Section) -> None:
        name, rest = self._split_key(line)
        if name == "-":
            name, self._counter = f"#{self._counter}", self._counter + 1
        value = self._read_value(rest)
        section.keys[name] = (value, self._take_comment())

    def _split_key(self, line: str) -> tuple[str, str]:
        mark = next((item for item in ('"""', '"', "`") if line.startswith(item)), "")
        if mark:
            name, closing, rest = line[len(mark) :].partition(mark)
            position = re.search("[=:]", rest)
            if not closing or not position:
                raise self._refuse("the key's quotes are not closed, or no value follows")
            return name.strip(), rest[position.end() :]
        position = re.search("[=:]", line)
        if not position or not position.start():
            raise self._refuse("a key and a value, with = between them, are wanted")
        return line[: position.start()].strip(), line[position.end() :]

    def _read_value(self, rest: str) -> str:
        text = rest.lstrip()
        mark = next((item for item in ('"""', "`") if text.startswith(item)), "")
        if mark and len(text) > len(mark):
            body, closing, _ = text[len(mark) :].rpartition(mark)
            return body if closing else self._read_multiline(text[len(mark) :], mark)
        text = text.strip()
        if text.endswith("\\"):
            return self._read_continuation(text[:-1])
        if found := _MARKS.search(text):
            self._comment += text[found.start() :]
            text = text[: found.start()].strip()
        if len(text) > 1 and text[0] in "'\"" and text.find(text[0], 1) == len(text) - 1:
            return text[1:-1]
        return text

    def _read_multiline(self, value: str, mark: str) -> str:
        for line in self._take_lines():
            body, closing, rest = line.rpartition(mark)
            if closing and not rest.strip().endswith("\\"):
                if found := _MARKS.search(rest):
                    self._comment += rest[found.start() :].strip()
                return value + body
            value += line
        raise self._refuse("a quoted value is not closed")

    def _read_continuation(self, value: str) -> str:
        for line in self._take_lines():
            text = line.strip()
            if not text:
                break
            value += text.removesuffix("\\")
            if not text.endswith("\\"):
                break
        return value

    def _refuse(self, what: str) -> UnreadableFile:
        return UnreadableFile(f"line {self._number}: {what}", hint="correct the INI file")


def _render_section(name: str, section: Branch, *, is_first: bool) -> str | None:
    """Return a section's text; None for the first if it is the default one, and empty."""
    comment, rows = _split_comments(section)
    text = "".join(f"{_mark(line)}\n" for line in comment.split("\n")) if comment else ""
    if not is_first or name.upper() != DEFAULT_SECTION:
        text += f"[{name}]\n"
    elif not rows:
        return text or None
    width = max((_measure(key) for key in rows), default=0)
    for key, (value, note) in rows.items():
        for line in note.split("\n") if note else ():
            text += f"{_mark(line.strip())}\n"
        text += f"{_quote_key(key):{width}} = {_quote_value(value)}\n"
    return text


def _split_comments(section: Branch) -> tuple[str, dict[str, tuple[str, str]]]:
    """Return the section's own comment, and value and comment of each key."""
    pairs = list(section)
    comment = ""
    if pairs and isinstance(pairs[0][0], Comment):
        comment = pairs.pop(0)[0].text
    rows: dict[str, tuple[str, str]] = {}
    last = None
    for key, value in pairs:
        if not isinstance(key, Comment):
            if isinstance(value, list):
                raise SopsError(
                    f"INI files have no place for a map or list: {key}",
                    hint="choose another --output-type",
                    exit_code=4,
                )
            last = key
            rows[key] = (render_scalar(value), "")
        elif last is not None:
            rows[last] = (rows[last][0], key.text)
    return comment, rows


def _mark(line: str) -> str:
    return f"{line[0]} {line[1:].strip()}" if line[:1] in ("#", ";") else f"; {line}"


def _measure(key: str) -> int:
    if re.search('["=:]', key):
        return len(key.encode()) + 2
    return len(key.encode()) + (6 if "`" in key else 0)


def _quote_key(key: str) -> str:
    if re.search('["=:]', key):
        return f"`{key}`"
    return f'"""{key}"""' if "`" in key else key


def _quote_value(value: str) -> str:
    if "\n" in value or "`" in value:
        return f'"""{value}"""'
    if _MARKS.search(value):
        return f"`{value}`"
    return f'"{value}"' if value != value.strip() else value
