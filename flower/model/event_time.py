"""Which columns are event times, and what their values are in microseconds UTC.

The rules: a time with a zone is an instant. A time without one is a local time of the zone that the person named; one
that the clock of that zone skips or shows twice (a change of daylight saving) is a bad row, never a guess. A date is
its midnight. Nanoseconds are floored. Text is read as ISO 8601. Numbers are refused: nobody can tell their unit.
Instants outside the years 1 to 9999 are bad rows, so that no later arithmetic on them can overflow.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flower.errors import ColumnError, EventTimeError
from flower.model.time import I64, MIN_TIME

Bad = npt.NDArray[np.bool_]

_LEAST_S = -62_135_596_800
_END_S = 253_402_300_800
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:?\d{2}(:?\d{2}([.,]\d+)?)?\s?(Z|z|[+-]\d{2}(:?\d{2})?)?)?$"
_ZONE = r"[T ].*(Z|z|[+-]\d{2}(:?\d{2})?)$"

NULL = "event time is null"


def is_time(dtype: pa.DataType, *, text: bool = False) -> bool:
    """Whether a column of this type can be an event time; ``text`` admits ISO 8601 text."""
    return bool(pa.types.is_timestamp(dtype) or pa.types.is_date(dtype) or (text and _is_text(dtype)))


def check_event_time(schema: pa.Schema, column: str, source_label: str, *, text: bool = False) -> None:
    """Refuse, before data flows, a column that cannot be the event time.

    Parameters
    ----------
    schema : pyarrow.Schema
        The source's columns.
    column : str
        The column named as the event time.
    source_label : str
        What a person calls the source, for the error.
    text : bool
        Whether text is accepted, for sources whose format has no times of its own (CSV, JSON).

    Raises
    ------
    ColumnError
        If there is no such column.
    EventTimeError
        If it is not a time; the message lists the columns that are.

    Examples
    --------
    >>> schema = pa.schema({"seconds": pa.int64(), "at": pa.timestamp("us", "UTC")})
    >>> check_event_time(schema, "at", "frame")
    >>> check_event_time(schema, "seconds", "frame")
    Traceback (most recent call last):
    ...
    flower.errors.EventTimeError: frame: the event time must be a column of times; got column 'seconds' of type int64; \
