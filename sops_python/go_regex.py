r"""Regular expressions as `sops` has them: those of Go (RE2, https://golang.org/s/re2syntax).

The library `google-re2` reads them, in linear time. Without it, only those are read that certainly
mean the same to Python and take it linear time, such as `\.enc(\.[a-z]+)?$`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from sops_python.errors import SopsError
from sops_python.tree import encode_text

Finder: TypeAlias = Callable[[str], bool]
"""Returns whether a regular expression matches a part of a text."""

_MARK = r"\\[!-/:-@\[-`{-~]"
_SET = r"\[(?:a-z|A-Z|0-9|[A-Za-z0-9_])++\]"
_ONE = (
    rf"(?:[A-Za-z0-9_/ :,=@%~-]|{_MARK}(?!{_SET}\+)|\.(?!\*)|{_SET}(?!\+))"
    r"(?:\?)?+"
)
_PIECE = rf"(?:{_MARK}{_SET}\+|{_ONE})"
"""One character; or a run of characters behind a mark that is none of them."""

_PLAIN = re.compile(
    rf"(?:\^(?:{_ONE})*+)?+(?:\.\*)?+{_PIECE}*+"
    rf"(?:\({_PIECE}*+(?:\|{_PIECE}*+)*+\)(?:\?)?+)?+{_PIECE}*+\$?"
)
"""Expressions without a place where two repetitions could share a text between them."""

_MOST_OPTIONAL = 3
"""Optional pieces of an expression that needs no library: each doubles the ways to match."""

_ANY_BYTE = re.compile(r"(?:[^\\]|\\[^C])*\\C", re.DOTALL)
r"""An expression with `\C`, which RE2 has and Go has not."""


class InvalidPattern(SopsError):
    """A text is no regular expression, or needs a library that is not installed."""


@lru_cache(maxsize=256)
def compile_pattern(text: str) -> Finder:
    """Return what finds the regular expression *text*.

    Raises:
        InvalidPattern: If it is none, or needs `google-re2`, which is not installed.
    """
    try:
        import re2
    except ImportError as exc:
        return _compile_plain(text, exc)
    options = re2.Options()
    options.log_errors = False
    try:
        if _ANY_BYTE.match(text):
            raise re2.error(rb"invalid escape sequence: \C")  # noqa: TRY301  as in Go
        search = re2.compile(encode_text(text), options).search
    except re2.error as exc:
        reason = exc.args[0].decode("utf-8", "replace")
        raise InvalidPattern(reason) from exc
    return lambda part: search(encode_text(part)) is not None


def _compile_plain(text: str, missing: ImportError) -> Finder:
    if not _PLAIN.fullmatch(text) or text.count("?") > _MOST_OPTIONAL:
        raise InvalidPattern(
            f"the regular expression {text!r} needs google-re2",
            hint="pip install 'provisioning[re2]'",
        ) from missing
    body = text.removeprefix(".*")
    ends = body.endswith("$") and not body.endswith(r"\$")
    search = re.compile(body[:-1] + r"\Z" if ends else body).search
    return lambda part: search(part) is not None
