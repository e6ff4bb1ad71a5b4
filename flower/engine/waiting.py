"""Rows of one side of a join while they wait for those of the other: immutable columns, in tables of geometrically
growing size.

Nothing here changes a column that it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.engine.directory import Sought
from flower.engine.joint import no_rows
from flower.engine.keys import encode, hashes
from flower.engine.rowwise import NEVER, ErrorRows
from flower.graph.batch import Batch, constant, select
from flower.graph.schema import names_text
from flower.model.arrays import Bools, distinct, order
from flower.model.time import I64, MAX_TIME


@dataclass(frozen=True, slots=True)
class Held:
    """Rows of one side.

    Parameters
    ----------
    side : int
        0: left, 1: right.
    rows : pyarrow.RecordBatch
        Their columns.
    time, partition, position : ndarray of int64
        Their event times, and where they came from. In a window nothing asks where a row came from, nor for its time
        unless rows are taken back: it is then that of the window.
    at : ndarray of int64
        Where in time a row of the other side must be: the start of the window, or the event time.
    until : ndarray of int64
        The end of the window; or the last event time with which the watermark still has a row to come for this one.
    hash : ndarray of int64
        Which key (see `flower.engine.keys`).
    mark : ndarray of int64
        In a window, how often its key had fired there with this row; else how often the row has been given.
    back : ndarray of bool or None
        Which rows take back another one; None: none does.
    """

    side: int
    rows: pa.RecordBatch
    time: I64
    partition: I64
    position: I64
    at: I64
    until: I64
    hash: I64
    mark: I64
    back: Bools | None = None
    _half: int | None = field(default=None, init=False, repr=False, compare=False)
    _order: I64 | None = field(default=None, init=False, repr=False, compare=False)
    _sought: Sought | None = field(default=None, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.time)

    @property
    def nbytes(self) -> int:
        """Bytes of its columns."""
        columns = {id(column): column for column in self._columns() if column.strides != (0,)}
        return int(self.rows.nbytes) + sum(column.nbytes for column in columns.values())

    def _columns(self) -> tuple[I64, ...]:
        return self.time, self.partition, self.position, self.at, self.until, self.hash, self.mark

    def take(self, indices: I64) -> Held:
        """The rows at ``indices``."""
        return self._each(self.rows.take(pa.array(indices)), lambda column: select(column, indices))

    def where(self, mask: Bools) -> Held:
        """The rows where ``mask`` holds."""
        return self if mask.all() else self.take(np.flatnonzero(mask))

    def cut(self, start: int, stop: int) -> Held:
        """The rows of ``[start, stop)``, not copied."""
        return self._each(self.rows.slice(start, stop - start), lambda column: column[start:stop])

    def _each(self, rows: pa.RecordBatch, pick: Callable[[Any], Any]) -> Held:
        time = pick(self.time)
        back = None if self.back is None else some(pick(self.back))
        at = time if self.at is self.time else pick(self.at)
        columns = (pick(self.partition), pick(self.position), at, pick(self.until), pick(self.hash), pick(self.mark))
        return Held(self.side, rows, time, *columns, back)

    def marked(self, mark: I64) -> Held:
        """The same rows, marked otherwise."""
        marked = replace(self, mark=mark)
        object.__setattr__(marked, "_half", self._half)
        object.__setattr__(marked, "_order", self._order)
        object.__setattr__(marked, "_sought", self._sought)
        return marked

    @property
    def sought(self) -> Sought:
        """The hashes of a table that is `by_key`, to look others up in."""
        if self._sought is None:
            object.__setattr__(self, "_sought", Sought(self.hash))
        assert self._sought is not None
        return self._sought

    @property
    def by_until(self) -> I64:
        """The places of the rows in the order in which they are let go; found once a table."""
        if self._order is None:
            object.__setattr__(self, "_order", order(self.until))
        assert self._order is not None
        return self._order

    def half_over(self, over: Callable[[Held], I64]) -> int:
        """The watermark with which half of the rows, at least one, are over; ``over`` tells it of each, the same at
        every call.
        """
        half = self._half
        if half is None:
            middle = (len(self) - 1) // 2
            half = int(np.partition(over(self), middle)[middle])
            object.__setattr__(self, "_half", half)
        return half


def some(mask: Bools) -> Bools | None:
    """A mask; None where it holds nowhere."""
    return mask if mask.any() else None


def held(side: int, batch: Batch, keys: Sequence[str], at: I64, until: I64, *, exact: bool) -> Held:
    """Rows as they come."""
    n = len(batch)
    hash_ = hashes([batch.rows.column(name) for name in keys], n, exact=exact)
    back = None if batch.retraction is None else some(batch.retraction)
    return Held(side, batch.rows, batch.time, batch.partition, batch.position, at, until, hash_, constant(0, n), back)


def none(side: int, schema: pa.Schema) -> Held:
    """No rows."""
    nothing = np.zeros(0, np.int64)
    return Held(side, no_rows(schema), nothing, nothing, nothing, nothing, nothing, nothing, nothing)


def new_of(fresh: Sequence[Held], sides: Sequence[pa.Schema], side: int) -> Held:
    """The rows that an epoch brings of a side."""
    return joined([none(side, sides[side]), *(piece for piece in fresh if piece.side == side)])


def joined(parts: Sequence[Held]) -> Held:
    """The rows of several, at least one, one after another."""
    parts = [part for part in parts if len(part)] or parts[:1]
    if len(parts) == 1:
        return parts[0]
    time, partition, position, at, until, hash_, mark = zip(*(part._columns() for part in parts), strict=True)
    times = np.concatenate(time)
    ats = times if all(part.at is part.time for part in parts) else _chained(at)
    back = None
    if any(part.back is not None for part in parts):
        back = np.concatenate([np.zeros(len(part), np.bool_) if part.back is None else part.back for part in parts])
    rows = pa.concat_batches([part.rows for part in parts])
    source = _chained(partition), _chained(position)
    return Held(parts[0].side, rows, times, *source, ats, _chained(until), _chained(hash_), _chained(mark), back)


def _chained(columns: Sequence[I64]) -> I64:
    first = columns[0]
    if all(column.strides == (0,) and column[0] == first[0] for column in columns):
        return constant(int(first[0]), sum(map(len, columns)))
    return np.concatenate(columns)


def by_until(table: Held) -> Held:
    """The rows in the order in which they are let go."""
    until = table.until
    return table if (until[1:] >= until[:-1]).all() else table.take(order(until))


def by_key(table: Held) -> Held:
    """The rows by key; within it by time, partition and position."""
    found = order(table.at, table.hash)
    if len(found) > 1 and not _in_order(table, found):
        found = np.lexsort((table.position, table.partition, table.at, table.hash))
    return table if (found[1:] > found[:-1]).all() else table.take(found)


def _in_order(table: Held, by: I64) -> bool:
    """Whether rows of one key and time are by partition and position."""
    first, second = by[:-1], by[1:]
    level = np.flatnonzero((table.hash[first] == table.hash[second]) & (table.at[first] == table.at[second]))
    first, second = first[level], second[level]
    if table.partition.strides != (0,):
        one, other = table.partition[first], table.partition[second]
        if (one > other).any():
            return False
        same = one == other
        first, second = first[same], second[same]
    return bool((table.position[first] <= table.position[second]).all())


def with_more(tables: tuple[Held, ...], more: Held, in_order: Callable[[Held], Held]) -> tuple[Held, ...]:
    """Tables with another one; those that are not twice as large as what follows are merged, and put in order."""
    if not len(more):
        return tables
    grown = [*tables, more]
    while len(grown) > 1 and len(grown[-2]) < 2 * len(grown[-1]):
        grown[-2:] = [joined(grown[-2:])]
    return (*grown[:-1], in_order(grown[-1]))


def of_keys(table: Held, hashes: I64) -> Held:
    """The rows of a table that is `by_key` whose keys are among some."""
    wanted = distinct(hashes)
    first = np.searchsorted(table.hash, wanted, side="left")
    last = np.searchsorted(table.hash, wanted, side="right")
    if int((last - first).sum()) == len(table):
        return table
    return table.take(spread(first, last - first)[1])


def spread(first: I64, count: I64) -> tuple[I64, I64]:
    """For each of some rows ``count`` places from ``first`` on: the row, and the place."""
    row = np.repeat(np.arange(len(count)), count)
    place = (first - (np.cumsum(count) - count))[row]
    place += np.arange(len(row))
    return row, place


def over_by(table: Held, watermark: int) -> Bools:
    """Which rows nothing can come for any more."""
    return np.ones(len(table), np.bool_) if watermark == MAX_TIME else table.until < watermark


def thinned(table: Held, watermark: int) -> Held | None:
    """A table without the rows that are over, if they are half of it; None: all are."""
    if not len(table) or watermark == MAX_TIME:
        return None
    if table.half_over(lambda table: table.until) >= watermark:
        return table
    left = table.where(~over_by(table, watermark))
    return left if len(left) else None


# -- rows that take back others


def standing(table: Held, same: Sequence[str] | None) -> Bools:
    """Which rows stand: neither taken back, nor what took one back; of equal ones those that came last.

    Parameters
    ----------
    same : sequence of str or None
        The columns that a row and what takes it back have alike; None: none takes back another.
    """
    if table.back is None or same is None or not table.back.any():
        return np.ones(len(table), np.bool_)
    n, back = len(table), table.back
    columns = [table.rows.column(name) for name in same]
    columns = [each.indices if pa.types.is_dictionary(each.type) else each for each in columns]
    number = encode(columns, n, exact=False).codes
    for more in (table.time, table.at):
        places = np.asarray(pd.factorize(more)[0], np.int64)
        number = np.asarray(pd.factorize(number * (int(places.max()) + 1) + places)[0], np.int64)
    count = int(number.max()) + 1
    taken = np.minimum(*(np.bincount(number[mask], minlength=count) for mask in (back, ~back)))
    order = np.lexsort((back, number))
    first = np.searchsorted(number[order] * 2 + back[order], np.arange(2 * count))
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n) - first[number[order] * 2 + back[order]]
    stands: Bools = rank >= taken[number]
    return stands


def never(tables: Sequence[Held], same: Sequence[str] | None, errors: ErrorRows) -> None:
    """Tell of rows that were to take back others, none of which has come."""
    for table in tables:
        if table.back is None or same is None:
            continue
        at = np.flatnonzero(table.back)
        text = never_text(table.side, same)
        nowhere = constant(-1, len(table))  # it is a pane, or made of some
        errors.add(Batch(table.rows, table.time, nowhere, nowhere, nowhere), at, NEVER, text)


def never_text(side: int, same: Sequence[str]) -> str:
    """What a row was to take back."""
    return f"no row of the {('left', 'right')[side]} side has its event time and its {names_text(same)}"


def settled(table: Held, same: Sequence[str] | None) -> Held:
    """The rows that stand; what is to take back a row that has not come waits, and is none of them."""
    if table.back is None or same is None:
        return table
    left = table.where(standing(table, same) & ~table.back)
    return replace(left, back=None)
