"""The columns that say which pane a row belongs to, and the one rule by which panes become a view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flower.errors import GraphError
from flower.model.arrays import arrow, numbers, order
from flower.model.time import I64, MAX_TIME, MIN_TIME
from flower.model.windowing import Windowing
from flower.model.windows import CountWindows, GlobalWindows

WINDOW_START = "window_start"
WINDOW_END = "window_end"
TIMING = "pane_timing"
INDEX = "pane_index"
FINAL = "pane_final"
RETRACTION = "pane_retraction"
ABSORBS = "pane_absorbs"
EVENT_TIME = "event_time"

PANE_COLUMNS = (WINDOW_START, WINDOW_END, TIMING, INDEX, FINAL, RETRACTION, ABSORBS, EVENT_TIME)
"""The names that neither a key nor an aggregate may have."""

TIMINGS = ("early", "on_time", "late")
"""Categories of ``pane_timing``; a pane's code is its position here."""
EARLY, ON_TIME, LATE = 0, 1, 2

INSTANT = pa.timestamp("us", tz="UTC")
TIMING_TYPE = pa.dictionary(pa.int8(), pa.string(), ordered=True)
_TIMINGS = pa.array(TIMINGS, pa.string())
ABSORBS_TYPE = pa.list_(
    pa.struct([pa.field("start", INSTANT, nullable=False), pa.field("end", INSTANT, nullable=False)])
)

Rows = TypeVar("Rows", pa.RecordBatch, pa.Table)
Combination = Literal["sum", "min", "max", "first", "last"]
"""How the increments of an aggregate combine; first and last by order of emission."""


def pane_schema(
    keys: Sequence[pa.Field], aggregates: Sequence[pa.Field], windowing: Windowing, *, retracts: bool = False
) -> pa.Schema:
    """Columns of the panes, in order: keys, window, aggregates, pane, event time.

    Retracting panes say whether they are retractions, and so do panes of rows that may be taken back (``retracts``): a
    group whose rows have all been taken back takes back its pane.

    Raises
    ------
    GraphError
        If two columns have one name, or a key or an aggregate has the name of a column of panes.

    Examples
    --------
    >>> from flower.model.windows import Sessions
    >>> pane_schema([pa.field("k", pa.int64())], [pa.field("n", pa.int64())], Windowing.make(Sessions("1s"))).names
    ['k', 'window_start', 'window_end', 'n', 'pane_timing', 'pane_index', 'pane_final', 'pane_absorbs', 'event_time']
    """
    seen = set(PANE_COLUMNS)
    for what, fields in (("key", keys), ("aggregate", aggregates)):
        for field in fields:
            if field.name in seen:
                raise GraphError(
                    "the columns of panes need different names",
                    got=f"{what} {field.name!r} twice" if field.name not in PANE_COLUMNS else f"{what} {field.name!r}",
                    hint=f"give it another name; {', '.join(PANE_COLUMNS)} are taken",
                )
            seen.add(field.name)
    # The global window has no ends that a person could read: nulls.
    ends = isinstance(windowing.windows, GlobalWindows)
    retracts = retracts or windowing.accumulation == "retracting"
    retraction = [pa.field(RETRACTION, pa.bool_(), nullable=False)] if retracts else []
    absorbs = [pa.field(ABSORBS, ABSORBS_TYPE, nullable=False)] if windowing.windows.merging else []
    return pa.schema(
        [
            *keys,
            pa.field(WINDOW_START, INSTANT, nullable=ends),
            pa.field(WINDOW_END, INSTANT, nullable=ends),
            *aggregates,
            pa.field(TIMING, TIMING_TYPE, nullable=False),
            pa.field(INDEX, pa.int64(), nullable=False),
            pa.field(FINAL, pa.bool_(), nullable=False),
            *retraction,
            *absorbs,
            pa.field(EVENT_TIME, INSTANT, nullable=ends),
        ]
    )


def so_far(panes: pa.Schema, keys: Sequence[str]) -> pa.Schema:
    """The columns that a data-driven trigger looks at: keys and aggregates, of the columns of the panes."""
    return pa.schema([field for field in panes if field.name in keys or field.name not in PANE_COLUMNS])


def instants(time: I64) -> pa.Array:
    """Timestamps of microseconds; null for the two ends of time."""
    at_an_end = len(time) > 0 and (time.min() == MIN_TIME or time.max() == MAX_TIME)
    return arrow(time, INSTANT, (time == MIN_TIME) | (time == MAX_TIME) if at_an_end else None)


def timings(codes: npt.NDArray[np.int8]) -> pa.DictionaryArray:
    """The column ``pane_timing`` of codes `EARLY`, `ON_TIME`, `LATE`."""
    return pa.DictionaryArray.from_arrays(arrow(codes, pa.int8()), _TIMINGS, ordered=True, safe=False)


