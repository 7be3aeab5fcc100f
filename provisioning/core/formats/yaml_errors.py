"""Explains errors of libyaml in plain words."""

from __future__ import annotations

import re

from yaml.error import MarkedYAMLError

from provisioning.core.model.errors import InvalidManifest, Source

_HINTS = {
    "mapping values are not allowed": 'check the indentation; put a text with ": " in quotes',
    "block sequence entries are not allowed": "begin a list on a new line; put a text in quotes",
    "did not find expected alphabetic": "put a text that begins with & or * in quotes",
    "cannot start any token": "put the value in quotes",
    "could not find expected ':'": "write `key: value`, or check the indentation",
    "unexpected end of stream": "close the quote",
    "found unknown escape": "in double quotes write \\\\ for \\, or use single quotes",
    "Unicode character escape": "write the character itself, or \\U and eight digits",
    "expected ',' or": "close the bracket",
    "undefined tag handle": "put a text that begins with ! in quotes",
}
_TAB = re.compile(r" *\t")
_DEFAULT_HINT = "check the indentation, brackets and quotes on this line and above it"


def describe_yaml_error(exc: MarkedYAMLError, text: str, file: str) -> InvalidManifest:
    """Return the error for *exc*, with the line in *text* where libyaml stopped."""
    lines = text.splitlines() or [""]
    mark = exc.problem_mark or exc.context_mark
    number = min(mark.line if mark else 0, len(lines) - 1)
    source = Source(file, number + 1)
    if _TAB.match(lines[number]):
        return InvalidManifest(
            "a tab stands where YAML wants spaces", hint="indent with spaces only", source=source
        )
    hints = (hint for words, hint in _HINTS.items() if words in str(exc.problem))
    return InvalidManifest(
        f"this is not YAML: {exc.problem}{_describe_context(exc)}",
        hint=next(hints, _DEFAULT_HINT),
        source=source,
    )


def _describe_context(exc: MarkedYAMLError) -> str:
    if not exc.context_mark or exc.context_mark.line == (exc.problem_mark or exc.context_mark).line:
        return ""
    return f" {exc.context} that begins on line {exc.context_mark.line + 1}"
