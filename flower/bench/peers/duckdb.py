"""DuckDB: one query over the whole of the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flower.bench.child import Columns, Given


def _fetched(given: Given, query: str) -> Columns:
    import duckdb

    connection: Any = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    with given.measure():
        table = connection.execute(query).to_arrow_table()
    return {name: table.column(name).to_numpy() for name in table.column_names}


def w1(given: Given) -> Columns:
    """Sums and counts by key and truncated time."""
    query = f"""
        SELECT key, epoch_us(time) // 10000000 * 10000000 AS start, sum(value)::BIGINT AS total, count(value) AS rows
        FROM read_parquet('{given.path("w1")}') GROUP BY ALL ORDER BY start, key"""
    return _fetched(given, query)
