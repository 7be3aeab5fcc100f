"""When each infra is looked at for drift: at an interval, or at times of a calendar."""

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
from apscheduler.triggers.interval import IntervalTrigger

from provisioning.controller.cron_trigger import CronTrigger
from provisioning.core.model.errors import InvalidArgument, InvalidConfiguration, Source
from provisioning.core.policy.cron import parse_cron
from provisioning.core.scheduling.workqueue import Key, Topic

JITTER = 0.1
"""The share of an interval by which a tick may come early or late."""

LEAP = 5.0
"""Seconds by which the wall clock may part from the monotonic one before that is a jump."""


class DriftSchedule(msgspec.Struct, frozen=True, kw_only=True):
    """How often one infra is looked at: each *interval* seconds, or as *cron* says in *zone*."""

    interval: float
    cron: str | None = None
    zone: str = "UTC"
    source: Source | None = None


class Schedule:
    """Ticks for every infra; a tick that was missed comes once, however many were.

    The ticks of one interval are spread evenly: each infra has a moment of its own in it, which
    follows from its name. Any thread may call.
    """

    def __init__(self, tick: Callable[[Key], None]) -> None:
        self._tick = tick
        self._rhythms: dict[Key, DriftSchedule] = {}
        self._planning = threading.Lock()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 3},
        )
        self._closed = threading.Event()

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.start()
        threading.Thread(target=self._watch_clock, name="clock", daemon=True).start()

    def close(self) -> None:
        """Tick no more."""
        with self._planning:
            self._closed.set()
            self._scheduler.shutdown(wait=False)

    def plan(self, workspace: str, drift_schedules: Mapping[str, DriftSchedule]) -> None:
        """Tick for the infras of *workspace* that have a rhythm, and for no other of it.

        An infra whose calendar is broken keeps its rhythm; a new one is looked at each interval.

        Raises:
            InvalidConfiguration: If calendars are broken, naming each; all is planned by then.
        """
        wanted = {
            Key(workspace, Topic.INFRA, infra): schedule
            for infra, schedule in drift_schedules.items()
        }
        with self._planning:
            if self._closed.is_set():
                return
            for key in [rhythm for rhythm in self._rhythms if rhythm.workspace == workspace]:
                if key not in wanted:
                    del self._rhythms[key]
                    self._scheduler.remove_job(str(key))
            broken = [exc for key, item in wanted.items() if (exc := self._change(key, item))]
        if broken:
            raise _join(broken)

    def get_next(self, key: Key) -> datetime | None:
        """Return when *key* ticks next."""
        job = self._scheduler.get_job(str(key))
        return job.next_run_time if job else None

    def _change(self, key: Key, drift_schedule: DriftSchedule) -> InvalidConfiguration | None:
        """Give *key* its rhythm, if that is another one; return what is wrong with it."""
        if self._rhythms.get(key) == drift_schedule:
            return None
        try:
            self._add(key, drift_schedule)
        except InvalidConfiguration as exc:
            if key not in self._rhythms:
                self._add(key, DriftSchedule(interval=drift_schedule.interval))
            return exc
        return None

    def _add(self, key: Key, drift_schedule: DriftSchedule) -> None:
        trigger = build_trigger(key, drift_schedule, datetime.now(UTC))
        self._scheduler.add_job(
            self._tick, trigger, args=(key,), id=str(key), replace_existing=True
        )
        self._rhythms[key] = drift_schedule

    def _watch_clock(self) -> None:
        """Compute every tick anew where the clock was set, or the machine slept."""
        apart = time.time() - time.monotonic()
        while not self._closed.wait(LEAP):
            now = time.time() - time.monotonic()
            if abs(now - apart) > LEAP:
                self.plan_anew()
                apart = now

    def plan_anew(self) -> None:
        """Compute every tick from the time as it is now."""
        with self._planning:
            if self._closed.is_set():
                return
            for key, drift_schedule in list(self._rhythms.items()):
                self._add(key, drift_schedule)


def _join(broken: Sequence[InvalidConfiguration]) -> InvalidConfiguration:
    """Make one error of many; most often they are one, which holds for many infras."""
    first, *others = {str(item): item for item in broken}.values()
    if not others:
        return first
    return InvalidConfiguration("; ".join(map(str, (first, *others))), hint=first.hint)


def build_trigger(key: Key, drift_schedule: DriftSchedule, now: datetime) -> Any:
    """Build APScheduler's trigger for *drift_schedule*.

    Raises:
        InvalidConfiguration: If the calendar or its time zone is none.
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
