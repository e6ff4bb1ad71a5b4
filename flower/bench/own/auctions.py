"""Nexmark's queries over files of people, auctions and bids, Flower's side; ``variant``: the query's number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from flower.bench.child import Columns, Given


def query(given: Given) -> Columns:
    """The results of a query, handed on as frames."""
    import pandas as pd

    import flower as fl
    from flower.bench.data import NEXMARK
    from flower.datasets import nexmark

    bound = nexmark.bids(given.rows, **NEXMARK).node.watermark  # type: ignore[attr-defined]
    streams = nexmark.Streams(
        *(
            fl.read.parquet(given.path(kind), event_time="date_time", watermark=bound)
            for kind in nexmark.Streams._fields
        )
    )
    frames: list[pd.DataFrame] = []
    sink = nexmark.QUERIES[int(given.variant)](streams).write.foreach(frames.append)
    with given.measure():
        sink.run().wait(progress=False)
    return columns(pd.concat(frames))


def columns(rows: pd.DataFrame) -> Columns:
    """What a query's rows come to: times in microseconds, means without their fractions; padding is left out."""
    found = {}
    for name, column in rows.items():
        if name != "extra":
            times = column.dtype.kind == "M"
            found[str(name)] = column.dt.as_unit("us").astype("int64") if times else column
    return found
