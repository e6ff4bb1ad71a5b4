"""The oracle's windows: those of one event time."""

from __future__ import annotations

import datetime as dt
from functools import cache
from zoneinfo import ZoneInfo

from flower.model.calendar import CalendarWindows
from flower.model.reference.rows import Window, plus
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.windows import CountWindows, FixedWindows, Sessions, SlidingWindows, Windows


def windows_of(windows: Windows, time: int, gap: int | None = None) -> list[Window]:
    """All windows of an event time, by start; for sessions the unmerged one, for counts what it adds."""
    if isinstance(windows, Sessions):
        return [(time, plus(time, windows.gap_us if gap is None else gap))]
    if isinstance(windows, CountWindows):
        return [(time, plus(time, 1))]
    if isinstance(windows, FixedWindows):
        return _between(time, windows.size_us, windows.size_us, windows.offset_us)
    if isinstance(windows, SlidingWindows):
        return _between(time, windows.size_us, windows.every_us, windows.offset_us)
    if isinstance(windows, CalendarWindows):
        return [_calendar(windows, time)]
    return [(MIN_TIME, MAX_TIME)]


EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""The calendar's oracle knows the years 1000 to 9000."""


def _calendar(windows: CalendarWindows, time: int) -> Window:
    local = (EPOCH + dt.timedelta(microseconds=time)).astimezone(ZoneInfo(windows.tz))
    first = _first_day(windows, local.date())
    start, end = _begins(first, windows.tz), _begins(_following(windows, first), windows.tz)
    if time >= end:  # clocks went back over midnight
        first = _following(windows, first)
        start, end = end, _begins(_following(windows, first), windows.tz)
    return start, end


def _first_day(windows: CalendarWindows, day: dt.date) -> dt.date:
    if windows.unit in ("day", "week"):
        zero = dt.date(1970, 1, 1) if windows.unit == "day" else dt.date(1970, 1, 5)
        days = windows.n * (1 if windows.unit == "day" else 7)
        return zero + dt.timedelta((day - zero).days // days * days)
    months = windows.n * {"month": 1, "quarter": 3, "year": 12}[windows.unit]
    return _month((day.year * 12 + day.month - 1) // months * months)


def _following(windows: CalendarWindows, first: dt.date) -> dt.date:
    if windows.unit in ("day", "week"):
        return first + dt.timedelta(windows.n * (1 if windows.unit == "day" else 7))
    return _month(first.year * 12 + first.month - 1 + windows.n * {"month": 1, "quarter": 3, "year": 12}[windows.unit])


def _month(months: int) -> dt.date:
    return dt.date(months // 12, months % 12 + 1, 1)


@cache
def _begins(day: dt.date, tz: str) -> int:
    """The first instant at which the calendar shows ``day``, or a later one."""
    zone = ZoneInfo(tz)
    midnight = dt.datetime(day.year, day.month, day.day)
    found = midnight.replace(tzinfo=zone).astimezone(dt.UTC)
    high = (found - EPOCH) // dt.timedelta(microseconds=1)
    if found.astimezone(zone).replace(tzinfo=None) == midnight:
        return high
    low = high - 2 * 86_400_000_000  # midnight is left out: clocks show less than it, and then more
    while high - low > 1:
        middle = (low + high) // 2
        shown = (EPOCH + dt.timedelta(microseconds=middle)).astimezone(zone).replace(tzinfo=None)
        low, high = (low, middle) if shown >= midnight else (middle, high)
    return high


def _between(time: int, size: int, every: int, offset: int) -> list[Window]:
    found = []
    start = (time - offset) // every * every + offset
    while start + size > time:
        found.append((max(start, MIN_TIME), min(start + size, MAX_TIME)))
        start -= every
    return found[::-1]
