"""Text for a terminal: nothing in it moves the cursor, hides or turns round what follows."""

from __future__ import annotations

import re

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters of ISO 6429 but tab and line feed, marks of the direction of writing, and
halves of characters, as Python reads bytes that are not UTF-8 (PEP 383)."""


def escape_controls(text: str) -> str:
    r"""Return *text* with every control character written out, as `\u001b`."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
