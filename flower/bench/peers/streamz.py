"""Streamz: frames through a streaming DataFrame. It knows no event time, so its state holds every window to the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flower.bench.child import Columns, Given

BATCH = 1_000_000


def w1(given: Given) -> Columns:
    """Sums and counts by key and truncated time, of all rows so far after each frame; the last are the results."""
    import pandas as pd
    import pyarrow.parquet as pq
    from streamz import Stream
    from streamz.dataframe import DataFrame

    last: dict[str, Any] = {}
    with given.measure():
        source = Stream()
        empty = pd.DataFrame({name: pd.Series(dtype="int64") for name in ("key", "start", "value")})
        groups = DataFrame(source, example=empty).groupby(["start", "key"])["value"]
        groups.sum().stream.sink(lambda frame: last.__setitem__("total", frame))
        groups.count().stream.sink(lambda frame: last.__setitem__("rows", frame))
        for batch in pq.ParquetFile(given.path("w1")).iter_batches(BATCH):
            frame = batch.to_pandas()
            time = batch.column("time").cast("int64").to_numpy()
            frame["start"] = time // 10_000_000 * 10_000_000
            source.emit(frame)
    index = last["total"].index
    columns = {name: index.get_level_values(name) for name in ("start", "key")}
    return {**columns, "total": last["total"].to_numpy(), "rows": last["rows"].reindex(index).to_numpy()}
