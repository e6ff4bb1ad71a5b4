"""Windows of the calendar of a time zone: days of 23 and 25 hours, months, quarters, years."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from flower.errors import WindowError
from flower.model.event_time import check_zone, first_instants, local_us
from flower.model.time import I64, MAX_TIME, MIN_TIME

Unit = Literal["day", "week", "month", "quarter", "year"]

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_BEFORE_1970 = 12 * 1970
_FIRST = int(np.datetime64("0001-01-02", "us").astype(np.int64))
_LAST = int(np.datetime64("9999-12-30", "us").astype(np.int64))
"""Between these the zone is asked; before and after, the window is that of what lies before and after."""


@dataclass(frozen=True, slots=True, repr=False)
class CalendarWindows:
    """Windows of whole days, weeks, months, quarters or years of a time zone's calendar.

    Parameters
    ----------
    unit : {"day", "week", "month", "quarter", "year"}
        Weeks begin on Monday.
    n : int
        How many units a window has. Days are counted from 1970-01-01, weeks from Monday 1970-01-05; months, quarters
        and years from the year 0: ``CalendarWindows("year", n=10)`` are the decades, 2020 to 2029.
    tz : str
        The zone, as ``"Europe/Berlin"``.

    Raises
    ------
    WindowError
        If there is no such unit, or ``n`` is not positive.
    EventTimeError
        If there is no such zone.

    Notes
    -----
    A window begins at the first instant at which the zone's calendar shows its first day: where midnight does not
    exist, at the instant after it; where it comes twice, at the first. It ends where the next begins, so that windows
    lie side by side, and are an hour shorter or longer where clocks change. All that lies outside of the years 1 to
    9999 belongs to one window before and one after.

    Examples
    --------
    >>> CalendarWindows("day", tz="Europe/Berlin")
    CalendarWindows('day', tz='Europe/Berlin')
    >>> time = np.array(["2024-03-31T12:00"], "M8[us]").astype(np.int64)
    >>> _, start, end = CalendarWindows("day", tz="Europe/Berlin").assign(time)
    >>> (end - start).tolist() == [23 * 3_600_000_000]
    True
    """

    unit: Unit
    n: int = 1
    tz: str = "UTC"

    def __init__(self, unit: Unit, *, n: int = 1, tz: str = "UTC") -> None:
        if unit not in get_args(Unit):
            hint = "use FixedWindows('1h') for what is no part of a calendar"
            raise WindowError(f"`unit` must be {', '.join(map(repr, get_args(Unit)))}", got=repr(unit), hint=hint)
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= 10_000:
            raise WindowError("`n` must be a number of units, 1 to 10000", got=repr(n), hint="leave it out for 1")
        object.__setattr__(self, "unit", unit)
        object.__setattr__(self, "n", n)
        object.__setattr__(self, "tz", tz)
        check_zone(tz)

    def __repr__(self) -> str:
        n = "" if self.n == 1 else f", n={self.n}"
        return f"CalendarWindows({self.unit!r}{n}{'' if self.tz == 'UTC' else f', tz={self.tz!r}'})"

    @property
    def merging(self) -> bool:
        """Whether windows of one key merge when they overlap."""
        return False

    def assign(self, time: I64) -> tuple[None, I64, I64]:
        """The one window of each event time: None, starts, ends."""
        number = self._numbers(local_us(np.clip(time, _FIRST, _LAST), self.tz))
        first, last = (int(number.min()), int(number.max())) if len(number) else (0, 0)
        if last - first > 4 * len(number) + 1024:
            known, code = np.unique(number, return_inverse=True)
            starts, ends, after = self._starts(known), self._starts(known + 1), self._starts(known + 2)
        else:
            code = number - first
            starts = self._starts(np.arange(first, last + 3))
            starts, ends, after = starts[:-2], starts[1:-1], starts[2:]
        # Where clocks go back over midnight, the calendar shows the day before once more: the new day has begun.
        again = time >= ends[code]
        return None, np.where(again, ends[code], starts[code]), np.where(again, after[code], ends[code])

    def _numbers(self, local: I64) -> I64:
        """The number of the window that the calendar shows."""
        if self.unit in _MONTHS:
            months = local.astype("M8[us]").astype("M8[M]").astype(np.int64) + _BEFORE_1970
            return months // (_MONTHS[self.unit] * self.n)
        days = local // 86_400_000_000
        return days // self.n if self.unit == "day" else (days - 4) // (7 * self.n)

    def _starts(self, number: I64) -> I64:
        """The first instants of windows; the ends of time where they lie outside of the calendar."""
        if self.unit in _MONTHS:
            months = number * (_MONTHS[self.unit] * self.n) - _BEFORE_1970
            local = months.astype("M8[M]").astype("M8[us]").astype(np.int64)
        else:
            days = number * self.n if self.unit == "day" else number * (7 * self.n) + 4
            local = days * 86_400_000_000
        start = first_instants(np.clip(local, _FIRST, _LAST), self.tz)
        return np.where(local <= _FIRST, MIN_TIME, np.where(local > _LAST, MAX_TIME, start))
