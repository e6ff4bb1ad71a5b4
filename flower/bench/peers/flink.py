"""Flink's Table API on two threads, streaming over CSV, the format that its wheel can read and write.

The JVM's start does not count.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flower.bench.child import Columns, Given


def _written(given: Given, names: tuple[str, ...], columns: tuple[str, ...], query: str) -> Columns:
    """The rows that a query gives of streams; its columns are integers."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.parquet as pq
    from pyflink.table import EnvironmentSettings, TableEnvironment

    with tempfile.TemporaryDirectory() as scratch:
        tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
        tables.get_config().set("parallelism.default", "2")
        tables.get_config().set("table.local-time-zone", "UTC")
        for name in names:
            table = pq.read_table(given.path(name))
            table = table.set_column(1, "time", table["time"].cast("int64"))
            csv.write_csv(table, f"{scratch}/{name}.csv", csv.WriteOptions(include_header=False))
            tables.execute_sql(f"""
                CREATE TABLE `{name}` (
                    key BIGINT, us BIGINT, `value` BIGINT, ts AS TO_TIMESTAMP_LTZ(us / 1000, 3),
                    WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
                ) WITH ('connector' = 'filesystem', 'path' = '{scratch}/{name}.csv', 'format' = 'csv')""")
        declared = ", ".join(f"`{name}` BIGINT" for name in columns)
        tables.execute_sql(f"""
            CREATE TABLE found ({declared})
            WITH ('connector' = 'filesystem', 'path' = '{scratch}/found', 'format' = 'csv')""")
        tables.execute_sql("EXPLAIN " + query)
        with given.measure():
            tables.execute_sql(f"INSERT INTO found {query}").wait()
        options = csv.ReadOptions(column_names=list(columns))
        files = [file for file in Path(scratch, "found").rglob("*") if file.is_file() and file.stat().st_size]
        parts = [csv.read_csv(file, options) for file in files]
        rows = pa.concat_tables(parts)
    return {name: np.asarray(rows[name]) for name in columns}


START = "CAST(TIMESTAMPDIFF(SECOND, TIMESTAMP '1970-01-01 00:00:00', window_start) AS BIGINT) * 1000000"
END = "CAST(TIMESTAMPDIFF(SECOND, TIMESTAMP '1970-01-01 00:00:00', window_end) AS BIGINT) * 1000000"


def w1(given: Given) -> Columns:
    """A grouping by key and window."""
    query = f"""
        SELECT key, {START}, SUM(`value`), COUNT(*)
        FROM TABLE(TUMBLE(TABLE `w1`, DESCRIPTOR(ts), INTERVAL '10' SECOND))
        GROUP BY key, window_start, window_end"""
    return _written(given, ("w1",), ("key", "start", "total", "rows"), query)


def w2(given: Given) -> Columns:
    """The same by sliding windows, then the largest score of each."""
    query = f"""
        SELECT {END}, MAX(total * 1000 + key) FROM (
            SELECT key, window_start, window_end, SUM(`value`) AS total
            FROM TABLE(HOP(TABLE `w1`, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '60' SECOND))
            GROUP BY key, window_start, window_end
        ) GROUP BY window_start, window_end"""
    return _written(given, ("w1",), ("end", "score"), query)


def w3(given: Given) -> Columns:
    """The same by sessions. Rows as far apart as the gap are in one, so it is a millisecond less."""
    query = """
        SELECT key, MIN(us), SUM(`value`), COUNT(*)
        FROM TABLE(SESSION(TABLE `sessions` PARTITION BY key, DESCRIPTOR(ts), INTERVAL '9.999' SECOND))
        GROUP BY key, window_start, window_end"""
    return _written(given, ("sessions",), ("key", "start", "total", "rows"), query)


def w4(given: Given) -> Columns:
    """A filter and an expression."""
    query = "SELECT key, us, `value` * 3 + key FROM `w1` WHERE `value` >= 500"
    return _written(given, ("w1",), ("key", "time", "score"), query)


def w5(given: Given) -> Columns:
    """A join of windows, then sums."""
    windows = "TABLE(TUMBLE(TABLE `{}`, DESCRIPTOR(ts), INTERVAL '10' SECOND))"
    query = f"""
        SELECT key, {START}, SUM(total), COUNT(*) FROM (
            SELECT a.key, a.window_start, a.window_end, a.`value` + b.`value` AS total
            FROM (SELECT * FROM {windows.format("left")}) a JOIN (SELECT * FROM {windows.format("right")}) b
            ON a.key = b.key AND a.window_start = b.window_start AND a.window_end = b.window_end
        ) GROUP BY key, window_start, window_end"""
    return _written(given, ("left", "right"), ("key", "start", "total", "rows"), query)
