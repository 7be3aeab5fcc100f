"""Writes Markdown around foreign text, which cannot leave its place in it."""

from __future__ import annotations

import re
import unicodedata

_TICKS = re.compile(r"`+")


def clean(text: str) -> str:
    """Return *text* without invisible letters and those that change the reading direction."""
    return "".join(
        letter if letter in "\n\t" or _is_shown(letter) else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )


def _is_shown(letter: str) -> bool:
    return unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


def render_code(text: str) -> str:
    """Return *text* as code within a line; nothing in it is a mention, a link or HTML.

    The fence is longer than any run of backticks within; CommonMark 0.31, 6.1.
    """
    words = " ".join(clean(text).split())
    fence = "`" * (1 + max((len(item) for item in _TICKS.findall(words)), default=0))
    return f"{fence} {words} {fence}" if "`" in words else f"`{words}`" if words else ""


def render_cell(text: str) -> str:
    """Return *text* as code within a table's cell."""
    return render_code(text).replace("|", "\\|")


def render_block(text: str, language: str = "") -> str:
    """Return *text* as a block of code; CommonMark 0.31, 4.5."""
    body = clean(text).rstrip("\n")
    longest = max((len(item) for item in _TICKS.findall(body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{body}\n{fence}"
