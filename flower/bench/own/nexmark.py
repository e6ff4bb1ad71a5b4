"""Nexmark's queries, Flower's side: the events are made as they are read, which counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from flower.bench.child import Columns, Given

RATE = 10_000
"""Events in a second of event time."""
DISORDER = 1_000
"""Events of a group that comes in an order of its own."""


def _answered(given: Given, number: int) -> Columns:
    import pandas as pd

    from flower.datasets import nexmark

    streams = nexmark.streams(events=given.rows, rate=RATE, out_of_order_group_size=DISORDER)
    answer = nexmark.QUERIES[number](streams)
    frames: list[pd.DataFrame] = []
    sink = answer.write.foreach(frames.append)
    with given.measure():
        if given.variant == "collect":
            frames.append(answer.collect())
        else:
            sink.run().wait(progress=False)
    return _columns(pd.concat(frames))


def _columns(rows: pd.DataFrame) -> Columns:
    """Times as microseconds, text as what a hash makes of it."""
    import pandas as pd

    made = {}
    for name, column in rows.items():
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            column = column.dt.as_unit("us").astype("int64")
        elif isinstance(column.dtype, pd.StringDtype):
            column = pd.Series(pd.util.hash_array(column.to_numpy(object), categorize=True))
        made[str(name)] = column.to_numpy()
    return made


def _query(number: int) -> Callable[[Given], Columns]:
    def measured(given: Given) -> Columns:
        return _answered(given, number)

    measured.__doc__ = f"Query {number}; as the variant says, as a stream or as a frame."
    return measured


q0, q1, q2, q3, q4, q5 = map(_query, range(6))
q7, q8, q9 = map(_query, range(7, 10))
q11, q13 = map(_query, (11, 13))
