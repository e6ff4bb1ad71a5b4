"""What a time diagram shows of one key: rows, watermark, panes and the windows that fill, each with its epochs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from flower.charts.texts import number_text, short, texts_of
from flower.engine.history import History, Moment
from flower.errors import GraphError
from flower.graph.schema import frame_of
from flower.model.panes import PANE_COLUMNS, RETRACTION, TIMINGS
from flower.model.time import I64, MAX_TIME, MIN_TIME
from flower.model.windows import CountWindows, by_clock

EVER = 2**31 - 1
"""The epoch at which what stays is let go."""

POINTS = 3_000
PANES = 1_500
"""Rows and panes that are drawn; of more rows, evenly some, and of more panes the newest."""

KEYS = 12
"""Keys to choose from."""

LISTED = 12
"""Rows that the hover of a pane lists one by one."""


@dataclass(frozen=True)
class Timeline:
    """Columns of everything that a diagram draws; times are microseconds, ``since`` and ``until`` number epochs.

    Parameters
    ----------
    title : str
        The value that the windows show, and of which key.
    keys : tuple of str
        Texts of the keys to choose from; empty: the step has none.
    key : int
        Which of them this is.
    values : tuple
        The values of its columns.
    choices : tuple of tuple
        The values of all `keys`.
    value : str or None
        The aggregate that is shown.
    aggregates : tuple of str
        Those to choose from.
    moments : tuple of Moment
        The epochs.
    clock : ndarray of int64
        The processing time of each epoch.
    watermark : ndarray of int64
        The step's watermark after it.
    rows : pandas.DataFrame
        ``event_time``, ``processing_time``, ``since``, ``kind`` (on time, late: behind the watermark, dropped),
        ``text``.
    panes : pandas.DataFrame
        ``start``, ``end``, ``bottom``, ``top``, ``since``, ``timing``, ``index``, ``value``, ``text``, ``retraction``,
        ``rows`` (a text).
    filling : pandas.DataFrame
        ``start``, ``end``, ``bottom``, ``since``, ``until``, ``text``, ``rows``: windows with rows that no pane had.
    by_clock : bool
        Whether windows are of processing time, and lie across.
    notes : tuple of str
        What is not shown.
    """

    title: str
    keys: tuple[str, ...]
    key: int
    values: tuple[object, ...]
    choices: tuple[tuple[object, ...], ...]
    value: str | None
    aggregates: tuple[str, ...]
    moments: tuple[Moment, ...]
    clock: I64
    watermark: I64
    rows: pd.DataFrame
    panes: pd.DataFrame
    filling: pd.DataFrame
    by_clock: bool
    notes: tuple[str, ...]


def timeline_of(history: History, *, key: object = None, value: str | None = None) -> Timeline:
    """What a history shows of one key.

    Parameters
    ----------
    history : History
        The epochs.
    key : optional
        A value of the key column; with several, a tuple in their order. Default: the key with the most rows.
    value : str, optional
        The aggregate that the windows show; default: the first.

    Raises
    ------
    GraphError
        If no row has such a key, or the step has no such aggregate.
    """
    return _Timeline(history, value).of(key)


class _Timeline:
    """Puts the columns together; lives no longer than the call."""

    def __init__(self, history: History, value: str | None) -> None:
        self.history = history
        self.step = history.keyed
        self.moments: list[Moment] = list(history.moments)
        # Before the first row there may be no time at all.
        while len(self.moments) > 1 and self.moments[0].now == MIN_TIME:
            self.moments.pop(0)
        self.names = () if self.step is None else self.step.keys
        there = [] if self.step is None else self.step.schema.names
        self.aggregates = aggregates = [name for name in there if name not in (*self.names, *PANE_COLUMNS)]
        if value is not None and value not in aggregates:
            raise GraphError(
                "`value` must be an aggregate of the step",
                got=repr(value),
                hint=f"there is {', '.join(map(repr, aggregates)) or 'none'}",
            )
        self.value = value if value is not None else (aggregates[0] if aggregates else None)
        self.by_clock = self.step is not None and by_clock(self.step.windowing.windows)
        self.clock = np.array([moment.now for moment in self.moments], np.int64)
        self.rows, self.row_keys = self._rows()
        self.notes: list[str] = []

    def of(self, key: object) -> Timeline:
        """The columns of one key."""
        texts, choices, number = self._key(key)
        wanted = choices[number] if choices else None
        rows = self.rows[self._mine(self.row_keys, wanted)]
        panes = self._panes(wanted)
        filling = self._filling(wanted)
        rows_of = _Rows(rows, self.by_clock)
        panes = self._placed(panes, rows_of)
        filling = self._begun(filling, panes, rows_of)
        if len(panes) > PANES:
            self.notes.append(f"the newest {PANES:,} of {len(panes):,} panes")
            panes = panes[-PANES:]
        if len(rows) > POINTS:
            self.notes.append(f"{POINTS:,} of {len(rows):,} rows")
            rows = rows.iloc[np.linspace(0, len(rows) - 1, POINTS).astype(np.int64)]
        if not self.moments:
            self.notes.append("no epoch yet")
        if self.history.let_go:
            self.notes.append(f"the newest {len(self.moments):,} epochs")
        what = self.value or "rows"
        title = f"{what} of {short(texts[number], 40)}" if texts else what
        watermark = np.array([moment.watermark for moment in self.moments], np.int64)
        return Timeline(
            title,
            tuple(texts),
            number,
            wanted or (),
            tuple(choices),
            self.value,
            tuple(self.aggregates),
            tuple(self.moments),
            self.clock,
            watermark,
            rows.drop(columns="number").reset_index(drop=True),
            panes.reset_index(drop=True),
            filling.reset_index(drop=True),
            self.by_clock,
            tuple(self.notes),
        )

    # -- keys

    def _key(self, key: object) -> tuple[list[str], list[tuple[object, ...]], int]:
        """The texts of the largest keys, their values, and the number of the one that is meant."""
        if not self.names:
            return [], [], 0
        size = self.row_keys.groupby(list(self.names), dropna=False, observed=True).size()
        largest = size.sort_values(ascending=False, kind="stable").index.to_frame(index=False)
        values = [tuple(row) for row in largest.itertuples(index=False)]
        texts = [", ".join(each) for each in zip(*(texts_of(largest[name]) for name in self.names), strict=True)]
        at = 0
        if key is not None:
            given = key if isinstance(key, tuple) else (key,)
            found = [i for i, each in enumerate(values) if _same(each, given)]
            if not found:
                some = ", ".join(texts[:3]) + ", ..." * (len(texts) > 3)
                raise GraphError("no row has that `key`", got=repr(key), hint=f"there is {some}" if some else "")
            at = found[0]
            if at >= KEYS:
                values.insert(0, values.pop(at))
                texts.insert(0, texts.pop(at))
                at = 0
        return texts[:KEYS], values[:KEYS], at

    def _mine(self, frame: pd.DataFrame, wanted: tuple[object, ...] | None) -> npt.NDArray[np.bool_]:
        mine = np.ones(len(frame), np.bool_)
        for name, value in zip(self.names, wanted or (), strict=False):
            column = frame[name]
            mine &= (column.isna() if _missing(value) else column == value).to_numpy(bool, na_value=False)
        return mine

    # -- rows

    def _rows(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """All rows, and their keys."""
        column = self._column()
        names = [*self.names, *([column] if column is not None and column not in self.names else [])]
        nothing = pa.RecordBatch.from_pylist([], self.history.schema)
        batches = [rows.select(names) for rows in (nothing, *(moment.rows.rows for moment in self.moments))]
        counts = [len(moment.rows) for moment in self.moments]
        frame = frame_of(pa.concat_batches(batches)) if names else pd.DataFrame(index=range(sum(counts)))
        time, met, partition, position = (
            np.concatenate([getattr(moment.rows, name) for moment in self.moments] or [np.zeros(0, np.int64)])
            for name in ("time", "met", "partition", "position")
        )
        since = np.repeat(np.arange(len(counts)), np.array(counts, np.int64))
        kind = np.where(time < met, 1, 0)
        gone = [moment.dropped for moment in self.moments if moment.dropped is not None]
        if gone:
            places = [pd.MultiIndex.from_arrays([b.partition, b.position, b.time]) for b in gone]
            dropped = places[0].append(places[1:])
            kind[pd.MultiIndex.from_arrays([partition, position, time]).isin(dropped)] = 2
        numeric = column is not None and pd.api.types.is_numeric_dtype(frame[column].dtype)
        number = frame[column].to_numpy(np.float64, na_value=np.nan) if numeric else np.full(len(time), np.nan)
        rows = pd.DataFrame(
            {
                "event_time": time,
                "processing_time": self.clock[since],
                "since": since,
                "kind": kind,
                "number": number,
                "text": pd.Series([number_text(each) if numeric else "" for each in number], dtype="str"),
            }
        )
        return rows, frame[list(self.names)]

    def _column(self) -> str | None:
        """The column that the value is made of."""
        if self.history.aggregate is None:
            return None
        made = [each.column for each in self.history.aggregate.aggregations if each.name == self.value]
        return made[0] if made and isinstance(made[0], str) else None

    # -- panes

    def _panes(self, wanted: tuple[object, ...] | None) -> pd.DataFrame:
        parts = [(at, moment.panes) for at, moment in enumerate(self.moments) if moment.panes is not None]
        if not parts or self.step is None:
            return self._windows(None, np.zeros(0, np.int64), wanted)
        whole = pa.concat_batches([panes for _, panes in parts])
        return self._windows(whole, np.repeat([at for at, _ in parts], [len(panes) for _, panes in parts]), wanted)

    def _windows(self, rows: pa.RecordBatch | None, since: I64, wanted: tuple[object, ...] | None) -> pd.DataFrame:
        """Windows of one key with their values, of panes or of rows like them."""
        if rows is None or self.value is None:
            names = ("start", "end", "since", "timing", "index", "text", "retraction", "value")
            return pd.DataFrame(
                {name: np.zeros(0, object if name in ("text", "value") else np.int64) for name in names}
            )
        frame = frame_of(rows.select([*self.names, self.value, "pane_timing", "pane_index"]))
        start, end = (
            rows.column(name).cast(pa.int64()).fill_null(nothing).to_numpy()
            for name, nothing in (("window_start", MIN_TIME), ("window_end", MAX_TIME))
        )
        taken = rows.column(RETRACTION).to_numpy(zero_copy_only=False) if RETRACTION in rows.schema.names else False
        column = frame[self.value]
        made = pd.DataFrame(
            {
                "start": start,
                "end": end,
                "since": since,
                "timing": frame["pane_timing"].map({name: code for code, name in enumerate(TIMINGS)}).astype("int64"),
                "index": frame["pane_index"],
                "text": pd.Series(value_texts(column), dtype="str"),
                "retraction": taken,
                "value": column,
            }
        )
        return made[self._mine(frame, wanted)].reset_index(drop=True)

    def _placed(self, panes: pd.DataFrame, rows: _Rows) -> pd.DataFrame:
        """Panes with the stretch of processing time that each is drawn over, and the rows that are in it."""
        top = self.clock[panes["since"].to_numpy(np.int64)]
        bottom, said = top.copy(), np.full(len(panes), "", object)
        discarding = self.step is not None and self.step.windowing.accumulation == "discarding"
        # Which rows are in a window that counts them, its ends do not tell.
        counted = self.step is not None and isinstance(self.step.windowing.windows, CountWindows)
        start, end, since = (panes[name].to_numpy(np.int64) for name in ("start", "end", "since"))
        real = ~panes["retraction"].to_numpy(bool)
        for at in np.flatnonzero(real):
            before = np.flatnonzero(self._overlaps(start[:at], end[:at], start[at], end[at]) & real[:at])
            last = int(since[before].max(initial=-1))
            bottom[at] = self._bottom(rows, start[at], end[at], last, top[at])
            if not counted:
                said[at] = rows.said(start[at], end[at], last if discarding else -1, int(since[at]))
        return panes.assign(bottom=bottom, top=top, rows=said)

    def _bottom(self, rows: _Rows, start: int, end: int, last: int, top: int) -> int:
        """Where a box begins: at the pane before it, or the window's first row."""
        if self.by_clock:
            return max(start, int(self.clock[last])) if last >= 0 else start
        if last >= 0:
            return int(self.clock[last])
        first = rows.first(start, end)
        return top if first is None else min(first, top)

    def _overlaps(self, start: I64, end: I64, first: int, until: int) -> npt.NDArray[np.bool_]:
        """Which windows a window continues: itself, or those that it is merged of."""
        assert self.step is not None
        same: npt.NDArray[np.bool_] = (start == first) & (end == until)
        return same | ((start < until) & (first < end)) if self.step.windowing.windows.merging else same

    # -- windows that fill

    def _filling(self, wanted: tuple[object, ...] | None) -> pd.DataFrame:
        """Each window with rows that no pane had yet, for as long as its value stays the same."""
        parts = [self.history.held(moment) for moment in self.moments]
        there = [(at, rows, n) for at, part in enumerate(parts) if part is not None for rows, n in [part] if len(rows)]
        if not there:
            return self._windows(None, np.zeros(0, np.int64), wanted).assign(until=0, rows=0)
        whole = pa.concat_batches([rows for _, rows, _ in there])
        since = np.repeat([at for at, _, _ in there], [len(rows) for _, rows, _ in there])
        kept = frame_of(whole.select(list(self.names))) if self.names else pd.DataFrame(index=range(len(whole)))
        counts = np.concatenate([n for _, _, n in there])[self._mine(kept, wanted)]
        each = self._windows(whole, since, wanted).assign(rows=counts)
        if not len(each):
            return each.assign(until=each["since"])
        each = each.sort_values(["end", "start", "since"], kind="stable").reset_index(drop=True)
        changes = np.ones(len(each), np.bool_)
        for name in ("start", "end", "text", "rows"):
            changes[1:] &= each[name].to_numpy()[1:] == each[name].to_numpy()[:-1]
        follows = np.append(False, np.diff(each["since"].to_numpy(np.int64)) == 1)
        changes = ~(changes & follows)
        changes[:1] = True
        heads = np.flatnonzero(changes)
        lasts = np.append(heads[1:], len(each)) - 1
        until = each["since"].to_numpy(np.int64)[lasts] + 1
        return each.iloc[heads].assign(until=np.where(until == len(self.moments), EVER, until))

    def _begun(self, filling: pd.DataFrame, panes: pd.DataFrame, rows: _Rows) -> pd.DataFrame:
        """Windows that fill, from their last pane or first row on."""
        bottom = np.zeros(len(filling), np.int64)
        start, end, since = (panes[name].to_numpy(np.int64) for name in ("start", "end", "since"))
        real = ~panes["retraction"].to_numpy(bool)
        for at, each in enumerate(filling[["start", "end", "since"]].to_numpy(np.int64)):
            first, until, when = (int(number) for number in each)
            before = self._overlaps(start, end, first, until) & real & (since <= when) if len(start) else real
            last = int(since[before].max(initial=-1))
            bottom[at] = self._bottom(rows, first, until, last, int(self.clock[when]))
        return filling.assign(bottom=bottom)


