"""Interval joins: a row is joined with those that are held of the other side as soon as it comes, and held itself until
the watermark says that nothing can come for it.

Tables of a side are by key, so that an epoch looks up its own rows only. Rows that are over stay in their table until
half of it is; they can join nothing, for whatever could would be late.

A row that is taken back takes back the rows that it was joined to. What is to take back a row that has not come waits
for it by itself, joins nothing, and is forgotten when it could only be late.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from flower.engine.joint import Joint
from flower.engine.keyed import Advanced
from flower.engine.pairing import near
from flower.engine.rowwise import ErrorRows
from flower.engine.waiting import Held, by_key, joined, never, new_of, none, over_by, standing, thinned, with_more
from flower.graph.batch import Batch, constant
from flower.model.arrays import order
from flower.model.panes import instants
from flower.model.time import I64, MAX_TIME, MIN_TIME


@dataclass(frozen=True, slots=True)
class IntervalState:
    """The rows of each side that something may still come for; what is to take back rows that have not come.

    A row is marked with how many it is joined to, or with one once it was given alone: what the watermark had passed.
    """

    watermark: int = MIN_TIME
    sides: tuple[tuple[Held, ...], tuple[Held, ...]] = ((), ())
    owed: tuple[Held, ...] = ()

    @property
    def groups(self) -> int:
        """How many rows are held."""
        return sum(map(len, self._tables()))

    def _tables(self) -> list[Held]:
        return [*(table for tables in self.sides for table in tables), *self.owed]

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(table.nbytes for table in self._tables())


def advance(state: IntervalState, fresh: Sequence[Held], step: Joint, w1: int) -> Advanced[IntervalState]:
    """One epoch."""
    assert step.within is not None
    low, high = step.within
    new = [new_of([*state.owed, *fresh], step.sides, side) for side in (0, 1)]
    gone, held, owed = [], [], []
    for side, same in enumerate(step.same):
        stay, taken, new[side], waits = _taken_back(state.sides[side], by_key(new[side]), same)
        held.append(stay)
        gone.append(taken)
        owed += [each for each in waits if len(each)]
    tables = [[*held[side], new[side]] for side in (0, 1)]
    given = [_Given(tables[side]) if step.kept(side) else None for side in (0, 1)]
    batches = []
    if len(gone[0]) or len(gone[1]):
        # What stays has lost rows that it was joined to; rows that go were joined to what stays, and to one another.
        for number, table in enumerate(held[1]):
            mine, theirs = near(gone[0], table, low, high, step.keys, exact=step.exact)
            batches.append(_rows(step, gone[0], table, mine, theirs, back=True))
            _count(given[1], number, theirs, -1)
        for number, table in enumerate(held[0]):
            mine, theirs = near(table, gone[1], low, high, step.keys, exact=step.exact)
            batches.append(_rows(step, table, gone[1], mine, theirs, back=True))
            _count(given[0], number, mine, -1)
        mine, theirs = near(gone[0], gone[1], low, high, step.keys, exact=step.exact)
        batches.append(_rows(step, gone[0], gone[1], mine, theirs, back=True))
    for number, table in enumerate(tables[1]):
        mine, theirs = near(new[0], table, low, high, step.keys, exact=step.exact)
        batches.append(_rows(step, new[0], table, mine, theirs))
        _count(given[0], -1, mine, 1)
        _count(given[1], number, theirs, 1)
    for number, table in enumerate(tables[0][:-1]):
        mine, theirs = near(table, new[1], low, high, step.keys, exact=step.exact)
        batches.append(_rows(step, table, new[1], mine, theirs))
        _count(given[0], number, mine, 1)
        _count(given[1], -1, theirs, 1)
    kept, hold = [], MAX_TIME
    for side in (0, 1):
        marks = given[side]
        if marks is not None:
            for number, table in enumerate(tables[side]):
                is_new = number == len(tables[side]) - 1
                over, first = _lone(table, marks.marks[number], None if is_new else state.watermark, w1)
                batches.append(_alone(step, side, table, over))
                marks.count(number, over, 1)
                hold = min(hold, first)
                tables[side][number] = table.marked(marks.marks[number])
        *old, last = tables[side]
        left = tuple(each for table in old if (each := thinned(table, w1)) is not None)
        more = last.where(~over_by(last, w1))
        kept.append(with_more(left, more, by_key))
    rows = Batch.concat([batch for batch in batches if len(batch)] or [Batch.empty(step.schema)])
    if not (rows.time[1:] >= rows.time[:-1]).all():
        rows = rows.take(order(rows.time))
    if rows.retraction is not None and rows.retraction.any():
        rows = rows.take(np.argsort(~rows.retraction, kind="stable"))
    rows = replace(rows, position=np.arange(len(rows)))
    errors = ErrorRows(step.name)
    for table in owed:
        never([table.where(table.time < w1)], step.same[table.side], errors)
    still = (table.where(table.time >= w1) for table in owed)
    then = IntervalState(w1, (kept[0], kept[1]), tuple(table for table in still if len(table)))
    return Advanced(then, rows, min(w1, hold), errors=errors.rows())


def _taken_back(
    tables: tuple[Held, ...], new: Held, same: Sequence[str] | None
) -> tuple[tuple[Held, ...], Held, Held, tuple[Held, ...]]:
    """What stays of tables and what of them goes, by key; what stays of new rows; and what takes back none of them."""
    if new.back is None or same is None:
        return tables, new.cut(0, 0), new, ()
    mine = [np.flatnonzero(np.isin(table.hash, new.hash)) for table in tables]
    parts = [*(table.take(at) for table, at in zip(tables, mine, strict=True)), new]
    stands = np.split(standing(joined(parts), same), np.cumsum([len(part) for part in parts])[:-1])
    stay, gone = [], [new.cut(0, 0)]
    for table, at, stood in zip(tables, mine, stands[:-1], strict=True):
        keep = np.ones(len(table), np.bool_)
        keep[at[~stood]] = False
        gone.append(table.where(~keep) if not keep.all() else table.cut(0, 0))
        stay.append(table.where(keep))
    fresh, waits = new.where(stands[-1] & ~new.back), new.where(stands[-1] & new.back)
    left = tuple(table for table in stay if len(table))
    return left, by_key(joined(gone)), replace(fresh, back=None), (waits,)


class _Given:
    """How many rows each row of some tables is joined to; columns are copied when they first change."""

    def __init__(self, tables: Sequence[Held]) -> None:
        self.marks = [table.mark for table in tables]
        self._copied = [False] * len(tables)

    def count(self, table: int, rows: I64, sign: int) -> None:
        """Rows of a table are joined to one more, or one less."""
        if len(rows) and not self._copied[table]:
            self.marks[table], self._copied[table] = self.marks[table].copy(), True
        np.add.at(self.marks[table], rows, sign)


def _count(given: _Given | None, table: int, rows: I64, sign: int) -> None:
    if given is not None:
        given.count(table, rows, sign)


def _lone(table: Held, mark: I64, w0: int | None, w1: int) -> tuple[I64, int]:
    """The rows that nothing has joined and that the watermark passes on its way from ``w0`` (None: the rows are new),
    and the earliest time of those that it has not passed.
    """
    if w0 is None:
        lone, passed = mark == 0, over_by(table, w1)
        return np.flatnonzero(lone & passed), int(table.time[lone & ~passed].min(initial=MAX_TIME))
    by, until = table.by_until, table.until
    begin, end = (len(by) if w == MAX_TIME else bisect_left(by, w, key=until.__getitem__) for w in (w0, w1))
    over = by[begin:end]
    over, first, n = over[mark[over] == 0], MAX_TIME, 64
    while end < len(by) and first == MAX_TIME:
        # Of one side, what is let go first is of the earliest time.
        ahead = by[end : end + n]
        first = int(table.time[ahead[mark[ahead] == 0]].min(initial=MAX_TIME))
        end, n = end + n, 2 * n
    return over, first


def _alone(step: Joint, side: int, table: Held, over: I64) -> Batch:
    """Rows of a side that nothing has joined."""
    other, nothing = none(1 - side, step.sides[1 - side]), np.full(len(over), -1)
    return _rows(step, table, other, over, nothing) if side == 0 else _rows(step, other, table, nothing, over)


def _rows(step: Joint, left: Held, right: Held, mine: I64, theirs: I64, *, back: bool = False) -> Batch:
    """Joined rows, or what takes them back; their time is that of the later of the two."""
    n = len(mine)
    if not n:
        return Batch.empty(step.schema)
    times = [
        np.where(at < 0, MIN_TIME, side.time[at]) if len(side) else constant(MIN_TIME, n)
        for side, at in ((left, mine), (right, theirs))
    ]
    time = np.maximum(*times)
    retraction = np.full(n, back) if step.retracts else None
    signs = [] if retraction is None else [pa.array(retraction)]
    columns = [*step.joined((left.rows, right.rows), (mine, theirs)), *signs, instants(time)]
    rows = pa.RecordBatch.from_arrays(columns, schema=step.schema)
    return Batch(rows, time, constant(MIN_TIME, n), constant(0, n), constant(0, n), retraction)
