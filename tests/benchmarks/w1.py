"""W1: sums and counts of ten million rows by 1,000 keys in 10-second windows, read from Parquet.

1,000 seconds of event time, rows up to five seconds out of order, so a hundred windows and 100,000 panes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from harness import CACHE, digest, measure

ROWS = 10_000_000
KEYS = 1_000
SECONDS = 1_000
START = 946_684_800_000_000  # 2000-01-01, in microseconds


def data() -> Path:
    """The rows, written once; the same ones every time."""
    return rows(KEYS)


def rows(keys: int) -> Path:
    """Such rows of so many keys."""
    path = CACHE / (f"w1-{ROWS}.parquet" if keys == KEYS else f"w1-{ROWS}-{keys}.parquet")
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(1)
        # Observed evenly, happened up to five seconds before.
        observed = np.arange(ROWS) * (SECONDS * 1_000_000 / ROWS) + 5_000_000
        time = START + (observed - random.uniform(0, 5_000_000, ROWS)).astype(np.int64)
        columns = {
            "key": random.integers(0, keys, ROWS),
            "time": pa.array(time).cast(pa.timestamp("us", "UTC")),
            "value": random.integers(0, 1_000, ROWS),
        }
        schema = pa.schema(
            [
                pa.field("key", pa.int64(), nullable=False),
                pa.field("time", pa.timestamp("us", "UTC"), nullable=False),
                pa.field("value", pa.int64(), nullable=False),
            ]
        )
        partial = path.with_suffix(".partial")
        pq.write_table(pa.table(columns, schema=schema), partial, row_group_size=1_000_000)
        partial.rename(path)
    return path


def _digest(key, start_us, total, rows) -> str:
    """Of the panes, ordered by window and key."""
    order = np.lexsort([key, start_us])
    columns = [np.asarray(column)[order].astype(np.int64) for column in (start_us, key, total, rows)]
    return digest(np.stack(columns).tobytes())


def _frame_digest(frame) -> str:
    start = frame["window_start"].dt.as_unit("us").astype("int64").to_numpy()
    return _digest(frame["key"].to_numpy(), start, frame["total"].to_numpy(), frame["rows"].to_numpy())


def stream():
    """The pipeline that is measured."""
    import flower as fl

    return (
        fl.read.parquet(data(), event_time="time", watermark=fl.BoundedDisorder("5s"))
        .window(fl.FixedWindows("10s"))
        .groupby("key")
        .agg(total=("value", "sum"), rows=("value", "count"))
    )


def flower_run() -> str:
    """As a stream: the panes as the watermark passes, then the view."""
    panes = stream()
    with measure():
        results = panes.run().wait().results
    return _frame_digest(results)


def flower_checkpoint() -> str:
    """The same with a checkpoint on a local disk: every epoch logged and committed, the state every 10 seconds."""
    panes = stream()
    with tempfile.TemporaryDirectory() as directory, measure():
        results = panes.run(checkpoint=directory).wait().results
    return _frame_digest(results)


def flower_checkpoint_often() -> str:
    """The same, with the state written every fifth epoch."""
    from flower.engine import recovery

    recovery.EPOCHS, recovery.SHARE = 5, 1e9
    return flower_checkpoint()


def flower_collect() -> str:
    """As a frame: each window once, at the end."""
    panes = stream()
    with measure():
        results = panes.collect()
    return _frame_digest(results)


def polars_streaming() -> str:
    """Polars' streaming engine, one query over the whole file."""
    import polars as pl

    query = (
        pl.scan_parquet(data())
        .group_by("key", window_start=pl.col("time").dt.truncate("10s"))
        .agg(total=pl.col("value").sum(), rows=pl.col("value").count())
        .sort("window_start", "key")
    )
    with measure():
        results = query.collect(engine="streaming")
    start = results["window_start"].dt.timestamp("us").to_numpy()
    return _digest(results["key"].to_numpy(), start, results["total"].to_numpy(), results["rows"].to_numpy())


def pandas_one_shot() -> str:
    """Pandas, one frame of the whole file."""
    import pandas as pd

    with measure():
        frame = pd.read_parquet(data())
        frame["window_start"] = frame["time"].dt.floor("10s")
        groups = frame.groupby(["window_start", "key"], as_index=False)
        results = groups.agg(total=("value", "sum"), rows=("value", "count"))
    return _frame_digest(results)


def flower_on_dask() -> str:
    """As a stream on two worker processes of one thread each; starting them is not counted."""
    from distributed import Client, LocalCluster

    panes = stream()
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
        measure(),
    ):
        results = panes.run(client).wait(progress=False).results
    return _frame_digest(results)
