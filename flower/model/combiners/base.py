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
    """An aggregate as columns of state, one row a group.

    ``state`` arguments of `add` and `merge` are the caller's own and may be changed in place; the result is what
    counts. Missing values are skipped, as pandas does.
    """

    name: ClassVar[str]
    needs_column: ClassVar[bool] = True
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

    def refuse(self, column: pa.Field, takes: str) -> DtypeError:
        """The error for a column of a dtype that this combiner cannot take."""
        return DtypeError(
            f"{self.name!r} takes {takes}",
            got=f"column {column.name!r} of {_PANDAS.get(str(column.type), column.type)}",
            hint="convert it with .assign() before, or aggregate another column",
        )

    def __repr__(self) -> str:
        return repr(self.name)
