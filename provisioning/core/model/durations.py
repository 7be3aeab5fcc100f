"""Lengths of time as people write them: `90s`, `45m`, `3h`, `2d`. Pure."""

from __future__ import annotations

import re

import msgspec

DAY = 86400.0
SPAN_HINT = "write 90s, 45m, 3h or 2d"

_SPAN = re.compile(r"(\d{1,9})([smhd])\Z")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Span(msgspec.Struct, frozen=True):
    """A length of time: days of the calendar, which a change of the clocks makes longer or
    shorter, and exact seconds (RFC 5545, section 3.3.6).
    """

    days: int
    seconds: float

    @property
    def total(self) -> float:
        """The seconds it lasts where no clocks are changed."""
        return self.days * DAY + self.seconds


def parse_span(text: str) -> Span | None:
    """Read *text*; None if it is no length of time."""
    match = _SPAN.match(text)
    if match is None:
        return None
    number, unit = int(match[1]), match[2]
    return Span(number, 0.0) if unit == "d" else Span(0, number * _SECONDS[unit])
