"""As-of joins: a left row waits until the watermark says that no nearer right row can come, and is given then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from flower.engine.joint import Joint
from flower.engine.keyed import Advanced
from flower.engine.pairing import key_numbers, places, same_key
from flower.engine.waiting import (
    Held,
    by_key,
    by_until,
    joined,
    new_of,
    none,
    of_keys,
    settled,
    standing,
    with_more,
)
from flower.graph.batch import Batch, constant
from flower.model.arrays import Bools, order
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
    left, right = (new_of(fresh, step.sides, side) for side in (0, 1))
    ready, rest = [left.cut(0, 0)], []
    for table in state.left:
        n = len(table) if w1 == MAX_TIME else int(np.searchsorted(table.until, w1, side="left"))
        ready.append(table.cut(0, n))
        rest += [table.cut(n, len(table))] if n < len(table) else []
    over = left.until < w1 if w1 < MAX_TIME else np.ones(len(left), np.bool_)
    ready.append(left.where(over))
    waiting = with_more(tuple(rest), left.where(~over), by_until)
    known = state.right
    if step.same[1] is not None:
        known, right = _net(known, right, step.same[1])
    tables = with_more(known, right, by_key)
    # What takes a row back is of its time, so it is here when the row is ready.
    rows = _nearest(step, settled(joined(ready), step.same[0]), tables)
    kept = tuple(some for table in tables if (some := _needed(step, table, w1)) is not None)
    hold = min((int(table.time.min()) for table in waiting), default=MAX_TIME)
    return Advanced(AsofState(waiting, kept), rows, min(w1, hold))


def _net(tables: tuple[Held, ...], new: Held, same: Sequence[str]) -> tuple[tuple[Held, ...], Held]:
    """Right rows that are held and new ones, those of the keys of new ones all among these: what stands of them."""
    if new.back is None and all(table.back is None for table in tables):
        return tables, new
    mine = [np.isin(table.hash, new.hash) for table in tables]
    whole = joined([*(table.where(mask) for table, mask in zip(tables, mine, strict=True)), new])
    rest = (table.where(~mask) for table, mask in zip(tables, mine, strict=True))
    return tuple(table for table in rest if len(table)), whole.where(standing(whole, same))


def _nearest(step: Joint, left: Held, tables: Sequence[Held]) -> Batch:
    """Left rows by time, each with its nearest right row; of several of one time, the last that came, or the first
    ahead.
    """
    if any(table.back is not None for table in tables):
        found = joined([of_keys(table, left.hash) for table in tables])
        tables = [by_key(settled(found, step.same[1]))]
    tables = [table for table in tables if len(table)]
    nearest = _looked_up(step, left, tables)
    if not step.exact:
        wrong = nearest.others(left, tables, step.keys)
        if len(wrong):
            # Rows of another key, of the same hash, are in the way: these are looked up by numbers without chance.
            asked = left.take(wrong)
            found = joined([of_keys(table, asked.hash) for table in tables])
            mine, theirs = key_numbers(asked, found, step.keys, exact=False)
            tables.append(by_key(replace(found, hash=theirs)))
            again = _looked_up(step, replace(asked, hash=mine), tables[-1:])
            nearest.table[wrong] = np.where(again.table < 0, -1, len(tables) - 1)
            nearest.row[wrong] = again.row
    right, pick = nearest.rows(tables or [none(1, step.sides[1])])
    return paired(step, left, right, pick, order(left.time))


@dataclass(frozen=True, slots=True)
class _Places:
    """For each left row a row of some tables: which table, -1 where there is none, and which of its rows."""

    table: I64
    row: I64

    @staticmethod
    def none(n: int) -> _Places:
        return _Places(np.full(n, -1), np.full(n, -1))

    def better(self, tables: Sequence[Held], number: int, row: I64, *, last: bool) -> None:
        """Take rows of another table, -1: none, where they are later, or else earlier, than those before."""
        new = row >= 0
        asked = np.flatnonzero(new & (self.table >= 0)) if number else row[:0]
        for other in range(number if len(asked) else 0):
            at = asked[self.table[asked] == other]
            one, two = _rank(tables[number], row[at]), _rank(tables[other], self.row[at])
            new[at] = _less(two, one) if last else _less(one, two)
        self.table[new] = number
        self.row[new] = row[new]

    def distance(self, tables: Sequence[Held], wanted: I64) -> I64:
        """How far the rows are from the times that are wanted."""
        if len(tables) == 1:
            return np.where(self.row < 0, MAX_TIME, np.abs(tables[0].at[self.row] - wanted))
        far = np.full(len(wanted), MAX_TIME)
        for number, table in enumerate(tables):
            at = np.flatnonzero(self.table == number)
            far[at] = np.abs(table.at[self.row[at]] - wanted[at])
        return far

    def others(self, left: Held, tables: Sequence[Held], keys: Sequence[str]) -> I64:
        """The left rows whose rows are of another key."""
        wrong = []
        for number, table in enumerate(tables):
            at = np.flatnonzero(self.table == number)
            wrong.append(at[~same_key(left, at, table, self.row[at], keys)])
        return np.concatenate(wrong or [np.zeros(0, np.int64)])

    def rows(self, tables: Sequence[Held]) -> tuple[pa.RecordBatch, I64]:
        """The rows, and which of them is whose."""
        used = [number for number in range(len(tables)) if (self.table == number).any()] if len(tables) > 1 else [0]
        if len(used) < 2:
            return tables[used[0] if used else 0].rows, self.row
        pick, parts, n = np.full(len(self.row), -1), [], 0
        for number in used:
            at = np.flatnonzero(self.table == number)
            pick[at] = np.arange(n, n + len(at))
            parts.append(tables[number].rows.take(pa.array(self.row[at])))
            n += len(at)
        return pa.concat_batches(parts), pick


def _rank(table: Held, row: I64) -> tuple[I64, ...]:
    return table.at[row], table.partition[row], table.position[row]


def _less(one: tuple[I64, ...], two: tuple[I64, ...]) -> Bools:
    less, level = np.zeros(len(one[0]), np.bool_), np.ones(len(one[0]), np.bool_)
    for a, b in zip(one, two, strict=True):
        less |= level & (a < b)
        level &= a == b
    return less


def _looked_up(step: Joint, left: Held, tables: Sequence[Held]) -> _Places:
    """The nearest row of the hash of each left row, in tables that are `by_key`."""
    n = len(left)
    by = order(left.at, left.hash)
    hash_, wanted = left.hash[by], left.at[by]
    # Not later than the row, and not earlier.
    sought = {"backward": (True,), "forward": (False,), "nearest": (True, False)}[step.direction or "nearest"]
    best = [_Places.none(n) for _ in sought]
    for number, table in enumerate(tables):
        begin, end, found = places(table, hash_, *((wanted, equal) for equal in sought))
        for equal, row, so_far in zip(sought, found, best, strict=True):
            picked = np.where(row > begin, row - 1, -1) if equal else np.where(row < end, row, -1)
            so_far.better(tables, number, picked, last=equal)
    nearest = best[0]
    if len(best) > 1 or step.within is not None:
        far = [each.distance(tables, wanted) for each in best]
        if len(best) > 1:
            ahead = np.flatnonzero(far[0] > far[1])
            nearest.table[ahead], nearest.row[ahead] = best[1].table[ahead], best[1].row[ahead]
            far[0][ahead] = far[1][ahead]
        if step.within is not None:
            over = np.flatnonzero(far[0] > max(-step.within[0], step.within[1]))
            nearest.table[over] = nearest.row[over] = -1
    scattered = _Places(np.empty(n, np.int64), np.empty(n, np.int64))
    scattered.table[by], scattered.row[by] = nearest.table, nearest.row
    return scattered


def paired(step: Joint, left: Held, right: pa.RecordBatch, pick: I64, by: I64) -> Batch:
    """Left rows in an order, each with the right row picked for it, -1: with none."""
    at = by if step.kept(0) else by[pick[by] >= 0]
    n, time = len(at), left.time[at]
    columns = step.joined((left.rows, right), (at, pick[at]))
    if step.tells_time:
        columns.append(instants(time))
    rows = pa.RecordBatch.from_arrays(columns, schema=step.schema)
    return Batch(rows, time, constant(MIN_TIME, n), constant(0, n), np.arange(n))


def _needed(step: Joint, table: Held, watermark: int) -> Held | None:
    """A table of right rows without those that are nearest to no row to come, if they are half of it; None: all are."""
    if watermark == MAX_TIME or not len(table):
        return None
    if table.half_over(lambda table: _over(step, table)) >= watermark:
        return table
    left = table.where(_over(step, table) >= watermark)
    return left if len(left) else None


def _over(step: Joint, table: Held) -> I64:
    """The watermark past which each right row is nearest to no row to come: it is too far, or the next one of its key
    is always nearer.
    """
    over = table.until
    if step.direction != "backward" or len(table) < 2:
        return over
    following = table.hash[1:] == table.hash[:-1]
    if step.same[1] is not None and table.back is not None:
        following &= ~table.back[1:]
    if not step.exact and following.any():
        at = np.flatnonzero(following)
        following[at] = same_key(table, at, table, at + 1, step.keys)
    # A row of the watermark may still be taken back.
    replaced = table.at[1:] - int(step.same[1] is None)
    return np.append(np.where(following, np.minimum(over[:-1], replaced), over[:-1]), over[-1:])
