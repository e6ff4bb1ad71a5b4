"""W1 and W2, Flower's side: sums by key in windows, read from Parquet, rows up to five seconds out of order."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

# Loaded before the clock starts, as the other systems are; the work "first-pane" counts it.
import flower.engine.run  # noqa: F401

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


def strings(given: Given) -> Columns:
    """By text keys in place of numbers."""
    found = dict(_viewed(given, stream(given.path("strings"))))
    found["key"] = found["key"].str.slice(-6).astype("int64")
    return found


def _corrected(given: Given, accumulation: str) -> Columns:
    import flower as fl

    trigger = fl.AfterWatermark(early=fl.AfterProcessingTime("100ms"), late=fl.AfterCount(1))
    return _viewed(given, stream(given.path("w1"), trigger=trigger, accumulation=accumulation, allowed_lateness="10s"))


def accumulating(given: Given) -> Columns:
    """With panes early, every 100 ms, and late, which replace those before them."""
    return _corrected(given, "accumulating")


def retracting(given: Given) -> Columns:
    """The same, and what was said before is taken back."""
    return _corrected(given, "retracting")


def w2(given: Given) -> Columns:
    """The key with the largest sum of each minute, every ten seconds; of equal ones the last."""
    import flower as fl

    best = (
        fl.read.parquet(given.path("w1"), event_time="time", watermark=fl.BoundedDisorder("5s"))
        .window(fl.SlidingWindows("60s", every="10s"))
        .groupby("key")
        .agg(total=("value", "sum"))
        .assign(score="total * 1000 + key")
        .window(fl.FixedWindows("10s"))
        .agg(score=("score", "max"))
    )
    with given.measure():
        results: Any = best.run().wait(progress=False).results
    end = results["window_end"].dt.as_unit("us").astype("int64")
    return {"end": end, "score": results["score"]}


def w3(given: Given) -> Columns:
    """Sums and counts of sessions."""
    import flower as fl

    sessions = (
        fl.read.parquet(given.path("sessions"), event_time="time", watermark=fl.BoundedDisorder("5s"))
        .window(fl.Sessions("10s"))
        .groupby("key")
        .agg(total=("value", "sum"), rows=("value", "count"))
    )
    return _viewed(given, sessions)


def _kept(given: Given) -> Stream:
    import flower as fl

    rows = fl.read.parquet(given.path("w1"), event_time="time", watermark=fl.BoundedDisorder("5s"))
    return rows.filter("value >= 500").assign(score="value * 3 + key").drop("value")


def _rows(frame: pd.DataFrame) -> Columns:
    time = frame["time"].dt.as_unit("us").astype("int64")
    return {"key": frame["key"], "time": time, "score": frame["score"]}


def w4(given: Given) -> Columns:
    """Rows that are kept, with a column more, as frames."""
    import pandas as pd

    frames: list[pd.DataFrame] = []
    kept = _kept(given).write.foreach(frames.append)
    with given.measure():
        kept.run().wait(progress=False)
    return _rows(pd.concat(frames))


def w4_collect(given: Given) -> Columns:
    """The same, as one frame."""
    kept = _kept(given)
    with given.measure():
        rows = kept.collect()
    return _rows(rows)


def w5(given: Given) -> Columns:
    """Pairs of rows of the same key and window, counted and summed by both."""
    import flower as fl

    window = fl.FixedWindows("10s")
    left, right = (
        fl.read.parquet(given.path(side), event_time="time", watermark=fl.BoundedDisorder("5s")).drop("time")
        for side in ("left", "right")
    )
    pairs = (
        left.window(window)
        .join(right.rename(value="other").window(window), "key")
        .assign(total="value + other")
        .window(window)
        .groupby("key")
        .agg(total=("total", "sum"), rows="count")
    )
    return _viewed(given, pairs)
