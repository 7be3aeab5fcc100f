"""Regular expressions as `sops` has them: those of Go (RE2, https://golang.org/s/re2syntax).

They are read into Python's. What only one of the two languages has is refused, so that no file
is written whose rule the other program reads otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_MOST = 1000
"""How often Go lets something be repeated."""

_SAME = frozenset("Aaftnrv")
"""The escapes that mean the same in both languages."""

_ASCII = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
"""What these escapes stand for in Go."""

_REPEAT = re.compile(r"[*+?]|\{(\d+)(?:,(\d*))?\}")
_FLAGS = re.compile(r"\?([imsU]*)(?:-([imsU]+))?([:)])")
_NAME = re.compile(r"\?P?<([A-Za-z0-9_]+)>")
_POSIX = re.compile(r"\[:(\^?)(\w+):\]")
_CODE = re.compile(r"x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{2})|([0-7]{3}|0)")


@lru_cache(maxsize=256)
def compile_pattern(text: str) -> re.Pattern[str]:
    """Return the regular expression *text*.

    Raises:
        re.error: If it is none, or has something that Go or Python has not.
    """
    return re.compile(_PatternReader(text).read())


@dataclass(slots=True)
class _Group:
    """A group that is open: the flags within it, and what was opened to set them."""

    flags: frozenset[str]
    scopes: list[str] = field(default_factory=list)


class _PatternReader:
    def __init__(self, text: str) -> None:
        self._text, self._place = text, 0
        self._groups = [_Group(frozenset())]
        self._parts: list[str] = []

    def read(self) -> str:
        while self._place < len(self._text):
            self._read_piece(self._take())
        if len(self._groups) > 1:
            raise re.error("missing )")
        return "".join(self._parts) + ")" * len(self._groups[0].scopes)

    def _take(self, count: int = 1) -> str:
        taken = self._text[self._place : self._place + count]
        self._place += count
        return taken

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self._text, self._place)
        if match:
            self._place = match.end()
        return match

    def _read_piece(self, letter: str) -> None:
        group = self._groups[-1]
        match letter:
            case "(":
                self._open()
            case ")":
                self._close()
            case "|":
                self._parts += [")" * len(group.scopes), "|", *group.scopes]
            case "$":
                self._parts.append("$" if "m" in group.flags else r"\Z")
            case "[":
                self._parts.append(self._read_class())
            case "\\":
                self._parts.append(self._read_escape(is_inside=False))
            case "*" | "+" | "?" | "{":
                self._read_repeat(letter)
            case _:
                self._parts.append(letter if letter in ".^" else re.escape(letter))

    def _open(self) -> None:
        group = self._groups[-1]
        if match := self._match(_NAME):
            self._groups.append(_Group(group.flags))
            self._parts.append(f"(?P<{match[1]}>")
        elif match := self._match(_FLAGS):
            on, off, end = match.groups()
            flags = group.flags.union(on).difference(off or "")
            start = _render_scope(on, off or "")
            if end == ":":
                self._groups.append(_Group(flags))
            else:
                group.flags = flags
                group.scopes.append(start)
            self._parts.append(start)
        elif self._text[self._place : self._place + 1] == "?":
            raise re.error("there is no such group in Go")
        else:
            self._groups.append(_Group(group.flags))
            self._parts.append("(")

    def _close(self) -> None:
        if len(self._groups) == 1:
            raise re.error("unexpected )")
        self._parts.append(")" * (len(self._groups.pop().scopes) + 1))

    def _read_repeat(self, letter: str) -> None:
        self._place -= 1
        match = self._match(_REPEAT)
        if match is None:
            self._place += 1
            self._parts.append(re.escape(letter))
            return
        if any(int(group) > _MOST for group in match.groups() if group):
            raise re.error(f"invalid repeat count {match[0]}")
        is_lazy = self._text[self._place : self._place + 1] == "?"
        self._place += is_lazy
        if _REPEAT.match(self._text, self._place):
            raise re.error("invalid nested repetition operator")
        self._parts.append(match[0] + "?" * (is_lazy is not ("U" in self._groups[-1].flags)))

    def _read_class(self) -> str:
        parts = ["[", self._take() if self._text[self._place : self._place + 1] == "^" else ""]
        is_first = True
        while is_first or self._text[self._place : self._place + 1] != "]":
            if self._place >= len(self._text):
                raise re.error("missing closing ]")
            parts.append(self._read_member())
            is_first = False
        return "".join(parts) + self._take()

    def _read_member(self) -> str:
        if match := self._match(_POSIX):
            if match[1] or match[2] not in _CLASSES:
                raise re.error(f"the class {match[0]} cannot be used here")
            return _CLASSES[match[2]]
        letter = self._take()
        if letter == "\\":
            return self._read_escape(is_inside=True)
        if letter == "-" and self._text[self._place - 2 : self._place - 1] == "-":
            return r"\-"
        return f"\\{letter}" if letter in r"[]&~|" else letter

    def _read_escape(self, *, is_inside: bool) -> str:
        if match := self._match(_CODE):
            return re.escape(chr(int(match[1] or match[2] or match[3], 8 if match[3] else 16)))
        letter = self._take()
        if not letter:
            raise re.error("trailing backslash")
        if letter == "Q":
            literal, _, self._text = self._text[self._place :].partition(r"\E")
            self._place = 0
            return re.escape(literal)
        if letter in _ASCII:
            return _ASCII[letter] if is_inside else f"[{_ASCII[letter]}]"
        if not is_inside and letter.lower() in _ASCII:
            return f"[^{_ASCII[letter.lower()]}]"
        if not is_inside and letter in "bBz":
            return r"\Z" if letter == "z" else rf"(?a:\{letter})"
        if letter.isalnum() and (letter not in _SAME or (is_inside and letter == "A")):
            raise re.error(f"invalid escape sequence \\{letter}")
        return f"\\{letter}" if letter.isascii() else letter


def _render_scope(on: str, off: str) -> str:
    """Return how Python opens a part with these flags; the one that turns greed is read here."""
    on, off = (item.replace("U", "") for item in (on, off))
    on = "".join(dict.fromkeys(item for item in on if item not in off))
    off = "".join(dict.fromkeys(off))
    return f"(?{on}-{off}:" if off else f"(?{on}:"
