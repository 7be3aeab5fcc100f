"""Windows that allow changes at some times, and freezes that forbid them. Pure.

Moments are seconds since the epoch. An occurrence begins when the clocks of the window's zone
show what its cron expression names; see `core.policy.cron` for what they skip or show twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from math import ceil

import msgspec

from provisioning.core.model.durations import DAY, Span
from provisioning.core.policy.cron import Cron


class WindowEffect(StrEnum):
    """The effect of a window while it is open."""

    ALLOW = "allow"
    FREEZE = "freeze"
    OFF = "off"
    """None: it switches off the window of a lower layer."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A time that comes again: from each minute that *cron* names in *zone*, for *span*."""

    name: str
    effect: WindowEffect
    cron: Cron
    span: Span
    zone: tzinfo

    def find_closing(self, now: float) -> float | None:
        """Return when the occurrence that *now* is in ends; of several, the last. None if none."""
        today = datetime.fromtimestamp(now, self.zone).date()
        reach = self.span.days + ceil(self.span.seconds / DAY) + 1
        days = (today + timedelta(1 - back) for back in range(reach + 2))
        found = (occurrence for day in days for occurrence in self._list_occurrences(day))
        return max((end for begin, end in found if begin <= now < end), default=None)

    def find_opening(self, now: float) -> float | None:
        """Return when it opens next after *now*; None if it does not within some years."""
        return self.cron.find_next(now, self.zone)

    def _list_occurrences(self, day: date) -> Iterator[tuple[float, float]]:
        for begin in self.cron.list_moments(day, self.zone):
            end = begin + timedelta(days=self.span.days)
            yield begin.timestamp(), end.timestamp() + self.span.seconds

    def render_moment(self, moment: float) -> str:
        """Write *moment* as the clocks of the zone show it, with their offset."""
        return datetime.fromtimestamp(moment, self.zone).isoformat(timespec="minutes")


def describe_closure(windows: Sequence[Window], now: float) -> str | None:
    """Say why *windows* allow no change at *now*, and until when; None if they allow it.

    A freeze wins over every other window. Without a window that allows, any time outside of a
    freeze is allowed.
    """
    for window in windows:
        if window.effect is WindowEffect.FREEZE and (end := window.find_closing(now)) is not None:
            return f"frozen by windows.{window.name} until {window.render_moment(end)}"
    allowing = [item for item in windows if item.effect is WindowEffect.ALLOW]
    if not allowing or any(item.find_closing(now) is not None for item in allowing):
        return None
    openings = [(at, item) for item in allowing if (at := item.find_opening(now)) is not None]
    if not openings:
        return "no window opens any more"
    at, window = min(openings, key=lambda each: each[0])
    return f"no window is open; windows.{window.name} opens at {window.render_moment(at)}"
