"""An aggregate of some of the rows of its group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flower.errors import GraphError
from flower.model.arrays import take
from flower.model.combiners.base import Combiner, Order, State
from flower.model.combiners.named import combiner_of
from flower.model.time import I64


@dataclass(frozen=True, repr=False)
class Only(Combiner):
    """Another aggregate, of the rows only that have a value in a column, as ``("v", fl.Only("sum", "carrier", "AA"))``.

    Parameters
    ----------
    how : str or Combiner
        The aggregate.
    where : str
        The column that decides.
    equals : str, int or bool
        The value that it must have.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> stream = fl.read.frame(pd.DataFrame({"carrier": ["AA", "UA", "AA"], "delay": [1, 2, 4]}))
    >>> stream.agg(aa=("delay", fl.Only("sum", "carrier", "AA")), ua=fl.Only("size", "carrier", "UA")).collect()[
    ...     ["aa", "ua"]
    ... ]
       aa  ua
    0   5   1
    """

    how: Combiner | str
    where: str
    equals: str | int | bool
    name = "only"

    def __post_init__(self) -> None:
        if not isinstance(self.where, str):
            raise GraphError("`where` of Only must be the name of a column", got=repr(self.where))
        if not isinstance(self.equals, str | int):
            raise GraphError("`equals` of Only must be a text, an integer or a bool", got=repr(self.equals))
        object.__setattr__(self, "how", combiner_of(self.how))

    @property
    def law(self) -> Combiner:
        """The aggregate."""
        return combiner_of(self.how)

    @property
    def needs_column(self) -> bool:  # type: ignore[override]
        return self.law.needs_column

    @property
    def windowed(self) -> bool:  # type: ignore[override]
        return self.law.windowed

    @property
    def timed(self) -> bool:  # type: ignore[override]
        return self.law.timed

    @property
    def needs_all(self) -> bool:  # type: ignore[override]
        return self.law.needs_all

    @property
    def combines(self) -> str | None:  # type: ignore[override]
        return self.law.combines

    @property
    def others(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*self.law.others, self.where)

    def _column(self, column: pa.Field | None) -> pa.Field | None:
        """What the aggregate takes."""
        assert column is not None
        *parts, _ = column.type
        if len(parts) < 2 and not self.law.others:
            return parts[0] if parts else None
        return pa.field(column.name, pa.struct(parts), nullable=False)

    def schema(self, column: pa.Field | None) -> pa.Field:
        assert column is not None
        *_, decides = column.type
        fits = {str: pa.types.is_large_string, bool: pa.types.is_boolean, int: pa.types.is_integer}
        if not fits[type(self.equals)](decides.type):
            raise self.refuse(decides, f"a column that can be {self.equals!r}")
        return self.law.schema(self._column(column))

    def state_types(self, column: pa.Field | None) -> tuple[pa.DataType, ...] | None:
        return self.law.state_types(self._column(column))

    def create(self, n: int, column: pa.Field | None) -> State:
        return self.law.create(n, self._column(column))

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        return self.law.add(state, *self._some(codes, column, order))

    def subtract(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        return self.law.subtract(state, *self._some(codes, column, order))

    def _some(self, codes: I64, column: pa.Array | None, order: Order) -> tuple[I64, pa.Array | None, Order]:
        """The rows that have the value."""
        assert column is not None
        *parts, decides = column.flatten()
        here = np.flatnonzero(pc.equal(decides, self.equals).fill_null(False).to_numpy(zero_copy_only=False))
        taken = [take(part, here) for part in parts]
        given = taken[0] if taken else None
        if self.law.others or len(taken) > 1:
            given = pa.StructArray.from_arrays(taken, fields=list(column.type)[:-1])
        return codes[here], given, Order(order.time[here], order.partition[here], order.position[here])

    def merge(self, state: State, other: State, codes: I64) -> State:
        return self.law.merge(state, other, codes)

    def retractable(self) -> Combiner | None:
        law = self.law.retractable()
        return None if law is None else Only(law, self.where, self.equals)

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        return self.law.extract(state, self._column(column))

    def extract_over(self, state: State, column: pa.Field | None, start: I64, end: I64) -> pa.Array:
        return self.law.extract_over(state, self._column(column), start, end)

    def __repr__(self) -> str:
        return f"Only({self.law!r}, {self.where!r}, {self.equals!r})"
