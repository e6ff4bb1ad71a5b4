"""Nexmark: an auction house as streams, and the queries that a streaming engine is tried on.

People join, open auctions and bid. The parameters are those of Apache Beam's generator, the queries those of Beam's
suite; `Config` and each query say where they differ.

>>> import flower as fl
>>> from flower.datasets import nexmark
>>> streams = nexmark.streams(events=100_000, out_of_order_group_size=1000)
>>> nexmark.query_7(streams, size="5s").select("window_end", "price").collect()
                 window_end     price
0 2015-07-15 00:00:05+00:00  99961358
1 2015-07-15 00:00:10+00:00  99967977
"""

from flower.datasets.nexmark.generator import Config
from flower.datasets.nexmark.queries import (
    QUERIES,
    query_0,
    query_1,
    query_2,
    query_3,
    query_4,
    query_5,
    query_7,
    query_8,
    query_9,
    query_11,
    query_12,
    query_13,
    side_input,
)
from flower.datasets.nexmark.source import Frames, NexmarkSource, Streams, auctions, bids, frames, persons, streams

__all__ = [
    "QUERIES",
    "Config",
    "Frames",
    "NexmarkSource",
    "Streams",
    "auctions",
    "bids",
    "frames",
    "persons",
    "query_0",
    "query_1",
    "query_2",
    "query_3",
    "query_4",
    "query_5",
    "query_7",
    "query_8",
    "query_9",
    "query_11",
    "query_12",
    "query_13",
    "side_input",
    "streams",
]
