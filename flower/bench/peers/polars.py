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
    return _summed(_collected(given, query))


def _summed(results: Any) -> Columns:
    return {"key": results["key"], "start": _us(results["start"]), "total": results["total"], "rows": results["rows"]}


def w2(given: Given) -> Columns:
    """Sums of ten seconds, each added to the six minutes that it is in, and the largest score of each."""
    import polars as pl

    slices = (
        pl.scan_parquet(given.path("w1"))
        .group_by("key", start=pl.col("time").dt.truncate("10s"))
        .agg(total=pl.col("value").sum())
    )
    shifted = [slices.with_columns(end=pl.col("start").dt.offset_by(f"{10 + 10 * n}s")) for n in range(6)]
    query = (
        pl.concat(shifted)
        .group_by("key", "end")
        .agg(total=pl.col("total").sum())
        .group_by("end")
        .agg(score=(pl.col("total") * 1000 + pl.col("key")).max())
        .sort("end")
    )
    results = _collected(given, query)
    return {"end": _us(results["end"]), "score": results["score"]}


def w3(given: Given) -> Columns:
    """Rows sorted by key and time, cut where ten seconds are between two."""
    import polars as pl

    apart = (pl.col("time").diff() >= pl.duration(seconds=10)) | (pl.col("key").diff() != 0)
    query = (
        pl.scan_parquet(given.path("sessions"))
        .sort("key", "time")
        .with_columns(session=apart.fill_null(False).cum_sum())
        .group_by("session")
        .agg(
            key=pl.col("key").first(),
            start=pl.col("time").min(),
            total=pl.col("value").sum(),
            rows=pl.col("value").len(),
        )
    )
    return _summed(_collected(given, query))


def w4(given: Given) -> Columns:
    """A filter and an expression."""
    import polars as pl

    query = (
        pl.scan_parquet(given.path("w1"))
        .filter(pl.col("value") >= 500)
        .select("key", "time", score=pl.col("value") * 3 + pl.col("key"))
    )
    results = _collected(given, query)
    return {"key": results["key"], "time": _us(results["time"]), "score": results["score"]}


def w5(given: Given) -> Columns:
    """A join on key and truncated time, then sums."""
    import polars as pl

    left, right = (
        pl.scan_parquet(given.path(side)).with_columns(start=pl.col("time").dt.truncate("10s"))
        for side in ("left", "right")
    )
    query = (
        left.join(right, on=["key", "start"])
        .group_by("key", "start")
        .agg(total=(pl.col("value") + pl.col("value_right")).sum(), rows=pl.len())
        .sort("start", "key")
    )
    return _summed(_collected(given, query))


def _pairs(given: Given, query: Any) -> Columns:
    import polars as pl

    rows = _collected(given, query.select("key", "value", other=pl.col("value_right").fill_null(-1)))
    return {name: rows[name] for name in ("key", "value", "other")}


def window(given: Given) -> Columns:
    """A join on key and truncated time."""
    import polars as pl

    left, right = (
        pl.scan_parquet(given.path(side)).with_columns(start=pl.col("time").dt.truncate("10s"))
        for side in ("left", "right")
    )
    return _pairs(given, left.join(right, on=["key", "start"]))


def interval(given: Given) -> Columns:
    """A join on key and the ten seconds of a row, those before and after as well, then a filter."""
    import polars as pl

    left, right = (
        pl.scan_parquet(given.path(side)).with_columns(at=pl.col("time").dt.truncate("10s"))
        for side in ("left", "right")
    )
    near = pl.concat([right.with_columns(pl.col("at").dt.offset_by(by)) for by in ("-10s", "0s", "10s")])
    apart = (pl.col("time_right") - pl.col("time")).dt.total_microseconds()
    return _pairs(given, left.join(near, on=["key", "at"]).filter(apart.is_between(-5_000_000, 5_000_000)))


def asof(given: Given) -> Columns:
    """`join_asof` of sorted rows."""
    import polars as pl

    left, right = (pl.scan_parquet(given.path(side)).sort("time") for side in ("left", "right"))
    return _pairs(given, left.join_asof(right, on="time", by="key", tolerance="5s"))


def strings(given: Given) -> Columns:
    """W1 by keys of text."""
    import polars as pl

    query = (
        pl.scan_parquet(given.path("strings"))
        .group_by("key", start=pl.col("time").dt.truncate("10s"))
        .agg(total=pl.col("value").sum(), rows=pl.col("value").count())
        .sort("start", "key")
    )
    results = _collected(given, query)
    return _summed(results.with_columns(pl.col("key").str.slice(-6).cast(pl.Int64)))


