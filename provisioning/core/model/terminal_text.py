"""Text as people may see it: nothing in it moves the cursor, hides or turns round what follows."""

from __future__ import annotations

import re

CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters of ISO 6429 but tab and line feed, what turns the direction of writing, and
halves of characters, as Python reads bytes that are not UTF-8 (PEP 383)."""

STYLES = re.compile(r"\x1b\[(?:0|1|2|3[0-7]|9[0-7])m")
"""What the command line's own colours are made of."""

ERASE = "\r\x1b[K"
"""What our own progress begins a line with: go to its start, and clear it."""


def is_utf8(text: str) -> bool:
    """Tell whether *text*, of a variable or an argument, was UTF-8; Python lets anything in."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def render_plain(text: str) -> str:
    r"""Return *text* with every control character spelled out, as `\u001b`; JSON stays JSON."""
    return CONTROLS.sub(_spell, text)


def render_styled(text: str) -> str:
    """Return *text* as `render_plain`, but with the colours in it, and an `ERASE` before it."""
    if not CONTROLS.search(text):
        return text
    if text.startswith(ERASE):
        return ERASE + render_styled(text.removeprefix(ERASE))
    pieces = STYLES.split(text)
    styles = [*STYLES.findall(text), ""]
    return "".join(render_plain(piece) + style for piece, style in zip(pieces, styles, strict=True))


def _spell(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
