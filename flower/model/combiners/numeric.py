"""Count, sum, mean, minimum and maximum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flower.model.arrays import Bools, arrow, joined, missing, numbers
from flower.model.combiners.base import Combiner, Order, State
from flower.model.combiners.counted import Pick, Recounted
from flower.model.combiners.net import Net
from flower.model.time import I64


def present(codes: I64, column: pa.Array) -> tuple[I64, npt.NDArray[Any]]:
    """Codes and values of the rows that have a value."""
    gone = missing(column)
    values = numbers(column)
    return (codes, values) if gone is None else (codes[~gone], values[~gone])


def numeric(kind: pa.DataType) -> bool:
    """Whether values of a type can be computed with."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


@dataclass(frozen=True, repr=False)
class Count(Combiner):
    """How many values are not missing; without a column, how many rows."""

    name = "count"
    needs_column = False
    combines = "sum"

    def schema(self, column: pa.Field | None) -> pa.Field:
        return pa.field("", pa.int64(), nullable=False)

    def create(self, n: int, column: pa.Field | None) -> State:
        return (np.zeros(n, np.int64),)

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        gone = None if column is None else missing(column)
        present = codes if gone is None else codes[~gone]
        np.add.at(state[0], present, 1)
        return state

    def subtract(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        gone = None if column is None else missing(column)
        np.subtract.at(state[0], codes if gone is None else codes[~gone], 1)
        return state

    def retractable(self) -> Combiner:
        return self

    def merge(self, state: State, other: State, codes: I64) -> State:
        np.add.at(state[0], codes, other[0])
        return state

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        return arrow(state[0], pa.from_numpy_dtype(state[0].dtype))


@dataclass(frozen=True, repr=False)
class Size(Count):
    """How many rows there are, whatever is missing."""

    name = "size"

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        return super().add(state, codes, None, order)

    def subtract(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        return super().subtract(state, codes, None, order)


@dataclass(frozen=True, repr=False)
class Sum(Combiner):
    """The sum; 0 where there is no value. Integers and bools add up to int64, unsigned 64-bit ones to uint64, floats to
    float64.
    """

    name = "sum"
    combines = "sum"

    def _kind(self, column: pa.Field | None) -> pa.DataType:
        assert column is not None
        if not numeric(column.type):
            raise self.refuse(column, "a column of numbers or bools")
        if pa.types.is_floating(column.type):
            return pa.float64()
        return pa.uint64() if column.type == pa.uint64() else pa.int64()

    def schema(self, column: pa.Field | None) -> pa.Field:
        kind = self._kind(column)
        return pa.field("", kind, nullable=pa.types.is_floating(kind))

    def create(self, n: int, column: pa.Field | None) -> State:
        return (np.zeros(n, self._kind(column).to_pandas_dtype()),)

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        codes, values = present(codes, column)
        total = state[0]
        np.add.at(total, codes, values.astype(total.dtype, copy=False))
        return state

    def subtract(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        codes, values = present(codes, column)
        total = state[0]
        np.subtract.at(total, codes, values.astype(total.dtype, copy=False))
        return state

    def retractable(self) -> Combiner:
        return Net(self)

    def merge(self, state: State, other: State, codes: I64) -> State:
        np.add.at(state[0], codes, other[0])
        return state

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        return arrow(state[0], pa.from_numpy_dtype(state[0].dtype))


@dataclass(frozen=True, repr=False)
class Mean(Combiner):
    """The arithmetic mean as float64; missing where there is no value."""

    name = "mean"

    def schema(self, column: pa.Field | None) -> pa.Field:
        assert column is not None
        if not numeric(column.type):
            raise self.refuse(column, "a column of numbers or bools")
        return pa.field("", pa.float64(), nullable=True)

    def create(self, n: int, column: pa.Field | None) -> State:
        return (np.zeros(n), np.zeros(n, np.int64))

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        codes, values = present(codes, column)
        np.add.at(state[0], codes, values.astype(np.float64, copy=False))
        np.add.at(state[1], codes, 1)
        return state

    def subtract(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        codes, values = present(codes, column)
        np.subtract.at(state[0], codes, values.astype(np.float64, copy=False))
        np.subtract.at(state[1], codes, 1)
        return state

    def retractable(self) -> Combiner:
        return Net(self)

    def merge(self, state: State, other: State, codes: I64) -> State:
        np.add.at(state[0], codes, other[0])
        np.add.at(state[1], codes, other[1])
        return state

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        total, count = state
        return pa.array(np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0))


@dataclass(frozen=True, repr=False)
class Truth(Combiner):
    """Whether ``all`` or ``any`` of the values are true (not 0); true and false where there is no value."""

    every: bool

    @property
    def name(self) -> str:  # type: ignore[override]
        return "all" if self.every else "any"

    def schema(self, column: pa.Field | None) -> pa.Field:
        assert column is not None
        if not numeric(column.type):
            raise self.refuse(column, "a column of numbers or bools")
        return pa.field("", pa.bool_(), nullable=False)

    def create(self, n: int, column: pa.Field | None) -> State:
        return (np.zeros(n, np.int64), np.zeros(n, np.int64))

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        codes, values = present(codes, column)
        true = values != 0
        np.add.at(state[0], codes[true], 1)
        np.add.at(state[1], codes[~true], 1)
        return state

    def subtract(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        codes, values = present(codes, column)
        true = values != 0
        np.subtract.at(state[0], codes[true], 1)
        np.subtract.at(state[1], codes[~true], 1)
        return state

    def merge(self, state: State, other: State, codes: I64) -> State:
        np.add.at(state[0], codes, other[0])
        np.add.at(state[1], codes, other[1])
        return state

    def retractable(self) -> Combiner:
        return self

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        true, false = state
        return pa.array(false <= 0 if self.every else true > 0)


@dataclass(frozen=True, repr=False)
class Product(Combiner):
    """The product; 1 where there is no value. Types as for the sum; integers that overflow wrap around."""

    name = "prod"

    def schema(self, column: pa.Field | None) -> pa.Field:
        assert column is not None
        if not numeric(column.type):
            raise self.refuse(column, "a column of numbers or bools")
        return Sum().schema(column)

    def create(self, n: int, column: pa.Field | None) -> State:
        return (np.ones(n, self.schema(column).type.to_pandas_dtype()),)

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        codes, values = present(codes, column)
        np.multiply.at(state[0], codes, values.astype(state[0].dtype, copy=False))
        return state

    def merge(self, state: State, other: State, codes: I64) -> State:
        np.multiply.at(state[0], codes, other[0])
        return state

    def retractable(self) -> Combiner:
        return Recounted(self)

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        return arrow(state[0], pa.from_numpy_dtype(state[0].dtype))


@lru_cache(64)
def _identity(least: bool, of: pa.DataType) -> Any:
    """What the least or greatest of no values of a type is, as NumPy has it."""
    kind = numbers(pa.array([], of)).dtype
    if kind.kind == "f":
        return kind.type(np.inf if least else -np.inf)
    if kind.kind == "b":
        return kind.type(least)
    bounds = np.iinfo(kind)
    return kind.type(bounds.max if least else bounds.min)


@dataclass(frozen=True, repr=False)
class Extreme(Combiner):
    """The least (``min``) or greatest (``max``) value, of the column's own type; missing where there is no value."""

    least: bool

    @property
    def name(self) -> str:  # type: ignore[override]
        return "min" if self.least else "max"

    @property
    def combines(self) -> str:  # type: ignore[override]
        return self.name

    def schema(self, column: pa.Field | None) -> pa.Field:
        assert column is not None
        kind = column.type
        text = pa.types.is_large_string(kind)
        if not (text or numeric(kind) or pa.types.is_temporal(kind)):
            raise self.refuse(column, "a column of numbers, bools, times or text")
        return pa.field("", kind, nullable=True)

    def create(self, n: int, column: pa.Field | None) -> State:
        assert column is not None
        if pa.types.is_large_string(column.type):
            return (pa.nulls(n, column.type),)
        identity = _identity(self.least, column.type)
        return (np.full(n, identity, identity.dtype), np.zeros(n, np.bool_))

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        assert column is not None
        if isinstance(state[0], pa.Array):
            return self._pick(state[0], column, codes)
        codes, values = present(codes, column)
        self._reduce(state[0], codes, values)
        state[1][codes] = True
        return state

    def merge(self, state: State, other: State, codes: I64) -> State:
        if isinstance(state[0], pa.Array):
            return self._pick(state[0], other[0], codes)
        self._reduce(state[0], codes, other[0])
        seen: Bools = other[1]
        state[1][codes[seen]] = True
        return state

    def retractable(self) -> Combiner:
        return Pick(self, least=self.least)

    def _reduce(self, best: npt.NDArray[Any], codes: I64, values: npt.NDArray[Any]) -> None:
        (np.minimum if self.least else np.maximum).at(best, codes, values)

    def _pick(self, best: pa.Array, values: pa.Array, codes: I64) -> State:
        """Text has no scatter: rank all values, scatter the ranks."""
        everything = joined((best, values)).dictionary_encode()
        order = np.asarray(pc.array_sort_indices(everything.dictionary), np.int64)
        rank = np.empty(len(order) + 1, np.int64)
        rank[order] = np.arange(len(order))
        rank[-1] = len(order) if self.least else -1
        at = np.asarray(everything.indices.fill_null(len(order)), np.int64)
        ranks = rank[at]
        chosen = ranks[: len(best)].copy()
        self._reduce(chosen, codes, ranks[len(best) :])
        none = (chosen < 0) | (chosen >= len(order))
        picks = pa.array(order[np.where(none, 0, chosen)], mask=none) if len(order) else pa.nulls(len(best), pa.int64())
        return (everything.dictionary.take(picks),)

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        assert column is not None
        if isinstance(state[0], pa.Array):
            return state[0]
        return arrow(state[0], column.type, ~state[1])
