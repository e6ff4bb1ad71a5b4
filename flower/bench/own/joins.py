"""Joins of a million rows a side, Flower's side: in windows, within five seconds of one another, and as of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

# Loaded before the clock starts, as the other systems are; the work "first-pane" counts it.
import flower.engine.run  # noqa: F401

if TYPE_CHECKING:
    from flower import Stream
    from flower.bench.child import Columns, Given


def _joined(given: Given, join: Callable[[Stream, Stream], Stream]) -> Columns:
    import pandas as pd

    import flower as fl

    left, right = (
        fl.read.parquet(given.path(side), event_time="time", watermark=fl.BoundedDisorder("5s"))
        for side in ("left", "right")
    )
    pairs = join(left.select("key", "value"), right.select("key", "value").rename(value="other"))
    pairs = pairs.select("key", "value", "other")
    frames: list[pd.DataFrame] = []
    sink = pairs.write.foreach(frames.append)
    with given.measure():
        if given.variant == "collect":
            frames.append(pairs.collect())
        else:
            sink.run().wait(progress=False)
    rows = pd.concat(frames)
    return {"key": rows["key"], "value": rows["value"], "other": rows["other"].fillna(-1)}


def window(given: Given) -> Columns:
    """Pairs of the same key in the same ten seconds."""
    import flower as fl

    ten = fl.FixedWindows("10s")
    return _joined(given, lambda left, right: left.window(ten).join(right.window(ten), "key"))


def interval(given: Given) -> Columns:
    """Pairs of the same key at most five seconds apart."""
    return _joined(given, lambda left, right: left.join(right, "key", within=("-5s", "5s")))


def asof(given: Given) -> Columns:
    """Each left row with the last right one of the five seconds before it."""
    return _joined(given, lambda left, right: left.join_asof(right, "key", tolerance="5s"))
