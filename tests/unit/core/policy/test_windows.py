"""When a run may change something, also where clocks are changed."""

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioning.core.model.durations import parse_span
from provisioning.core.model.errors import InvalidArgument
from provisioning.core.policy.cron import parse_cron
from provisioning.core.policy.windows import Window, WindowEffect, describe_closure

BERLIN, NEW_YORK, KATHMANDU = map(ZoneInfo, ("Europe/Berlin", "America/New_York", "Asia/Kathmandu"))


def build(cron, span, zone=BERLIN, *, effect=WindowEffect.ALLOW, name="nightly"):
    return Window(name=name, effect=effect, cron=parse_cron(cron), span=parse_span(span), zone=zone)


def at(text):
    return datetime.fromisoformat(text).timestamp()


def show(moment, zone=UTC):
    return None if moment is None else datetime.fromtimestamp(moment, zone).isoformat()[:16]


@pytest.mark.parametrize(
    ("text", "day", "falls"),
    [
        ("0 0 * * mon-fri", date(2026, 11, 27), True),
        ("0 0 * * mon-fri", date(2026, 11, 28), False),
        ("0 0 * * 7", date(2026, 11, 29), True),
        ("0 0 * * 0", date(2026, 11, 29), True),
        ("0 0 29 feb *", date(2028, 2, 29), True),
        ("0 0 13 * fri", date(2026, 11, 13), True),
        ("0 0 13 * fri", date(2026, 11, 20), True),
        ("0 0 13 * fri", date(2026, 10, 13), True),
        ("0 0 13 * fri", date(2026, 10, 14), False),
        ("0 0 */2 * fri", date(2026, 11, 20), False),
        ("0 0 */2 * fri", date(2026, 11, 27), True),
        ("0 0 1-7/3,20 12 *", date(2026, 12, 4), True),
        ("0 0 1-7/3,20 12 *", date(2026, 12, 20), True),
        ("0 0 1-7/3,20 12 *", date(2026, 12, 5), False),
    ],
)
def test_days_fall_as_cron_says(text, day, falls):
    """Either field of days is enough if both are restricted; `*/2` is no restriction."""
    assert parse_cron(text).falls_on(day) is falls


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("30 22 * * *", ["22:30"]),
        ("*/30 1,3 * * *", ["01:00", "01:30", "03:00", "03:30"]),
        ("50/5 23 * * *", ["23:50", "23:55"]),
    ],
)
def test_times_are_in_order(text, times):
    """Lists and steps name minutes of the day."""
    assert [f"{each:%H:%M}" for each in parse_cron(text).list_times()] == times


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0 22 * *", "has 4 fields"),
        ("", "has 0 fields"),
        ("60 * * * *", "'60' is no minute"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 0 0 * *", "'0' is no day of the month"),
        ("0 0 * 13 *", "'13' is no month"),
        ("0 0 * * 8", "'8' is no day of the week"),
        ("0 0 * * fry", "'fry' is no day of the week"),
        ("0 5-3 * * *", "'5-3' is no hour"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("1,,2 * * * *", "'' is no minute"),
        ("\u0663 * * * *", "is no minute"),
        ("0 0 31 2 *", "never comes"),
        ("0 0 31 2,4,6 *", "never comes"),
        ("{{config.values.cron}}", "has 1 fields"),
    ],
)
def test_what_is_no_cron_expression_is_refused(text, told):
    """It says which part is wrong, and what may stand there."""
    with pytest.raises(InvalidArgument, match=re.escape(told)) as caught:
        parse_cron(text)
    assert caught.value.hint


def test_the_hint_tells_what_may_stand_there():
    """The range of its numbers, and a name for one where it has names."""
    with pytest.raises(InvalidArgument) as caught:
        parse_cron("0 0 * * fry")
    assert "write a number from 0 to 7, or sat for a name" in caught.value.hint


