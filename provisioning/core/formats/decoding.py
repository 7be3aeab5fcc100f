"""Decodes the bytes of a manifest, and checks size, encoding and characters."""

from __future__ import annotations

import codecs
import re
from typing import Final

from provisioning.core.model.errors import InvalidManifest, Source

MAX_SIZE: Final = 10 * 1024 * 1024
"""Bytes of the largest manifest file."""

_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def decode_text(data: bytes, file: str) -> str:
    """Return the text of a manifest, without a byte order mark.

    Raises:
        InvalidManifest: If it is too large, is not UTF-8, or has a control character.
    """
    if len(data) > MAX_SIZE:
        raise InvalidManifest(
            f"the file has {len(data):,} bytes; a manifest has at most {MAX_SIZE:,} (10 MiB)",
            hint="split it into several files",
            source=Source(file, 1),
        )
    if data.startswith(_WIDE_MARKS):
        raise InvalidManifest(
            "the file is UTF-16 or UTF-32, and a manifest is UTF-8",
            hint="save it as UTF-8: iconv -f UTF-16 -t UTF-8",
            source=Source(file, 1),
        )
    text = _decode(data, file).removeprefix("\ufeff")
    refuse_characters(text, _CONTROL, file)
    return text


def _decode(data: bytes, file: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise InvalidManifest(
            f"byte 0x{data[exc.start]:02x} at offset {exc.start} is not UTF-8",
            hint="save the file as UTF-8; if it is Latin-1: iconv -f LATIN1 -t UTF-8",
            source=Source(file, data.count(b"\n", 0, exc.start) + 1),
        ) from exc


def refuse_characters(text: str, refused: re.Pattern[str], file: str) -> None:
    r"""Check that no character of *text* matches *refused*.

    Raises:
        InvalidManifest: If one does; it names the character as `U+0000`.
    """
    if found := refused.search(text):
        code = ord(found[0])
        raise InvalidManifest(
            f"the character U+{code:04X} is not allowed" + (" (NUL)" if code == 0 else ""),
            hint=f'remove it, or write it as "\\u{code:04x}" in double quotes',
            source=Source(file, text.count("\n", 0, found.start()) + 1),
        )
