"""Parses plain scalars: the core schema of YAML 1.2.2 (section 10.3.2), made safer.

A number with a leading zero, `08` or `0644`, stays a string, as its decimal value is rarely
meant. Infinity and not-a-number are refused, because JSON has none.
"""

from __future__ import annotations

import math
import re

from provisioning.core.model.values import Tree

NUMBER_HINT = "put it in quotes to make it a string"

_WORDS: dict[str, Tree] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS = frozenset("0123456789+-.")
_INTEGER = re.compile(r"(?:[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9A-Fa-f]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_ENDLESS = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")


def read_plain(text: str) -> Tree:
    """Return the value of an unquoted *text*.

    Raises:
        ValueError: If it is a number that JSON cannot hold.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _INTEGER.match(text):
        return check_number(_read_integer(text))
    if _FLOAT.match(text):
        return check_number(float(text))
    if _ENDLESS.match(text):
        raise ValueError(f"{text} is not finite, and JSON has only finite numbers")
    return text


def _read_integer(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError as exc:
        raise ValueError("the number does not fit into 64 bits") from exc


def check_number(number: float) -> int | float:
    """Return *number* if all JSON readers agree on it: finite, and an integer within 64 bits.

    Raises:
        ValueError: If they do not.
    """
    if isinstance(number, int):
        if not -(2**63) <= number < 2**64:
            raise ValueError("the number does not fit into 64 bits")
    elif not math.isfinite(number):
        raise ValueError("the number is not finite, and JSON has only finite ones")
    return number


_TAG = "tag:yaml.org,2002:"
_TAGGED: dict[str, tuple[type, ...]] = {
    f"{_TAG}null": (type(None),),
    f"{_TAG}bool": (bool,),
    f"{_TAG}int": (int,),
    f"{_TAG}float": (float, int),
}
SCALAR_TAGS = frozenset(("!", f"{_TAG}str", *_TAGGED))
"""The tags of scalars; `!` marks a string."""


def read_tagged(text: str, tag: str) -> Tree:
    """Return *text* as the type of *tag*, one of `SCALAR_TAGS`.

    Raises:
        ValueError: If it is no such value.
    """
    if tag not in _TAGGED:
        return text
    value = read_plain(text)
    if type(value) not in _TAGGED[tag]:
        raise ValueError(f"{text!r} is not a value for {show_tag(tag)}")
    return float(value) if tag.endswith("float") else value


def show_tag(tag: str) -> str:
    """Write *tag* as manifests do, `!!int`."""
    return tag.replace(_TAG, "!!", 1)
