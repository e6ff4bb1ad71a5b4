"""Aggregates that need all values: a group holds its distinct values, sorted, each with how often it is there.

A value that is taken back before it came counts negatively until it comes: until then it is not there. An engine that
keeps a retraction behind what it takes back never has such counts when panes fire.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from flower.errors import GraphError
from flower.model.arrays import Column, group_ends, group_starts, joined, missing, numbers, take
from flower.model.combiners.base import Combiner, Order, State
from flower.model.time import I64


def ranks(column: Column) -> tuple[npt.NDArray[Any], ...]:
    """Arrays that sort as the values do, the least significant last; equal exactly where the values are equal.

    Missing values are equal to each other, and the least.
    """
    if isinstance(column, np.ndarray):
        return (column,)
    gone = missing(column)
    if pa.types.is_large_string(column.type):
        encoded = column.dictionary_encode()
        rank = np.empty(len(encoded.dictionary), np.int64)
        rank[np.asarray(pc.array_sort_indices(encoded.dictionary), np.int64)] = np.arange(len(rank))
        at = np.asarray(encoded.indices.fill_null(0), np.int64)
        values = rank[at] if len(rank) else np.zeros(len(at), np.int64)
    else:
        values = numbers(column)
    if gone is None:
        return (values,)
    return (~gone, np.where(gone, values.dtype.type(0), values))


def tallied(n: int, group: I64, columns: Sequence[Column], counts: I64) -> State:
    """Lists of the distinct rows of each of ``n`` groups, sorted, with their counts summed; none that is 0."""
    keys = [rank for column in columns for rank in ranks(column)]
    order = np.lexsort((*reversed(keys), group))
    new = np.ones(len(order), np.bool_)
    if len(order):
        new[1:] = False
        for key in (group, *keys):
            ordered = key[order]
            new[1:] |= ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(new)
    sums = np.add.reduceat(counts[order], starts) if len(starts) else np.zeros(0, np.int64)
    order, sums = order[starts[sums != 0]], sums[sums != 0]
    offsets = pa.array(np.searchsorted(group[order], np.arange(n + 1)), pa.int64())
    rows = [take(column, order) for column in columns]
    return tuple(pa.LargeListArray.from_arrays(offsets, pa.array(each)) for each in (*rows, sums))


def flat(state: State) -> tuple[I64, list[pa.Array], I64]:
    """The group of each entry, its columns, its count."""
    sizes = np.diff(np.asarray(state[0].offsets))
    *columns, counts = (each.flatten() for each in state)
    return np.repeat(np.arange(len(sizes)), sizes), columns, np.asarray(counts, np.int64)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is there of ``n`` groups: entries sorted by group, then by the columns that order them.

    Parameters
    ----------
    columns : list of pyarrow.Array
        The last one is the value.
    counts : ndarray of int64
        How often each entry is there, at least once.
    """

    n: int
    group: I64
    columns: list[pa.Array]
    counts: I64

    @property
    def values(self) -> pa.Array:
        """The value of each entry."""
        return self.columns[-1]

    def sizes(self) -> I64:
        """How many values each group has."""
        return np.bincount(self.group, self.counts, self.n).astype(np.int64)

    def picked(self, entries: I64) -> pa.Array:
        """Per group the value of one of its entries, given for the groups that have some."""
        at = np.full(self.n, -1)
        at[self.group[entries]] = entries
        picked = self.values.take(pa.array(at, mask=at < 0))
        return picked.fill_null(float("nan")) if pa.types.is_floating(picked.type) else picked

    def edge(self, *, last: bool) -> pa.Array:
        """Per group the value of its first or last entry."""
        starts = group_starts(self.group)
        return self.picked(group_ends(starts, len(self.group)) if last else starts)


