"""As-of joins: a left row waits until the watermark says that no nearer right row can come, and is given then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flower.engine.joint import Joint
from flower.engine.keyed import Advanced
from flower.engine.rowwise import ErrorRows
from flower.engine.waiting import (
    Held,
    bisected,
    by_key,
    by_until,
    joined,
    key_numbers,
    never,
    new_of,
    of_keys,
    same_key,
    settled,
    standing,
    with_more,
)
from flower.graph.batch import Batch, constant
from flower.model.arrays import Bools
from flower.model.panes import instants
from flower.model.time import I64, MAX_TIME, MIN_TIME


@dataclass(frozen=True, slots=True)
class AsofState:
    """Left rows that wait, by until when; right rows that may be the nearest of one to come, by key.

    Looking backward without a tolerance, the newest right row of every key is held for ever.
    """

    left: tuple[Held, ...] = ()
    right: tuple[Held, ...] = ()

    @property
    def groups(self) -> int:
        """How many rows are held."""
        return sum(map(len, (*self.left, *self.right)))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(table.nbytes for table in (*self.left, *self.right))


def advance(state: AsofState, fresh: Sequence[Held], step: Joint, w1: int) -> Advanced[AsofState]:
    """One epoch."""
    left, right = new_of(fresh, step.sides, 0), by_key(new_of(fresh, step.sides, 1))
    waiting = with_more(state.left, left, by_until)
    at = [len(t) if w1 == MAX_TIME else int(np.searchsorted(t.until, w1, side="left")) for t in waiting]
    ready = joined([left.cut(0, 0), *(t.cut(0, n) for t, n in zip(waiting, at, strict=True))])
    waiting = tuple(t.cut(n, len(t)) for t, n in zip(waiting, at, strict=True) if n < len(t))
    known, errors = state.right, ErrorRows(step.name)
    if step.same[1] is not None:
        known, right = _net(known, right, step.same[1])
        # What takes back a row of its time that has not come is told of when none can come any more.
        over = [_owed(table) & (table.time < w1) for table in (*known, right)]
        parts = list(zip((*known, right), over, strict=True))
        never([table.where(mask) for table, mask in parts], step.same[1], errors)
        *some, right = (table.where(~mask) if mask.any() else table for table, mask in parts)
        known = tuple(table for table in some if len(table))
    if step.same[0] is not None:
        never([ready.where(standing(ready, step.same[0]) & _owed(ready))], step.same[0], errors)
    # What takes a row back is of its time, so it is here when the row is ready.
    rows = _nearest(step, settled(ready, step.same[0]), [*known, right])
    needed = (_needed(step, table, w1) for table in with_more(known, right, by_key))
    kept = tuple(table for table in needed if table is not None)
    hold = min((int(table.time.min()) for table in waiting), default=MAX_TIME)
    return Advanced(AsofState(waiting, kept), rows, min(w1, hold), errors=errors.rows())


def _owed(table: Held) -> Bools:
    """Which rows are to take back others."""
    return np.zeros(len(table), np.bool_) if table.back is None else table.back


def _net(tables: tuple[Held, ...], new: Held, same: Sequence[str]) -> tuple[tuple[Held, ...], Held]:
    """Right rows that are held and new ones, those of the keys of new ones all among these: what stands of them."""
    if new.back is None and all(table.back is None for table in tables):
        return tables, new
    mine = [np.isin(table.hash, new.hash) for table in tables]
    whole = joined([*(table.where(mask) for table, mask in zip(tables, mine, strict=True)), new])
    rest = (table.where(~mask) for table, mask in zip(tables, mine, strict=True))
    return tuple(table for table in rest if len(table)), by_key(whole.where(standing(whole, same)))


def _nearest(step: Joint, left: Held, tables: Sequence[Held]) -> Batch:
    """Left rows, each with its nearest right row; of several of one time, the last that came, or the first ahead."""
    found = [of_keys(table, left.hash) for table in tables]
    right = settled(joined(found), step.same[1])
    mine, theirs = key_numbers(left, right, step.keys, exact=step.exact)
    order = np.lexsort((right.position, right.partition, right.at, theirs))
    theirs, times = theirs[order], right.at[order]
    begin, end = (np.searchsorted(theirs, mine, side=side) for side in ("left", "right"))
    nothing = np.full(len(left), -1)
    before = bisected(times, begin, end, left.at, inclusive=True) - 1
    before = np.where(before >= begin, before, nothing) if step.direction != "forward" else nothing
    after = bisected(times, begin, end, left.at, inclusive=False)
    after = np.where(after < end, after, nothing) if step.direction != "backward" else nothing
    back, ahead = _distance(times, before, left.at), _distance(times, after, left.at)
    pick = np.where((before >= 0) & (back <= ahead), before, after)
    if step.within is not None:
        pick = np.where(np.minimum(back, ahead) <= max(-step.within[0], step.within[1]), pick, -1)
    return paired(step, left, right, np.where(pick < 0, -1, order[pick]) if len(order) else nothing)


def paired(step: Joint, left: Held, right: Held, pick: I64) -> Batch:
    """Left rows, each with the right row picked for it, -1: with none."""
    at = np.arange(len(left)) if step.kept(0) else np.flatnonzero(pick >= 0)
    n, time = len(at), left.time[at]
    columns = step.joined((left.rows, right.rows), (at, pick[at]))
    if step.tells_time:
        columns.append(instants(time))
    rows = pa.RecordBatch.from_arrays(columns, schema=step.schema)
    return Batch(rows, time, constant(MIN_TIME, n), constant(0, n), np.arange(n))


def _distance(times: I64, at: I64, wanted: I64) -> I64:
    if not len(times):
        return np.full(len(at), MAX_TIME)
    return np.where(at < 0, MAX_TIME, np.abs(times[at] - wanted))


def _needed(step: Joint, table: Held, watermark: int) -> Held | None:
    """A table of right rows without those that are nearest to no row to come, if they are half of it; None: all are."""
    if watermark == MAX_TIME or not len(table):
        return None
    over = table.until < watermark
    if step.direction == "backward":
        over[:-1] |= _replaced(step, table, watermark)
    n = int(np.count_nonzero(over))
    if n == len(table):
        return None
    return table.where(~over) if 2 * n >= len(table) else table


def _replaced(step: Joint, table: Held, watermark: int) -> Bools:
    """Which rows are followed by one of their key that every left row to come is later than."""
    replaced: Bools = (table.hash[1:] == table.hash[:-1]) & (table.at[1:] <= watermark)
    if step.same[1] is not None:  # a row of the watermark may still be taken back
        replaced &= table.at[1:] < watermark
        replaced &= True if table.back is None else ~table.back[1:]
    if not step.exact and replaced.any():
        at = np.flatnonzero(replaced)
        replaced[at] = same_key(table, at, table, at + 1, step.keys)
    return replaced
