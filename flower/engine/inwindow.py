"""Enrichment from a table in windows: a row waits for the first row of its key in its window of the table, or for the
watermark to pass the end of that window, and takes the newest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flower.engine.asof import paired
from flower.engine.joint import Joint
from flower.engine.keyed import Advanced, expired
from flower.engine.pairing import numbered, same_key
from flower.engine.waiting import Held, by_until, joined, new_of, of_keys, with_more
from flower.model.arrays import Bools
from flower.model.time import I64, MAX_TIME


@dataclass(frozen=True, slots=True)
class InWindowState:
    """Left rows that wait, by window end; right rows by key and window, the newest of each table only.

    ``epochs`` are those so far: a right row is marked with its own.
    """

    epochs: int = 0
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


def advance(state: InWindowState, fresh: Sequence[Held], step: Joint, w1: int) -> Advanced[InWindowState]:
    """One epoch."""
    assert step.windowing is not None
    assert step.lookup is not None
    left, right = new_of(fresh, step.sides, 0), new_of(fresh, step.sides, 1)
    right = right.marked(np.full(len(right), state.epochs))
    tables = with_more(state.right, right, lambda table: newest(table, step))
    asking, waiting = [], []
    for table in (*state.left, left):
        asks = table.until <= w1
        if not step.lookup.waits:
            # One that has waited found nothing before: only what is new may be for it.
            asks |= True if table is left else np.isin(table.hash, right.hash)
        asking.append(table.where(asks))
        waiting.append(table.where(~asks))
    asked = joined(asking)
    asked = asked.take(np.lexsort((asked.position, asked.partition, asked.time)))
    found = joined([right.cut(0, 0), *(of_keys(table, asked.hash) for table in tables)])
    pick = _pick(step, asked, found)
    given = (pick >= 0) | (asked.until <= w1)
    rows = paired(step, asked.where(given), found.rows, pick[given], np.arange(np.count_nonzero(given)))
    back = joined([waiting.pop(), asked.where(~given)])
    left_ = with_more(tuple(table for table in waiting if len(table)), back, by_until)
    gone = expired(step.windowing, w1)
    needed = (_needed(table, gone) for table in tables)
    kept = tuple(table for table in needed if table is not None)
    hold = min((int(table.time.min()) for table in left_), default=MAX_TIME)
    return Advanced(InWindowState(state.epochs + 1, left_, kept), rows, min(w1, hold))


def _pick(step: Joint, left: Held, right: Held) -> I64:
    """For each left row the newest right one of its key and window; -1: there is none."""
    mine, theirs, _ = numbered(left, right, step)
    order = np.lexsort((right.position, right.partition, right.mark, right.time, theirs))
    theirs = theirs[order]
    last = np.searchsorted(theirs, mine, side="right") - 1
    there = np.flatnonzero(last >= 0)
    there = there[theirs[last[there]] == mine[there]]
    pick = np.full(len(left), -1)
    pick[there] = order[last[there]]
    return pick


def newest(table: Held, step: Joint) -> Held:
    """Right rows by key and window, the newest of each."""
    columns = (table.position, table.partition, table.mark, table.time, table.at, table.hash)
    table = table.take(np.lexsort(columns))
    replaced: Bools = np.zeros(len(table), np.bool_)
    replaced[:-1] = (table.hash[1:] == table.hash[:-1]) & (table.at[1:] == table.at[:-1])
    if not step.exact and replaced.any():
        at = np.flatnonzero(replaced)
        replaced[at] = same_key(table, at, table, at + 1, step.keys)
    return table.where(~replaced)


def _needed(table: Held, gone: int) -> Held | None:
    """A table of right rows without those of windows that are over, if they are half of it; None: all are."""
    over = table.until <= gone
    n = int(np.count_nonzero(over))
    if n == len(table):
        return None
    return table.where(~over) if 2 * n >= len(table) else table
