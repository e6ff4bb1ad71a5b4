"""Where in event time: the windows, half-open intervals ``[start, end)`` of integer microseconds.

`assign` works on a whole column of event times. It never wraps around: a window that would leave the range of int64
stops at the end of time. The rules are those of the Dataflow Model (Akidau et al., VLDB 2015, section 2.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from flower.errors import WindowError
from flower.model.calendar import CalendarWindows
from flower.model.custom import WindowFn
from flower.model.said import said
from flower.model.time import I64, MAX_TIME, MIN_TIME, Duration, duration_text, duration_us, is_duration, later

TimeDomain = Literal["event", "processing"]
"""What places rows in windows."""

Assigned = tuple[I64 | None, I64, I64]
"""Index of the row of each (row, window) pair (None: one window a row, in order), starts, ends."""


@dataclass(frozen=True, slots=True, init=False, repr=False)
class FixedWindows:
    """Windows of one length, side by side: ``[offset + i * size, offset + (i + 1) * size)``.

    Parameters
    ----------
    size : str or pandas.Timedelta
        Length of each window; positive.
    offset : str or pandas.Timedelta
        Shifts all windows from 1970-01-01T00:00Z; may be negative, and counts modulo ``size``.
    time : {"event", "processing"}
        What places a row: its event time, or the clock of the epoch that brings it. By the clock nothing is late: the
        clock is the step's watermark too, and completes windows by itself; the event times of panes, ends of windows
        less one microsecond, are times of the clock. So the windows of `collect` and `flower.replay` are those of when
        rows are read now, not of when they came once: for the same windows again give ``run`` a ``clock`` of your own,
        or a `TestStream`, which tells its clock.

    Raises
    ------
    WindowError
        If ``time`` is something else.
    DurationError
        If ``size`` is not a positive duration or ``offset`` not a duration.

    Examples
    --------
    >>> FixedWindows("1h", offset="90min")
    FixedWindows('1h', offset='30min')
    >>> FixedWindows("1min", time="processing")
    FixedWindows('1min', time='processing')
    >>> FixedWindows("10s").assign(np.array([-1, 0, 25_000_000]))[1].tolist()
    [-10000000, 0, 20000000]
    """

    size_us: int
    offset_us: int
    time: TimeDomain

    def __init__(self, size: Duration, *, offset: Duration = "0s", time: TimeDomain = "event") -> None:
        size_us = duration_us(size, "size", minimum=1)
        object.__setattr__(self, "size_us", size_us)
        object.__setattr__(self, "offset_us", duration_us(offset, "offset", minimum=MIN_TIME) % size_us)
        object.__setattr__(self, "time", _domain(time))

    def __repr__(self) -> str:
        return f"FixedWindows('{duration_text(self.size_us)}'{_offset_text(self.offset_us)}{_time_text(self.time)})"

    @property
    def merging(self) -> bool:
        """Whether windows of one key merge when they overlap."""
        return False

    def assign(self, time: I64) -> Assigned:
        """The one window of each event time: None, starts, ends."""
        into = _into(time, self.size_us, self.offset_us)
        if _far_from_ends(time, self.size_us):
            start = time - into
            return None, start, start + self.size_us
        return None, _back(time, into), _forth(time, self.size_us - into)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class SlidingWindows:
    """Overlapping windows ``[start, start + size)``, one every ``every``.

    Parameters
    ----------
    size : str or pandas.Timedelta
        Length of each window; positive. It need not be a multiple of ``every``.
    every : str or pandas.Timedelta
        Distance between consecutive starts; ``0 < every <= size``.
    offset : str or pandas.Timedelta
        Shifts all windows from 1970-01-01T00:00Z; may be negative, and counts modulo ``every``.
    time : {"event", "processing"}
        As for `FixedWindows`.

    Raises
    ------
    WindowError
        If ``every`` exceeds ``size``: rows between two windows would be lost; or ``time`` is something else.
    DurationError
        If a parameter is not a duration, or not positive where it must be.

    Examples
    --------
    >>> SlidingWindows("10s", every="5s")
    SlidingWindows('10s', every='5s')
    >>> row, start, end = SlidingWindows("10s", every="5s").assign(np.array([7_000_000, 5_000_000]))
    >>> row.tolist(), start.tolist()
    ([0, 0, 1, 1], [0, 5000000, 0, 5000000])
    """

    size_us: int
    every_us: int
    offset_us: int
    time: TimeDomain

    def __init__(self, size: Duration, *, every: Duration, offset: Duration = "0s", time: TimeDomain = "event") -> None:
        size_us = duration_us(size, "size", minimum=1)
        every_us = duration_us(every, "every", minimum=1)
        if every_us > size_us:
            size_text, every_text = duration_text(size_us), duration_text(every_us)
            raise WindowError(
                "`every` must be in (0, size]",
                got=f"every={every_text}, size={size_text}",
                hint=f"use FixedWindows('{size_text}') for windows that do not overlap",
            )
        object.__setattr__(self, "size_us", size_us)
        object.__setattr__(self, "every_us", every_us)
        object.__setattr__(self, "offset_us", duration_us(offset, "offset", minimum=MIN_TIME) % every_us)
        object.__setattr__(self, "time", _domain(time))

    def __repr__(self) -> str:
        size, every = duration_text(self.size_us), duration_text(self.every_us)
        return f"SlidingWindows('{size}', every='{every}'{_offset_text(self.offset_us)}{_time_text(self.time)})"

    @property
    def merging(self) -> bool:
        """Whether windows of one key merge when they overlap."""
        return False

    def assign(self, time: I64) -> Assigned:
        """All windows of each event time: rows in order, the windows of a row by start."""
        into = _into(time, self.every_us, self.offset_us)
        most = -(-self.size_us // self.every_us)
        # How far each row is into each of its windows, the earliest window first: one column a window.
        back = into[:, None] + np.arange(most - 1, -1, -1) * self.every_us
        row = np.repeat(np.arange(len(time)), most)
        flat = back.ravel()
        if self.size_us % self.every_us:
            # Only rows early in their period are still in the window that started longest ago.
            inside = np.ones(back.shape, bool)
            inside[:, 0] = into < self.size_us - (most - 1) * self.every_us
            row, flat = row[inside.ravel()], flat[inside.ravel()]
        if _far_from_ends(time, self.size_us):
            start = time[row] - flat
            return row, start, start + self.size_us
        return row, _back(time[row], flat), _forth(time[row], self.size_us - flat)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Sessions:
    """Windows of activity: of one key, rows less than ``gap`` apart share one window.

    A row opens ``[t, t + gap)``; windows of one key that overlap merge. Windows that only touch stay apart, unless
    ``merge_touching``.

    Parameters
    ----------
    gap : str, pandas.Timedelta, pandas.col expression or callable
        The silence that ends a session; positive. A duration; or what gives each row a gap of its own: the name of
        a column of durations, an expression (``"until - t"``, ``pd.col("pause") + "5s"``), or a function of a frame. A
        row whose gap is missing or not positive goes to ``stream.errors``.
    merge_touching : bool
        Whether windows that only touch merge too, as in the figures of the paper: rows exactly ``gap`` apart then
        share a session.

    Raises
    ------
    DurationError
        If ``gap`` is a duration that is not positive.
    WindowError
        If ``merge_touching`` is not True or False.
    ExpressionError, ColumnError, DtypeError
        If ``gap`` is neither a duration, nor gives one of the columns of the rows that are aggregated.

    Examples
    --------
    >>> Sessions("30min")
    Sessions('30min')
    >>> Sessions("30min", merge_touching=True)
    Sessions('30min', merge_touching=True)
    >>> Sessions("pause + '5s'")
    Sessions("pause + '5s'")
    """

    gap_us: int
    """0 where each row has a gap of its own."""
    merge_touching: bool
    gap: Any
    """What gives each row its gap; None: it is one for all."""

    def __init__(self, gap: Duration | Any, *, merge_touching: bool = False) -> None:
        one = is_duration(gap) or gap is None
        object.__setattr__(self, "gap_us", duration_us(gap, "gap", minimum=1) if one else 0)
        object.__setattr__(self, "gap", None if one else gap)
        if not isinstance(merge_touching, bool):
            raise WindowError("`merge_touching` must be True or False", got=repr(merge_touching), hint="leave it out")
        object.__setattr__(self, "merge_touching", merge_touching)

    def __repr__(self) -> str:
        touching = ", merge_touching=True" if self.merge_touching else ""
        return f"Sessions({said(duration_text(self.gap_us) if self.gap is None else self.gap)}{touching})"

    @property
    def merging(self) -> bool:
        """Whether windows of one key merge when they overlap."""
        return True

    def assign(self, time: I64, gap: I64 | None = None) -> Assigned:
        """The unmerged window ``[t, t + gap)`` of each event time: None, starts, ends; ``gap`` is that of each row."""
        return None, time, later(time, self.gap_us) if gap is None else _forth(time, gap)


@dataclass(frozen=True, slots=True)
class GlobalWindows:
    """One window over all of event time; its end is passed when the stream ends.

    Examples
    --------
    >>> GlobalWindows()
    GlobalWindows()
    """

    @property
    def merging(self) -> bool:
        """Whether windows of one key merge when they overlap."""
        return False

    def assign(self, time: I64) -> Assigned:
        """The one window of every row: None, `MIN_TIME` and `MAX_TIME` for each."""
        return None, np.full(len(time), MIN_TIME), np.full(len(time), MAX_TIME)


@dataclass(frozen=True, slots=True, repr=False)
class CountWindows:
    """Windows of ``n`` rows of a key, in the order in which the step gets them.

    A window is full with its ``n``-th row, and then gives its one pane, on time and final; what is left when the stream
    ends gives its pane then.

    Parameters
    ----------
    n : int
        Rows a window, at least one.

    Raises
    ------
    WindowError
        If ``n`` is no number of rows.

    Notes
    -----
    Rows are counted in the order of epochs, and within an epoch by partition and position: how rows of several
    partitions take turns depends on when they come. A window begins with the event time of its earliest row, and ends
    a microsecond after that of its latest. Nothing is late and nothing is dropped, and so there is no trigger,
    lateness or accumulation to choose. Windows may share their times: each is a row of the view, and has ``pane_index``
    0. Rows that wait for their window to be full hold the watermark of later steps at the event time that its pane
    would have, unless they came late.

    Examples
    --------
    >>> CountWindows(3)
    CountWindows(3)
    >>> import flower as fl, pandas as pd
    >>> frame = pd.DataFrame({"t": pd.to_datetime([3, 1, 2], unit="s", utc=True), "v": [1, 2, 4]})
    >>> panes = fl.read.frame(frame, event_time="t").window(CountWindows(2)).agg(total=("v", "sum"))
    >>> panes.collect()[["window_start", "total"]]
                   window_start  total
    0 1970-01-01 00:00:02+00:00      4
    1 1970-01-01 00:00:01+00:00      3
    """

    n: int

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 1:
            raise WindowError(
                "`n` must be a number of rows, at least 1", got=repr(self.n), hint="write CountWindows(100)"
            )

    def __repr__(self) -> str:
        return f"CountWindows({self.n})"

    @property
    def merging(self) -> bool:
        """Whether windows of one key merge when they overlap."""
        return False

    def assign(self, time: I64) -> Assigned:
        """What each event time adds to its window: None, its start, its end."""
        return None, time, later(time, 1)


Own = FixedWindows | SlidingWindows | CalendarWindows | Sessions | GlobalWindows | CountWindows
"""Any of Flower's windows."""
Windows = Own | WindowFn
"""Any of the windows."""


