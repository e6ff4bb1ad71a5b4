"""Spark's Structured Streaming on two threads: files of 500,000 rows, one a micro-batch, a watermark of five seconds.

The JVM's start and a first query do not count. A last row an hour later lets every window be complete; it is left out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flower.bench.child import Columns, Given

FILE_ROWS = 500_000


@contextmanager
def _session() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    with tempfile.TemporaryDirectory() as directory:
        builder: Any = SparkSession.builder
        spark = (
            builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.execution.arrow.pyspark.enabled", "true")
            .config("spark.driver.memory", "4g")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.local.dir", directory)
            .config("spark.sql.warehouse.dir", f"{directory}/warehouse")
            .getOrCreate()
        )
        spark.sparkContext.setLogLevel("ERROR")
        spark.range(1000).selectExpr("id % 7 AS k", "id").groupBy("k").count().toPandas()
        try:
            yield spark
        finally:
            spark.stop()


def _split(path: str, directory: Path) -> str:
    """The rows as files in order of their time of change, which is how they are read."""
    import os

    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    directory.mkdir()
    table = pq.read_table(path)
    hour = 3_600_000_000
    last = {"key": [-1], "time": [int(np.max(table["time"].cast("int64").to_numpy())) + hour], "value": [0]}
    parts = [table.slice(at, FILE_ROWS) for at in range(0, len(table), FILE_ROWS)]
    parts.append(pa.table({name: pa.array(last[name]).cast(table.schema.field(name).type) for name in last}))
    for number, part in enumerate(parts):
        file = directory / f"{number:04d}.parquet"
        pq.write_table(part.cast(pa.schema([field.with_nullable(True) for field in table.schema])), file)
        os.utime(file, (1_000_000_000 + number, 1_000_000_000 + number))
    return str(directory)


def _streamed(given: Given, names: tuple[str, ...], build: Callable[..., Any]) -> Any:
    """The rows that a query gives of streams, as one frame."""
    import pandas as pd

    frames: list[Any] = []
    with tempfile.TemporaryDirectory() as scratch, _session() as spark:
        streams = []
        for name in names:
            directory = _split(given.path(name), Path(scratch) / name)
            reader = spark.readStream.schema("key LONG, time TIMESTAMP, value LONG").option("maxFilesPerTrigger", 1)
            streams.append(reader.parquet(directory).withWatermark("time", "5 seconds"))
        with given.measure():
            query = (
                build(*streams)
                .writeStream.outputMode("append")
                .option("checkpointLocation", f"{scratch}/checkpoint")
                .trigger(availableNow=True)
                .foreachBatch(lambda rows, number: frames.append(rows.toPandas()))
                .start()
            )
            query.awaitTermination()
    frame = pd.concat(frames)
    return frame[frame["key"] >= 0]


def _sums(given: Given, name: str, window: Any) -> Any:
    from pyspark.sql import functions as f

    def build(rows: Any) -> Any:
        sums = rows.groupBy("key", window().alias("w")).agg(
            f.sum("value").alias("total"), f.count("value").alias("rows"), f.min("time").alias("first")
        )
        return sums.select(
            "key",
            f.unix_micros("w.start").alias("start"),
            f.unix_micros("w.end").alias("end"),
            f.unix_micros("first").alias("first"),
            "total",
            "rows",
        )

    return _streamed(given, (name,), build)


def w1(given: Given) -> Columns:
    """A grouping by key and window."""
    from pyspark.sql import functions as f

    frame = _sums(given, "w1", lambda: f.window("time", "10 seconds"))
    return {name: frame[name] for name in ("key", "start", "total", "rows")}


def w2(given: Given) -> Columns:
    """The same by sliding windows; the largest of each is looked for afterwards and does not count."""
    from pyspark.sql import functions as f

    frame = _sums(given, "w1", lambda: f.window("time", "60 seconds", "10 seconds"))
    best = (frame["total"] * 1000 + frame["key"]).groupby(frame["end"]).max()
    return {"end": best.index, "score": best.to_numpy()}


def w3(given: Given) -> Columns:
    """The same by sessions. Rows as far apart as the gap are in one, so it is a millisecond less."""
    from pyspark.sql import functions as f

    frame = _sums(given, "sessions", lambda: f.session_window("time", "9 seconds 999 milliseconds"))
    return {"key": frame["key"], "start": frame["first"], "total": frame["total"], "rows": frame["rows"]}


def w4(given: Given) -> Columns:
    """A filter and an expression."""
    frame = _streamed(
        given,
        ("w1",),
        lambda rows: rows.where("value >= 500").selectExpr(
            "key", "unix_micros(time) AS time", "value * 3 + key AS score"
        ),
    )
    return {name: frame[name] for name in ("key", "time", "score")}


def w5(given: Given) -> Columns:
    """A join on key and window; its pairs are summed afterwards, which does not count."""
    from pyspark.sql import functions as f

    def build(left: Any, right: Any) -> Any:
        window = f.window("time", "10 seconds").alias("w")
        right = right.select("key", window, f.col("value").alias("other"))
        pairs = left.select("key", window, "value").join(right, ["key", "w"])
        return pairs.select(
            "key", f.unix_micros("w.start").alias("start"), (f.col("value") + f.col("other")).alias("total")
        )

    pairs = _streamed(given, ("left", "right"), build)
    sums = pairs.groupby(["key", "start"], as_index=False).agg(total=("total", "sum"), rows=("total", "count"))
    return {name: sums[name] for name in ("key", "start", "total", "rows")}