columns that are times: 'at'; or convert it, naming its unit: pd.to_datetime(frame['seconds'], unit='s', utc=True)
    """
    times = [field.name for field in schema if is_time(field.type, text=text and field.name == column)]
    if column in times:
        return
    known = f"columns that are times: {', '.join(map(repr, times))}" if times else "no column is a time"
    if column not in schema.names:
        raise ColumnError(f"{source_label}: the event time must be one of its columns", got=repr(column), hint=known)
    dtype = schema.field(column).type
    raise EventTimeError(
        f"{source_label}: the event time must be a column of times",
        got=f"column {column!r} of type {dtype}",
        hint=f"{known}; {_remedy(dtype, column)}",
    )


@cache
def check_zone(tz: str) -> None:
    """Refuse a name that is no time zone.

    Raises
    ------
    EventTimeError
        If ``tz`` names no zone, in the words of `zoneinfo`, ``"UTC"`` or an offset as ``"+02:00"``.
    """
    try:
        if not isinstance(tz, str):
            raise TypeError(type(tz).__name__)
        pd.DatetimeIndex([]).tz_localize(tz)
    except (LookupError, ValueError, TypeError, OSError) as error:
        raise EventTimeError(
            "`tz` must be a time zone", got=repr(tz), hint="name it as 'Europe/Berlin', 'UTC' or '+02:00'"
        ) from error


def local_us(time: I64, tz: str) -> I64:
    """What clocks of a zone show, as microseconds, by instants in UTC.

    By pandas: Arrow knows no daylight-saving time after 2037.
    """
    local: I64 = pd.DatetimeIndex(time.view("M8[us]"), tz="UTC").tz_convert(tz).tz_localize(None).asi8
    return local


_TWO_DAYS = 2 * 86_400_000_000


def first_instants(local: I64, tz: str) -> I64:
    """The first instants in UTC at which clocks of a zone show these microseconds, or later ones if they never do."""
    naive, earlier = pd.DatetimeIndex(local.view("M8[us]")), np.ones(len(local), dtype=bool)
    time: I64 = naive.tz_localize(tz, ambiguous=earlier, nonexistent="NaT").asi8.copy()
    skipped = np.flatnonzero(time == MIN_TIME)
    if not len(skipped):
        return time
    # Clocks jump within two days of it. pandas' "shift_forward" is an hour late where a zone skips a day.
    before, at = local[skipped] - _TWO_DAYS, local[skipped] + _TWO_DAYS
    while (at - before > 1).any():
        middle = before + (at - before) // 2
        reached = local_us(middle, tz) >= local[skipped]
        before, at = np.where(reached, before, middle), np.where(reached, middle, at)
    time[skipped] = at
    return time


def event_time_us(column: pa.Array | pa.ChunkedArray, *, tz: str) -> tuple[I64, Bad | None, list[str]]:
    """Event times of a column in microseconds UTC.

    Parameters
    ----------
    column : pyarrow.Array or pyarrow.ChunkedArray
        Timestamps of any unit, dates, or text.
    tz : str
        The zone of local times: times, dates and text that name none.

    Returns
    -------
    time : ndarray of int64
        Microseconds UTC, one a row; `MIN_TIME` where the row is bad. Shares the column's memory where it can.
    bad : ndarray of bool, or None
        Which rows have no usable event time; None if all have one.
    reasons : list of str
        Why, one for each bad row in order.

    Raises
    ------
    EventTimeError
        If the column is no time at all, or ``tz`` is no time zone.

    Examples
    --------
    >>> time, bad, reasons = event_time_us(pa.array(["2013-03-31T02:30", "2013-03-31T03:30"]), tz="Europe/Berlin")
    >>> int(time[1]), reasons
    (1364693400000000, ['event time 2013-03-31T02:30:00 does not exist in Europe/Berlin: the clock skips it'])
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # more than one chunk is left only where 2 GB of text forbid joining them
        array = pa.concat_arrays([chunk.cast(pa.large_string()) for chunk in array.chunks])
    dtype = array.type
    if pa.types.is_timestamp(dtype):
        return _from_timestamps(array, dtype.unit, tz if dtype.tz is None else None)
    if pa.types.is_date(dtype):
        return _from_timestamps(array.cast(pa.timestamp("s")), "s", tz)
    if _is_text(dtype):
        return _from_text(array, tz)
    raise EventTimeError("the event time must be a column of times", got=f"type {dtype}", hint=_remedy(dtype, "column"))


def _is_text(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_string(dtype) or pa.types.is_large_string(dtype) or pa.types.is_string_view(dtype))


def _remedy(dtype: pa.DataType, column: str) -> str:
    if pa.types.is_integer(dtype) or pa.types.is_floating(dtype) or pa.types.is_decimal(dtype):
        return f"or convert it, naming its unit: pd.to_datetime(frame[{column!r}], unit='s', utc=True)"
    if _is_text(dtype):
        return f"or convert it: pd.to_datetime(frame[{column!r}], utc=True)"
    return "name one that says when a row happened"


def _from_timestamps(array: pa.Array, unit: str, tz: str | None) -> tuple[I64, Bad | None, list[str]]:
    """``tz`` is the zone of naive timestamps, None for instants."""
    null = _null_mask(array)
    # The buffer itself: casting to int64 would be free as well, but reading around nulls would not.
    values: I64 = np.frombuffer(array.buffers()[1] or b"", dtype=np.int64)[array.offset : array.offset + len(array)]
    out = _outside(values, unit)
    time = _scaled(values, unit, out, null)
    bad = _either(null, out)
    if tz is None or _is_utc(tz):
        return _result(time, bad, lambda row: NULL if null is not None and null[row] else _OUTSIDE)
    time, skipped, twice = _localised(time, bad, tz)
    if skipped is None or twice is None:
        return _result(time, bad, lambda row: NULL if null is not None and null[row] else _OUTSIDE)

    def reason(row: int) -> str:
        if null is not None and null[row]:
            return NULL
        if out is not None and out[row]:
            return _OUTSIDE
        local = _local_text(_scaled(values[row : row + 1], unit, None, None)[0])
        if skipped[row]:
            return f"event time {local} does not exist in {tz}: the clock skips it"
        return f"event time {local} is ambiguous in {tz}: the clock shows it twice"

    return _result(time, _either(_either(bad, skipped), twice), reason)


_OUTSIDE = "event time is outside the years 1 to 9999"


