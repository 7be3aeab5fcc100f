"""Cron expressions, and the moments that they name. Pure.

Five fields as crontab(5) of Vixie cron has them: minute, hour, day of the month, month, day of
the week; with lists, ranges, steps and English names. If neither field of days begins with `*`,
a day that fits one of them is enough.

What the clocks of a zone skip is counted by the offset before the change, and what they show
twice is the first of the two (RFC 5545, section 3.3.5).
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta, tzinfo

import msgspec

from provisioning.core.model.errors import InvalidArgument

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_PART = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d{1,2}))?\Z")
_LEAP = 2024

HORIZON = 8 * 366
"""Days within which every day of the calendar comes once: 29 February can take eight years."""


class _Field(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    first: int
    last: int
    words: Sequence[str] = ()


_FIELDS = (
    _Field(name="minute", first=0, last=59),
    _Field(name="hour", first=0, last=23),
    _Field(name="day of the month", first=1, last=31),
    _Field(name="month", first=1, last=12, words=["", *_MONTHS]),
    _Field(name="day of the week", first=0, last=7, words=_WEEKDAYS),
)


class Cron(msgspec.Struct, frozen=True, kw_only=True):
    """A cron expression; `weekdays` count from Sunday, which is 0.

    With `takes_either`, a day need only match `days` or `weekdays`, not both.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    takes_either: bool

    def falls_on(self, day: date) -> bool:
        """Tell whether it names a minute of *day*."""
        if day.month not in self.months:
            return False
        fits = (day.day in self.days, day.isoweekday() % 7 in self.weekdays)
        return any(fits) if self.takes_either else all(fits)

    def list_times(self) -> list[time]:
        """Return the minutes that it names of each day it falls on, in their order."""
        hours, minutes = sorted(self.hours), sorted(self.minutes)
        return [time(hour, minute) for hour in hours for minute in minutes]

    def list_moments(self, day: date, zone: tzinfo) -> Iterator[datetime]:
        """Return when the clocks of *zone* show on *day* what it names."""
        if self.falls_on(day):
            yield from (datetime.combine(day, item, zone) for item in self.list_times())

    def find_next(self, now: float, zone: tzinfo) -> float | None:
        """Return the first moment after *now*; None if there is none within some years.

        Moments are seconds since the epoch.
        """
        today = datetime.fromtimestamp(now, zone).date()
        for ahead in range(-1, HORIZON):
            found = self.list_moments(today + timedelta(ahead), zone)
            later = [at for item in found if (at := item.timestamp()) > now]
            if later:
                return min(later)
        return None


def parse_cron(text: str) -> Cron:
    """Read *text*.

    Raises:
        InvalidArgument: If it is no cron expression, or names a day that never comes.
    """
    words = text.lower().split()
    if len(words) != len(_FIELDS):
        raise InvalidArgument(
            f"{text!r} has {len(words)} fields, and a cron expression has {len(_FIELDS)}",
            hint="write minute, hour, day of the month, month, day of the week: 0 22 * * mon-fri",
        )
    found = [_parse_field(word, field) for word, field in zip(words, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = found
    cron = Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        takes_either=not words[2].startswith("*") and not words[4].startswith("*"),
    )
    if not cron.takes_either and min(days) > max(monthrange(_LEAP, month)[1] for month in months):
        raise InvalidArgument(f"{text!r} names a day that never comes", hint="correct its days")
    return cron


def _parse_field(text: str, field: _Field) -> frozenset[int]:
    return frozenset(number for part in text.split(",") for number in _parse_part(part, field))


def _parse_part(part: str, field: _Field) -> range:
    match = _PART.match(part)
    if match is None:
        raise _describe_unfit(part, field)
    step = int(match[4] or 1)
    if match[1] == "*":
        first, last = field.first, field.last
    else:
        first = _parse_number(match[2], field)
        last = _parse_number(match[3], field) if match[3] else (field.last if match[4] else first)
    if not step or first > last:
        raise _describe_unfit(part, field)
    return range(first, last + 1, step)


def _parse_number(text: str, field: _Field) -> int:
    if text and text in field.words:
        return field.words.index(text)
    if text.isascii() and text.isdigit() and field.first <= int(text[:4]) <= field.last:
        return int(text)
    raise _describe_unfit(text, field)


def _describe_unfit(text: str, field: _Field) -> InvalidArgument:
    words = f", or {field.words[-1]} for a name" if field.words else ""
    return InvalidArgument(
        f"{text!r} is no {field.name}",
        hint=f"write a number from {field.first} to {field.last}{words}; *, lists (1,3), "
        "ranges (1-5) and steps (*/2) of them",
    )
