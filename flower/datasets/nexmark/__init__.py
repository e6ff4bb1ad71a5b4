"""Nexmark: an auction house as streams, and the queries that a streaming engine is tried on.

People join, open auctions and bid. The parameters are those of Apache Beam's generator, the queries those of Beam's
suite; `Config` and each query say where they differ.
"""

from flower.datasets.nexmark.generator import Config
from flower.datasets.nexmark.source import Frames, NexmarkSource, Streams, auctions, bids, frames, persons, streams

__all__ = ["Config", "Frames", "NexmarkSource", "Streams", "auctions", "bids", "frames", "persons", "streams"]
