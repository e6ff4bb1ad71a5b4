"""Pandas: one frame of the whole file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flower.bench.child import Columns, Given


def w1(given: Given) -> Columns:
    """Sums and counts by key and truncated time."""
    import pandas as pd

    with given.measure():
        frame = pd.read_parquet(given.path("w1"))
        frame["start"] = frame["time"].dt.floor("10s")
        groups = frame.groupby(["start", "key"], as_index=False)
        results = groups.agg(total=("value", "sum"), rows=("value", "count"))
    start = results["start"].dt.as_unit("us").astype("int64")
    return {"key": results["key"], "start": start, "total": results["total"], "rows": results["rows"]}


def w4(given: Given) -> Columns:
    """A filter and an expression."""
    import pandas as pd

    with given.measure():
        frame = pd.read_parquet(given.path("w1"))
        frame = frame[frame["value"] >= 500]
        results = pd.DataFrame({"key": frame["key"], "time": frame["time"], "score": frame["value"] * 3 + frame["key"]})
    time = results["time"].dt.as_unit("us").astype("int64")
    return {"key": results["key"], "time": time, "score": results["score"]}


def w5(given: Given) -> Columns:
    """A merge on key and truncated time, then sums."""
    import pandas as pd

    with given.measure():
        left, right = (pd.read_parquet(given.path(side)) for side in ("left", "right"))
        for frame in (left, right):
            frame["start"] = frame.pop("time").dt.floor("10s")
        pairs = left.merge(right, on=["key", "start"])
        pairs["total"] = pairs["value_x"] + pairs["value_y"]
        results = pairs.groupby(["start", "key"], as_index=False).agg(total=("total", "sum"), rows=("total", "count"))
    start = results["start"].dt.as_unit("us").astype("int64")
    return {"key": results["key"], "start": start, "total": results["total"], "rows": results["rows"]}
