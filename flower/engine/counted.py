"""Windows of so many rows of a key: the state of a step, and one epoch of it.

Of each key one window at most is not full. Its record is held in runs of one window over all time, a newer one
replacing an older; a record without rows says that none is open any more. So the cost of an epoch follows the rows in,
not the number of keys. The marks of a group are the event times of its earliest and its latest row; its stamp is the
event time at which it holds the output watermark, of rows that were not late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from flower.engine import aggregates as agg
from flower.engine.compaction import compacted
from flower.engine.groups import Groups, Law, in_order, joined
from flower.engine.holds import held
from flower.engine.keyed import Advanced, Keyed
from flower.engine.pairs import Pairs
from flower.engine.pairs import joined as joined_pairs
from flower.engine.panes import Firing, panes_of, together
from flower.engine.runs import Run, find, merge
from flower.graph.batch import Batch, constant
from flower.model import arrays
from flower.model.combiners import Order
from flower.model.panes import ON_TIME
from flower.model.time import I64, MAX_TIME, MIN_TIME, later
from flower.model.windows import CountWindows


@dataclass(frozen=True, slots=True)
class CountedState:
    """The windows of a step that are not full; immutable.

    Parameters
    ----------
    watermark : int
        The step's watermark after the last epoch.
    runs : tuple of Run
        Their records, oldest first.
    """

    watermark: int = MIN_TIME
    runs: tuple[Run, ...] = ()

    @property
    def groups(self) -> int:
        """How many records are held; a key may have one in several runs."""
        return sum(len(run) for run in self.runs)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(run.nbytes for run in self.runs)

    def waiting(self, law: Law) -> Run | None:
        """The newest record of each key that has rows; None if there is none."""
        if not self.runs:
            return None
        newest = merge(self.runs, law, newest_wins=True)
        left = newest.where(newest.groups.rows > 0)
        return left if len(left) else None


def advance(state: CountedState, pairs: Sequence[Pairs], step: Keyed, w1: int, now: int) -> Advanced[CountedState]:
    """One epoch."""
    law = _holding(step.law)
    runs, panes = state.runs, []
    some = [each for each in pairs if len(each)]
    if some:
        full, left = _counted(joined_pairs(some), runs, step, law, now)
        panes.append(_fired(full, step))
        runs = _with(runs, left, law)
    if w1 == MAX_TIME:
        rest = CountedState(w1, runs).waiting(step.law)
        if rest is not None:
            panes.append(_fired(rest.groups, step))
        runs = ()
    out = min(w1, held(runs, law, newest_wins=True))
    return Advanced(CountedState(w1, runs), together(panes, step.schema), out)


def _holding(law: Law) -> Law:
    """The law of the records, whose stamps hold the watermark and whose newest says all."""
    return replace(law, stamp=law.stamp or "latest", discarding=True)


def _counted(pairs: Pairs, runs: Sequence[Run], step: Keyed, law: Law, now: int) -> tuple[Groups, Run]:
    """The windows that rows make full, and a record for each key that has rows: of the window that is left."""
    windows = step.windowing.windows
    assert isinstance(windows, CountWindows)
    arrived = np.lexsort((pairs.batch.position, pairs.batch.partition))
    pairs = pairs.at(arrived)
    # By key, then as they came.
    order, first = in_order(_named(pairs), None, law.exact)
    pairs = pairs.at(order)
    heads = np.flatnonzero(first)
    key = np.cumsum(first) - 1
    begun, at = _begun(_run(_named(pairs.at(heads)), law), runs, law)
    had = np.zeros(len(heads), np.int64)
    if begun is not None:
        had[at] = begun.rows
    number = had[key] + np.arange(len(key)) - heads[key]
    window = np.cumsum(first | (number % windows.n == 0)) - 1
    groups = _groups(pairs, window, law, now)
    if begun is not None:
        groups = _joined(groups, begun, window[heads][at], law)
    full = groups.rows == windows.n
    last = window[arrays.group_ends(heads, len(key))]
    left = groups.take(last)
    return groups.take(np.flatnonzero(full)), _run(_emptied(left, full[last], law), law)


def _named(pairs: Pairs) -> Groups:
    """The keys of pairs."""
    none = constant(0, len(pairs))
    return Groups(pairs.hash, pairs.keys, (), none, none, none, none, (none, none))


def _run(groups: Groups, law: Law) -> Run:
    """Groups of different keys, sorted, as records."""
    ends = np.array([MIN_TIME]), np.array([MAX_TIME])
    return Run(*ends, np.array([0, len(groups)]), groups)


def _begun(keys: Run, runs: Sequence[Run], law: Law) -> tuple[Groups | None, I64]:
    """The windows of some keys that are not full, and which keys these are of."""
    found, places = [], []
    asking = np.ones(len(keys), np.bool_)
    for run in reversed(runs):
        spot = find(run, keys, law.exact)
        here = np.flatnonzero(asking & (spot >= 0))
        asking[here] = False
        there = here[run.groups.rows[spot[here]] > 0]
        found.append(run.groups.take(spot[there]))
        places.append(there)
    if not sum(map(len, places)):
        return None, np.zeros(0, np.int64)
    return joined(found), np.concatenate(places)


def _groups(pairs: Pairs, window: I64, law: Law, now: int) -> Groups:
    """The windows that rows alone make."""
    n, batch = int(window[-1]) + 1, pairs.batch
    states = law.aggregates.add(
        law.aggregates.create(n), window, batch.rows, Order(batch.time, batch.partition, batch.position)
    )
    early, late = np.full(n, MAX_TIME), np.full(n, MIN_TIME)
    np.minimum.at(early, window, batch.time)
    np.maximum.at(late, window, batch.time)
    holds = np.full(n, law.no_stamp)
    timely = batch.time >= batch.met
    law.reduce_stamp(holds, window[timely], batch.time[timely])
    heads = arrays.group_starts(window)
    rows = np.bincount(window, minlength=n)
    keys = tuple(arrays.take(key, heads) for key in pairs.keys)
    since, none = np.full(n, now), np.zeros(n, np.int64)
    return Groups(pairs.hash[heads], keys, states, rows, since, none, holds, (early, late))


def _joined(groups: Groups, begun: Groups, window: I64, law: Law) -> Groups:
    """Windows with what had come to them before; ``begun[i]`` is of ``window[i]``."""
    assert groups.stamp is not None and begun.stamp is not None
    rows, since, holds = groups.rows.copy(), groups.since.copy(), groups.stamp.copy()
    rows[window] += begun.rows
    since[window] = begun.since
    law.reduce_stamp(holds, window, begun.stamp)
    early, late = (marks.copy() for marks in groups.marks)
    np.minimum.at(early, window, begun.marks[0])
    np.maximum.at(late, window, begun.marks[1])
    states = law.aggregates.merge(groups.states, begun.states, window)
    return replace(groups, states=states, rows=rows, since=since, stamp=holds, marks=(early, late))


def _emptied(groups: Groups, full: arrays.Bools, law: Law) -> Groups:
    """Records of which some say that no window is open."""
    if not full.any():
        return groups
    assert groups.stamp is not None
    n, stay = len(groups), np.flatnonzero(~full)
    states = law.aggregates.merge(law.aggregates.create(n), agg.take(groups.states, stay), stay)
    rows, holds = np.where(full, 0, groups.rows), np.where(full, law.no_stamp, groups.stamp)
    return replace(groups, states=states, rows=rows, since=np.where(full, MAX_TIME, groups.since), stamp=holds)


def _with(runs: Sequence[Run], newest: Run, law: Law) -> tuple[Run, ...]:
    """Runs with newer records; the oldest run has no record to hide, so its empty ones are dropped."""
    merged = compacted((*runs, newest), law, newest_wins=True)
    if not runs or merged[0] is not runs[0]:
        merged = (merged[0].where(merged[0].groups.rows > 0), *merged[1:])
    return tuple(run for run in merged if len(run))


def _fired(groups: Groups, step: Keyed) -> Batch | None:
    """The panes of windows."""
    every = np.ones(len(groups), np.bool_)
    firing = Firing(every, constant(ON_TIME, len(groups)), every, ())
    return panes_of(*with_windows(groups, step), firing, step)


def with_windows(groups: Groups, step: Keyed) -> tuple[Groups, I64, I64]:
    """Groups with the event times of their panes, and their windows."""
    early, late = groups.marks
    stamp = None if step.law.stamp is None else early if step.law.stamp == "earliest" else late
    return replace(groups, stamp=stamp), early, later(late, 1)