def touching(windows: Windows) -> bool:
    """Whether windows of one key merge that only touch."""
    return isinstance(windows, Sessions | WindowFn) and windows.merge_touching


def by_clock(windows: Windows) -> bool:
    """Whether the clock places rows in windows, and completes these."""
    return isinstance(windows, FixedWindows | SlidingWindows) and windows.time == "processing"


def _domain(time: TimeDomain) -> TimeDomain:
    if time not in get_args(TimeDomain):
        raise WindowError("`time` must be 'event' or 'processing'", got=repr(time), hint="leave it out for 'event'")
    return time


def _time_text(time: TimeDomain) -> str:
    return "" if time == "event" else f", time='{time}'"


def _offset_text(offset_us: int) -> str:
    return f", offset='{duration_text(offset_us)}'" if offset_us else ""


def _into(time: I64, period: int, offset: int) -> I64:
    """Microseconds since the last multiple of ``period``, shifted by ``offset``; in ``[0, period)``.

    By division, because NumPy divides by a scalar several times faster than it takes the remainder. The product may
    wrap around at the start of time; the difference wraps back.
    """
    into = time - time // period * period
    if offset:
        into = np.where(into < offset, into + (period - offset), into - offset)
    return into


def _far_from_ends(time: I64, us: int) -> bool:
    """Whether no ``time +- us`` leaves the range."""
    return len(time) == 0 or bool(time.min() >= MIN_TIME + us and time.max() <= MAX_TIME - us)


def _back(time: I64, us: I64) -> I64:
    """``time - us`` (``us >= 0``), not before the start of time."""
    return np.where(time < MIN_TIME + us, MIN_TIME, time - us)


def _forth(time: I64, us: I64) -> I64:
    """``time + us`` (``us >= 0``), not after the end of time."""
    return np.where(time > MAX_TIME - us, MAX_TIME, time + us)
