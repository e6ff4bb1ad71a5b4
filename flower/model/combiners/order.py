"""First and last by event time, and the number of distinct values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flower.model.arrays import arrow, group_ends, group_starts, joined, missing, numbers, take
from flower.model.combiners.base import Combiner, Order, State
from flower.model.combiners.counted import Distinct, Pick
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
        pairs = np.unique(group * width + np.asarray(every.indices, np.int64))
        offsets = np.searchsorted(pairs, np.arange(n + 1) * width)
        return (self._lists(offsets, every.dictionary.take(pa.array(pairs % width))),)

    def retractable(self) -> Combiner:
        return Distinct(self)

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        return pa.array(np.diff(np.asarray(state[0].offsets)))
