"""Pathway: tables of all rows at once, the fastest way into it, through its temporal operators; one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flower.bench.child import Columns, Given

SECOND = 1_000_000


def _frame(path: str) -> Any:
    import pandas as pd

    frame = pd.read_parquet(path)
    frame["time"] = frame["time"].dt.as_unit("us").astype("int64")
    return frame


def _sums(given: Given, data: str, window: Any) -> Any:
    import pathway as pw

    with given.measure():
        table = pw.debug.table_from_pandas(_frame(given.path(data)))
        sums = table.windowby(table.time, window=window, instance=table.key).reduce(
            key=pw.this._pw_instance,
            start=pw.this._pw_window_start,
            end=pw.this._pw_window_end,
            first=pw.reducers.min(pw.this.time),
            total=pw.reducers.sum(pw.this.value),
            rows=pw.reducers.count(),
        )
        return pw.debug.table_to_pandas(sums, include_id=False)


def w1(given: Given) -> Columns:
    """Windows by key, reduced."""
    import pathway as pw

    frame = _sums(given, "w1", pw.temporal.tumbling(10 * SECOND))
    return {name: frame[name] for name in ("key", "start", "total", "rows")}


def w2(given: Given) -> Columns:
    """Sliding windows by key, reduced; the largest of each is looked for afterwards and does not count."""
    import pathway as pw

    frame = _sums(given, "w1", pw.temporal.sliding(hop=10 * SECOND, duration=60 * SECOND))
    best = (frame["total"] * 1000 + frame["key"]).groupby(frame["end"]).max()
    return {"end": best.index, "score": best.to_numpy()}


def w3(given: Given) -> Columns:
    """Sessions by key, reduced."""
    import pathway as pw

    frame = _sums(given, "sessions", pw.temporal.session(max_gap=10 * SECOND))
    return {"key": frame["key"], "start": frame["first"], "total": frame["total"], "rows": frame["rows"]}


def w4(given: Given) -> Columns:
    """A filter and an expression."""
    import pathway as pw

    with given.measure():
        table = pw.debug.table_from_pandas(_frame(given.path("w1")))
        kept = table.filter(pw.this.value >= 500)
        kept = kept.select(pw.this.key, pw.this.time, score=pw.this.value * 3 + pw.this.key)
        frame = pw.debug.table_to_pandas(kept, include_id=False)
    return {name: frame[name] for name in ("key", "time", "score")}


def w5(given: Given) -> Columns:
    """A join in windows, then sums."""
    import pathway as pw

    with given.measure():
        left, right = (pw.debug.table_from_pandas(_frame(given.path(side))) for side in ("left", "right"))
        window = pw.temporal.tumbling(10 * SECOND)
        joined = left.window_join(right, left.time, right.time, window, left.key == right.key)
        pairs = joined.select(left.key, start=pw.this._pw_window_start, total=left.value + right.value)
        sums = pairs.groupby(pw.this.key, pw.this.start).reduce(
            pw.this.key, pw.this.start, total=pw.reducers.sum(pw.this.total), rows=pw.reducers.count()
        )
        frame = pw.debug.table_to_pandas(sums, include_id=False)
    return {name: frame[name] for name in ("key", "start", "total", "rows")}
