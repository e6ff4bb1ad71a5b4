"""First and last by event time, the value beside another's least or greatest, and the number of distinct values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from flower.errors import GraphError
from flower.model.arrays import arrow, distinct, group_ends, group_starts, joined, missing, numbers, take
from flower.model.combiners.base import Combiner, Order, State
from flower.model.combiners.counted import Distinct, Pick, PickBy, present, ranks
from flower.model.time import I64, MAX_TIME, MIN_TIME


@dataclass(frozen=True, repr=False)
class Edge(Combiner):
    """The ``first`` or ``last`` value that is not missing, by event time, then partition, then position."""

    first: bool

    @property
    def name(self) -> str:  # type: ignore[override]
        return "first" if self.first else "last"

    def schema(self, column: pa.Field | None) -> pa.Field:
        assert column is not None
        return pa.field("", column.type, nullable=True)

    def create(self, n: int, column: pa.Field | None) -> State:
        assert column is not None
        worst = np.full(n, MAX_TIME if self.first else MIN_TIME)
        return (worst, worst.copy(), worst.copy(), pa.nulls(n, column.type))

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        assert column is not None
        rows: State = (order.time, order.partition, order.position, column)
        gone = missing(column)
        if gone is not None:
            kept = np.flatnonzero(~gone)
            codes, rows = codes[kept], tuple(take(part, kept) for part in rows)
        return self.merge(state, rows, codes)

    def merge(self, state: State, other: State, codes: I64) -> State:
        n = len(state[0])
        every = tuple(joined(pair) for pair in zip(state, other, strict=True))
        group = np.concatenate((np.arange(n), codes))
        sequence = np.lexsort((every[2], every[1], every[0], group))
        starts = group_starts(group[sequence])
        edges = starts if self.first else group_ends(starts, len(sequence))
        best = sequence[edges]
        return tuple(take(part, best) for part in every)

    def retractable(self) -> Combiner:
        return Pick(self, least=self.first, by_time=True)

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        value = state[3]
        assert isinstance(value, pa.Array)
        if pa.types.is_floating(value.type):
            return value.fill_null(float("nan"))
        return value


@dataclass(frozen=True, repr=False)
class _ByAnother(Combiner):
    """The value beside the least or greatest of another column."""

    by: str
    least: ClassVar[bool]

    def __post_init__(self) -> None:
        if not isinstance(self.by, str):
            raise GraphError(f"`by` of {type(self).__name__} must be the name of a column", got=repr(self.by))

    @property
    def others(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.by,)

    def schema(self, column: pa.Field | None) -> pa.Field:
        assert column is not None
        value, by = column.type
        if pa.types.is_nested(by.type) or pa.types.is_dictionary(by.type):
            raise self.refuse(by, "for `by` a column of numbers, bools, times or text")
        return pa.field("", value.type, nullable=True)

    def create(self, n: int, column: pa.Field | None) -> State:
        assert column is not None
        none = np.zeros(n, np.int64)
        return (none, none.copy(), none.copy(), *(pa.nulls(n, part.type) for part in reversed(list(column.type))))

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        assert column is not None
        value, by = column.flatten()
        rows: State = (order.time, order.partition, order.position, by, value)
        kept = present(column)
        if kept is not None:
            codes, rows = codes[kept], tuple(take(part, kept) for part in rows)
        return self.merge(state, rows, codes)

    def merge(self, state: State, other: State, codes: I64) -> State:
        n = len(state[0])
        every = tuple(joined(pair) for pair in zip(state, other, strict=True))
        time, partition, position, by = every[:4]
        group = np.concatenate((np.arange(n), codes))
        gone = missing(by)  # of groups that have no row yet; a row beats them
        there = np.ones(len(group), np.bool_) if gone is None else ~gone
        rank = ranks(by)[-1]
        if self.least:
            sequence = np.lexsort((position, partition, time, rank, ~there, group))
            best = sequence[group_starts(group[sequence])]
        else:
            sequence = np.lexsort((-position, -partition, -time, rank, there, group))
            best = sequence[group_ends(group_starts(group[sequence]), len(sequence))]
        return tuple(take(part, best) for part in every)

    def retractable(self) -> Combiner:
        return PickBy(self, self.least)

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        value = state[4]
        assert isinstance(value, pa.Array)
        return value.fill_null(float("nan")) if pa.types.is_floating(value.type) else value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.by!r})"


class MaxBy(_ByAnother):
    """The value of a column in the row where another is greatest; of several such rows, in the first by event time.

    Rows that lack the value or the other are left out. Rows of one event time stand in the order of their partition and
    position; where rows can be taken back, of their values.

    Parameters
    ----------
    by : str
        The column whose greatest value is looked for.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> bids = fl.read.frame(pd.DataFrame({"item": ["x", "x", "y"], "who": ["a", "b", "c"], "price": [3, 9, 4]}))
    >>> bids.groupby("item").agg(price=("price", "max"), who=("who", fl.MaxBy("price"))).collect()[
    ...     ["item", "price", "who"]
    ... ]
      item  price who
    0    x      9   b
    1    y      4   c
    """

    name = "max by"
    least = False


class MinBy(_ByAnother):
    """The value of a column in the row where another is least; of several such rows, in the first by event time.

    As `MaxBy` in all else.

    Parameters
    ----------
    by : str
        The column whose least value is looked for.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> stream = fl.read.frame(pd.DataFrame({"who": ["a", "b", "c"], "price": [3, 9, 4]}))
    >>> stream.agg(who=("who", fl.MinBy("price"))).collect()["who"].tolist()
    ['a']
    """

    name = "min by"
    least = True


@dataclass(frozen=True, repr=False)
class Latest(Edge):
    """The value in the row of the latest event time, then partition, then position, also if it is missing there.

    So several columns aggregated by it are those of one row, as `flower.Stream.latest` gives them. It cannot take rows
    back.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> times = pd.to_datetime(["2000-01-01 12:10", "2000-01-01 12:05"], utc=True)
    >>> stream = fl.read.frame(pd.DataFrame({"t": times, "v": [None, 2]}), event_time="t")
    >>> stream.agg(last=("v", "last"), latest=("v", fl.Latest())).collect()[["last", "latest"]]
       last  latest
    0   2.0     NaN
    """

    first: bool = False
    name = "latest"

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        assert column is not None
        return self.merge(state, (order.time, order.partition, order.position, column), codes)

    def retractable(self) -> None:  # type: ignore[override]
        return None

    def __repr__(self) -> str:
        return "Latest()"


@dataclass(frozen=True, repr=False)
class Duration(Combiner):
    """How long it was from the earliest to the latest event time of the rows; missing where there are none.

    Of a session it is the time from its first to its last row, without the gap that follows. It cannot take rows back.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> times = pd.to_datetime(["2000-01-01 12:00", "2000-01-01 12:20", "2000-01-01 14:00"], utc=True)
    >>> visits = fl.read.frame(pd.DataFrame({"t": times}), event_time="t").window(fl.Sessions("30min"))
    >>> visits.agg(length=fl.Duration(), clicks="count").collect()[["length", "clicks"]]
               length  clicks
    0 0 days 00:20:00       2
    1 0 days 00:00:00       1
    """

    name = "duration"
    needs_column = False
    timed = True

    def schema(self, column: pa.Field | None) -> pa.Field:
        return pa.field("", pa.duration("us"), nullable=True)

    def create(self, n: int, column: pa.Field | None) -> State:
        return (np.full(n, MAX_TIME), np.full(n, MIN_TIME))

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        return self.merge(state, (order.time, order.time), codes)

    def merge(self, state: State, other: State, codes: I64) -> State:
        np.minimum.at(state[0], codes, other[0])
        np.maximum.at(state[1], codes, other[1])
        return state

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        none = state[1] < state[0]
        return pa.array(np.where(none, 0, state[1] - state[0]), mask=none).view(pa.duration("us"))

    def __repr__(self) -> str:
        return "Duration()"


@dataclass(frozen=True, repr=False)
class Nunique(Combiner):
    """How many distinct values there are, exactly; needs all of them in its state."""

    name = "nunique"
    needs_all = True

    def schema(self, column: pa.Field | None) -> pa.Field:
        return pa.field("", pa.int64(), nullable=False)

    def create(self, n: int, column: pa.Field | None) -> State:
        assert column is not None
        return (self._lists(np.zeros(n + 1, np.int64), pa.array([], column.type)),)

    @staticmethod
    def _lists(offsets: I64, values: pa.Array) -> pa.Array:
        return pa.LargeListArray.from_arrays(pa.array(offsets), values)

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        assert column is not None
        gone = missing(column)
        if gone is not None:
            kept = np.flatnonzero(~gone)
            codes, column = codes[kept], take(column, kept)
        if pa.types.is_floating(column.type):
            # -0.0 is 0.0, though their bits differ.
            column = arrow(numbers(column) + column.type.to_pandas_dtype()(0), column.type)
        return self._distinct(state[0], codes, column)

    def merge(self, state: State, other: State, codes: I64) -> State:
        lists = other[0]
        counts = np.diff(np.asarray(lists.offsets))
        return self._distinct(state[0], np.repeat(codes, counts), lists.flatten())

    def _distinct(self, lists: pa.Array, codes: I64, values: pa.Array) -> State:
        n = len(lists)
        group = np.concatenate((np.repeat(np.arange(n), np.diff(np.asarray(lists.offsets))), codes))
        every = joined((lists.flatten(), values)).dictionary_encode()
        width = max(len(every.dictionary), 1)
        pairs = distinct(group * width + np.asarray(every.indices, np.int64))
        offsets = np.searchsorted(pairs, np.arange(n + 1) * width)
        return (self._lists(offsets, every.dictionary.take(pa.array(pairs % width))),)

    def retractable(self) -> Combiner:
        return Distinct(self)

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        return pa.array(np.diff(np.asarray(state[0].offsets)))
