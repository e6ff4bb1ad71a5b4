"""How a source knows its watermark: a small state per partition, chained from epoch to epoch.

A watermark of T says that no row before T follows. A policy's `observe` gives the watermark that each row meets (made
by the rows before it in its partition, never by itself), and the state after them; `combined` makes one watermark of a
source's partitions; `elsewhere` is what a row meets of the partitions that are not its own.
"""

from flower.model.watermarks.both import EarliestOf, LatestOf
from flower.model.watermarks.disorder import BoundedDisorder, Monotonic
from flower.model.watermarks.percentile import Percentile
from flower.model.watermarks.policy import Estimate, Told, WatermarkPolicy
from flower.model.watermarks.sources import combined, elsewhere, idle
from flower.model.watermarks.told import ManualWatermark, Punctuated

__all__ = [
    "BoundedDisorder",
    "EarliestOf",
    "Estimate",
    "LatestOf",
    "ManualWatermark",
    "Monotonic",
    "Percentile",
    "Punctuated",
    "Told",
    "WatermarkPolicy",
    "combined",
    "elsewhere",
    "idle",
]
