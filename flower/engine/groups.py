"""Groups: one row a (key, window), its partial aggregates and what its triggers need, as immutable columns.

Nothing here changes a column that it was given; a slice shares the memory of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from flower.engine import aggregates as agg
from flower.engine.aggregates import Aggregates, States
from flower.engine.keys import Keys, equal
from flower.engine.standing import Standing
from flower.engine.standing import joined as joined_standing
from flower.model import arrays
from flower.model.arrays import Bools
from flower.model.time import I64, MAX_TIME, MIN_TIME
from flower.model.triggers import Finishing, Machine, Marks

GONE = MIN_TIME
"""The newest row of a group that has been let go: its record stands for none, and hides those before it."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Columns of groups.

    Parameters
    ----------
    hash, keys
        Which key (see `flower.engine.keys`).
    states : tuple
        Partial aggregates: of the whole window, or since the last pane when discarding.
    rows : ndarray of int64
        Pairs since the last pane.
    since : ndarray of int64
        Processing time of the first of them; `MAX_TIME`: there is none.
    panes : ndarray of int64
        Panes so far, so the index of the next.
    stamp : ndarray of int64 or None
        Earliest or latest event time of what ``states`` holds, if the timestamp combiner asks for it.
    marks : tuple of ndarray of int64
        What the trigger's machine knows besides.
    fresh : ndarray of int64 or None
        Pairs that the machine has not been told of yet, if it must be told.
    last : ndarray of int64 or None
        The newest event time of all pairs, if they are let go by it; `GONE`: this one has been.
    net : ndarray of int64 or None
        Rows that are there and have not been taken back, if rows can be.
    standing : Standing or None
        The panes that have been emitted and not taken back, if the step takes panes back.
    """

    hash: I64
    keys: Keys
    states: States
    rows: I64
    since: I64
    panes: I64
    stamp: I64 | None
    marks: Marks = ()
    fresh: I64 | None = None
    last: I64 | None = None
    net: I64 | None = None
    standing: Standing | None = None

    def __len__(self) -> int:
        return len(self.hash)

    def take(self, indices: I64, known: tuple[I64, Keys] | None = None) -> Groups:
        """The groups at ``indices``; ``known`` are their hashes and keys, where these need not be looked up."""
        hash_, keys = known or (self.hash[indices], tuple(arrays.take(key, indices) for key in self.keys))
        return Groups(
            hash_,
            keys,
            agg.take(self.states, indices),
            arrays.select(self.rows, indices),
            arrays.select(self.since, indices),
            arrays.select(self.panes, indices),
            None if self.stamp is None else self.stamp[indices],
            tuple(column[indices] for column in self.marks),
            None if self.fresh is None else self.fresh[indices],
            None if self.last is None else self.last[indices],
            None if self.net is None else self.net[indices],
            None if self.standing is None else self.standing.take(indices),
        )

    def cut(self, start: int, stop: int) -> Groups:
        """The groups of ``[start, stop)``, not copied."""
        if start == 0 and stop == len(self):
            return self
        return Groups(
            self.hash[start:stop],
            tuple(arrays.cut(key, start, stop) for key in self.keys),
            agg.cut(self.states, start, stop),
            self.rows[start:stop],
            self.since[start:stop],
            self.panes[start:stop],
            None if self.stamp is None else self.stamp[start:stop],
            tuple(column[start:stop] for column in self.marks),
            None if self.fresh is None else self.fresh[start:stop],
            None if self.last is None else self.last[start:stop],
            None if self.net is None else self.net[start:stop],
            None if self.standing is None else self.standing.cut(start, stop),
        )

    @property
    def hold(self) -> I64 | None:
        """How far each holds back the step's output watermark: by its stamp, and by the panes that it may take back."""
        if self.stamp is None or self.standing is None:
            return self.stamp
        return np.minimum(self.stamp, self.standing.oldest)

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        columns = (
            self.hash,
            *self.keys,
            self.rows,
            self.since,
            self.panes,
            *(() if self.stamp is None else (self.stamp,)),
            *self.marks,
            *(() if self.fresh is None else (self.fresh,)),
            *(() if self.last is None else (self.last,)),
            *(() if self.net is None else (self.net,)),
        )
        standing = 0 if self.standing is None else self.standing.nbytes
        return sum(arrays.size_of(column) for column in columns) + agg.size_of(self.states) + standing


def joined(groups: Sequence[Groups]) -> Groups:
    """The groups of several tables one after another."""
    if len(groups) == 1:
        return groups[0]
    stamps = [g.stamp for g in groups if g.stamp is not None]
    fresh = [g.fresh for g in groups if g.fresh is not None]
    lasts = [g.last for g in groups if g.last is not None]
    nets = [g.net for g in groups if g.net is not None]
    standing = [g.standing for g in groups if g.standing is not None]
    return Groups(
        np.concatenate([g.hash for g in groups]),
        tuple(arrays.joined(keys) for keys in zip(*(g.keys for g in groups), strict=True)),
        agg.joined([g.states for g in groups]),
        arrays.one_after_another([g.rows for g in groups]),
        arrays.one_after_another([g.since for g in groups]),
        arrays.one_after_another([g.panes for g in groups]),
        np.concatenate(stamps) if stamps else None,
        tuple(np.concatenate(columns) for columns in zip(*(g.marks for g in groups), strict=True)),
        np.concatenate(fresh) if fresh else None,
        np.concatenate(lasts) if lasts else None,
        np.concatenate(nets) if nets else None,
        joined_standing(standing) if standing else None,
    )


