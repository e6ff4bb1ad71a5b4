"""Joins of a million rows a side: in 10-second windows, within five seconds of one another, and as of.

1,000 seconds of event time, rows up to five seconds out of order, 10,000 keys, about a million pairs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from harness import CACHE, digest, measure
from w1 import SECONDS, START

ROWS, KEYS = 1_000_000, 10_000


def data(side: int) -> Path:
    """The rows of a side, written once; the same ones every time."""
    path = CACHE / f"joins-{ROWS}-{side}.parquet"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(side)
        observed = np.arange(ROWS) * (SECONDS * 1_000_000 / ROWS) + 5_000_000
        time = START + (observed - random.uniform(0, 5_000_000, ROWS)).astype(np.int64)
        columns = [random.integers(0, KEYS, ROWS), time, np.arange(ROWS)]
        types = [pa.int64(), pa.timestamp("us", "UTC"), pa.int64()]
        fields = [pa.field(n, t, nullable=False) for n, t in zip(("key", "time", "lr"[side]), types, strict=True)]
        table = pa.table([pa.array(c).cast(t) for c, t in zip(columns, types, strict=True)], schema=pa.schema(fields))
        partial = path.with_suffix(".partial")
        pq.write_table(table, partial, row_group_size=250_000)
        partial.rename(path)
    return path


def _digest(left, right) -> str:
    """Of the pairs, in an order of their own; a missing right row is -1."""
    pairs = np.stack([np.asarray(left, np.int64), np.asarray(right, np.int64)])
    return digest(pairs[:, np.lexsort(pairs[::-1])].tobytes())


def _flower(join, *, run: bool) -> str:
    import flower as fl

    sides = [fl.read.parquet(data(side), event_time="time", watermark=fl.BoundedDisorder("5s")) for side in (0, 1)]
    joined = join(fl, *(side.drop("time") for side in sides)).select("l", "r")
    with measure():
        rows = joined.run().wait().panes() if run else joined.collect()
    return _digest(rows["l"], rows["r"].fillna(-1))


def _windows(fl, left, right):
    window = fl.FixedWindows("10s")
    return left.window(window).join(right.window(window), "key")


def _interval(fl, left, right):
    return left.join(right, "key", within=("-5s", "5s"))


def _asof(fl, left, right):
    return left.join_asof(right, "key", tolerance="5s")


def windows_run() -> str:
    """As a stream."""
    return _flower(_windows, run=True)


def windows_collect() -> str:
    """As a frame."""
    return _flower(_windows, run=False)


def interval_run() -> str:
    """As a stream."""
    return _flower(_interval, run=True)


def interval_collect() -> str:
    """As a frame."""
    return _flower(_interval, run=False)


def asof_run() -> str:
    """As a stream."""
    return _flower(_asof, run=True)


def asof_collect() -> str:
    """As a frame."""
    return _flower(_asof, run=False)


def windows_polars() -> str:
    """Polars: a join on key and window."""
    import polars as pl

    sides = [pl.scan_parquet(data(side)).with_columns(pl.col("time").dt.truncate("10s")) for side in (0, 1)]
    query = sides[0].join(sides[1], on=["key", "time"]).select("l", "r")
    with measure():
        rows = query.collect()
    return _digest(rows["l"].to_numpy(), rows["r"].to_numpy())


def interval_polars() -> str:
    """Polars: a join on key and the ten seconds of a row, those before and after as well, then a filter."""
    import polars as pl

    left, right = (pl.scan_parquet(data(side)).with_columns(at=pl.col("time").dt.truncate("10s")) for side in (0, 1))
    near = pl.concat([right.with_columns(pl.col("at").dt.offset_by(by)) for by in ("-10s", "0s", "10s")])
    apart = (pl.col("time_right") - pl.col("time")).dt.total_microseconds()
    query = left.join(near, on=["key", "at"]).filter(apart.is_between(-5_000_000, 5_000_000)).select("l", "r")
    with measure():
        rows = query.collect()
    return _digest(rows["l"].to_numpy(), rows["r"].to_numpy())


def asof_polars() -> str:
    """Polars: `join_asof` of sorted rows."""
    import polars as pl

    sides = [pl.scan_parquet(data(side)).sort("time") for side in (0, 1)]
    query = sides[0].join_asof(sides[1], on="time", by="key", tolerance="5s").select("l", "r")
    with measure():
        rows = query.collect()
    return _digest(rows["l"].to_numpy(), rows["r"].fill_null(-1).to_numpy())