class Counted(Combiner):
    """A combiner over the sorted values of each group."""

    needs_all = True

    @property
    def basis(self) -> object:
        return Counted

    def kinds(self, column: pa.Field | None) -> list[pa.DataType]:
        """Types of the columns of an entry."""
        assert column is not None
        return [column.type]

    def entries(self, column: pa.Array, order: Order) -> list[Column]:
        """The columns of the entries that rows make: what they are sorted by, last the value."""
        return [column]

    def keeps(self, column: pa.Array) -> I64 | None:
        """The rows that make entries; None: all."""
        gone = missing(column)
        return None if gone is None else np.flatnonzero(~gone)

    def create(self, n: int, column: pa.Field | None) -> State:
        none = np.zeros(0, np.int64)
        return tallied(n, none, [pa.array([], kind) for kind in self.kinds(column)], none)

    def add(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        return self._signed(state, codes, column, order, 1)

    def subtract(self, state: State, codes: I64, column: pa.Array | None, order: Order) -> State:
        return self._signed(state, codes, column, order, -1)

    def _signed(self, state: State, codes: I64, column: pa.Array | None, order: Order, sign: int) -> State:
        assert column is not None
        kept = self.keeps(column)
        entries = self.entries(column, order)
        if kept is not None:
            codes, entries = codes[kept], [take(each, kept) for each in entries]
        return self._together(state, codes, entries, np.full(len(codes), sign))

    def merge(self, state: State, other: State, codes: I64) -> State:
        group, entries, counts = flat(other)
        return self._together(state, codes[group], entries, counts)

    def _together(self, state: State, codes: I64, entries: Sequence[Column], counts: I64) -> State:
        group, known, before = flat(state)
        columns = [
            joined((mine, pa.array(more, mine.type) if isinstance(more, np.ndarray) else more))
            for mine, more in zip(known, entries, strict=True)
        ]
        return tallied(len(state[0]), np.concatenate((group, codes)), columns, np.concatenate((before, counts)))

    def retractable(self) -> Combiner | None:
        return self

    def extract(self, state: State, column: pa.Field | None) -> pa.Array:
        group, columns, counts = flat(state)
        there = counts > 0
        if not there.all():
            kept = np.flatnonzero(there)
            group, columns, counts = group[kept], [take(each, kept) for each in columns], counts[kept]
        return self.result(Standing(len(state[0]), group, columns, counts), column)

    def result(self, rows: Standing, column: pa.Field | None) -> pa.Array:
        """The results of what is there."""
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class _Instead(Counted):
    """The counted form of another combiner."""

    of: Combiner

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.of.name

    @property
    def combines(self) -> str | None:  # type: ignore[override]
        return self.of.combines

    def schema(self, column: pa.Field | None) -> pa.Field:
        return self.of.schema(column)


@dataclass(frozen=True, repr=False)
class Pick(_Instead):
    """The least or greatest value; by event time, then value, the first or last one."""

    least: bool
    by_time: bool = False

    @property
    def basis(self) -> object:
        return (Pick, self.by_time) if self.by_time else Counted

    def kinds(self, column: pa.Field | None) -> list[pa.DataType]:
        return [*([pa.int64()] if self.by_time else []), *super().kinds(column)]

    def entries(self, column: pa.Array, order: Order) -> list[Column]:
        return [order.time, column] if self.by_time else [column]

    def result(self, rows: Standing, column: pa.Field | None) -> pa.Array:
        return rows.edge(last=not self.least)


@dataclass(frozen=True, repr=False)
class PickBy(_Instead):
    """The value beside the least or greatest of another column; of several by event time, then value."""

    least: bool

    @property
    def others(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.of.others

    @property
    def basis(self) -> object:
        return (PickBy, self.least)

    def kinds(self, column: pa.Field | None) -> list[pa.DataType]:
        assert column is not None
        return [column.type[1].type, pa.int64(), column.type[0].type]

    def entries(self, column: pa.Array, order: Order) -> list[Column]:
        value, by = column.flatten()
        return [by, order.time if self.least else -order.time, value]

    def keeps(self, column: pa.Array) -> I64 | None:
        return present(column)

    def result(self, rows: Standing, column: pa.Field | None) -> pa.Array:
        return rows.edge(last=not self.least)


def present(column: pa.Array) -> I64 | None:
    """The rows of a struct in which no column is missing; None: all."""
    gone = [mask for part in column.flatten() if (mask := missing(part)) is not None]
    return np.flatnonzero(~np.logical_or.reduce(gone)) if gone else None


@dataclass(frozen=True, repr=False)
class Distinct(_Instead):
    """How many distinct values are there."""

    def result(self, rows: Standing, column: pa.Field | None) -> pa.Array:
        return pa.array(np.bincount(rows.group, minlength=rows.n))


@dataclass(frozen=True, repr=False)
class Recounted(_Instead):
    """An aggregate made anew from the values that are there, where subtraction would cancel or divide by 0."""

    def result(self, rows: Standing, column: pa.Field | None) -> pa.Array:
        every = np.repeat(np.arange(len(rows.counts)), rows.counts)
        none = np.zeros(len(every), np.int64)
        state = self.of.create(rows.n, column)
        state = self.of.add(state, rows.group[every], take(rows.values, every), Order(none, none, none))
        return self.of.extract(state, column)


@dataclass(frozen=True, repr=False)
class Quantile(Counted):
    """The value below which a share ``q`` of the values lies, interpolated linearly, as float64; exact.

    Parameters
    ----------
    q : float
        Between 0 and 1.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> stream = fl.read.frame(pd.DataFrame({"v": [1, 2, 4, 8]}))
    >>> stream.agg(most=("v", fl.Quantile(0.75))).collect()["most"].tolist()
    [5.0]
    """

    q: float

    def __post_init__(self) -> None:
        if isinstance(self.q, bool) or not isinstance(self.q, int | float) or not 0 <= self.q <= 1:
            raise GraphError("`q` of Quantile must be between 0 and 1", got=repr(self.q))

    name = "quantile"

    def schema(self, column: pa.Field | None) -> pa.Field:
        assert column is not None
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            raise self.refuse(column, "a column of numbers")
        return pa.field("", pa.float64(), nullable=True)

    def result(self, rows: Standing, column: pa.Field | None) -> pa.Array:
        sizes = rows.sizes()
        some = np.flatnonzero(sizes)
        before = (np.cumsum(sizes) - sizes)[some]
        place = self.q * (sizes[some] - 1)
        low = np.floor(place).astype(np.int64)
        high = np.ceil(place).astype(np.int64)
        upto = np.cumsum(rows.counts)
        values = numbers(rows.values).astype(np.float64)
        below, above = (values[np.searchsorted(upto, before + at, side="right")] for at in (low, high))
        result = np.full(rows.n, np.nan)
        with np.errstate(invalid="ignore"):
            result[some] = np.where(below == above, below, below + (above - below) * (place - low))
        return pa.array(result)

    def __repr__(self) -> str:
        return f"Quantile({self.q!r})"


@dataclass(frozen=True, repr=False)
class Median(Quantile):
    """The middle value, or the mean of the two in the middle, as float64; exact."""

    q: float = 0.5
    name = "median"

    def __repr__(self) -> str:
        return "'median'"


@dataclass(frozen=True, repr=False)
class Mode(Counted):
    """The value that is there most often; of several, the least."""

    name = "mode"

    def schema(self, column: pa.Field | None) -> pa.Field:
        assert column is not None
        return pa.field("", column.type, nullable=True)

    def result(self, rows: Standing, column: pa.Field | None) -> pa.Array:
        order = np.lexsort((-rows.counts, rows.group))
        return rows.picked(order[group_starts(rows.group[order])])


@dataclass(frozen=True, repr=False)
class List(Counted):
    """All values, missing ones too, by event time, then partition and position; where rows can be taken back, by event
    time, then value.
    """

    by_value: bool = False
    name = "list"

    @property
    def basis(self) -> object:
        return self

    def schema(self, column: pa.Field | None) -> pa.Field:
        assert column is not None
        return pa.field("", pa.large_list(column.type), nullable=False)

    def kinds(self, column: pa.Field | None) -> list[pa.DataType]:
        return [*[pa.int64()] * (1 if self.by_value else 3), *super().kinds(column)]

    def entries(self, column: pa.Array, order: Order) -> list[Column]:
        return [order.time, column] if self.by_value else [order.time, order.partition, order.position, column]

    def keeps(self, column: pa.Array) -> I64 | None:
        return None

    def retractable(self) -> Combiner:
        return List(by_value=True)

    def result(self, rows: Standing, column: pa.Field | None) -> pa.Array:
        return lists(rows, np.arange(len(rows.group)), rows.counts)


def lists(rows: Standing, entries: I64, counts: I64) -> pa.Array:
    """The values of ``entries``, each so often, as a list a group."""
    every = np.repeat(entries, counts)
    offsets = np.searchsorted(rows.group[every], np.arange(rows.n + 1))
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), take(rows.values, every))
