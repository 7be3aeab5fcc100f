"""When infras are looked at: spread, by calendars and their time zones, and after jumps."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.schedulers import base

from provisioning.controller import schedule as module
from provisioning.controller.schedule import DriftSchedule, Schedule, build_trigger
from provisioning.core.model.errors import InvalidConfiguration, Source
from provisioning.core.scheduling.workqueue import Key, Topic

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
        trigger = build_trigger(key(f"i{number}"), DriftSchedule(interval=600), NOW)
        counts[int((trigger.start_date - NOW).total_seconds() // 60)] += 1
    assert min(counts) > 60


def test_a_calendar_counts_in_its_own_time_zone():
    """Two at night in Berlin is another moment of UTC when summer time has begun."""
    trigger = build_trigger(
        key(), DriftSchedule(interval=1, cron="30 4 * * *", zone="Europe/Berlin"), NOW
    )
    assert [each.astimezone(UTC).hour for each in next_times(trigger, 2)] == [2, 2]
    before = build_trigger(
        key(),
        DriftSchedule(interval=1, cron="30 4 * * *", zone="Europe/Berlin"),
        NOW - timedelta(days=2),
    )
    (moment,) = next_times(before, 1, NOW - timedelta(days=2))
    assert moment.astimezone(UTC).hour == 3


@pytest.mark.parametrize(
    ("drift_schedule", "told"),
    [
        (DriftSchedule(interval=1, cron="61 * * * *"), "serve.cron is '61"),
        (DriftSchedule(interval=1, cron="* * *"), "serve.cron is"),
        (DriftSchedule(interval=1, cron="nonsense"), "serve.cron is"),
        (DriftSchedule(interval=1, cron="* * * * *", zone="Mars/Olympus"), "no such time zone"),
        (DriftSchedule(interval=1, cron="* * * * *", zone="../../etc/passwd"), "no such time zone"),
        (DriftSchedule(interval=1, cron="* * * * *", zone=""), "no such time zone"),
    ],
)
def test_what_is_no_calendar_is_told_with_its_place(drift_schedule, told):
    """One clear error, with the file and line that set it."""
    place = Source("config/provisioning.yaml", 7)
    bad = DriftSchedule(
        interval=1, cron=drift_schedule.cron, zone=drift_schedule.zone, source=place
    )
    with pytest.raises(InvalidConfiguration, match=told) as error:
        build_trigger(key(), bad, NOW)
    assert error.value.source == place


def list_ticks(cron, now, count, zone="UTC"):
    trigger = build_trigger(key(), DriftSchedule(interval=1, cron=cron, zone=zone), now)
    return [f"{each:%a %d %H:%M%z}" for each in next_times(trigger, count, now)]


@pytest.mark.parametrize(
    ("cron", "ticks"),
    [
        ("0 4 * * 1", ["Mon 30 04:00+0000"]),
        ("0 4 * * 0", ["Sun 29 04:00+0000"]),
        ("0 4 * * 7", ["Sun 29 04:00+0000"]),
        ("0 4 * * sat-sat", ["Sat 04 04:00+0000"]),
        ("0 4 31 * 1", ["Mon 30 04:00+0000", "Tue 31 04:00+0000", "Mon 06 04:00+0000"]),
        ("*/30 12 * * *", ["Sat 28 12:30+0000", "Sun 29 12:00+0000"]),
    ],
)
def test_a_calendar_is_one_of_crontab(cron, ticks):
    """Sunday is 0 and 7, and where both fields of days are given, one that fits is enough."""
    assert list_ticks(cron, NOW, len(ticks)) == ticks


@pytest.mark.parametrize(
    ("now", "ticks"),
    [
        (NOW, ["Sun 29 03:30+0200", "Mon 30 02:30+0200"]),
        (datetime(2026, 10, 24, 12, tzinfo=UTC), ["Sun 25 02:30+0200", "Mon 26 02:30+0100"]),
    ],
    ids=["skipped", "shown twice"],
)
def test_each_day_has_its_tick_when_the_clocks_change(now, ticks):
    """What they skip comes an hour later, and what they show twice comes once."""
    assert list_ticks("30 2 * * *", now, 2, "Europe/Berlin") == ticks


def test_what_was_missed_is_not_made_up_for():
    """A machine that slept for a week looks once, and computes no thousands of ticks."""
    trigger = build_trigger(key(), DriftSchedule(interval=1, cron="* * * * *"), NOW)
    week = NOW + timedelta(days=7)
    assert trigger.get_next_fire_time(NOW, week) == week + timedelta(minutes=1)


@pytest.fixture
def schedule():
    made = Schedule(lambda _: None)
    made.start()
    yield made
    made.close()


def test_a_plan_replaces_what_was_planned(schedule):
    """Infras that are gone tick no more, new ones do, and what stays keeps its moment."""
    schedule.plan("shop", {"a": DriftSchedule(interval=600), "b": DriftSchedule(interval=600)})
    schedule.plan("other", {"a": DriftSchedule(interval=600)})
    before = schedule.get_next(key("a"))
    schedule.plan("shop", {"a": DriftSchedule(interval=600), "c": DriftSchedule(interval=60)})
    assert schedule.get_next(key("a")) == before
    assert schedule.get_next(key("b")) is None
    assert schedule.get_next(key("c")) is not None
    assert schedule.get_next(Key("other", Topic.INFRA, "a")) is not None


BAD = DriftSchedule(interval=600, cron="61 * * * *", source=Source("infra/b/config.toml", 2))


def test_a_broken_calendar_costs_only_its_own_infra(schedule):
    """The others are planned, and it is told, by each plan anew; it is looked at all the same."""
    good = DriftSchedule(interval=600)
    for _ in range(2):
        with pytest.raises(InvalidConfiguration, match="is '61") as error:
            schedule.plan("shop", {"a": good, "b": BAD, "c": good})
        assert error.value.source == BAD.source
        assert all(schedule.get_next(key(each)) for each in "abc")


def test_a_calendar_that_breaks_leaves_the_last_good_one(schedule):
    """Until it is mended; and infras that are gone are gone."""
    yearly = DriftSchedule(interval=600, cron="0 0 1 1 *")
    schedule.plan("shop", {"a": yearly, "b": yearly})
    before = schedule.get_next(key("b"))
    with pytest.raises(InvalidConfiguration):
        schedule.plan("shop", {"b": BAD})
    assert schedule.get_next(key("b")) == before
    assert schedule.get_next(key("a")) is None
    schedule.plan("shop", {"b": DriftSchedule(interval=600)})
    assert schedule.get_next(key("b")) < datetime.now(UTC) + timedelta(seconds=700)
    schedule.plan("shop", {})
    assert schedule.get_next(key("b")) is None


def test_all_that_is_broken_is_told_at_once(schedule):
    """Each once, with its place, however many infras it holds for."""
    other = DriftSchedule(interval=1, cron="* * *", source=Source("config/provisioning.yaml", 7))
    with pytest.raises(InvalidConfiguration) as error:
        schedule.plan("shop", {"a": other, "b": BAD, "c": other})
    first, second = str(error.value).split("; ")
    assert first.startswith("config/provisioning.yaml:7: serve.cron is '* * *'")
    assert second.startswith("infra/b/config.toml:2: serve.cron is '61")


def test_plans_of_several_threads_do_not_meet(schedule):
    """Each workspace plans by itself, while the clock is set: what was taken away stays away."""
    every = {f"i{number}": DriftSchedule(interval=600) for number in range(50)}
    failures = []

    def plan(workspace):
        try:
            for _ in range(20):
                schedule.plan(workspace, every)
                schedule.plan(workspace, {"i0": DriftSchedule(interval=600)})
                schedule.replan()
        except Exception as exc:  # noqa: BLE001  a thread's error is the test's
            failures.append(exc)

    threads = [threading.Thread(target=plan, args=(each,)) for each in ("one", "two", "three")]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert failures == []
    for workspace in ("one", "two", "three"):
        planned = [each for each in every if schedule.get_next(Key(workspace, Topic.INFRA, each))]
        assert planned == ["i0"]


def test_a_closed_schedule_plans_nothing():
    """A keeper that is still reading when the service ends meets no error."""
    made = Schedule(lambda _: None)
    made.start()
    made.plan("shop", {"a": DriftSchedule(interval=600)})
    made.close()
    made.plan("shop", {})
    made.replan()


def test_a_clock_that_was_set_back_costs_no_tick(schedule, monkeypatch):
    """An hour back would be an hour without a look: every tick is computed anew."""
    schedule.plan("shop", {"a": DriftSchedule(interval=100)})
    planned = schedule.get_next(key("a"))
    earlier = planned - timedelta(hours=1)

    class Clock(datetime):
        @classmethod
        def now(cls, zone=None):
            return earlier.astimezone(zone)

    for each in (module, base):
        monkeypatch.setattr(each, "datetime", Clock)
    schedule.replan()
    assert schedule.get_next(key("a")) < earlier + timedelta(seconds=120)