def _scanned(given: Given, kind: str) -> Any:
    import polars as pl

    return pl.scan_parquet(given.path(kind))


def _numbers(results: Any) -> Columns:
    import polars as pl

    results = results.drop("extra", strict=False)
    return {
        name: _us(column) if column.dtype.base_type() == pl.Datetime else column.to_numpy()
        for name, column in zip(results.columns, results.get_columns(), strict=True)
    }


def _end(size: str) -> Any:
    import polars as pl

    return pl.col("date_time").dt.truncate(size).dt.offset_by(size)


def q0(given: Given) -> Columns:
    """Every bid."""
    query = _scanned(given, "bids").select("auction", "bidder", "price", "date_time", "extra")
    return _numbers(_collected(given, query))


def q1(given: Given) -> Columns:
    """Prices in euros."""
    import polars as pl

    query = _scanned(given, "bids").select("auction", "bidder", pl.col("price") * 89 // 100, "date_time", "extra")
    return _numbers(_collected(given, query))


def q2(given: Given) -> Columns:
    """Some auctions' bids."""
    import polars as pl

    query = _scanned(given, "bids").filter(pl.col("auction") % 123 == 0).select("auction", "price")
    return _numbers(_collected(given, query))


def q3(given: Given) -> Columns:
    """Who sells in three states, in one category."""
    import polars as pl

    sellers = _scanned(given, "persons").filter(pl.col("state").is_in(["OR", "ID", "CA"]))
    items = _scanned(given, "auctions").filter(pl.col("category") == 10)
    apart = (pl.col("date_time_right") - pl.col("date_time")).dt.total_microseconds().abs()
    pairs = sellers.join(items.with_columns(auction="id"), left_on="id", right_on="seller")
    query = pairs.filter(apart <= 600_000_000).select("name", "city", "state", "auction")
    return _numbers(_collected(given, query))


def q4(given: Given) -> Columns:
    """Mean prices of the auctions that closed, in sliding windows."""
    import polars as pl

    pairs = _scanned(given, "auctions").join(_scanned(given, "bids"), left_on="id", right_on="auction")
    after = (pl.col("date_time_right") - pl.col("date_time")).dt.total_microseconds()
    valid = pairs.filter(
        after.is_between(0, 600_000_000),
        pl.col("date_time_right") < pl.col("expires"),
        pl.col("price") >= pl.col("reserve"),
    )
    won = valid.group_by("id").agg(pl.col("category", "expires").first(), pl.col("price").max())
    start = (pl.col("expires") - pl.duration(microseconds=1)).dt.truncate("5s")
    ends = [won.with_columns(window_end=start.dt.offset_by(by)) for by in ("5s", "10s")]
    query = pl.concat(ends).group_by("window_end", "category").agg(pl.col("price").mean())
    return _numbers(_collected(given, query))


def q5(given: Given) -> Columns:
    """The auctions with the most bids of each sliding window."""
    import polars as pl

    slices = _scanned(given, "bids").group_by("auction", window_end=_end("5s")).agg(bids=pl.len().cast(pl.Int64))
    both = pl.concat([slices, slices.with_columns(pl.col("window_end").dt.offset_by("5s"))])
    counts = both.group_by("auction", "window_end").agg(pl.col("bids").sum())
    most = counts.group_by("window_end").agg(pl.col("bids").max())
    return _numbers(_collected(given, counts.join(most, on=["window_end", "bids"])))


def q7(given: Given) -> Columns:
    """The highest bids of each window."""
    import polars as pl

    bids = _scanned(given, "bids").select("auction", "bidder", "price", "date_time", window_end=_end("10s"))
    highest = bids.group_by("window_end").agg(pl.col("price").max())
    return _numbers(_collected(given, bids.join(highest, on=["window_end", "price"])))


def q8(given: Given) -> Columns:
    """People who joined and sold in the same window."""
    import polars as pl

    people = _scanned(given, "persons").select("id", "name", window_end=_end("10s"))
    items = _scanned(given, "auctions").select(pl.col("seller").alias("id"), "reserve", window_end=_end("10s"))
    return _numbers(_collected(given, people.join(items, on=["id", "window_end"])))