@pytest.mark.parametrize(
    ("cron", "span", "now", "closes"),
    [
        ("0 22 * * *", "6h", "2026-11-24T22:00+01:00", "2026-11-25T03:00"),
        ("0 22 * * *", "6h", "2026-11-25T03:59+01:00", "2026-11-25T03:00"),
        ("0 22 * * *", "6h", "2026-11-25T04:00+01:00", None),
        ("0 22 * * *", "6h", "2026-11-24T21:59+01:00", None),
        # The clocks go from 02:00 to 03:00: what they skip counts by the offset before.
        ("30 2 * * *", "1h", "2027-03-28T03:29+02:00", None),
        ("30 2 * * *", "1h", "2027-03-28T03:30+02:00", "2027-03-28T02:30"),
        # They go from 03:00 to 02:00: what they show twice begins the first time, and only then.
        ("30 2 * * *", "15m", "2026-10-25T02:30+02:00", "2026-10-25T00:45"),
        ("30 2 * * *", "15m", "2026-10-25T02:30+01:00", None),
        # The day between has 23 hours, so that a window of the day before yesterday is still open.
        ("30 23 27 3 *", "24h", "2027-03-29T00:29+02:00", "2027-03-28T22:30"),
        ("30 23 27 3 *", "24h", "2027-03-29T00:30+02:00", None),
        # Hours are exact, days are the calendar's.
        ("0 0 25 10 *", "24h", "2026-10-25T22:59+01:00", "2026-10-25T22:00"),
        ("0 0 25 10 *", "24h", "2026-10-25T23:00+01:00", None),
        ("0 0 25 10 *", "1d", "2026-10-25T23:00+01:00", "2026-10-25T23:00"),
        ("0 0 28 3 *", "24h", "2027-03-29T00:30+02:00", "2027-03-28T23:00"),
        ("0 0 28 3 *", "1d", "2027-03-29T00:30+02:00", None),
        ("0 0 20 12 *", "14d", "2027-01-02T23:59+01:00", "2027-01-02T23:00"),
        ("0 0 20 12 *", "14d", "2027-01-03T00:00+01:00", None),
    ],
)  # fmt: skip
def test_a_window_is_open_by_the_clocks_of_its_zone(cron, span, now, closes):
    """Its begin belongs to it, its end does not; a change of the clocks moves neither wrongly."""
    assert show(build(cron, span).find_closing(at(now))) == closes


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_the_zone_of_the_machine_does_not_count(monkeypatch, zone):
    """A window means the same moment on every machine, before and after its zone is changed."""
    monkeypatch.setenv("TZ", zone)
    window = build("0 22 * * *", "6h", NEW_YORK)
    assert show(window.find_opening(at("2026-11-24T00:00Z"))) == "2026-11-24T03:00"
    assert window.find_closing(at("2026-11-24T03:00Z")) == at("2026-11-24T09:00Z")


def test_a_window_may_change_its_zone():
    """The same cron expression in another zone opens when the clocks there show it."""
    now = at("2026-11-24T00:00Z")
    found = [show(build("0 6 * * *", "1h", zone).find_opening(now)) for zone in (BERLIN, KATHMANDU)]
    assert found == ["2026-11-24T05:00", "2026-11-24T00:15"]


def test_a_leap_day_comes():
    """What opens once in years is found."""
    window = build("0 0 29 2 *", "1h")
    assert show(window.find_opening(at("2097-01-01T00:00Z")), BERLIN) == "2104-02-29T00:00"


HOURS = st.integers(at("2026-01-01T00:00Z") // 900, at("2028-01-01T00:00Z") // 900)


@given(
    moment=HOURS.map(lambda quarter: quarter * 900.0),
    hour=st.integers(0, 23),
    span=st.sampled_from(["30m", "5h", "26h", "1d", "3d"]),
    zone=st.sampled_from([BERLIN, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), UTC]),
)
def test_what_opens_is_open_and_closes(moment, hour, span, zone):
    """At its next opening a window is open, just before its closing still, and it ends then."""
    window = build(f"15 {hour} * * *", span, zone)
    opening = window.find_opening(moment)
    assert moment < opening <= moment + 2 * 86400
    closing = window.find_closing(opening)
    assert closing > opening
    assert window.find_closing(closing - 1) >= closing
    assert abs(closing - opening - parse_span(span).total) <= 3600


FREEZE = build("0 0 20 12 *", "14d", effect=WindowEffect.FREEZE, name="christmas")
NIGHTLY = build("0 22 * * *", "6h")
EARLY = build("0 4 * * *", "1h", UTC, name="early")
OFF = build("* * * * *", "1h", effect=WindowEffect.OFF, name="off")


@pytest.mark.parametrize(
    ("windows", "now", "told"),
    [
        ([], "2026-12-24T12:00Z", None),
        ([OFF], "2026-12-24T12:00Z", None),
        ([FREEZE], "2026-11-24T12:00Z", None),
        ([FREEZE], "2026-12-24T12:00Z", "frozen by windows.christmas until 2027-01-03T00:00+01:00"),
        ([NIGHTLY], "2026-11-24T21:30Z", None),
        ([NIGHTLY, FREEZE], "2026-12-24T21:30Z", "frozen by windows.christmas"),
        ([NIGHTLY], "2026-11-24T12:00Z", "windows.nightly opens at 2026-11-24T22:00+01:00"),
        ([NIGHTLY, EARLY], "2026-11-24T04:30Z", None),
        ([NIGHTLY, EARLY], "2026-11-24T03:30Z", "windows.early opens at 2026-11-24T04:00+00:00"),
        ([NIGHTLY, OFF], "2026-11-24T12:00Z", "windows.nightly"),
    ],
)  # fmt: skip
def test_windows_say_why_nothing_may_change(windows, now, told):
    """A freeze wins; of what allows, one that is open is enough; else the next one is told."""
    found = describe_closure(windows, at(now))
    assert found is None if told is None else told in found


def test_a_window_that_never_opens_again_is_told():
    """Nothing is promised."""
    never = replace(NIGHTLY, cron=replace(NIGHTLY.cron, months=frozenset()))
    assert describe_closure([never], at("2026-11-24T12:00Z")) == "no window opens any more"
