"""A step of a person's own code: its state, and one epoch of it.

First the rows of every key, then the timers that are due: of a key in order of time and name, those included that
timers set. Then what is remembered of the keys that were touched goes into a table of its own. A batch waits for its
end, so that the code is called once for the rows of a key, however they were cut into epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flower.engine.calling import Calls, OneByOne
from flower.engine.kept import NEVER, Kept, Remembered, due, found, joined, with_more
from flower.engine.keyed import Advanced
from flower.engine.keys import Keys, encode
from flower.engine.pairs import Pairs
from flower.engine.pairs import joined as joined_pairs
from flower.engine.processing import Processing
from flower.engine.vectorised import AllAtOnce
from flower.graph.batch import Batch
from flower.model import arrays
from flower.model.time import I64, MAX_TIME


@dataclass(frozen=True, slots=True)
class ProcessedState:
    """What a step remembers of its keys, and their timers; in a batch, the rows that wait for its end."""

    tables: tuple[Kept, ...] = ()
    waiting: tuple[Pairs, ...] = ()

    @property
    def groups(self) -> int:
        """Of how many keys something is remembered, and how many rows wait."""
        return sum(int(np.count_nonzero(table.live)) for table in self.tables) + sum(map(len, self.waiting))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        held = sum(int(table.columns.nbytes) + len(table) for table in self.tables)
        return held + sum(each.nbytes for each in self.waiting)


def advance(
    state: ProcessedState, pairs: Sequence[Pairs], step: Processing, w1: int, now: int
) -> Advanced[ProcessedState]:
    """One epoch."""
    some = [*state.waiting, *(each for each in pairs if len(each))]
    if step.batch and w1 < MAX_TIME:
        return Advanced(ProcessedState((), tuple(some)), Batch.empty(step.schema), w1)
    limits = step.limits(w1, now)
    rows, ends, keys = None, np.zeros(0, np.int64), _none(step)
    if some:
        rows, ends, hash_, own = by_key(joined_pairs(some), exact=step.exact)
        keys = Remembered(hash_, own, *_nothing(step, len(hash_)))
    tables, known = known_of(state.tables, keys, exact=step.exact)
    waiting = []
    for number, table in enumerate(tables):
        at = due(table, limits)
        if len(at):
            waiting.append(table.records.take(at))
            tables[number] = table.without(at)
    active = joined([known, *waiting])
    if not len(active):
        return Advanced(state, Batch.empty(step.schema), min(w1, _hold(state.tables)))
    calls: Calls = AllAtOnce(step, active, now) if step.vectorised else OneByOne(step, active, now)
    if rows is not None:
        calls.rows(rows, ends)
    calls.fire(limits)
    after = calls.remembered()
    then = with_more(tables, after.take(np.flatnonzero(after.told())))
    return Advanced(ProcessedState(then), calls.batch(), min(w1, _hold(then)), errors=calls.errors.rows())


def _hold(tables: Sequence[Kept]) -> int:
    return min((table.hold for table in tables), default=NEVER)


def by_key(pairs: Pairs, *, exact: bool) -> tuple[Batch, I64, I64, Keys]:
    """Rows by key, and of a key by event time, partition and position; where those of each key end; and the keys."""
    batch = pairs.batch
    encoded = encode(pairs.keys, len(batch), exact=exact)
    order = np.lexsort((batch.position, batch.partition, batch.time, encoded.codes))
    codes = encoded.codes[order]
    ends = arrays.group_ends(arrays.group_starts(codes), len(codes)) + 1
    there = codes[ends - 1]
    pick = pa.array(there)
    return batch.take(order), ends, encoded.hash[there], tuple(key.take(pick) for key in encoded.keys)


def _nothing(step: Processing, n: int) -> tuple[tuple[pa.Array, ...], tuple[I64, ...], tuple[I64, ...]]:
    values = tuple(pa.nulls(n, kind.type) for _, kind in step.state)
    never = tuple(np.full(n, NEVER) for _ in step.timers)
    return values, never, never


def _none(step: Processing) -> Remembered:
    """No key."""
    keys = tuple(pa.nulls(0, step.before.field(key).type) for key in step.keys)
    return Remembered(np.zeros(0, np.int64), keys, *_nothing(step, 0))


def known_of(tables: Sequence[Kept], keys: Remembered, *, exact: bool) -> tuple[list[Kept], Remembered]:
    """The tables without some keys, and what they remember of these."""
    left, parts = list(tables), [keys]
    place, filled = np.arange(len(keys)), len(keys)
    for number, table in enumerate(tables):
        which, where = found(table, keys.hash, keys.keys, exact=exact)
        if len(which):
            parts.append(table.records.take(where))
            place[which] = filled + np.arange(len(which))
            filled += len(which)
            left[number] = table.without(where)
    return left, keys if len(parts) == 1 else joined(parts).take(place)
