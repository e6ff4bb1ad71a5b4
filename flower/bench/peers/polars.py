"""Polars: one query over the whole of the files, by the streaming engine or in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flower.bench.child import Columns, Given


def _collected(given: Given, query: Any) -> Any:
    with given.measure():
        return query.collect(engine=given.variant or "in-memory")


def _us(column: Any) -> Any:
    return column.dt.timestamp("us").to_numpy()


def w1(given: Given) -> Columns:
    """Sums and counts by key and truncated time."""
    import polars as pl

    query = (
        pl.scan_parquet(given.path("w1"))
        .group_by("key", start=pl.col("time").dt.truncate("10s"))
        .agg(total=pl.col("value").sum(), rows=pl.col("value").count())
        .sort("start", "key")
    )
    results = _collected(given, query)
    return {"key": results["key"], "start": _us(results["start"]), "total": results["total"], "rows": results["rows"]}
