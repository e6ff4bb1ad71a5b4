"""What is remembered of keys, as columns: a record a key, in a few tables of geometrically growing size.

A key has one record at most that is live: when it is touched, its new record goes into a new table, and the old one is
marked as gone. So the cost of an epoch follows the keys that it touches (and a byte a record of the tables that these
are in), and nothing has to say that a key is remembered no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flower.engine.keys import Keys, equal
from flower.model.arrays import Bools
from flower.model.time import I64, MAX_TIME

NEVER = MAX_TIME
"""The time of a timer that is not set."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Remembered of some keys, by hash of the key.

    Parameters
    ----------
    hash, keys
        Which keys (see `flower.engine.keys`).
    values : tuple of pyarrow.Array
        What is remembered, a column each.
    times, holds : tuple of ndarray of int64
        For each timer, when it is set for (`NEVER`: it is not), and the event time at which it holds the output
        watermark (`NEVER`: at none).
    """

    hash: I64
    keys: Keys
    values: tuple[pa.Array, ...]
    times: tuple[I64, ...]
    holds: tuple[I64, ...]

    def __len__(self) -> int:
        return len(self.hash)

    def take(self, at: I64) -> Remembered:
        """The records at some places, in that order."""
        pick = pa.array(at)
        keys, values = (tuple(column.take(pick) for column in columns) for columns in (self.keys, self.values))
        times, holds = (tuple(column[at] for column in columns) for columns in (self.times, self.holds))
        return Remembered(self.hash[at], keys, values, times, holds)

    def told(self) -> Bools:
        """Which of them remember anything."""
        something = np.zeros(len(self), np.bool_)
        for value in self.values:
            something |= np.asarray(value.is_valid())
        for time in self.times:
            something |= time != NEVER
        return something


@dataclass(frozen=True, slots=True)
class Kept:
    """A table of records.

    Parameters
    ----------
    columns : pyarrow.RecordBatch
        Hash, keys, values, times and holds of `Remembered`, in this order; it is never changed, so a checkpoint
        writes it once.
    keys : int
        How many key columns there are.
    timers : int
        How many timers.
    live : ndarray of bool
        Which records are the newest of their keys.
    dues : tuple of int
        For each timer, the earliest for which it is set in a live record.
    hold : int
        The earliest hold of a live record.
    """

    columns: pa.RecordBatch
    keys: int
    timers: int
    live: Bools
    dues: tuple[int, ...]
    hold: int

    def __len__(self) -> int:
        return len(self.live)

    @property
    def hash(self) -> I64:
        """That of each key."""
        return self._numbers(0)

    def _numbers(self, at: int) -> I64:
        column: I64 = self.columns.column(at).to_numpy()
        return column

    @property
    def times(self) -> list[I64]:
        """Of each timer."""
        first = self.columns.num_columns - 2 * self.timers
        return [self._numbers(first + number) for number in range(self.timers)]

    @property
    def records(self) -> Remembered:
        """All of them, also those that are live no more."""
        columns, last = self.columns.columns, self.columns.num_columns - 2 * self.timers
        keys, values = tuple(columns[1 : 1 + self.keys]), tuple(columns[1 + self.keys : last])
        numbers = [self._numbers(at) for at in range(last, self.columns.num_columns)]
        return Remembered(self.hash, keys, values, tuple(numbers[: self.timers]), tuple(numbers[self.timers :]))

    def without(self, at: I64) -> Kept:
        """The same table when the records at some places are live no more."""
        live = self.live.copy()
        live[at] = False
        return _kept(self.columns, self.keys, self.timers, live)


def kept(records: Remembered) -> Kept:
    """A table of records that are all live; they are sorted."""
    if not (records.hash[1:] >= records.hash[:-1]).all():
        records = records.take(np.argsort(records.hash, kind="stable"))
    columns = [pa.array(records.hash), *records.keys, *records.values, *map(pa.array, (*records.times, *records.holds))]
    table = pa.RecordBatch.from_arrays(columns, names=[str(number) for number in range(len(columns))])
    return _kept(table, len(records.keys), len(records.times), np.ones(len(records), np.bool_))


def _kept(columns: pa.RecordBatch, keys: int, timers: int, live: Bools) -> Kept:
    numbers = [columns.column(columns.num_columns - at).to_numpy() for at in range(2 * timers, 0, -1)]
    least = [int(column[live].min(initial=NEVER)) for column in numbers]
    return Kept(columns, keys, timers, live, tuple(least[:timers]), min(least[timers:], default=NEVER))


def joined(parts: Sequence[Remembered]) -> Remembered:
    """The records of several, at least one, one after another."""
    if len(parts) == 1:
        return parts[0]

    def whole(name: str) -> tuple[pa.Array, ...]:
        return tuple(pa.concat_arrays(each) for each in zip(*(getattr(part, name) for part in parts), strict=True))

    def numbers(name: str) -> tuple[I64, ...]:
        return tuple(np.concatenate(each) for each in zip(*(getattr(part, name) for part in parts), strict=True))

    return Remembered(
        np.concatenate([part.hash for part in parts]),
        whole("keys"),
        whole("values"),
        numbers("times"),
        numbers("holds"),
    )


def with_more(tables: Sequence[Kept], more: Remembered) -> tuple[Kept, ...]:
    """Tables with another one; those that are not twice as large as what follows are merged, what is gone left out."""
    grown = [table for table in tables if table.live.any()]
    if len(more):
        grown.append(kept(more))
    for at in range(len(grown) - 1, -1, -1):
        after = grown[at + 1] if at + 1 < len(grown) else None
        alive = int(np.count_nonzero(grown[at].live))
        if after is not None and alive < 2 * len(after):
            grown[at : at + 2] = [together([grown[at], after])]
        elif 2 * alive < len(grown[at]):
            grown[at] = kept(_alive(grown[at]))
    return tuple(grown)


def together(tables: Sequence[Kept]) -> Kept:
    """One table of what is live in several."""
    return kept(joined([_alive(table) for table in tables]))


def _alive(table: Kept) -> Remembered:
    return table.records if table.live.all() else table.records.take(np.flatnonzero(table.live))


def found(table: Kept, hash_: I64, keys: Keys, *, exact: bool) -> tuple[I64, I64]:
    """Which of some different keys have a live record in a table, and where."""
    here, theirs = table.hash, table.records.keys
    place = np.searchsorted(here, hash_, side="left")
    asking = np.arange(len(hash_))
    which, where = [], []
    while len(asking):
        inside = place[asking] < len(here)
        asking = asking[inside]
        asking = asking[here[place[asking]] == hash_[asking]]
        spot = place[asking]
        same = table.live[spot]
        if not exact and len(asking):
            pick, other = pa.array(spot), pa.array(asking)
            same &= equal(tuple(key.take(pick) for key in theirs), tuple(key.take(other) for key in keys))
        which.append(asking[same])
        where.append(spot[same])
        asking = asking[~same]
        place[asking] += 1
    if not which:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate(which), np.concatenate(where)


def due(table: Kept, limits: Sequence[int]) -> I64:
    """Where the live records are of which a timer is due."""
    if not any(first <= limit for first, limit in zip(table.dues, limits, strict=True)):
        return np.zeros(0, np.int64)
    asked = np.zeros(len(table), np.bool_)
    for time, limit in zip(table.times, limits, strict=True):
        asked |= time <= limit
    return np.flatnonzero(asked & table.live)
