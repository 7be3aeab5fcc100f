"""Floating-point numbers as the Go programs of this field write them."""

from __future__ import annotations

import math
from decimal import Decimal


def render_positional(number: float) -> str:
    """Write the shortest text that reads back as *number*, without an exponent."""
    if special := _render_special(number):
        return special
    text = format(Decimal(repr(number)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def render_general(number: float, *, mark: str = "e") -> str:
    """Write *number* with an exponent if it is below 1e-4 or reaches 1e6.

    This is the format `%g` with the shortest precision; the exponent has two digits or more.
    """
    if special := _render_special(number):
        return special
    sign, digits, exponent = _split(number)
    if digits == "0":
        return f"{sign}0"
    if -4 <= exponent < 6:  # noqa: PLR2004  as `%g` has it
        return render_positional(number)
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}{mark}{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def render_json(number: float) -> str:
    """Write *number* as JSON: an exponent below 1e-6 and from 1e21."""
    sign, digits, exponent = _split(number)
    if digits == "0" or -6 <= exponent < 21:  # noqa: PLR2004  as JSON in Go has it
        return f"{sign}0" if digits == "0" else render_positional(number)
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    power = f"-{-exponent}" if exponent < 0 else f"+{exponent}"
    return f"{sign}{digits[0]}{fraction}e{power}"


def _render_special(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    return ("+Inf" if number > 0 else "-Inf") if math.isinf(number) else ""


def _split(number: float) -> tuple[str, str, int]:
    """Return sign, significant digits, and the exponent of the first of them."""
    sign, digits, _ = Decimal(repr(number)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    return "-" if sign else "", text, Decimal(repr(number)).adjusted()
