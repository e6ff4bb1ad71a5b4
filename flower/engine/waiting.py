"""Rows of one side of a join while they wait for those of the other: immutable columns, and how rows are paired.

Nothing here changes a column that it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.engine.joint import no_rows
from flower.engine.keys import encode, equal
from flower.engine.rowwise import NEVER, ErrorRows
from flower.graph.batch import Batch, constant
from flower.graph.schema import names_text
from flower.model.arrays import Bools, distinct
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
        Their event times, and where they came from.
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

    def __len__(self) -> int:
        return len(self.time)

    @property
    def nbytes(self) -> int:
        """Bytes of its columns."""
        return int(self.rows.nbytes) + 6 * 8 * len(self)

    def take(self, indices: I64) -> Held:
        """The rows at ``indices``."""
        picks = {name: getattr(self, name)[indices] for name in _COLUMNS}
        back = None if self.back is None else self.back[indices]
        return Held(self.side, self.rows.take(pa.array(indices)), **picks, back=back)

    def where(self, mask: Bools) -> Held:
        """The rows where ``mask`` holds."""
        return self if mask.all() else self.take(np.flatnonzero(mask))

    def cut(self, start: int, stop: int) -> Held:
        """The rows of ``[start, stop)``, not copied."""
        picks = {name: getattr(self, name)[start:stop] for name in _COLUMNS}
        back = None if self.back is None else self.back[start:stop]
        return Held(self.side, self.rows.slice(start, stop - start), **picks, back=back)

    def marked(self, mark: I64) -> Held:
        """The same rows, marked otherwise."""
        return replace(self, mark=mark)


_COLUMNS = ("time", "partition", "position", "at", "until", "hash", "mark")


def held(side: int, batch: Batch, keys: Sequence[str], at: I64, until: I64, *, exact: bool) -> Held:
    """Rows as they come."""
    n = len(batch)
    encoded = encode([batch.rows.column(name) for name in keys], n, exact=exact)
    hash_ = encoded.hash[encoded.codes]
    mark = np.zeros(n, np.int64)
    back = batch.retraction if batch.retraction is not None and batch.retraction.any() else None
    return Held(side, batch.rows, batch.time, batch.partition, batch.position, at, until, hash_, mark, back)


def none(side: int, schema: pa.Schema) -> Held:
    """No rows."""
    nothing = np.zeros(0, np.int64)
    return Held(side, no_rows(schema), nothing, nothing, nothing, nothing, nothing, nothing, nothing)


def new_of(fresh: Sequence[Held], sides: Sequence[pa.Schema], side: int) -> Held:
    """The rows that an epoch brings of a side."""
    return joined([none(side, sides[side]), *(piece for piece in fresh if piece.side == side)])


def joined(parts: Sequence[Held]) -> Held:
    """The rows of several, at least one, one after another."""
    if len(parts) == 1:
        return parts[0]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    back = None
    if any(part.back is not None for part in parts):
        back = np.concatenate([np.zeros(len(part), np.bool_) if part.back is None else part.back for part in parts])
    return Held(parts[0].side, pa.concat_batches([part.rows for part in parts]), **columns, back=back)


def by_until(table: Held) -> Held:
    """The rows in the order in which they are let go."""
    until = table.until
    return table if (until[1:] >= until[:-1]).all() else table.take(np.argsort(until, kind="stable"))


def by_key(table: Held) -> Held:
    """The rows by key; within it by time, partition and position."""
    columns = (table.hash, table.at, table.partition, table.position)
    rising, level = np.zeros(max(len(table) - 1, 0), np.bool_), np.ones(max(len(table) - 1, 0), np.bool_)
    for column in columns:
        rising |= level & (column[1:] > column[:-1])
        level &= column[1:] == column[:-1]
    return table if (rising | level).all() else table.take(np.lexsort(columns[::-1]))


def with_more(tables: tuple[Held, ...], more: Held, order: Callable[[Held], Held]) -> tuple[Held, ...]:
    """Tables with another one; those that are not twice as large as what follows are merged, and put in ``order``."""
    if not len(more):
        return tables
    grown = [*tables, more]
    while len(grown) > 1 and len(grown[-2]) < 2 * len(grown[-1]):
        grown[-2:] = [joined(grown[-2:])]
    return (*grown[:-1], order(grown[-1]))


def of_keys(table: Held, hashes: I64) -> Held:
    """The rows of a table that is `by_key` whose keys are among some."""
    wanted = distinct(hashes)
    first = np.searchsorted(table.hash, wanted, side="left")
    last = np.searchsorted(table.hash, wanted, side="right")
    if int((last - first).sum()) == len(table):
        return table
    return table.take(_spread(first, last - first, None)[1])


def over_by(table: Held, watermark: int) -> Bools:
    """Which rows nothing can come for any more."""
    return np.ones(len(table), np.bool_) if watermark == MAX_TIME else table.until < watermark


def thinned(table: Held, watermark: int) -> Held | None:
    """A table without the rows that are over, if they are half of it; None: all are."""
    over = over_by(table, watermark)
    n = int(np.count_nonzero(over))
    if n == len(table):
        return None
    return table.where(~over) if 2 * n >= len(table) else table


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


# -- which rows belong together


def key_numbers(left: Held, right: Held, keys: Sequence[str], *, exact: bool) -> tuple[I64, I64]:
    """One dense number for each key, for the rows of both sides."""
    n = len(left)
    if exact:
        number = np.asarray(pd.factorize(np.concatenate((left.hash, right.hash)))[0], np.int64)
    else:
        columns = [pa.concat_arrays([left.rows.column(key), right.rows.column(key)]) for key in keys]
        number = encode(columns, n + len(right), exact=False).codes
    return number[:n], number[n:]


def numbered(left: Held, right: Held, keys: Sequence[str], *, exact: bool) -> tuple[I64, I64, int]:
    """One dense number for each key and window, for the rows of both sides; and how many numbers there are."""
    n = len(left)
    number = np.concatenate(key_numbers(left, right, keys, exact=exact))
    at = np.concatenate((left.at, right.at))
    if len(at) and (at != at[0]).any():
        places = np.asarray(pd.factorize(at)[0], np.int64)
        number = np.asarray(pd.factorize(number * (int(places.max()) + 1) + places)[0], np.int64)
    return number[:n], number[n:], int(number.max(initial=-1)) + 1


def alike(left: I64, right: I64, count: int) -> tuple[I64, I64]:
    """The pairs of rows that have the same number, as indices; by the left one."""
    order = np.argsort(right, kind="stable")
    per = np.bincount(right, minlength=count)
    first = np.cumsum(per) - per
    pairs = per[left]
    return _spread(first[left], pairs, order)


def _spread(first: I64, pairs: I64, order: I64 | None) -> tuple[I64, I64]:
    """For each left row the ``pairs`` places from ``first`` on."""
    left = np.repeat(np.arange(len(pairs)), pairs)
    begins = np.cumsum(pairs) - pairs
    right = np.repeat(first - begins, pairs) + np.arange(len(left))
    return left, right if order is None else order[right]


def near(rows: Held, table: Held, low: int, high: int, keys: Sequence[str], *, exact: bool) -> tuple[I64, I64]:
    """The pairs of ``rows`` and of a ``table`` that is `by_key`, in whose time from ``at + low`` to ``at + high``."""
    begin = np.searchsorted(table.hash, rows.hash, side="left")
    end = np.searchsorted(table.hash, rows.hash, side="right")
    first = bisected(table.at, begin, end, _moved(rows.at, low), inclusive=False)
    last = bisected(table.at, first, end, _moved(rows.at, high), inclusive=True)
    mine, theirs = _spread(first, last - first, None)
    if exact or not len(mine):
        return mine, theirs
    same = same_key(rows, mine, table, theirs, keys)
    return (mine, theirs) if same.all() else (mine[same], theirs[same])


def same_key(left: Held, at: I64, right: Held, where: I64, keys: Sequence[str]) -> Bools:
    """Pair by pair, whether rows have the same key; missing ones are equal."""
    return equal(
        tuple(_nan_is_null(left.rows.column(key)).take(pa.array(at)) for key in keys),
        tuple(_nan_is_null(right.rows.column(key)).take(pa.array(where)) for key in keys),
    )


def _nan_is_null(column: pa.Array) -> pa.Array:
    if not pa.types.is_floating(column.type):
        return column
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    return pa.array(values, mask=np.isnan(values))


def _moved(time: I64, us: int) -> I64:
    """``time + us`` that stops at the ends of time."""
    moved = time + np.int64(us)
    if us >= 0:
        return np.where(moved < time, np.iinfo(np.int64).max, moved)
    return np.where(moved > time, np.iinfo(np.int64).min, moved)


def bisected(values: I64, low: I64, high: I64, wanted: I64, *, inclusive: bool) -> I64:
    """For each row the place in ``values[low:high]``, ascending there, before which all are less than ``wanted``."""
    low, high = low.copy(), high.copy()
    open_ = np.flatnonzero(low < high)
    while len(open_):
        middle = (low[open_] + high[open_]) >> 1
        probe = values[middle]
        before = probe <= wanted[open_] if inclusive else probe < wanted[open_]
        low[open_[before]] = middle[before] + 1
        high[open_[~before]] = middle[~before]
        open_ = open_[low[open_] < high[open_]]
    return low
