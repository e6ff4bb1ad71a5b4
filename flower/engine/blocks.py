"""Sessions in blocks, so that an epoch's cost follows the sessions that it touches and those that are due.

A block is made once: its sessions lie by the hash of their key, with orders by end, by what their triggers wait for and
by how they hold the output watermark.
A session that an epoch changes is taken out, which changes a bit of its block, and goes into the epoch's own block.
Blocks are merged geometrically, and made anew when half of one is gone, like the runs of other windows (see
`flower.engine.runs`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from flower.engine.groups import Groups, joined
from flower.model.arrays import Bools, order
from flower.model.panes import ABSORBS_TYPE
from flower.model.time import I64, MAX_TIME


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class SessionRun:
    """Sessions, one a row.

    Parameters
    ----------
    start, end : ndarray of int64
        The sessions.
    absorbs : pyarrow.ListArray
        Windows that had been emitted and are part of this one now, as long as no pane has said so.
    groups : Groups
        Their aggregates.
    """

    start: I64
    end: I64
    absorbs: pa.Array
    groups: Groups
    _orders: dict[str, tuple[I64, I64]] = field(default_factory=dict, init=False, repr=False)

    def __reduce__(self) -> tuple[object, ...]:
        return SessionRun, (self.start, self.end, self.absorbs, self.groups)

    def __len__(self) -> int:
        return len(self.start)

    @property
    def nbytes(self) -> int:
        """Bytes of its columns."""
        return self.groups.nbytes + 16 * len(self) + int(self.absorbs.nbytes)

    @staticmethod
    def fresh(start: I64, end: I64, groups: Groups) -> SessionRun:
        """Sessions of which no pane is known."""
        return SessionRun(start, end, nothing(len(start)), groups)

    def take(self, at: I64) -> SessionRun:
        """The sessions at some places."""
        absorbs = self.absorbs.take(pa.array(at)) if len(self.absorbs.flatten()) else nothing(len(at))
        return SessionRun(self.start[at], self.end[at], absorbs, self.groups.take(at))

    def where(self, mask: Bools) -> SessionRun:
        """The sessions where ``mask`` holds."""
        return self if mask.all() else self.take(np.flatnonzero(mask))

    def between(self, name: str, values: Callable[[SessionRun], I64], after: int, until: int) -> I64:
        """Where ``values`` are in ``(after, until]``; their order is computed once a name."""
        by_value, ascending = self._order(name, values)
        low, high = np.searchsorted(ascending, [after, until], side="right")
        return by_value[low:high]

    def least(self, name: str, values: Callable[[SessionRun], I64], chosen: Callable[[I64], Bools]) -> int:
        """The least of ``values`` where ``chosen`` says so of some places; `MAX_TIME`: nowhere."""
        by_value, ascending = self._order(name, values)
        first, many = 0, 1_024
        while first < len(by_value):
            there = np.flatnonzero(chosen(by_value[first : first + many]))
            if len(there):
                return int(ascending[first + there[0]])
            first, many = first + many, 2 * many
        return MAX_TIME

    def _order(self, name: str, values: Callable[[SessionRun], I64]) -> tuple[I64, I64]:
        """The places by ``values``, and these ascending."""
        known = self._orders.get(name)
        if known is None:
            each = values(self)
            by_value = order(each)
            known = self._orders[name] = by_value, each[by_value]
        return known


def side_by_side(runs: Sequence[SessionRun]) -> SessionRun:
    """Sessions of several tables, at least one, one after another."""
    runs = [run for run in runs if len(run)] or list(runs[:1])
    if len(runs) == 1:
        return runs[0]
    return SessionRun(
        np.concatenate([run.start for run in runs]),
        np.concatenate([run.end for run in runs]),
        pa.concat_arrays([run.absorbs for run in runs]),
        joined([run.groups for run in runs]),
    )


def nothing(n: int) -> pa.Array:
    """``n`` empty lists of windows."""
    return lists(np.zeros(n + 1, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))


def lists(offsets: I64, start: I64, end: I64) -> pa.Array:
    """Lists of windows."""
    window = ABSORBS_TYPE.value_type
    values = pa.StructArray.from_arrays(
        [pa.array(start).view(window.field(0).type), pa.array(end).view(window.field(1).type)], fields=list(window)
    )
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values, type=ABSORBS_TYPE)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Sessions of which some have been taken out.

    Parameters
    ----------
    run : SessionRun
        By hash.
    there : ndarray of bool
        Which have not been taken out.
    count : int
        How many these are.
    """

    run: SessionRun
    there: Bools
    count: int

    @staticmethod
    def of(run: SessionRun) -> Block:
        """Sessions that come by hash."""
        return Block(run, np.ones(len(run), np.bool_), len(run))

    @property
    def left(self) -> SessionRun:
        """The sessions that have not been taken out."""
        return self.run if self.count == len(self.run) else self.run.take(np.flatnonzero(self.there))

    def of_keys(self, hashes: I64) -> I64:
        """Where sessions are whose key has one of some hashes, which ascend."""
        low = np.searchsorted(self.run.groups.hash, hashes)
        found = low < len(self.run)
        found[found] = self.run.groups.hash[low[found]] == hashes[found]
        low = low[found]
        counts = np.searchsorted(self.run.groups.hash, hashes[found], side="right") - low
        at = np.repeat(low - np.cumsum(counts) + counts, counts) + np.arange(int(counts.sum()))
        return at[self.there[at]]

    def without(self, at: I64) -> Block:
        """The block once the sessions at some places, all still there, are taken out."""
        if not len(at):
            return self
        there = self.there.copy()
        there[at] = False
        return Block(self.run, there, self.count - len(at))


def compacted(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The same sessions in blocks whose sizes at least double from the newest to the oldest, half full or more."""
    kept = [block for block in blocks if block.count]
    kept = [block if 2 * block.count >= len(block.run) else Block.of(block.left) for block in kept]
    while len(kept) > 1 and kept[-2].count < 2 * kept[-1].count:
        run = side_by_side([block.left for block in kept[-2:]])
        kept[-2:] = [Block.of(run.take(order(run.groups.hash)))]
    return tuple(kept)
