"""Variance, standard deviation and standard error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from flower.model.combiners.base import Combiner, Order, State
from flower.model.combiners.counted import Recounted
from flower.model.combiners.numeric import numeric, present
from flower.model.time import I64


@dataclass(frozen=True, repr=False)
class Spread(Combiner):
    """Of a sample (one degree of freedom less than values), as float64; missing below two values.

    ``var`` is the variance, ``std`` its root, ``sem`` the standard error of the mean. Partial states (count, mean, sum
    of squared deviations) merge by the formula of Chan, Golub and LeVeque (1979), which does not cancel.
    """

    of: Literal["var", "std", "sem"]

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.of

    @property
    def basis(self) -> object:
        return Spread

    def schema(self, column: pa.Field | None) -> pa.Field:
        assert column is not None
        if not numeric(column.type):
            raise self.refuse(column, "a column of numbers or bools")
        return pa.field("", pa.float64(), nullable=True)

    def create(self, n: int, column: pa.Field | None) -> State:
        return (np.zeros(n, np.int64), np.zeros(n), np.zeros(n))

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        codes, values = present(codes, column)
        values = values.astype(np.float64, copy=False)
        n = len(state[0])
        count, total, squares = np.zeros(n, np.int64), np.zeros(n), np.zeros(n)
        np.add.at(count, codes, 1)
        np.add.at(total, codes, values)
        mean = np.divide(total, count, out=np.zeros(n), where=count > 0)
        with np.errstate(invalid="ignore"):
            np.add.at(squares, codes, (values - mean[codes]) ** 2)
        return self.merge(state, (count, mean, squares), np.arange(n))

    def merge(self, state: State, other: State, codes: I64) -> State:
        count, mean, squares = state
        more, other_mean, other_squares = other
        n = count.copy()
        np.add.at(n, codes, more)
        weighted = count * mean
        np.add.at(weighted, codes, more * other_mean)
        merged = np.divide(weighted, n, out=np.zeros(len(n)), where=n > 0)
        with np.errstate(invalid="ignore"):
            total = squares + count * (mean - merged) ** 2
            np.add.at(total, codes, other_squares + more * (other_mean - merged[codes]) ** 2)
        return (n, merged, total)

    def retractable(self) -> Combiner:
        return Recounted(self)

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        count, _, squares = state
        result = np.divide(squares, count - 1, out=np.full(len(count), np.nan), where=count > 1)
        if self.of == "sem":
            result = np.divide(result, count, out=result, where=count > 1)
        return pa.array(result if self.of == "var" else np.sqrt(result))
