"""Some of the values or rows of a group: the greatest, or drawn by lot. A state holds no more than may be given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flower.errors import GraphError
from flower.model.arrays import Bools, Column, missing, take
from flower.model.combiners.base import Combiner, Order, State
from flower.model.combiners.counted import Counted, Standing, flat, ranks
from flower.model.time import I64


class Chosen(Counted):
    """The first ``n`` entries of a group in an order of its own; a frozen dataclass.

    Of ``columns``, the columns of the rows that are given; none: the values of the column that is aggregated. ``whole``
    says whether to hold all, as rows may be taken back.
    """

    n: int
    columns: tuple[str, ...]
    whole: bool

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 1:
            raise GraphError(
                f"`n` of {type(self).__name__} must be a positive integer", got=repr(self.n), hint="write 3, say"
            )

    @property
    def needs_column(self) -> bool:  # type: ignore[override]
        return not self.columns

    @property
    def needs_all(self) -> bool:  # type: ignore[override]
        return self.whole

    @property
    def basis(self) -> object:
        return self

    @property
    def lead(self) -> int:
        """How many columns of an entry say where it stands."""
        raise NotImplementedError

    @property
    def descending(self) -> bool:
        """Whether the greatest in the first of them stands first."""
        return False

    def of_rows(self, columns: tuple[str, ...]) -> Combiner:
        """The same for whole rows of these columns."""
        return replace(self, columns=columns)  # type: ignore[type-var]

    def _fields(self, column: pa.Field | None) -> list[pa.Field]:
        assert column is not None
        return list(column.type) if self.others else [column]

    def given(self, column: pa.Field | None) -> list[pa.Field]:
        """The fields of what is given."""
        return self._fields(column)[: max(len(self.columns), 1)]

    def schema(self, column: pa.Field | None) -> pa.Field:
        for part in self._fields(column):
            if pa.types.is_nested(part.type) or pa.types.is_dictionary(part.type):
                raise self.refuse(part, "columns of numbers, bools, times or text")
        given = self.given(column)
        kind = pa.struct(given) if self.columns else given[0].type
        return pa.field("", pa.large_list(kind), nullable=False)

    def _parts(self, column: pa.Array) -> list[pa.Array]:
        return list(column.flatten()) if self.others else [column]

    def _together(self, state: State, codes: I64, entries: Sequence[Column], counts: I64) -> State:
        if self.whole:
            return super()._together(state, codes, entries, counts)
        order, left = self._first(codes, entries, counts, alike=True)
        some = order[left > 0]
        state = super()._together(state, codes[some], [take(each, some) for each in entries], counts[some])
        group, columns, counts = flat(state)
        order, left = self._first(group, columns, counts, alike=False)
        counts = np.zeros(len(order), np.int64)
        counts[order] = left
        some = np.flatnonzero(counts)
        offsets = pa.array(np.searchsorted(group[some], np.arange(len(state[0]) + 1)), pa.int64())
        kept = [*(take(each, some) for each in columns), pa.array(counts[some])]
        return tuple(pa.LargeListArray.from_arrays(offsets, each) for each in kept)

    def _first(self, group: I64, entries: Sequence[Column], counts: I64, *, alike: bool) -> tuple[I64, I64]:
        """The entries by group as they stand, and how often each is among the first; ``alike``: those that stand in one
        place are all among them if one is.
        """
        keys = [rank for column in entries[1 : self.lead] for rank in ranks(column)]
        first = list(ranks(entries[0]))
        if self.descending:
            first = [-_dense(first)]
        keys = [*first, *keys]
        order = np.lexsort((*reversed(keys), group))
        counts = counts[order]
        before = np.cumsum(counts) - counts
        starts = _runs([group], order)
        before -= np.repeat(before[starts], np.diff(np.append(starts, len(order))))
        if not alike:
            return order, np.clip(self.n - before, 0, counts)
        starts = _runs([group, *keys], order)
        at_start = np.repeat(before[starts], np.diff(np.append(starts, len(order))))
        return order, np.where(at_start < self.n, counts, 0)

    def result(self, rows: Standing, column: pa.Field | None) -> pa.Array:
        order, counts = self._first(rows.group, rows.columns, rows.counts, alike=False)
        every = self.told(rows, np.repeat(order, counts))
        offsets = pa.array(np.searchsorted(rows.group[every], np.arange(rows.n + 1)), pa.int64())
        fields, values = self.given(column), [take(each, every) for each in rows.columns[self.lead :]]
        given = pa.StructArray.from_arrays(values, fields=fields) if self.columns else values[-1]
        return pa.LargeListArray.from_arrays(offsets, given)

    def told(self, rows: Standing, entries: I64) -> I64:
        """The entries that are given, by group, in the order in which they are told."""
        return entries


def _dense(keys: Sequence[npt.NDArray[Any]]) -> I64:
    """One number for each distinct combination, in the order of the keys."""
    order = np.lexsort(tuple(reversed(keys)))
    rank = np.zeros(len(order), np.int64)
    starts = np.zeros(len(order), np.int64)
    starts[_runs(keys, order)[1:]] = 1
    rank[order] = np.cumsum(starts)
    return rank


def _runs(keys: Sequence[npt.NDArray[Any]], order: I64) -> I64:
    """Where in ``order`` each run of entries begins that have all keys in common."""
    new: Bools = np.zeros(max(len(order) - 1, 0), np.bool_)
    for key in keys:
        ordered = key[order]
        new |= ordered[1:] != ordered[:-1]
    return np.concatenate((np.zeros(min(len(order), 1), np.int64), np.flatnonzero(new) + 1))


@dataclass(frozen=True, repr=False)
class Top(Chosen):
    """A list of the ``n`` greatest values, or of the values or rows with the greatest in another column.

    Of a column, without ``by``, its greatest values: ``best=("delay", fl.Top(3))``; with ``by``, the values that it has
    in the rows that are greatest there: ``who=("carrier", fl.Top(3, by="delay"))``. Without a column, whole rows but
    for the keys, as structs: ``rows=fl.Top(3, by="delay")``. The greatest stands first; of equal ones that of the
    earlier event time, then the lesser value. Missing values are left out; with ``by``, rows that lack it.

    Parameters
    ----------
    n : int
        How many at most.
    ascending : bool
        The least instead, the least first.
    by : str, optional
        The column that decides.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> stream = fl.read.frame(pd.DataFrame({"v": [3, 9, 4, 9], "name": list("abcd")}))
    >>> stream.agg(best=("v", fl.Top(3))).collect()["best"][0].tolist()
    [9, 9, 4]
    >>> stream.agg(best=("name", fl.Top(3, by="v"))).collect()["best"][0].tolist()
    ['b', 'd', 'c']
    >>> stream.agg(least=fl.Top(1, ascending=True, by="v")).collect()["least"][0].tolist()
    [{'v': 3, 'name': 'a'}]
    """

    n: int
    ascending: bool = False
    by: str | None = None
    columns: tuple[str, ...] = ()
    whole: bool = False
    name = "top"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.by is not None and not isinstance(self.by, str):
            raise GraphError("`by` of Top must be the name of a column", got=repr(self.by))

    @property
    def basis(self) -> object:
        return Counted if self.whole and self.by is None else super().basis

    @property
    def others(self) -> tuple[str, ...]:  # type: ignore[override]
        return () if self.by is None else (*self.columns, self.by)

    @property
    def lead(self) -> int:
        return 0 if self.by is None else 2

    @property
    def descending(self) -> bool:
        return not self.ascending

    def kinds(self, column: pa.Field | None) -> list[pa.DataType]:
        *values, by = (part.type for part in self._fields(column))
        if self.by is None:
            return [by]
        return [by, pa.int64(), *values]

    def entries(self, column: pa.Array, order: Order) -> list[Column]:
        if self.by is None:
            return [column]
        *values, by = self._parts(column)
        return [by, order.time, *values]

    def keeps(self, column: pa.Array) -> I64 | None:
        gone = missing(self._parts(column)[-1])
        return None if gone is None else np.flatnonzero(~gone)

    def retractable(self) -> Combiner:
        return replace(self, whole=True)

    def __repr__(self) -> str:
        ascending = ", ascending=True" if self.ascending else ""
        return f"Top({self.n}{ascending}{'' if self.by is None else f', by={self.by!r}'})"


@dataclass(frozen=True, repr=False)
class Sample(Chosen):
    """A list of ``n`` values, or rows, drawn by lot: each as likely as any other, whatever its group has.

    Of a column its values, missing ones too: ``some=("delay", fl.Sample(5))``; without a column whole rows but for the
    keys, as structs: ``some=fl.Sample(5)``. They stand by event time, then partition and position. Which are drawn is
    said by ``seed`` and where a row came from, its event time, partition and position: the same rows give the same
    sample, in whatever parts they come. Panes of a step before have positions that depend on where it ran. It cannot
    take rows back.

    Parameters
    ----------
    n : int
        How many at most.
    seed : int
        Another seed gives another sample.

    Examples
    --------
    >>> import flower as fl, pandas as pd
    >>> stream = fl.read.frame(pd.DataFrame({"v": range(100)}))
    >>> stream.agg(some=("v", fl.Sample(3))).collect()["some"][0].tolist()
    [33, 44, 92]
    >>> stream.agg(some=("v", fl.Sample(3, seed=1))).collect()["some"][0].tolist()
    [47, 68, 85]
    """

    n: int
    seed: int = 0
    columns: tuple[str, ...] = ()
    whole: bool = False
    name = "sample"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise GraphError("`seed` of Sample must be an integer from 0 on", got=repr(self.seed))

    @property
    def others(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.columns

    @property
    def lead(self) -> int:
        return 4

    def kinds(self, column: pa.Field | None) -> list[pa.DataType]:
        return [*[pa.int64()] * self.lead, *(field.type for field in self.given(column))]

    def entries(self, column: pa.Array, order: Order) -> list[Column]:
        lot = _spread(np.full(len(order.time), self.seed, np.uint64))
        for part in (order.time, order.partition, order.position):
            lot = _spread(lot ^ part.astype(np.int64).view(np.uint64))
        return [lot.view(np.int64), order.time, order.partition, order.position, *self._parts(column)]

    def keeps(self, column: pa.Array) -> I64 | None:
        return None

    def retractable(self) -> None:
        return None

    def told(self, rows: Standing, entries: I64) -> I64:
        _, time, partition, position = (np.asarray(each)[entries] for each in rows.columns[: self.lead])
        return entries[np.lexsort((position, partition, time, rows.group[entries]))]

    def __repr__(self) -> str:
        return f"Sample({self.n}{f', seed={self.seed}' if self.seed else ''})"


def _spread(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The step of splitmix64 (Steele, Lea and Flood, 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