def view_of(
    panes: pa.RecordBatch | pa.Table,
    keys: tuple[str, ...],
    windowing: Windowing,
    combine: Mapping[str, Combination] | None = None,
    *,
    several: bool = False,
) -> pa.RecordBatch:
    """What a table or chart of panes shows: by window end, window start and keys.

    Accumulating or retracting, the last pane of each (key, window) stays, unless a later pane of the key has absorbed
    the window, or the last row of the window is a retraction, which takes its pane out.
    Discarding, the panes of a window and of those it absorbed are combined, and the other columns are those of the
    last (the event time is the earliest or latest of the panes where that is the timestamp combiner); where an
    aggregate has no combination, every pane stays, in order of emission.

    Parameters
    ----------
    panes : pyarrow.RecordBatch or pyarrow.Table
        All panes so far, in order of emission.
    keys : tuple of str
        The columns grouped by; nulls are a group.
    windowing : Windowing
        What made the panes.
    combine : mapping of str to {"sum", "min", "max", "first", "last"}, optional
        How the increments of each aggregate combine; missing ones have no combination.
    several : bool
        Whether a pane may have several rows, one after another; they stay or go together.

    Examples
    --------
    >>> import datetime
    >>> from flower.model.windows import GlobalWindows
    >>> windowing = Windowing.make(GlobalWindows(), allowed_lateness="1h")
    >>> schema = pane_schema([], [pa.field("n", pa.int64())], windowing)
    >>> rows = [{"n": n, "pane_timing": "early", "pane_index": i, "pane_final": False} for i, n in enumerate([3, 5])]
    >>> view_of(pa.RecordBatch.from_pylist(rows, schema), (), windowing)["n"].to_pylist()
    [5]
    """
    schema = panes.schema
    aggregates = [name for name in schema.names if name not in keys and name not in PANE_COLUMNS]
    combine = combine or {}
    if windowing.accumulation == "discarding" and not all(name in combine for name in aggregates):
        return _sorted(panes, keys)
    if settled(schema, windowing):
        return _sorted(panes, keys)
    window, absorbed, by = _windows(panes, keys)
    if windowing.accumulation != "discarding":
        standing = panes.take(pa.array(_standing(window, absorbed, by, _numbers(panes, window, several))))
        if RETRACTION in schema.names:
            standing = standing.filter(pc.invert(standing.column(RETRACTION)))
        return _sorted(standing, keys)
    window = _absorbers(window, absorbed, by)[window]
    last = np.flatnonzero(~pd.Series(window).duplicated(keep="last").to_numpy())
    columns = {name: panes.column(name).take(pa.array(last)) for name in schema.names}
    for name in aggregates:
        columns[name] = _combined(panes.column(name), window, combine[name], last)
    if windowing.timestamp_combiner != "end_of_window":
        how: Combination = "min" if windowing.timestamp_combiner == "earliest" else "max"
        columns[EVENT_TIME] = _combined(panes.column(EVENT_TIME), window, how, last)
    return _sorted(pa.table(columns, schema=schema), keys)


def settled(schema: pa.Schema, windowing: Windowing) -> bool:
    """Whether no pane takes the place of another, so that the view has all of them.

    Windows that count may have the same times, and are others all the same.
    """
    return isinstance(windowing.windows, CountWindows) or (windowing.once and RETRACTION not in schema.names)


def _windows(panes: pa.RecordBatch | pa.Table, keys: tuple[str, ...]) -> tuple[I64, I64, I64]:
    """Numbers of each pane's (key, window), of the (key, window)s absorbed, and positions of the panes that did it."""
    key = np.zeros(len(panes), np.int64)
    for name in keys:
        key = _paired(key, _codes(panes.column(name)))
    start, end = (panes.column(name).cast(pa.int64()).fill_null(0).to_numpy() for name in (WINDOW_START, WINDOW_END))
    by = np.empty(0, np.int64)
    if ABSORBS in panes.schema.names:
        lists = panes.column(ABSORBS)
        lists = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
        by = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
        inner = lists.flatten()
        key = np.concatenate([key, key[by]])
        start, end = (
            np.concatenate([outer, inner.field(name).cast(pa.int64()).to_numpy()])
            for outer, name in ((start, "start"), (end, "end"))
        )
    number = _paired(_paired(key, pd.factorize(start)[0]), pd.factorize(end)[0])
    return number[: len(panes)], number[len(panes) :], by


