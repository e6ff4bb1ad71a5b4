"""The queries, each a function of the three streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

import flower as fl
from flower.datasets.nexmark.source import Streams


def query_0(streams: Streams) -> fl.Stream:
    """Pass through: every bid as it is.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> nexmark.query_0(nexmark.streams(events=1000)).select("auction", "price").head(2)
       auction  price
    0     1000   1853
    1     1000  62747
    """
    return streams.bids.select("auction", "bidder", "price", "date_time", "extra")


def query_1(streams: Streams) -> fl.Stream:
    """Currency conversion: every bid, its price in euros at 89 cents a dollar.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> nexmark.query_1(nexmark.streams(events=1000)).select("auction", "price").head(2)
       auction  price
    0     1000   1649
    1     1000  55844
    """
    return query_0(streams).assign(price="price * 89 // 100")


def query_2(streams: Streams, *, every: int = 123) -> fl.Stream:
    """Selection: the bids for every so manyth auction.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> nexmark.query_2(nexmark.streams(events=10_000)).head(2)
       auction  price
    0     1107   1278
    1     1107   7913
    """
    return streams.bids.filter(f"auction % {every} == 0").select("auction", "price")


def query_3(streams: Streams, *, within: str = "10min") -> fl.Stream:
    """Local item suggestion: who is selling in Oregon, Idaho or California, and what, in category 10.

    Beam keeps people and auctions that wait for one another for ten minutes of event time, in state per key with a
    timer. A join within that interval is the same: pairs come at once, whichever of the two was first.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> nexmark.query_3(nexmark.streams(events=10_000)).head(2)
              name         city state  auction
    0  John Abrams  Los Angeles    ID     1001
    1  John Abrams  Los Angeles    ID     1004
    """
    sellers = streams.persons.filter("state in ['OR', 'ID', 'CA']").select("id", "name", "city", "state")
    items = streams.auctions.filter("category == 10").select("id", "seller").rename(id="auction")
    pairs = sellers.rename(id="seller").join(items, "seller", within=(f"-{within}", within))
    return pairs.select("name", "city", "state", "auction")


def query_4(streams: Streams, *, size: str = "10s", every: str = "5s", longest: str = "10min") -> fl.Stream:
    """Average price of a category: of the winning bids of the auctions that closed, in sliding windows.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> nexmark.query_4(nexmark.streams(events=20_000)).assign(price="price // 100").collect().head(2)
                     window_end  category     price
    0 2015-07-15 00:00:05+00:00        10  384627.0
    1 2015-07-15 00:00:05+00:00        11  445269.0
    """
    won = query_9(streams, longest=longest).window(fl.SlidingWindows(size, every=every))
    return won.groupby("category").agg(price=("price", "mean")).select("window_end", "category", "price")


def query_5(streams: Streams, *, size: str = "10s", every: str = "5s") -> fl.Stream:
    """Hot items: the auctions with the most bids in sliding windows, all of them where several have as many.

    The counts of a sliding window have its end as event time, so a fixed window of ``every`` holds those of one.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> nexmark.query_5(nexmark.streams(events=100_000)).collect()
                     window_end  auction  bids
    0 2015-07-15 00:00:05+00:00     3300   832
    1 2015-07-15 00:00:10+00:00     4200   838
    2 2015-07-15 00:00:15+00:00     4200   838
    """
    sliding = streams.bids.window(fl.SlidingWindows(size, every=every))
    counts = sliding.groupby("auction").agg(bids="count").select("auction", "bids").window(fl.FixedWindows(every))
    most = counts.agg(bids=("bids", "max")).select("bids").window(fl.FixedWindows(every))
    return counts.join(most, "bids").select("window_end", "auction", "bids")


def query_7(streams: Streams, *, size: str = "10s") -> fl.Stream:
    """Highest bid: the bids with the highest price in each window, all of them where several have it.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> nexmark.query_7(nexmark.streams(events=100_000)).select("auction", "bidder", "price").collect()
       auction  bidder     price
    0     4474    1340  99967977
    """
    window = fl.FixedWindows(size)
    bids = streams.bids.select("auction", "bidder", "price", "date_time").window(window)
    highest = bids.agg(price=("price", "max")).select("price").window(window)
    return bids.join(highest, "price").select("window_end", "auction", "bidder", "price", "date_time")


def query_8(streams: Streams, *, size: str = "10s") -> fl.Stream:
    """New users who sell: people who joined and opened auctions in the same window, with what they ask for.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> nexmark.query_8(nexmark.streams(events=10_000)).collect().head(2)
                     window_end    id         name   reserve
    0 2015-07-15 00:00:10+00:00  1000  John Abrams  14380488
    1 2015-07-15 00:00:10+00:00  1000  John Abrams   4571296
    """
    window = fl.FixedWindows(size)
    people = streams.persons.select("id", "name").window(window)
    items = streams.auctions.select("seller", "reserve").rename(seller="id").window(window)
    return people.join(items, "id").select("window_end", "id", "name", "reserve")


@dataclass(frozen=True)
class WhileOpen(fl.WindowFn):
    """A window for each auction, from its opening to its end."""

    columns = ("opened", "expires")

    def assign(self, time: Any, rows: pd.DataFrame) -> tuple[Any, Any, Any]:
        """The window of the auction that is bid for."""
        return None, rows["opened"], rows["expires"]


def query_9(streams: Streams, *, longest: str = "10min") -> fl.Stream:
    """Winning bids: of each auction that closed, the highest bid that its reserve allows; of several, the first.

    A bid counts while its auction is open, so the two are joined within an interval: the time for which an auction may
    be open. What an auction got is given when the watermark passes its end, as each has a window of its own. (Beam also
    counts bids that came just before their auction was opened.)

    Parameters
    ----------
    longest : str
        No auction is open for longer; of one that is, later bids would be left out. See `Config.longest_auction_us`.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> won = nexmark.query_9(nexmark.streams(events=20_000))
    >>> won.select("window_end", "auction", "bidder", "price").collect().head(2)
                            window_end  auction  bidder     price
    0 2015-07-15 00:00:00.049623+00:00     1001    1001  31850322
    1 2015-07-15 00:00:00.079518+00:00     1029    1001  82296862
    """
    auctions = streams.auctions.select("id", "category", "reserve", "date_time", "expires")
    auctions = auctions.rename(id="auction", date_time="opened")
    bids = streams.bids.select("auction", "bidder", "price", "date_time")
    valid = auctions.join(bids, "auction", within=("0s", longest)).filter("date_time < expires and price >= reserve")
    won = (
        valid.window(WhileOpen())
        .groupby("auction")
        .agg(
            category=("category", "first"),
            bidder=("bidder", fl.MaxBy("price")),
            price=("price", "max"),
            date_time=("date_time", fl.MaxBy("price")),
        )
    )
    return won.select("auction", "category", "bidder", "price", "date_time", "window_start", "window_end")


def query_11(streams: Streams, *, gap: str = "10s") -> fl.Stream:
    """User sessions: how many bids each bidder makes until there are none for a while.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> nexmark.query_11(nexmark.streams(events=100_000), gap="1s").drop("window_start").collect().head(2)
       bidder  bids                       window_end
    0    1006    40 2015-07-15 00:00:02.522100+00:00
    1    1104    17 2015-07-15 00:00:02.637200+00:00
    """
    sessions = streams.bids.window(fl.Sessions(gap)).groupby("bidder").agg(bids="count")
    return sessions.select("bidder", "bids", "window_start", "window_end")


def query_12(streams: Streams, *, size: str = "10s") -> fl.Stream:
    """Windows of processing time: how many bids of each bidder come in every ten seconds of the clock.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> nexmark.query_12(nexmark.streams(events=1000)).collect()["bids"].sum().item()
    920
    """
    windows = streams.bids.window(fl.FixedWindows(size, time="processing")).groupby("bidder").agg(bids="count")
    return windows.select("bidder", "bids", "window_start", "window_end")


def side_input(rows: int = 500) -> pd.DataFrame:
    """The table of query 13: a text for each key from 0, below ``rows``.

    Examples
    --------
    >>> side_input(2)
       key value
    0    0     0
    1    1     1
    """
    keys = pd.RangeIndex(rows).to_series(name="key").reset_index(drop=True)
    return pd.DataFrame({"key": keys, "value": keys.astype("str")})


def query_13(streams: Streams, *, rows: int = 500) -> fl.Stream:
    """Bounded side input: every bid with what the table `side_input` has for its bidder.

    Examples
    --------
    >>> from flower.datasets import nexmark
    >>> nexmark.query_13(nexmark.streams(events=1000)).select("bidder", "price", "value").head(2)
       bidder  price value
    0    1005   1853     5
    1    1001  62747     1
    """
    bids = streams.bids.assign(key=f"bidder % {rows}").enrich(side_input(rows), on="key")
    return bids.select("auction", "bidder", "price", "date_time", "value")


QUERIES: Mapping[int, Callable[[Streams], fl.Stream]] = MappingProxyType(
    {
        0: query_0,
        1: query_1,
        2: query_2,
        3: query_3,
        4: query_4,
        5: query_5,
        7: query_7,
        8: query_8,
        9: query_9,
        11: query_11,
        12: query_12,
        13: query_13,
    }
)
"""By their numbers, those that Beam has: 6 and 10 are about other things than the model."""
