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
            SELECT *, epoch_us(time) AS us,
                (us - lag(us) OVER (PARTITION BY key ORDER BY us) >= 10000000)::INTEGER AS apart
            FROM read_parquet('{given.path("sessions")}')
        ), numbered AS (
            SELECT *, sum(coalesce(apart, 0)) OVER (PARTITION BY key ORDER BY us ROWS UNBOUNDED PRECEDING) AS session
            FROM cut
        )
        SELECT key, min(us) AS start, sum(value)::BIGINT AS total, count(*) AS rows
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


def nexmark(given: Given, query: str) -> Columns:
    """A query of Nexmark, with the names that stand for its files."""
    for kind in ("persons", "auctions", "bids"):
        query = query.replace(f"<{kind}>", f"read_parquet('{given.path(kind)}')")
    return _fetched(given, query)


def q0(given: Given) -> Columns:
    """Every bid."""
    rows = dict(nexmark(given, "SELECT auction, bidder, price, epoch_us(date_time) AS date_time, extra FROM <bids>"))
    rows.pop("extra")
    return rows


def q1(given: Given) -> Columns:
    """Prices in euros."""
    query = "SELECT auction, bidder, price * 89 // 100 AS price, epoch_us(date_time) AS date_time, extra FROM <bids>"
    rows = dict(nexmark(given, query))
    rows.pop("extra")
    return rows


def q2(given: Given) -> Columns:
    """Some auctions' bids."""
    return nexmark(given, "SELECT auction, price FROM <bids> WHERE auction % 123 = 0")


def q3(given: Given) -> Columns:
    """Who sells in three states, in one category."""
    query = """
        SELECT name, city, state, a.id AS auction FROM <persons> p JOIN <auctions> a ON p.id = a.seller
        WHERE state IN ('OR', 'ID', 'CA') AND category = 10
            AND abs(epoch_us(a.date_time) - epoch_us(p.date_time)) <= 600000000"""
    return nexmark(given, query)


def q4(given: Given) -> Columns:
    """Mean prices of the auctions that closed, in sliding windows."""
    query = """
        WITH won AS (
            SELECT any_value(category) AS category, max(price) AS price, any_value(epoch_us(expires)) - 1 AS last
            FROM <auctions> a JOIN <bids> b ON a.id = b.auction
            WHERE b.date_time >= a.date_time AND b.date_time < expires AND price >= reserve
                AND epoch_us(b.date_time) - epoch_us(a.date_time) <= 600000000
            GROUP BY a.id
        )
        SELECT last // 5000000 * 5000000 + n * 5000000 AS window_end, category, avg(price) AS price
        FROM won, range(1, 3) AS numbers(n) GROUP BY ALL"""
    return nexmark(given, query)


COUNTS = """
    SELECT auction, epoch_us(date_time) // 5000000 * 5000000 + n * 5000000 AS window_end, count(*) AS bids
    FROM <bids>, range(1, 3) AS numbers(n) GROUP BY ALL"""


def q5(given: Given) -> Columns:
    """The auctions with the most bids of each sliding window."""
    query = f"""
        WITH counts AS ({COUNTS})
        SELECT window_end, auction, bids FROM counts
        JOIN (SELECT window_end, max(bids) AS bids FROM counts GROUP BY ALL) USING (window_end, bids)"""
    return nexmark(given, query)


def q7(given: Given) -> Columns:
    """The highest bids of each window."""
    query = """
        WITH bids AS (
            SELECT epoch_us(date_time) // 10000000 * 10000000 + 10000000 AS window_end, auction, bidder, price,
                epoch_us(date_time) AS date_time
            FROM <bids>
        )
        SELECT window_end, auction, bidder, price, date_time FROM bids
        JOIN (SELECT window_end, max(price) AS price FROM bids GROUP BY ALL) USING (window_end, price)"""
    return nexmark(given, query)


def q8(given: Given) -> Columns:
    """People who joined and sold in the same window."""
    at = "epoch_us(date_time) // 10000000 * 10000000 + 10000000 AS window_end"
    query = f"""
        SELECT window_end, id, name, reserve FROM (SELECT id, name, {at} FROM <persons>)
        JOIN (SELECT seller AS id, reserve, {at} FROM <auctions>) USING (id, window_end)"""
    return nexmark(given, query)
