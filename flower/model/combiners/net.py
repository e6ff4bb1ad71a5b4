"""Sums and what is made of them where rows can be taken back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flower.model.arrays import arrow, numbers
from flower.model.combiners.base import Combiner, Order, State
from flower.model.time import I64


@dataclass(frozen=True, repr=False)
class Net(Combiner):
    """An aggregate of floats that can subtract, with infinite values counted apart: one that is taken back is gone,
    where infinity less infinity would leave NaN for ever.

    Integers are exact. A float result may differ from that of the remaining rows by rounding: by at most 2**-52 times
    the number of rows and retractions times the greatest sum on the way. Where no value remains, nothing does.
    """

    of: Combiner

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.of.name

    @property
    def combines(self) -> str | None:  # type: ignore[override]
        return self.of.combines

    def schema(self, column: pa.Field | None) -> pa.Field:
        return self.of.schema(column)

    def create(self, n: int, column: pa.Field | None) -> State:
        counts = tuple(np.zeros(n, np.int64) for _ in range(3))  # finite, inf and -inf
        return (*counts, *self.of.create(n, column))

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        return self._signed(state, codes, column, order, 1)

    def subtract(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        return self._signed(state, codes, column, order, -1)

    def _signed(self, state: State, codes: I64, column: pa.Array | None, order: Order, sign: int) -> State:
        assert column is not None
        finite = np.asarray(column.is_valid())
        if pa.types.is_floating(column.type):
            values = numbers(column)
            finite = np.isfinite(values)
            np.add.at(state[1], codes[values == np.inf], sign)
            np.add.at(state[2], codes[values == -np.inf], sign)
            if not finite.all():
                column = arrow(values, column.type, ~finite)
        np.add.at(state[0], codes[finite], sign)
        change = self.of.add if sign > 0 else self.of.subtract
        return (*state[:3], *change(state[3:], codes, column, order))

    def merge(self, state: State, other: State, codes: I64) -> State:
        for mine, theirs in zip(state[:3], other[:3], strict=True):
            np.add.at(mine, codes, theirs)
        return (*state[:3], *self.of.merge(state[3:], other[3:], codes))

    def retractable(self) -> Combiner:
        return self

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        assert column is not None
        finite, plus, minus, *rest = state
        kind = self.schema(column).type
        values = numbers(self.of.extract(tuple(rest), column)).copy()
        empty = finite == 0
        if empty.any():
            nothing = numbers(self.of.extract(self.of.create(1, column), column))
            values[empty] = nothing[0]
        if pa.types.is_floating(column.type):
            values[plus > 0] = np.inf
            values[minus > 0] = -np.inf
            values[(plus > 0) & (minus > 0)] = np.nan
        return arrow(values, kind)
