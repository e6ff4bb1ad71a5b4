"""Aggregates of several columns, and those that need to know their window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flower.errors import GraphError
from flower.model.arrays import missing, numbers
from flower.model.combiners.base import Combiner, Order, State
from flower.model.combiners.named import combiner_of
from flower.model.combiners.numeric import numeric
from flower.model.time import I64


@dataclass(frozen=True)
class WeightedMean(Combiner):
    """The mean weighted by another column, as float64; missing where the weights add up to 0.

    Rows that lack the value or the weight are left out. Where rows are taken back, rounding may leave a difference as
    for the sum, and an infinite value that is taken back leaves NaN.

    Parameters
    ----------
    weight : str
        The column of weights.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> stream = fl.read.frame(pd.DataFrame({"delay": [10, 40], "seats": [200, 100]}))
    >>> stream.agg(mean=("delay", fl.WeightedMean("seats"))).collect()["mean"].tolist()
    [20.0]
    """

    weight: str
    name = "weighted mean"

    def __post_init__(self) -> None:
        if not isinstance(self.weight, str):
            raise GraphError("`weight` of WeightedMean must be the name of a column", got=repr(self.weight))

    @property
    def others(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.weight,)

    def schema(self, column: pa.Field | None) -> pa.Field:
        assert column is not None
        for part in column.type:
            if not numeric(part.type):
                raise self.refuse(part, "columns of numbers or bools")
        return pa.field("", pa.float64(), nullable=True)

    def create(self, n: int, column: pa.Field | None) -> State:
        return (np.zeros(n), np.zeros(n), np.zeros(n, np.int64))

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        codes, values, weights = self._present(codes, column)
        np.add.at(state[0], codes, values * weights)
        np.add.at(state[1], codes, weights)
        np.add.at(state[2], codes, 1)
        return state

    def subtract(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        codes, values, weights = self._present(codes, column)
        np.subtract.at(state[0], codes, values * weights)
        np.subtract.at(state[1], codes, weights)
        np.subtract.at(state[2], codes, 1)
        return state

    @staticmethod
    def _present(codes: I64, column: pa.Array | None) -> tuple[I64, npt.NDArray[Any], npt.NDArray[Any]]:
        assert column is not None
        values, weights = column.flatten()
        there = np.ones(len(codes), np.bool_)
        for part in (values, weights):
            gone = missing(part)
            if gone is not None:
                there &= ~gone
        left, right = (numbers(part).astype(np.float64)[there] for part in (values, weights))
        return codes[there], left, right

    def merge(self, state: State, other: State, codes: I64) -> State:
        for mine, theirs in zip(state, other, strict=True):
            np.add.at(mine, codes, theirs)
        return state

    def retractable(self) -> Combiner:
        return self

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        total, weight, count = state
        some = (weight != 0) & (count > 0)
        return pa.array(np.divide(total, weight, out=np.full(len(total), np.nan), where=some))

    def __repr__(self) -> str:
        return f"WeightedMean({self.weight!r})"


@dataclass(frozen=True)
class Rate(Combiner):
    """A count or sum per second of the window's length (a session's own), as float64.

    Parameters
    ----------
    of : {"count", "sum", "size"}
        What is divided.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> frame = pd.DataFrame({"t": pd.to_datetime(["2000-01-01 12:00:10", "2000-01-01 12:00:50"], utc=True)})
    >>> stream = fl.read.frame(frame, event_time="t").window(fl.FixedWindows("1min"))
    >>> stream.agg(per_second=fl.Rate()).collect()["per_second"].round(3).tolist()
    [0.033]
    """

    of: str = "count"
    name = "rate"
    windowed = True

    def __post_init__(self) -> None:
        if self.of not in ("count", "sum", "size"):
            raise GraphError("`of` of Rate must be count, sum or size", got=repr(self.of))

    @property
    def needs_column(self) -> bool:  # type: ignore[override]
        return self.of == "sum"

    @property
    def _law(self) -> Combiner:
        return combiner_of(self.of)

    @property
    def basis(self) -> object:
        return self._law.basis

    def schema(self, column: pa.Field | None) -> pa.Field:
        self._law.schema(column)
        return pa.field("", pa.float64(), nullable=True)

    def create(self, n: int, column: pa.Field | None) -> State:
        return self._law.create(n, column)

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        return self._law.add(state, codes, column, order)

    def subtract(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        return self._law.subtract(state, codes, column, order)

    def merge(self, state: State, other: State, codes: I64) -> State:
        return self._law.merge(state, other, codes)

    def retractable(self) -> Combiner:
        return self

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        raise GraphError("a rate needs the ends of its window", hint="use extract_over")

    def extract_over(self, state: State, column: pa.Field | None, start: I64, end: I64) -> pa.Array:
        seconds = (end - start) / 1e6
        return pa.array(numbers(self._law.extract(state, column)) / seconds)

    def __repr__(self) -> str:
        return f"Rate({'' if self.of == 'count' else repr(self.of)})"
