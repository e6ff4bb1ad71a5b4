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
