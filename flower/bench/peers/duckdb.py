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


START = "epoch_us(time) // 10000000 * 10000000 AS start"


def w1(given: Given) -> Columns:
    """Sums and counts by key and truncated time."""
    query = f"""
        SELECT key, {START}, sum(value)::BIGINT AS total, count(value) AS rows
        FROM read_parquet('{given.path("w1")}') GROUP BY ALL ORDER BY start, key"""
    return _fetched(given, query)


def w2(given: Given) -> Columns:
    """Sums of ten seconds, each added to the six minutes that it is in, and the largest score of each."""
    query = f"""
        WITH slices AS (
            SELECT key, {START}, sum(value)::BIGINT AS total FROM read_parquet('{given.path("w1")}') GROUP BY ALL
        ), minutes AS (
            SELECT key, start + n * 10000000 AS "end", sum(total)::BIGINT AS total
            FROM slices, range(1, 7) AS numbers(n) GROUP BY ALL
        )
        SELECT "end", max(total * 1000 + key) AS score FROM minutes GROUP BY ALL ORDER BY ALL"""
    return _fetched(given, query)


def w3(given: Given) -> Columns:
    """Rows in the order of their times, cut where ten seconds are between two."""
    query = f"""
        WITH cut AS (
            SELECT *, epoch_us(time) AS at,
                (at - lag(at) OVER (PARTITION BY key ORDER BY at) >= 10000000)::INTEGER AS apart
            FROM read_parquet('{given.path("sessions")}')
        ), numbered AS (
            SELECT *, sum(coalesce(apart, 0)) OVER (PARTITION BY key ORDER BY at ROWS UNBOUNDED PRECEDING) AS session
            FROM cut
        )
        SELECT key, min(at) AS start, sum(value)::BIGINT AS total, count(*) AS rows
        FROM numbered GROUP BY key, session"""
    return _fetched(given, query)


def w4(given: Given) -> Columns:
    """A filter and an expression."""
    query = f"""
        SELECT key, epoch_us(time) AS time, value * 3 + key AS score
        FROM read_parquet('{given.path("w1")}') WHERE value >= 500"""
    return _fetched(given, query)


def w5(given: Given) -> Columns:
    """A join on key and truncated time, then sums."""
    query = f"""
        WITH a AS (SELECT key, value, {START} FROM read_parquet('{given.path("left")}')),
             b AS (SELECT key, value, {START} FROM read_parquet('{given.path("right")}'))
        SELECT key, start, sum(a.value + b.value)::BIGINT AS total, count(*) AS rows
        FROM a JOIN b USING (key, start) GROUP BY ALL ORDER BY start, key"""
    return _fetched(given, query)


def strings(given: Given) -> Columns:
    """W1 by keys of text."""
    query = f"""
        SELECT key, {START}, sum(value)::BIGINT AS total, count(value) AS rows
        FROM read_parquet('{given.path("strings")}') GROUP BY ALL ORDER BY start, key"""
    results = dict(_fetched(given, query))
    return {**results, "key": [int(key[-6:]) for key in results["key"]]}