@dataclass(frozen=True, slots=True)
class Law:
    """How the groups of one step behave.

    Parameters
    ----------
    aggregates : Aggregates
        The results and their combiners.
    exact : bool
        Whether equal hashes mean equal keys.
    stamp : {"earliest", "latest"} or None
        What ``Groups.stamp`` keeps.
    discarding : bool
        Whether a pane takes its rows away from the state.
    machine : Machine
        That of the trigger.
    told : bool
        Whether the machine must be told of rows: it counts by itself, or looks at the data.
    ttl : bool
        Whether groups are let go by their newest row.
    net : bool
        Whether rows can be taken back.
    retracting : bool
        Whether a pane takes back the one before it.
    """

    aggregates: Aggregates
    exact: bool
    stamp: str | None
    discarding: bool
    machine: Machine
    told: bool
    ttl: bool = False
    net: bool = False
    retracting: bool = False

    @property
    def stands(self) -> bool:
        """Whether groups keep the panes that they may take back."""
        return self.net or self.retracting

    @property
    def finishes(self) -> bool:
        """Whether a window may take no rows any more though it lives."""
        return isinstance(self.machine, Finishing)

    @property
    def no_stamp(self) -> int:
        """The stamp of a group without rows."""
        return MAX_TIME if self.stamp == "earliest" else MIN_TIME

    def reduce_stamp(self, into: I64, codes: I64, stamps: I64) -> None:
        """The earliest or latest of the stamps of each group, in place."""
        (np.minimum if self.stamp == "earliest" else np.maximum).at(into, codes, stamps)

    def merge(self, groups: Groups, codes: I64, n: int, first: I64) -> Groups:
        """Make ``n`` groups of partial ones: group i goes into ``codes[i]``, of which ``first`` is one member each.

        ``panes`` is left at the sum, since only one of the members ever had panes, or the caller decides.
        """
        rows = np.zeros(n, np.int64)
        np.add.at(rows, codes, groups.rows)
        since = np.full(n, MAX_TIME)
        np.minimum.at(since, codes, groups.since)
        panes = np.zeros(n, np.int64)
        np.add.at(panes, codes, groups.panes)
        stamp = None
        if groups.stamp is not None:
            stamp = np.full(n, self.no_stamp)
            self.reduce_stamp(stamp, codes, groups.stamp)
        fresh = None
        if groups.fresh is not None:
            fresh = np.zeros(n, np.int64)
            np.add.at(fresh, codes, groups.fresh)
        last = None
        if groups.last is not None:
            last = np.full(n, MIN_TIME)
            np.maximum.at(last, codes, groups.last)
        net = None
        if groups.net is not None:
            net = np.zeros(n, np.int64)
            np.add.at(net, codes, groups.net)
        return Groups(
            groups.hash[first],
            tuple(arrays.take(key, first) for key in groups.keys),
            self.aggregates.merge(self.aggregates.create(n), groups.states, codes),
            rows,
            since,
            panes,
            stamp,
            self.machine.on_merge(groups.marks, codes, n) if groups.marks else (),
            fresh,
            last,
            net,
            None if groups.standing is None else groups.standing.merged(codes, n),
        )

    def after_pane(self, groups: Groups, fired: Bools) -> Groups:
        """What stays of groups of which some have just given a pane; their marks are the caller's to change."""
        if not fired.any():
            return groups
        # Where all have fired, which is the rule under a trigger of every row, these take no memory.
        every = bool(fired.all())
        rows = arrays.constant(0, len(groups)) if every else np.where(fired, 0, groups.rows)
        since = arrays.constant(MAX_TIME, len(groups)) if every else np.where(fired, MAX_TIME, groups.since)
        kept = replace(groups, rows=rows, since=since, panes=groups.panes + fired)
        if not self.discarding:
            return kept
        stay = np.flatnonzero(~fired)
        states = self.aggregates.create(len(groups))
        if len(stay):
            states = self.aggregates.merge(states, agg.take(groups.states, stay), stay)
        stamp = None if groups.stamp is None else np.where(fired, self.no_stamp, groups.stamp)
        return replace(kept, states=states, stamp=stamp)


def in_order(groups: Groups, window: I64 | None, exact: bool) -> tuple[I64, Bools]:
    """Sort by window number (None: all one), then key: the order, and where another group than the one before begins.

    The order is stable. Keys whose hashes collide are told apart.
    """
    order = arrays.order(groups.hash, window)
    change = _changes(groups, window, order)
    if exact or change.all():
        return order, change
    same = np.flatnonzero(~change)
    left, right = order[same - 1], order[same]
    if equal(tuple(arrays.take(k, left) for k in groups.keys), tuple(arrays.take(k, right) for k in groups.keys)).all():
        return order, change
    number = _numbered(groups)
    order = np.lexsort((number, groups.hash) if window is None else (number, groups.hash, window))
    change = _changes(groups, window, order)
    change[1:] |= number[order[1:]] != number[order[:-1]]
    return order, change


def _changes(groups: Groups, window: I64 | None, order: I64) -> Bools:
    change = np.ones(len(order), np.bool_)
    hash_ = groups.hash[order]
    np.not_equal(hash_[1:], hash_[:-1], out=change[1:])
    if window is not None:
        ordered = window[order]
        change[1:] |= ordered[1:] != ordered[:-1]
    return change


def _numbered(groups: Groups) -> I64:
    """A number for each distinct key, by the keys themselves."""
    number = np.zeros(len(groups), np.int64)
    for key in groups.keys:
        part = key.dictionary_encode(null_encoding="encode")
        number, _ = pd.factorize(number * max(len(part.dictionary), 1) + np.asarray(part.indices, np.int64))
    return np.asarray(number, np.int64)
