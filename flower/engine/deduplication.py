"""Deduplication: rows are given as they come, unless one of their key near them has been given; what was given is
remembered until the watermark says that nothing near it can come.

What is remembered is keys and times only, in tables by key, so that an epoch looks up its own rows and nothing else.
A batch waits for its end, so that what it gives does not depend on how it was cut into epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.engine import bloom
from flower.engine.bloom import Generation
from flower.engine.counts import Counts
from flower.engine.keyed import Advanced
from flower.engine.keys import encode
from flower.engine.lift import Lifted
from flower.engine.pairing import bisected, near
from flower.engine.side import LATE
from flower.engine.waiting import Held, by_key, held, joined, none, thinned, with_more
from flower.graph.batch import Batch
from flower.model import arrays
from flower.model.panes import instants
from flower.model.time import I64, MAX_TIME, MIN_TIME, later


@dataclass(frozen=True, slots=True)
class Distinct:
    """One deduplication, ready to run.

    Parameters
    ----------
    name : str
        The step's name.
    keys : tuple of str
        Key columns.
    within : int
        How far apart in event time rows of a key are still one, in microseconds.
    exact : bool
        Whether equal hashes mean equal keys.
    slice : int
        What is a moment of event time, in microseconds; more than 1 by sketch.
    reach : int
        How many slices apart rows of a key are still one.
    error : float or None
        How often a row may be left out that repeats none; None: never, keys are compared.
    batch : bool
        Whether all rows come before any is given.
    schema, dropped_schema : pyarrow.Schema
        The columns of rows, and of those that came too late.
    """

    name: str
    keys: tuple[str, ...]
    within: int
    slice: int
    reach: int
    error: float | None
    exact: bool
    batch: bool
    schema: pa.Schema
    dropped_schema: pa.Schema


@dataclass(frozen=True, slots=True)
class DistinctState:
    """The keys and times of rows that were given, by key, or a sketch of them; in a batch, the rows that wait for its
    end.
    """

    given: tuple[Held, ...] = ()
    waiting: tuple[Held, ...] = ()
    sketch: tuple[Generation, ...] = ()

    @property
    def groups(self) -> int:
        """How many rows are held."""
        return sum(map(len, (*self.given, *self.waiting))) + sum(each.count for each in self.sketch)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(table.nbytes for table in (*self.given, *self.waiting)) + sum(each.nbytes for each in self.sketch)


def lift_rows(batch: Batch, step: Distinct, *, watermark: int, elsewhere: int) -> Lifted:
    """Admit the rows of one partition that do not come after the watermark.

    Parameters
    ----------
    watermark : int
        The step's watermark at the epoch's start.
    elsewhere : int
        The watermark of the other partitions and inputs at the epoch's start.
    """
    met = np.maximum(np.minimum(batch.met, elsewhere), watermark)
    gone = np.flatnonzero(met > batch.time)
    counts, dropped = Counts(on_time=len(batch)), Batch.empty(step.dropped_schema)
    if len(gone):
        excess = int((met - batch.time)[gone].max()) - 1
        counts = Counts(len(batch) - len(gone), 0, len(gone), excess)
        rows = batch.take(gone)
        added = [pa.array([LATE] * len(gone), pa.large_string()), instants(met[gone])]
        columns = pa.RecordBatch.from_arrays([*rows.rows.columns, *added], schema=step.dropped_schema)
        dropped = Batch(columns, rows.time, met[gone], rows.partition, rows.position)
        batch = batch.take(np.setdiff1d(np.arange(len(batch)), gone, assume_unique=True))
    until = later(batch.time, step.within)
    return Lifted(held(0, batch, step.keys, batch.time, until, exact=step.exact), counts, dropped)


def advance(state: DistinctState, fresh: Sequence[Held], step: Distinct, w1: int) -> Advanced[DistinctState]:
    """One epoch."""
    if step.batch and w1 < MAX_TIME:
        waiting = (*state.waiting, *(piece for piece in fresh if len(piece)))
        return Advanced(DistinctState((), waiting), Batch.empty(step.schema), w1)
    new = by_key(joined([none(0, step.schema), *state.waiting, *fresh]))
    repeats = _repeats(new, state.given, step) if step.error is None else _sketched(new, state.sketch, step)
    new = new.take(_first(new, np.flatnonzero(~repeats), step))
    rows = Batch(new.rows, new.time, np.full(len(new), MIN_TIME), new.partition, new.position)
    if step.error is not None:
        return Advanced(DistinctState(sketch=_remembered(state.sketch, new, step, w1)), rows, w1)
    seen = Held(0, new.rows.select(list(step.keys)), *(getattr(new, name) for name in _COLUMNS))
    kept = tuple(each for table in state.given if (each := thinned(table, w1)) is not None)
    if w1 < MAX_TIME:
        kept = with_more(kept, seen.where(seen.until >= w1), by_key)
    return Advanced(DistinctState(kept), rows, w1)


_COLUMNS = ("time", "partition", "position", "at", "until", "hash", "mark")


def _repeats(new: Held, given: Sequence[Held], step: Distinct) -> arrays.Bools:
    """Which rows are near one of their key that was given in an earlier epoch."""
    repeats = np.zeros(len(new), np.bool_)
    for table in given:
        mine, _ = near(new, table, -step.within, step.within, step.keys, exact=step.exact)
        repeats[mine] = True
    return repeats


def _sketched(new: Held, sketch: Sequence[Generation], step: Distinct) -> arrays.Bools:
    """The same by sketch: which are near one of their key, and few others."""
    return bloom.holding(sketch, new.hash, new.time // step.slice, step.reach)


def _remembered(sketch: Sequence[Generation], new: Held, step: Distinct, w1: int) -> tuple[Generation, ...]:
    """The sketch with what is given, without what no row to come can repeat."""
    if w1 == MAX_TIME:
        return ()
    assert step.error is not None
    least = w1 // step.slice - step.reach
    slices = new.time // step.slice
    some = np.flatnonzero(slices >= least)
    # A row is asked about in every slice of its reach, so each answer may be wrong so much less often.
    error = step.error / (2 * step.reach + 1)
    return bloom.with_more(bloom.living(sketch, least), new.hash[some], slices[some], error)


def _first(new: Held, among: I64, step: Distinct) -> I64:
    """The rows that are given of those at ``among``, in their order: time, partition, position.

    Of each key that is the first of them, then the first that is not near it, and so on. From each row the next that
    would be given after it is looked up for all at once, and the chains from each key's first are walked in steps of
    doubled length.
    """
    key = np.asarray(pd.factorize(new.hash[among])[0], np.int64)
    several = np.bincount(key)[key] > 1 if len(key) else np.zeros(0, np.bool_)
    alone, among, key = among[~several], among[several], key[several]
    if not step.exact:
        picks = pa.array(among)
        key = encode([new.rows.column(name).take(picks) for name in step.keys], len(among), exact=False).codes
    order = np.lexsort((new.position[among], new.partition[among], new.time[among], key))
    among, key = among[order], key[order]
    heads, n, time = arrays.group_starts(key), len(among), new.time[among] // step.slice
    end = np.repeat(arrays.group_ends(heads, n) + 1, np.diff(np.append(heads, n)))
    following = bisected(time, np.arange(n), end, later(time, step.reach), inclusive=True)
    following = np.append(np.where(following < end, following, n), n)
    reached = np.zeros(n + 1, np.bool_)
    reached[heads] = True
    while (following[:n] < n).any():
        reached[following[reached]] = True
        following = following[following]
    first = np.concatenate((alone, among[reached[:n]]))
    return first[np.lexsort((new.position[first], new.partition[first], new.time[first]))]
