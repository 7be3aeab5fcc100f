"""The schedule of drift checks: each infra at an interval, or at the times of a cron expression."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from provisioning.core.model.errors import InvalidArgument, InvalidConfiguration, Source
from provisioning.core.policy.cron import Cron, parse_cron
from provisioning.core.scheduling.workqueue import Key, Topic

JITTER = 0.1
"""The share of an interval by which a tick may come early or late."""

CLOCK_JUMP = 5.0
"""Seconds by which the wall clock may part from the monotonic one before that is a jump."""


class DriftSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """When one infra is checked: each *interval* seconds, or as *cron* says in *zone*."""

    interval: float
    cron: str | None = None
    zone: str = "UTC"
    source: Source | None = None


@BaseTrigger.register
class CronTrigger(msgspec.Struct, frozen=True):
    """Fires at every moment that *cron* names in *zone*, as crontab(5) has it.

    APScheduler's own `CronTrigger` counts weekdays from Monday, and takes only days that fit
    both fields.
    """

    cron: Cron
    zone: tzinfo

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime | None:
        """Return the first moment after *now*; missed ones are not made up for."""
        moment = self.cron.find_next(now.timestamp(), self.zone)
        return None if moment is None else datetime.fromtimestamp(moment, self.zone)


class Schedule:
    """Ticks for every infra; several missed ticks of one infra become one.

    The ticks of one interval are spread evenly: the name of an infra chooses its moment in the
    interval. Any thread may call.
    """

    def __init__(self, tick: Callable[[Key], None]) -> None:
        self._tick = tick
        self._schedules: dict[Key, DriftSchedule] = {}
        self._mutex = threading.Lock()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 3},
        )
        self._closed = threading.Event()

    def start(self) -> None:
        """Start to tick."""
        self._scheduler.start()
        threading.Thread(target=self._watch_clock, name="clock", daemon=True).start()

    def close(self) -> None:
        """Stop to tick."""
        with self._mutex:
            self._closed.set()
            self._scheduler.shutdown(wait=False)

    def plan(self, workspace: str, drift_schedules: Mapping[str, DriftSchedule]) -> None:
        """Tick for the infras of *drift_schedules*, and for no other of *workspace*.

        An infra whose cron expression is broken keeps its schedule; a new one ticks at its
        interval.

        Raises:
            InvalidConfiguration: If cron expressions are broken, naming each; the others are
                planned by then.
        """
        wanted = {
            Key(workspace, Topic.INFRA, infra): schedule
            for infra, schedule in drift_schedules.items()
        }
        with self._mutex:
            if self._closed.is_set():
                return
            for key in [key for key in self._schedules if key.workspace == workspace]:
                if key not in wanted:
                    del self._schedules[key]
                    self._scheduler.remove_job(str(key))
            broken = []
            for key, schedule in wanted.items():
                try:
                    if self._schedules.get(key) != schedule:
                        self._add(key, schedule)
                except InvalidConfiguration as exc:
                    broken.append(exc)
                    if key not in self._schedules:
                        self._add(key, DriftSchedule(interval=schedule.interval))
        if broken:
            raise _join(broken)

    def get_next(self, key: Key) -> datetime | None:
        """Return when *key* ticks next."""
        job = self._scheduler.get_job(str(key))
        return job.next_run_time if job else None

    def _add(self, key: Key, drift_schedule: DriftSchedule) -> None:
        trigger = build_trigger(key, drift_schedule, datetime.now(UTC))
        self._scheduler.add_job(
            self._tick, trigger, args=(key,), id=str(key), replace_existing=True
        )
        self._schedules[key] = drift_schedule

    def _watch_clock(self) -> None:
        """Compute every tick anew when the clock was set, or the machine slept."""
        apart = time.time() - time.monotonic()
        while not self._closed.wait(CLOCK_JUMP):
            now = time.time() - time.monotonic()
            if abs(now - apart) > CLOCK_JUMP:
                self.replan()
                apart = now

    def replan(self) -> None:
        """Compute every tick from the current time."""
        with self._mutex:
            if self._closed.is_set():
                return
            for key, drift_schedule in list(self._schedules.items()):
                self._add(key, drift_schedule)


def _join(broken: Sequence[InvalidConfiguration]) -> InvalidConfiguration:
    """Join several errors; most often they are the same one, of a setting of all infras."""
    first, *others = {str(error): error for error in broken}.values()
    if not others:
        return first
    return InvalidConfiguration("; ".join(map(str, (first, *others))), hint=first.hint)


def build_trigger(key: Key, drift_schedule: DriftSchedule, now: datetime) -> Any:
    """Build APScheduler's trigger for *drift_schedule*.

    Raises:
        InvalidConfiguration: If the cron expression is invalid, or its time zone unknown.
    """
    if drift_schedule.cron is not None:
        try:
            return CronTrigger(parse_cron(drift_schedule.cron), _find_zone(drift_schedule))
        except InvalidArgument as exc:
            raise InvalidConfiguration(
                f"serve.cron is {drift_schedule.cron!r}: {exc.message}",
                hint=exc.hint,
                source=drift_schedule.source,
            ) from exc
    share = int.from_bytes(hashlib.sha256(str(key).encode()).digest()[:6]) / 2**48
    return IntervalTrigger(
        seconds=max(1, round(drift_schedule.interval)),
        start_date=now + timedelta(seconds=drift_schedule.interval * share),
        jitter=drift_schedule.interval * JITTER,
        timezone=UTC,
    )


def _find_zone(drift_schedule: DriftSchedule) -> tzinfo:
    try:
        return ZoneInfo(drift_schedule.zone)
    except (KeyError, ValueError, OSError) as exc:
        raise InvalidConfiguration(
            f"serve.timezone is {drift_schedule.zone!r}, and there is no such time zone",
            hint="write a name as in Europe/Berlin",
            source=drift_schedule.source,
        ) from exc
