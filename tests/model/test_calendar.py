"""Windows of a calendar, against Python's zones one instant at a time."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower.errors import EventTimeError, WindowError
from flower.model.calendar import CalendarWindows
from flower.model.reference import windows_of
from flower.model.time import MAX_TIME, MIN_TIME

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # midnight that does not exist, until 2018
    "America/St_Johns",  # clocks went back at one past midnight, over midnight
    "America/Havana",  # midnight twice
    "Pacific/Apia",  # 2011-12-30 does not exist
    "Australia/Lord_Howe",  # half an hour
    "Asia/Kathmandu",
    "Europe/Dublin",  # daylight is saved in winter, and less than nothing
]
HOUR = 3_600_000_000


def us(text: str) -> int:
    return int(np.datetime64(text, "us").astype(np.int64))


instants = st.one_of(
    st.integers(us("1980-01-01"), us("2037-01-01")),
    st.integers(us("1980-01-01") // HOUR, us("2037-01-01") // HOUR).map(lambda h: h * HOUR),
    st.sampled_from(["2006-10-29", "2006-04-02", "2011-12-30", "2017-10-15", "2024-03-10"]).flatmap(
        lambda day: st.integers(-30 * 60, 30 * 60).map(lambda minutes: us(day) + minutes * 60_000_000)
    ),
    st.integers(us("1600-01-01"), us("2600-01-01")),
    st.integers(us("2037-01-01") // HOUR, us("2100-01-01") // HOUR).map(lambda h: h * HOUR),
)
calendars = st.builds(
    lambda unit, n, tz: CalendarWindows(unit, n=n, tz=tz),
    st.sampled_from(["day", "week", "month", "quarter", "year"]),
    st.integers(1, 5) | st.just(10),
    st.sampled_from(ZONES),
)


@given(calendars, st.lists(instants, max_size=6))
def test_windows_are_those_of_the_calendar_one_instant_at_a_time(windows, times):
    row, start, end = windows.assign(np.array(times, np.int64))
    assert row is None
    assert list(zip(start.tolist(), end.tolist(), strict=True)) == [windows_of(windows, time)[0] for time in times]
    assert all(a <= time < b for a, time, b in zip(start, times, end, strict=True))


@pytest.mark.parametrize(
    ("windows", "time", "start", "end"),
    [
        (CalendarWindows("day", tz="Europe/Berlin"), "2024-03-31T12", "2024-03-30T23", "2024-03-31T22"),
        (CalendarWindows("day", tz="Europe/Berlin"), "2024-10-27T12", "2024-10-26T22", "2024-10-27T23"),
        (CalendarWindows("day", tz="America/Sao_Paulo"), "2017-10-15T12", "2017-10-15T03", "2017-10-16T02"),
        (CalendarWindows("day", tz="America/St_Johns"), "2006-10-29T02:45", "2006-10-29T02:30", "2006-10-30T03:30"),
        (CalendarWindows("day", tz="Pacific/Apia"), "2011-12-30T09:59", "2011-12-29T10", "2011-12-30T10"),
        (CalendarWindows("day", tz="Pacific/Apia"), "2011-12-30T10", "2011-12-30T10", "2011-12-31T10"),
        (CalendarWindows("day", tz="Europe/Berlin"), "2047-07-01T12", "2047-06-30T22", "2047-07-01T22"),
        (CalendarWindows("week"), "2024-01-07T23:59:59", "2024-01-01", "2024-01-08"),
        (CalendarWindows("month"), "2024-02-29", "2024-02-01", "2024-03-01"),
        (CalendarWindows("month", n=5), "2024-01-01", "2023-10-01", "2024-03-01"),
        (CalendarWindows("quarter"), "2024-12-31", "2024-10-01", "2025-01-01"),
        (CalendarWindows("year", n=10), "2029-12-31", "2020-01-01", "2030-01-01"),
    ],
)
def test_a_window_of_the_calendar_begins_and_ends_where_a_person_says(windows, time, start, end):
    _, starts, ends = windows.assign(np.array([us(time)]))
    assert (starts[0], ends[0]) == (us(start), us(end))


def test_what_lies_outside_of_the_calendar_is_in_the_windows_at_its_ends():
    for unit in ("day", "week", "month", "year"):
        times = np.array([MIN_TIME, MIN_TIME + 1, MAX_TIME - 1, 0])
        _, start, end = CalendarWindows(unit, tz="Asia/Tokyo").assign(times)
        assert (start <= times).all() and (times < end).all()


def test_no_rows_have_no_windows():
    _, start, end = CalendarWindows("day").assign(np.zeros(0, np.int64))
    assert (len(start), len(end)) == (0, 0)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: CalendarWindows("hour"), "`unit` must be 'day', 'week', 'month', 'quarter', 'year'; got 'hour'"),
        (lambda: CalendarWindows("day", n=0), "`n` must be a number of units, 1 to 10000; got 0"),
        (lambda: CalendarWindows("day", n=True), "got True"),
        (lambda: CalendarWindows("day", tz="Mars/Olympus"), "`tz` must be a time zone; got 'Mars/Olympus'"),
        (lambda: CalendarWindows("day", tz=dt.UTC), "`tz` must be a time zone"),
    ],
)
def test_what_is_no_calendar_is_refused(make, says):
    with pytest.raises((WindowError, EventTimeError), match=says.replace("(", r"\(")):
        make()