class _Rows:
    """The rows of a key that were admitted, to be found by window."""

    def __init__(self, rows: pd.DataFrame, clocked: bool) -> None:
        rows = rows[rows["kind"] != 2]
        self.time = rows["processing_time" if clocked else "event_time"].to_numpy(np.int64)
        self.arrival = rows["processing_time"].to_numpy(np.int64)
        self.since = rows["since"].to_numpy(np.int64)
        self.text = rows["text"].to_numpy(object)

    def _in(self, start: int, end: int) -> npt.NDArray[np.bool_]:
        return (self.time >= start) & (self.time < end)

    def first(self, start: int, end: int) -> int | None:
        """When the window's first row came."""
        came = self.arrival[self._in(start, end)]
        return int(came.min()) if len(came) else None

    def said(self, start: int, end: int, after: int, since: int) -> str:
        """The rows of a pane as a text: those that came after one epoch, up to another."""
        there = self._in(start, end) & (self.since > after) & (self.since <= since)
        count = int(there.sum())
        listed = [text for text in self.text[there][:LISTED] if text]
        more = f", and {count - LISTED:,} more" if count > LISTED else ""
        said = "1 row" if count == 1 else f"{count:,} rows"
        return f"{said}: {', '.join(listed)}{more}" if listed else said


def _missing(value: Any) -> bool:
    return bool(pd.isna(value))


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Whether keys are equal; what is missing equals itself."""
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(a == b or (_missing(a) and _missing(b)) for a, b in pairs)


def value_texts(column: pd.Series) -> Sequence[str]:
    """What windows show."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return [number_text(each) for each in column.to_numpy(np.float64, na_value=np.nan)]
    return [short(each, 16) for each in texts_of(column)]
