"""Interval joins: a row is joined with those that are held of the other side as soon as it comes, and held itself until
the watermark says that nothing can come for it.

Tables of a side are by key, so that an epoch looks up its own rows only. Rows that are over stay in their table until
half of it is; they can join nothing, for whatever could would be late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flower.engine.joint import Joint
from flower.engine.keyed import Advanced
from flower.engine.waiting import Held, by_key, near, new_of, none, over_by, thinned, with_more
from flower.graph.batch import Batch, constant
from flower.model.panes import instants
from flower.model.time import I64, MAX_TIME, MIN_TIME

GIVEN = 1
"""The mark of a row that has been joined, or given without a row of the other side."""


@dataclass(frozen=True, slots=True)
class IntervalState:
    """The rows of each side that something may still come for."""

    sides: tuple[tuple[Held, ...], tuple[Held, ...]] = ((), ())

    @property
    def groups(self) -> int:
        """How many rows are held."""
        return sum(len(table) for tables in self.sides for table in tables)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(table.nbytes for tables in self.sides for table in tables)


def advance(state: IntervalState, fresh: Sequence[Held], step: Joint, w1: int) -> Advanced[IntervalState]:
    """One epoch."""
    assert step.within is not None
    low, high = step.within
    new = [by_key(new_of(fresh, step.sides, side)) for side in (0, 1)]
    tables = [[*state.sides[side], new[side]] for side in (0, 1)]
    given = [[table.mark.copy() for table in tables[side]] if step.kept(side) else [] for side in (0, 1)]
    batches = []
    for number, table in enumerate(tables[1]):
        mine, theirs = near(new[0], table, low, high, step.keys, exact=step.exact)
        batches.append(_rows(step, new[0], table, mine, theirs))
        _mark(given, (len(tables[0]) - 1, mine), (number, theirs))
    for number, table in enumerate(tables[0][:-1]):
        theirs, mine = near(new[1], table, -high, -low, step.keys, exact=step.exact)
        batches.append(_rows(step, table, new[1], mine, theirs))
        _mark(given, (number, mine), (len(tables[1]) - 1, theirs))
    kept, hold = [], MAX_TIME
    for side in (0, 1):
        if step.kept(side):
            for number, table in enumerate(tables[side]):
                lone = given[side][number] != GIVEN
                over = np.flatnonzero(lone & over_by(table, w1))
                batches.append(_alone(step, side, table, over))
                given[side][number][over] = GIVEN
                lone[over] = False
                hold = min(hold, int(table.time[lone].min(initial=MAX_TIME)))
                tables[side][number] = table.marked(given[side][number])
        *old, last = tables[side]
        left = tuple(each for table in old if (each := thinned(table, w1)) is not None)
        more = last.where(~over_by(last, w1))
        kept.append(with_more(left, more, by_key))
    rows = Batch.concat([batch for batch in batches if len(batch)] or [Batch.empty(step.schema)])
    if not (rows.time[1:] >= rows.time[:-1]).all():
        rows = rows.take(np.argsort(rows.time, kind="stable"))
    rows = Batch(rows.rows, rows.time, rows.met, rows.partition, np.arange(len(rows)))
    return Advanced(IntervalState((kept[0], kept[1])), rows, min(w1, hold))


def _mark(given: list[list[I64]], left: tuple[int, I64], right: tuple[int, I64]) -> None:
    for of_side, (number, rows) in zip(given, (left, right), strict=True):
        if of_side:
            of_side[number][rows] = GIVEN


def _alone(step: Joint, side: int, table: Held, over: I64) -> Batch:
    """Rows of a side that nothing has joined."""
    other, nothing = none(1 - side, step.sides[1 - side]), np.full(len(over), -1)
    return _rows(step, table, other, over, nothing) if side == 0 else _rows(step, other, table, nothing, over)


def _rows(step: Joint, left: Held, right: Held, mine: I64, theirs: I64) -> Batch:
    """Joined rows; their time is that of the later of the two."""
    n = len(mine)
    if not n:
        return Batch.empty(step.schema)
    times = [
        np.where(at < 0, MIN_TIME, side.time[at]) if len(side) else constant(MIN_TIME, n)
        for side, at in ((left, mine), (right, theirs))
    ]
    time = np.maximum(*times)
    columns = [*step.joined((left.rows, right.rows), (mine, theirs)), instants(time)]
    rows = pa.RecordBatch.from_arrays(columns, schema=step.schema)
    return Batch(rows, time, constant(MIN_TIME, n), constant(0, n), constant(0, n))
