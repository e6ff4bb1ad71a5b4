"""The aggregate of one of several streams that are grouped together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from flower.model.combiners.base import Combiner, Order, State
from flower.model.time import I64

SIDE = ".side"
"""The column that says of which stream a row is: the aggregated one."""


@dataclass(frozen=True, repr=False)
class OfSide(Combiner):
    """A combiner over the rows of one side.

    Parameters
    ----------
    of : Combiner
        What it makes of them.
    label, side : str, int
        The stream.
    others : tuple of str
        Among the columns of all, those that ``of`` takes.
    fields : tuple of pyarrow.Field
        The same as the stream has them.
    column : str or None
        The one that is aggregated; None: rows are.
    """

    of: Combiner
    label: str
    side: int
    others: tuple[str, ...] = ()
    fields: tuple[pa.Field, ...] = ()
    column: str | None = None

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.of.name

    @property
    def windowed(self) -> bool:  # type: ignore[override]
        return self.of.windowed

    @property
    def needs_all(self) -> bool:  # type: ignore[override]
        return self.of.needs_all

    @property
    def combines(self) -> str | None:  # type: ignore[override]
        return self.of.combines

    @property
    def basis(self) -> object:
        return (self.side, self.others, self.of.basis)

    @property
    def field(self) -> pa.Field | None:
        """What ``of`` takes: a column, or a struct of several; None: only how many rows there are."""
        if not self.of.others:
            return self.fields[0] if self.fields else None
        return pa.field(self.fields[0].name, pa.struct(list(self.fields)), nullable=False)

    def schema(self, column: pa.Field | None) -> pa.Field:
        return self.of.schema(self.field)

    def state_types(self, column: pa.Field | None) -> tuple[pa.DataType, ...] | None:
        return self.of.state_types(self.field)

    def create(self, n: int, column: pa.Field | None) -> State:
        return self.of.create(n, self.field)

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        return self.of.add(state, *self._mine(codes, column, order))

    def subtract(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        return self.of.subtract(state, *self._mine(codes, column, order))

    def merge(self, state: State, other: State, codes: I64) -> State:
        return self.of.merge(state, other, codes)

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        return self.of.extract(state, self.field)

    def extract_over(self, state: State, column: pa.Field | None, start: I64, end: I64) -> pa.Array:
        return self.of.extract_over(state, self.field, start, end)

    def retractable(self) -> Combiner | None:
        of = self.of.retractable()
        return None if of is None else replace(self, of=of)

    def _mine(self, codes: I64, column: pa.Array | None, order: Order) -> tuple[I64, pa.Array | None, Order]:
        """The rows of the side."""
        assert column is not None
        side, *parts = column.flatten() if self.others else [column]
        at = np.flatnonzero(np.asarray(side) == self.side)
        picks = pa.array(at)
        parts = [part.take(picks) for part in parts]
        mine = parts[0] if parts else None
        if self.of.others:
            mine = pa.StructArray.from_arrays(parts, fields=list(self.fields))
        return codes[at], mine, Order(order.time[at], order.partition[at], order.position[at])

    def __repr__(self) -> str:
        what = repr(self.of) if self.column is None else repr((self.column, self.of))
        return f"{what} of {self.label}"
