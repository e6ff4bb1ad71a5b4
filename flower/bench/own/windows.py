"""W1, Flower's side: sums and counts by key in 10-second windows, read from Parquet, rows up to five seconds late."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from flower import Stream
    from flower.bench.child import Columns, Given


def stream(path: str, **window: Any) -> Stream:
    """The pipeline that is measured."""
    import flower as fl

    return (
        fl.read.parquet(path, event_time="time", watermark=fl.BoundedDisorder("5s"))
        .window(fl.FixedWindows("10s"), **window)
        .groupby("key")
        .agg(total=("value", "sum"), rows=("value", "count"))
    )


def columns(frame: pd.DataFrame) -> Columns:
    """What the results of W1 come to."""
    start = frame["window_start"].dt.as_unit("us").astype("int64")
    return {"key": frame["key"], "start": start, "total": frame["total"], "rows": frame["rows"]}


def _viewed(given: Given, panes: Stream, **options: Any) -> Columns:
    with given.measure():
        results: Any = panes.run(**options).wait(progress=False).results
    return columns(results)


def w1(given: Given) -> Columns:
    """As a stream: the panes as the watermark passes, then the view."""
    return _viewed(given, stream(given.path("w1")))


def w1_collect(given: Given) -> Columns:
    """As a frame: each window once, at the end."""
    panes = stream(given.path("w1"))
    with given.measure():
        results = panes.collect()
    return columns(results)


def w1_on_dask(given: Given) -> Columns:
    """As a stream on two worker processes of one thread each; starting them is not counted."""
    from distributed import Client, LocalCluster

    panes = stream(given.path("w1"))
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        return _viewed(given, panes, executor=client)


def checkpoint(given: Given) -> Columns:
    """With a checkpoint on a local disk: every epoch logged and committed, the state every 10 seconds."""
    with tempfile.TemporaryDirectory() as directory:
        return _viewed(given, stream(given.path("w1")), checkpoint=directory)


def checkpoint_often(given: Given) -> Columns:
    """The same, with the state written every fifth epoch."""
    from flower.engine import recovery

    recovery.EPOCHS, recovery.SHARE = 5, 1e9
    return checkpoint(given)
