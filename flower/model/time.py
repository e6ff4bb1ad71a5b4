"""Time as the engine counts it: int64 microseconds since 1970 UTC, with both ends of time as sentinels.

A person gives durations as text or `pandas.Timedelta`; names of bare numbers end in ``_us``.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
import pandas as pd

from flower.errors import DurationError, EventTimeError

I64 = npt.NDArray[np.int64]
"""An array of int64, mostly microseconds."""

MIN_TIME: int = -(2**63)
"""Before every row: the watermark that promises nothing, the start of the global window."""

MAX_TIME: int = 2**63 - 1
"""After every row: the watermark of a stream that has ended, the end of the global window."""

Duration = str | pd.Timedelta | dt.timedelta | np.timedelta64
"""What a person may give as a duration."""


def duration_us(value: Duration, what: str, *, minimum: int = 0) -> int:
    """Microseconds of a duration that a person gave.

    Parameters
    ----------
    value : str, pandas.Timedelta, datetime.timedelta or numpy.timedelta64
        Such as ``"90s"``, ``"1h 30min"``, ``"0.5s"``. Numbers are refused: nobody can tell their unit.
    what : str
        The parameter's name, for the error.
    minimum : int
        The least microseconds allowed.

    Raises
    ------
    DurationError
        If it is no duration, finer than a microsecond, or below ``minimum``.

    Examples
    --------
    >>> duration_us("1.5s", "size")
    1500000
    """
    refused = DurationError(
        f"`{what}` must be a duration", got=repr(value), hint="write it with its unit, as '10s', '5min' or '1h 30min'"
    )
    bare = isinstance(value, str) and value.strip().lstrip("+-").replace(".", "", 1).isdigit()
    if bare or not isinstance(value, (str, pd.Timedelta, dt.timedelta, np.timedelta64)):
        raise refused
    try:
        delta = pd.Timedelta(value)
    except (ValueError, OverflowError):
        raise refused from None
    if pd.isna(delta):
        raise refused
    whole = delta.as_unit("us")
    if whole != delta:
        raise DurationError(f"`{what}` must be whole microseconds", got=repr(value), hint="round it to '1us' or more")
    microseconds = int(whole.to_timedelta64().astype("timedelta64[us]").astype(np.int64))
    if microseconds < minimum:
        least = "positive" if minimum == 1 else f"at least {duration_text(minimum)}"
        raise DurationError(f"`{what}` must be {least}", got=repr(value), hint="give a longer duration")
    return microseconds


def is_duration(value: object) -> bool:
    """Whether a value is meant as a duration, rather than as something to compute one by; it need not be allowed."""
    if not isinstance(value, str):
        return isinstance(value, (pd.Timedelta, dt.timedelta, np.timedelta64, int, float))
    if value.strip().lstrip("+-").replace(".", "", 1).isdigit():
        return True
    try:
        return not pd.isna(pd.Timedelta(value))
    except (ValueError, OverflowError):
        return False


_UNITS = ((86_400_000_000, "D"), (3_600_000_000, "h"), (60_000_000, "min"), (1_000_000, "s"), (1_000, "ms"), (1, "us"))


def duration_text(us: int) -> str:
    """The shortest text that `duration_us` reads back as ``us``.

    Examples
    --------
    >>> duration_text(5_400_000_000), duration_text(1_500_000), duration_text(0)
    ('1h 30min', '1s 500ms', '0s')
    """
    if us == 0:
        return "0s"
    if us < 0:
        return "-" + duration_text(-us)
    parts = []
    for size, unit in _UNITS:
        count, us = divmod(us, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts)


def instant_us(value: object, what: str, *, tz: str = "UTC") -> int:
    """Microseconds UTC of an instant given as text, datetime, Timestamp or datetime64; naive values are read in ``tz``.

    Raises
    ------
    EventTimeError
        If it is no time, or one that does not exist or is ambiguous in ``tz``.
    """
    try:
        stamp = pd.Timestamp(value)  # type: ignore[arg-type]
        if pd.isna(stamp):
            raise ValueError("NaT")
        stamp = stamp.tz_localize(tz) if stamp.tzinfo is None else stamp
    except (ValueError, TypeError, OverflowError) as error:
        raise EventTimeError(
            f"`{what}` must be a time", got=repr(value), hint="write it as '2000-01-01T12:00:00Z'"
        ) from error
    return int(stamp.as_unit("us", round_ok=True).asm8.astype(np.int64))


def instant_text(us: int) -> str:
    """ISO text of an instant; ``-inf`` and ``inf`` for the two ends of time.

    Examples
    --------
    >>> instant_text(946_728_000_000_000), instant_text(MAX_TIME)
    ('2000-01-01T12:00:00Z', 'inf')
    """
    if us == MIN_TIME:
        return "-inf"
    if us == MAX_TIME:
        return "inf"
    text = str(np.datetime64(us, "us"))
    return (text[:-7] if text.endswith(".000000") else text.rstrip("0")) + "Z"


def later(time: I64, us: int) -> I64:
    """``time + us`` (``us >= 0``) that stops at the ends of time instead of wrapping around."""
    if us == 0:
        return time
    if us == MAX_TIME:
        return np.full(len(time), MAX_TIME)
    moved = np.where(time > MAX_TIME - us, MAX_TIME, time + us)
    return np.where(time == MIN_TIME, MIN_TIME, moved)


def later_by(time: int, us: int) -> int:
    """`later` for one instant; ``us`` may be negative."""
    if time in (MIN_TIME, MAX_TIME):
        return time
    return min(max(time + us, MIN_TIME), MAX_TIME)
