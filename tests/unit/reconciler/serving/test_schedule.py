"""When infras are looked at: spread, by calendars and their time zones, and after jumps."""

from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.schedulers import base

from provisioning.core.errors import InvalidConfiguration, Source
from provisioning.core.work import Key, Topic
from provisioning.reconciler.serving import schedule as module
from provisioning.reconciler.serving.schedule import Rhythm, Schedule, build_trigger

NOW = datetime(2026, 3, 28, 12, tzinfo=UTC)


def key(name="web"):
    return Key("shop", Topic.INFRA, name)


def next_times(trigger, count, now=NOW):
    found, last = [], None
    for _ in range(count):
        last = trigger.get_next_fire_time(last, last + timedelta(seconds=1) if last else now)
        found.append(last)
    return found


def test_the_ticks_of_an_interval_are_spread_evenly():
    """A thousand infras do not all come at once: each tenth of the interval gets its share."""
    counts = [0] * 10
    for number in range(1000):
        trigger = build_trigger(key(f"i{number}"), Rhythm(interval=600), NOW)
        counts[int((trigger.start_date - NOW).total_seconds() // 60)] += 1
    assert min(counts) > 60


def test_a_calendar_counts_in_its_own_time_zone():
    """Two at night in Berlin is another moment of UTC when summer time has begun."""
    trigger = build_trigger(key(), Rhythm(interval=1, cron="30 4 * * *", zone="Europe/Berlin"), NOW)
    assert [each.astimezone(UTC).hour for each in next_times(trigger, 2)] == [2, 2]
    before = build_trigger(
        key(), Rhythm(interval=1, cron="30 4 * * *", zone="Europe/Berlin"), NOW - timedelta(days=2)
    )
    (moment,) = next_times(before, 1, NOW - timedelta(days=2))
    assert moment.astimezone(UTC).hour == 3


@pytest.mark.parametrize(
    ("rhythm", "told"),
    [
        (Rhythm(interval=1, cron="61 * * * *"), "serve.cron is '61"),
        (Rhythm(interval=1, cron="* * *"), "serve.cron is"),
        (Rhythm(interval=1, cron="nonsense"), "serve.cron is"),
        (Rhythm(interval=1, cron="* * * * *", zone="Mars/Olympus"), "no such time zone"),
        (Rhythm(interval=1, cron="* * * * *", zone="../../etc/passwd"), "no such time zone"),
        (Rhythm(interval=1, cron="* * * * *", zone=""), "no such time zone"),
    ],
)
def test_what_is_no_calendar_is_told_with_its_place(rhythm, told):
    """One clear error, with the file and line that set it."""
    place = Source("config/provisioning.yaml", 7)
    bad = Rhythm(interval=1, cron=rhythm.cron, zone=rhythm.zone, source=place)
    with pytest.raises(InvalidConfiguration, match=told) as error:
        build_trigger(key(), bad, NOW)
    assert error.value.source == place


@pytest.fixture
def schedule():
    made = Schedule(lambda _: None)
    made.start()
    yield made
    made.close()


def test_a_plan_replaces_what_was_planned(schedule):
    """Infras that are gone tick no more, new ones do, and what stays keeps its moment."""
    schedule.plan("shop", {"a": Rhythm(interval=600), "b": Rhythm(interval=600)})
    schedule.plan("other", {"a": Rhythm(interval=600)})
    before = schedule.get_next(key("a"))
    schedule.plan("shop", {"a": Rhythm(interval=600), "c": Rhythm(interval=60)})
    assert schedule.get_next(key("a")) == before
    assert schedule.get_next(key("b")) is None
    assert schedule.get_next(key("c")) is not None
    assert schedule.get_next(Key("other", Topic.INFRA, "a")) is not None


def test_a_clock_that_was_set_back_costs_no_tick(schedule, monkeypatch):
    """An hour back would be an hour without a look: every tick is computed anew."""
    schedule.plan("shop", {"a": Rhythm(interval=100)})
    planned = schedule.get_next(key("a"))
    earlier = planned - timedelta(hours=1)

    class Clock(datetime):
        @classmethod
        def now(cls, zone=None):
            return earlier.astimezone(zone)

    for each in (module, base):
        monkeypatch.setattr(each, "datetime", Clock)
    schedule.plan_anew()
    assert schedule.get_next(key("a")) < earlier + timedelta(seconds=120)
