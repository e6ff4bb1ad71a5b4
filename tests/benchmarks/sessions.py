"""W3: sessions of 100,000 keys, a gap of ten seconds: sums and counts of ten million rows, read from Parquet.

1,000 seconds of event time, rows up to five seconds out of order; a key has a row every ten seconds, so sessions are
short and many. Beside it NumPy on whole columns, sorted by key and time, and polars, which does the same.
"""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
from harness import digest, measure
from w1 import rows

KEYS, GAP = 100_000, 10_000_000


def data():
    """The rows of W1, but of a hundred times as many keys."""
    return rows(KEYS)


def _digest(key, start_us, end_us, total, count) -> str:
    """Of the sessions, by key and start."""
    order = np.lexsort([start_us, key])
    columns = (key, start_us, end_us, total, count)
    return digest(np.stack([np.asarray(each)[order].astype(np.int64) for each in columns]).tobytes())


def flower_sessions() -> str:
    """As a stream."""
    import flower as fl

    panes = (
        fl.read.parquet(data(), event_time="time", watermark=fl.BoundedDisorder("5s"))
        .window(fl.Sessions("10s"))
        .groupby("key")
        .agg(total=("value", "sum"), rows=("value", "count"))
    )
    with measure():
        results = panes.run().wait().results
    start, end = (results[name].dt.as_unit("us").astype("int64") for name in ("window_start", "window_end"))
    return _digest(results["key"], start, end, results["total"], results["rows"])


def numpy_one_shot() -> str:
    """NumPy: whole columns, sorted once."""
    with measure():
        table = pq.read_table(data()).combine_chunks()
        time, key, value = (table[name].cast("int64").to_numpy() for name in ("time", "key", "value"))
        order = np.lexsort((time, key))
        time, key, value = time[order], key[order], value[order]
        new = np.ones(len(key), np.bool_)
        new[1:] = (key[1:] != key[:-1]) | (time[1:] - time[:-1] >= GAP)
        first = np.flatnonzero(new)
        last = np.append(first[1:], len(key)) - 1
        result = (key[first], time[first], time[last] + GAP, np.add.reduceat(value, first), last - first + 1)
    return _digest(*result)


def polars_one_shot() -> str:
    """Polars: sorted, sessions numbered, then grouped."""
    import polars as pl

    begins = (pl.col("key") != pl.col("key").shift()) | (pl.col("time").diff() >= pl.duration(microseconds=GAP))
    query = (
        pl.scan_parquet(data())
        .sort("key", "time")
        .with_columns(session=begins.fill_null(True).cum_sum())
        .group_by("session")
        .agg(
            key=pl.col("key").first(),
            start=pl.col("time").min().dt.timestamp("us"),
            end=pl.col("time").max().dt.timestamp("us") + GAP,
            total=pl.col("value").sum(),
            rows=pl.len(),
        )
    )
    with measure():
        results = query.collect(engine="streaming")
    return _digest(*(results[name].to_numpy() for name in ("key", "start", "end", "total", "rows")))
