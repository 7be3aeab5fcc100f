"""The meaning of an unquoted YAML scalar to the Go library `yaml.v3`, by which `sops` reads.

It is YAML 1.2's core schema, with timestamps, octals such as 0777, and digits parted by `_`.
"""

from __future__ import annotations

import re
from datetime import datetime

from sops_python.tree import Timestamp, Value

_WORDS: dict[str, Value] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_OLD_BOOLEANS = frozenset(
    word
    for plain in ("y", "yes", "on", "n", "no", "off")
    for word in (plain, plain.capitalize(), plain.upper())
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INTEGER = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|(0)([0-7]*)|([1-9][0-9]*))\Z"
)
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z")
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:([Tt ])(\d\d?):(\d\d?):(\d\d?)(?:[.,](\d+))?(Z|[-+]\d\d:\d\d)?)?\Z"
)
_FIRST = frozenset("+-0123456789yYnNtTfFoO~.")
"""The characters with which a scalar that is not text can begin."""


class TooBig(ValueError):
    """An integer does not fit in 64 bits."""


def resolve(text: str) -> Value:
    """Return what the unquoted *text* means.

    Raises:
        TooBig: If it is an integer of more than 63 bits and its sign.
    """
    if text and text[0] not in _FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == ".":
        return float(text) if _FLOAT.match(text) else text
    if text[0] not in "+-0123456789":
        return text
    timestamp = parse_timestamp(text)
    return timestamp or _resolve_number(text)


def _resolve_number(text: str) -> Value:
    digits = text.replace("_", "")
    if match := _INTEGER.match(digits):
        sign, hexadecimal, binary, octal, zero, old_octal, decimal = match.groups()
        if hexadecimal:
            number = int(hexadecimal, 16)
        elif binary:
            number = int(binary, 2)
        elif octal or old_octal:
            number = int(octal or old_octal, 8)
        else:
            number = int(decimal or zero)
        number = -number if sign == "-" else number
        if -(2**63) <= number < 2**63:
            return number
        if 0 < number < 2**64:
            raise TooBig(text)
    return float(digits) if _FLOAT.match(digits) else text


def parse_timestamp(text: str) -> Timestamp | None:
    """Return the moment that *text* is; None if it is none."""
    match = _TIMESTAMP.match(text)
    if not match:
        return None
    year, month, day, mark, hour, minute, second, fraction, zone = match.groups()
    if mark is not None and (zone is None) != (mark == " "):
        return None
    try:
        moment = datetime(  # noqa: DTZ001  the zone is carried as it was written
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
        )
    except ValueError:
        return None
    digits = (fraction or "")[:9].rstrip("0")
    tail = "Z" if zone in (None, "Z", "+00:00", "-00:00") else zone
    return Timestamp(
        f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + (f".{digits}" if digits else "") + tail
    )


def needs_quotes(text: str) -> bool:
    """Return whether *text* without quotes is read as no text, here or by YAML 1.1."""
    if text in _OLD_BOOLEANS or _SEXAGESIMAL.match(text):
        return True
    try:
        return not isinstance(resolve(text), str)
    except TooBig:
        return True
