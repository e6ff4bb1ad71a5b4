"""W2: sums of ten million rows by 1,000 keys in windows of a minute every ten seconds, and the top key of each window.

The rows are those of W1. Beside it stand W1 itself, NumPy on whole columns (ten seconds at a time, then six of these),
and polars, which has each row in each of its windows.
"""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
from harness import digest, measure
from w1 import KEYS, data, stream

SIZE, EVERY = 60, 10
SECOND = 1_000_000


def _digest(end_us, best) -> str:
    """Of the best key of each window and its total, as one number."""
    order = np.argsort(end_us)
    return digest(np.stack([np.asarray(each)[order].astype(np.int64) for each in (end_us, best)]).tobytes())


def _of_slices(number, key, total) -> str:
    """The result from sums by ten seconds and key."""
    low, parts = int(number.min()), SIZE // EVERY
    sums = np.zeros((int(number.max()) - low + 2 * parts - 1, KEYS), np.int64)
    np.add.at(sums, (number - low + parts - 1, key), total)
    windows = sum(sums[at : len(sums) - parts + 1 + at] for at in range(parts))
    best = np.where(windows > 0, windows * KEYS + (KEYS - 1 - np.arange(KEYS)), 0).max(axis=1)
    return _digest((low + 1 + np.arange(len(windows))) * EVERY * SECOND, best)


def flower_sliding() -> str:
    """As a stream. A window's panes have the time of its end, so windows of ten seconds hold those of one each."""
    import flower as fl

    totals = (
        fl.read.parquet(data(), event_time="time", watermark=fl.BoundedDisorder("5s"))
        .window(fl.SlidingWindows(f"{SIZE}s", every=f"{EVERY}s"))
        .groupby("key")
        .agg(total=("value", "sum"))
    )
    ranked = totals.assign(rank=f"total * {KEYS} + ({KEYS - 1} - key)").window(fl.FixedWindows(f"{EVERY}s"))
    best = ranked.agg(best=("rank", "max"))
    with measure():
        results = best.run().wait().results
    return _digest(results["window_end"].dt.as_unit("us").astype("int64"), results["best"])


def flower_w1() -> str:
    """W1; its panes have what the result is made of."""
    panes = stream()
    with measure():
        results = panes.run().wait().results
    start = results["window_start"].dt.as_unit("us").astype("int64").to_numpy()
    return _of_slices(start // (EVERY * SECOND), results["key"].to_numpy(), results["total"].to_numpy())


def numpy_slices() -> str:
    """NumPy on whole columns."""
    with measure():
        table = pq.read_table(data()).combine_chunks()
        time, key, value = (table[name].cast("int64").to_numpy() for name in ("time", "key", "value"))
        number = time // (EVERY * SECOND)
        cell = (number - number.min()) * KEYS + key
        total = np.zeros(int(cell.max()) + 1, np.int64)
        np.add.at(total, cell, value)
        there = np.flatnonzero(total)
        result = _of_slices(there // KEYS + int(number.min()), there % KEYS, total[there])
    return result


def polars_streaming() -> str:
    """Polars' streaming engine: each row in each of its windows, then the best of each."""
    import polars as pl

    end = (pl.col("time").dt.truncate(f"{EVERY}s").dt.timestamp("us") + EVERY * SECOND).alias("end")
    ends = [end + at * EVERY * SECOND for at in range(SIZE // EVERY)]
    query = (
        pl.concat([pl.scan_parquet(data()).select("key", "value", each) for each in ends])
        .group_by("key", "end")
        .agg(total=pl.col("value").sum())
        .group_by("end")
        .agg(best=(pl.col("total") * KEYS + (KEYS - 1 - pl.col("key"))).max())
    )
    with measure():
        results = query.collect(engine="streaming")
    return _digest(results["end"].to_numpy(), results["best"].to_numpy())