def _from_text(array: pa.Array, tz: str) -> tuple[I64, Bad | None, list[str]]:
    for zone in ("UTC", None):  # nearly always all texts are of one kind, and pyarrow reads them ten times as fast
        try:
            return _from_timestamps(array.cast(pa.timestamp("us", zone)), "us", None if zone else tz)
        except pa.ArrowInvalid:
            continue
    null = _null_mask(array)
    iso = _mask(pc.match_substring_regex(array, _ISO))
    zoned = iso & _mask(pc.match_substring_regex(array, _ZONE))
    time = np.full(len(array), MIN_TIME)
    bad = ~iso
    reasons: dict[int, str] = {}
    for members, zone in ((zoned, None), (iso & ~zoned, tz)):
        rows = np.flatnonzero(members)
        if len(rows):
            part = array if len(rows) == len(array) else array.take(pa.array(rows))
            time[rows], wrong, why = _from_timestamps(_parsed(part, zone is None), "us", zone)
            if wrong is not None:
                bad[rows[wrong]] = True
                reasons.update(zip(rows[wrong].tolist(), why, strict=True))

    def reason(row: int) -> str:
        if null is not None and null[row]:
            return NULL
        why = reasons.get(row, NULL)  # a null after parsing is text that only looks like a time
        return f"event time {_short(array[row].as_py())} is not an ISO 8601 time" if why == NULL else why

    return _result(time, bad, reason)


def _parsed(array: pa.Array, zoned: bool) -> pa.Array:
    """Text that looks like ISO 8601, all with a zone or all without, as microseconds; null for what is no time."""
    array = pc.replace_substring_regex(array, r"[.,](\d{1,6})\d*", r".\1")
    texts = pd.Index(array.to_pandas().to_numpy(object))
    stamps = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=zoned).as_unit("us")
    return pa.array(stamps.tz_localize(None).to_numpy(), from_pandas=True)


def _localised(time: I64, bad: Bad | None, tz: str) -> tuple[I64, Bad | None, Bad | None]:
    """Local microseconds as UTC, the rows whose local time does not exist, and those whose local time is ambiguous."""
    check_zone(tz)
    local = pd.DatetimeIndex(time.view("M8[us]"))
    us: I64 = local.tz_localize(tz, ambiguous="NaT", nonexistent="NaT").asi8
    missing = us == MIN_TIME
    if bad is not None:
        missing &= ~bad
    if not missing.any():
        return us, None, None
    skipped = np.zeros(len(time), dtype=bool)
    rows = np.flatnonzero(missing)
    # Read as daylight-saving time, an ambiguous local time is an instant; one that the clock skips is none either way.
    either = local[rows].tz_localize(tz, ambiguous=np.ones(len(rows), dtype=bool), nonexistent="NaT")
    skipped[rows] = either.isna()
    return us, skipped, missing & ~skipped


def _scaled(values: I64, unit: str, out: Bad | None, null: Bad | None) -> I64:
    """Microseconds; `MIN_TIME` for the rows of either mask."""
    if out is None and null is None and unit == "us":
        return values
    safe = values if out is None else np.where(out, 0, values)
    factor = _PER_SECOND[unit]
    time = safe // 1_000 if unit == "ns" else safe * (1_000_000 // factor)
    hidden = _either(out, null)
    if hidden is not None:
        time[hidden] = MIN_TIME
    return time


def _outside(values: I64, unit: str) -> Bad | None:
    if unit == "ns" or not len(values):  # 64 bits of nanoseconds end in the year 2262
        return None
    least, end = _LEAST_S * _PER_SECOND[unit], _END_S * _PER_SECOND[unit]
    if values.min() >= least and values.max() < end:
        return None
    return (values < least) | (values >= end)


def _null_mask(array: pa.Array) -> Bad | None:
    return _mask(array.is_null()) if array.null_count else None


def _mask(array: pa.Array) -> Bad:
    return np.asarray(array.fill_null(False).to_numpy(zero_copy_only=False))


def _either(a: Bad | None, b: Bad | None) -> Bad | None:
    if a is None or b is None:
        return b if a is None else a
    return a | b


def _is_utc(tz: str) -> bool:
    return tz.upper() in ("UTC", "Z", "ETC/UTC", "GMT")


def _local_text(us: int) -> str:
    text = str(np.datetime64(int(us), "us"))
    return text.removesuffix(".000000")


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _result(time: I64, bad: Bad | None, reason: Callable[[int], str]) -> tuple[I64, Bad | None, list[str]]:
    if bad is None or not bad.any():
        return time, None, []
    rows = np.flatnonzero(bad)
    time = np.where(bad, MIN_TIME, time)
    return time, bad, [reason(row) for row in rows.tolist()]
