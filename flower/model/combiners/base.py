"""What a combiner is: the law of one aggregate, for any number of groups at once.

A combiner is Beam's CombineFn over columns (create, add, merge, extract accumulators), and the vectorised form of the
paper's commutative and associative aggregation (Akidau et al., 2015, section 2.2): what is added to a group may come
in any order and in any number of partial states.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from flower.errors import DtypeError
from flower.model.arrays import Column
from flower.model.time import I64

State = tuple[Column, ...]
"""Columns of partial aggregates, one value a group each."""


_PANDAS = {"large_string": "str", "double": "float64", "float": "float32"}
"""Types that pandas calls by another name than Arrow."""


@dataclass(frozen=True, slots=True)
class Order:
    """Where rows stand in the order of first and last: event time, then partition, then position."""

    time: I64
    partition: I64
    position: I64


class Combiner(ABC):
    """An aggregate as columns of state, one row a group; subclass it for an aggregate of your own.

    A state is a tuple of NumPy arrays (numbers) or Arrow arrays, all as long as there are groups. ``state`` arguments
    of `add`, `subtract` and `merge` are the caller's own and may be changed in place; the result is what counts. Rows
    come in any number of partial states, merged in any order. Missing values (null, or NaN in a float column) are for
    the combiner to skip, as pandas does. One with parameters must be a frozen dataclass: equal ones are one.

    Notes
    -----
    ``others`` names further columns that it takes; ``column`` is then a struct of the aggregated column and these.

    Examples
    --------
    >>> import flower as fl, numpy as np, pandas as pd, pyarrow as pa
    >>> class GeometricMean(fl.Combiner):
    ...     name = "geometric mean"
    ...     def schema(self, column):
    ...         return pa.field("", pa.float64())
    ...     def state_types(self, column):
    ...         return (pa.float64(), pa.int64())
    ...     def create(self, n, column):
    ...         return np.zeros(n), np.zeros(n, np.int64)
    ...     def add(self, state, codes, column, order):
    ...         values = column.to_numpy(zero_copy_only=False).astype(float)
    ...         there = ~np.isnan(values)
    ...         np.add.at(state[0], codes[there], np.log(values[there]))
    ...         np.add.at(state[1], codes[there], 1)
    ...         return state
    ...     def merge(self, state, other, codes):
    ...         np.add.at(state[0], codes, other[0])
    ...         np.add.at(state[1], codes, other[1])
    ...         return state
    ...     def extract(self, state, column):
    ...         some = state[1] > 0
    ...         mean = np.divide(state[0], state[1], out=np.full(len(some), np.nan), where=some)
    ...         return pa.array(np.exp(mean))
    >>> stream = fl.read.frame(pd.DataFrame({"k": ["a", "a", "b"], "v": [2, 8, 3]}))
    >>> stream.groupby("k").agg(mean=("v", GeometricMean())).collect()["mean"].round(9).tolist()
    [4.0, 3.0]
    """

    name: ClassVar[str]
    needs_column: ClassVar[bool] = True
    windowed: ClassVar[bool] = False
    """Whether its results depend on the ends of the window: see `extract_over`."""
    timed: ClassVar[bool] = False
    """Whether rows must have an event time."""
    others: tuple[str, ...] = ()
    needs_all: ClassVar[bool] = False
    """Whether its state grows with the number of (distinct) values."""
    combines: ClassVar[str | None] = None
    """How results of disjoint parts combine (``"sum"``, ``"min"``, ...), None if the results alone do not tell."""

    @abstractmethod
    def schema(self, column: pa.Field | None) -> pa.Field:
        """Type and nullability of the result for an input column; raises `DtypeError` for one it cannot take."""

    @abstractmethod
    def create(self, n: int, column: pa.Field | None) -> State:
        """State of ``n`` empty groups."""

    @abstractmethod
    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        """Add rows: row i to group ``codes[i]``."""

    @abstractmethod
    def merge(self, state: State, other: State, codes: I64) -> State:
        """Merge partial states: group i of ``other`` into group ``codes[i]`` of ``state``."""

    def subtract(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        """Take rows out again that were added, or will be: row i from group ``codes[i]``.

        A retraction that comes before what it takes back counts negatively until that comes; it never vanishes.
        """
        raise NotImplementedError(f"{self.name} cannot subtract; see retractable()")

    def retractable(self) -> Combiner | None:
        """The combiner with the same results to use where rows may be taken back; None if there is none."""
        return None

    @abstractmethod
    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        """The results, of the type that `schema` declared."""

    def extract_over(self, state: State, column: pa.Field | None, start: I64, end: I64) -> pa.Array:
        """The results of groups in the windows ``[start, end)``, in microseconds."""
        return self.extract(state, column)

    def state_types(self, column: pa.Field | None) -> tuple[pa.DataType, ...] | None:
        """Types of the columns of state, which are then checked; None: they are not."""
        return None

    @property
    def basis(self) -> object:
        """Combiners of equal basis have the same states, which a step keeps once for each column."""
        return self

    def refuse(self, column: pa.Field, takes: str) -> DtypeError:
        """The error for a column of a dtype that this combiner cannot take."""
        return DtypeError(
            f"{self.name!r} takes {takes}",
            got=f"column {column.name!r} of {_PANDAS.get(str(column.type), column.type)}",
            hint="convert it with .assign() before, or aggregate another column",
        )

    def __repr__(self) -> str:
        return repr(self.name)
