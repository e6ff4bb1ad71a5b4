"""Nexmark's queries over files of its people, auctions and bids, Flower's side."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

# Loaded before the clock starts, as the other systems are; the work "first-pane" counts it.
import flower.engine.run  # noqa: F401

if TYPE_CHECKING:
    import pandas as pd

    from flower.bench.child import Columns, Given


def _answered(given: Given, number: int) -> Columns:
    import pandas as pd

    import flower as fl
    from flower.bench.data import NEXMARK
    from flower.datasets import nexmark

    bound = nexmark.bids(given.rows, **NEXMARK).node.watermark  # type: ignore[attr-defined]
    kinds = nexmark.Streams._fields
    read = (fl.read.parquet(given.path(kind), event_time="date_time", watermark=bound) for kind in kinds)
    answer = nexmark.QUERIES[number](nexmark.Streams(*read))
    frames: list[pd.DataFrame] = []
    sink = answer.write.foreach(frames.append)
    with given.measure():
        if given.variant == "collect":
            frames.append(answer.collect())
        else:
            sink.run().wait(progress=False)
    return _columns(pd.concat(frames))


def _columns(rows: pd.DataFrame) -> Columns:
    """Times as microseconds; what pads a row is left out."""
    import pandas as pd

    made = {}
    for name, column in rows.items():
        if name != "extra":
            times = isinstance(column.dtype, pd.DatetimeTZDtype)
            made[str(name)] = column.dt.as_unit("us").astype("int64") if times else column
    return made


def _query(number: int) -> Callable[[Given], Columns]:
    def measured(given: Given) -> Columns:
        return _answered(given, number)

    measured.__doc__ = f"Query {number}; as the variant says, as a stream or as a frame."
    return measured


q0, q1, q2, q3, q4, q5 = map(_query, range(6))
q7, q8, q9 = map(_query, range(7, 10))
q11, q13 = map(_query, (11, 13))