def _codes(column: pa.Array | pa.ChunkedArray) -> I64:
    """Equal numbers for equal values; nulls have one too."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    codes: I64 = column.dictionary_encode(null_encoding="encode").indices.to_numpy().astype(np.int64)
    return codes


def _paired(left: I64, right: I64) -> I64:
    """One dense number for each pair."""
    width = int(right.max()) + 1 if len(right) else 1
    return pd.factorize(left * width + right)[0].astype(np.int64)


def _numbers(panes: pa.RecordBatch | pa.Table, window: I64, several: bool) -> I64:
    """The panes, numbered in order of emission: one a row, or as many as there are changes of window and index."""
    if not several:
        return np.arange(len(window))
    change = window[1:] != window[:-1]
    for name in (INDEX, RETRACTION):
        if name in panes.schema.names:
            values = np.asarray(panes.column(name))
            change |= values[1:] != values[:-1]
    return np.concatenate((np.zeros(min(len(window), 1), np.int64), np.cumsum(change)))


def _standing(window: I64, absorbed: I64, by: I64, pane: I64) -> I64:
    """Positions of the rows of the last pane of each window that no later pane absorbed; ``pane`` numbers them."""
    last = np.full(max(window.max(initial=-1), absorbed.max(initial=-1)) + 1, -1)
    last[window] = pane
    gone = np.full(len(last), -1)
    np.maximum.at(gone, absorbed, pane[by])
    return np.flatnonzero((last > gone)[window] & (pane == last[window]))


def _absorbers(window: I64, absorbed: I64, by: I64) -> I64:
    """For each window number, the window that it is part of at last."""
    into = np.arange(max(window.max(initial=-1), absorbed.max(initial=-1)) + 1)
    into[absorbed] = window[by]
    for _ in range(len(into).bit_length()):  # each round doubles the steps followed
        into = into[into]
    return into


def _combined(column: pa.Array | pa.ChunkedArray, group: I64, how: Combination, last: I64) -> pa.Array:
    """The column's values combined by group, in the order of ``group[last]``; missing ones are skipped."""
    kind = column.type
    floating = pa.types.is_floating(kind)
    if floating:
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    options = pc.ScalarAggregateOptions(min_count=0) if how == "sum" else None
    # One thread: the order of rows counts for first and last, and makes sums of floats repeatable.
    table = pa.table({"group": group, "value": column}).group_by("group", use_threads=False)
    result = table.aggregate([("value", how, options)])
    place = np.empty(group.max(initial=-1) + 1, np.int64)
    place[result.column("group").to_numpy()] = np.arange(len(result))
    values = result.column(f"value_{how}").take(pa.array(place[group[last]])).combine_chunks().cast(kind)
    return values.fill_null(np.nan) if floating else values


def _sortable(column: pa.Array | pa.ChunkedArray) -> I64 | None:
    """Integers in the order of the values; None if there are none that tell it."""
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        column = column.dictionary_encode(null_encoding="encode")
        by_value = pc.sort_indices(column.dictionary).to_numpy()
        rank: I64 = np.empty(len(by_value), np.int64)
        rank[by_value] = np.arange(len(by_value))
        values: I64 = rank[column.indices.to_numpy()]
        return values
    whole = pa.types.is_integer(kind) and kind != pa.uint64()
    if column.null_count or not (whole or pa.types.is_timestamp(kind)):
        return None
    values = numbers(column).astype(np.int64, copy=False)
    return values


def in_order(panes: Rows, by: Sequence[str]) -> Rows:
    """The panes by the values of some columns; those that come so are not copied."""
    columns = [values for name in by if (values := _sortable(panes.column(name))) is not None]
    if len(columns) < len(by):
        return panes.take(pc.sort_indices(panes, sort_keys=[(name, "ascending") for name in by]))
    if _ascend(columns):
        return panes
    place = None
    for values in reversed(columns):
        at = order(values if place is None else values[place])
        place = at if place is None else place[at]
    return panes.take(pa.array(place))


def _ascend(columns: Sequence[I64]) -> bool:
    """Whether rows are in the order of the first column, where it is equal in that of the second, and so on."""
    level: npt.NDArray[np.bool_] | None = None
    for values in reversed(columns):
        up, same = values[1:] > values[:-1], values[1:] == values[:-1]
        level = up | (same if level is None else same & level)
    return level is None or bool(level.all())


def _sorted(panes: pa.RecordBatch | pa.Table, keys: tuple[str, ...]) -> pa.RecordBatch:
    rows = in_order(panes, (WINDOW_END, WINDOW_START, *keys))
    if isinstance(rows, pa.RecordBatch):
        return rows
    whole = rows.combine_chunks().to_batches()
    return whole[0] if whole else pa.RecordBatch.from_pylist([], schema=panes.schema)
