"""Windows that merge: the sessions of a step, and one epoch of them.

Sessions of a key never overlap. New ones are laid over the old ones of the same keys: sorted by key and start, a
session begins where a start is not before every end so far. As old and new are free of overlaps among themselves, the
greatest end so far is that of the last old or the last new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from flower.engine.groups import Groups, in_order, joined
from flower.engine.keyed import Advanced, Keyed
from flower.engine.pairs import Pairs
from flower.engine.panes import ask, fire, together
from flower.model.arrays import Bools, group_ends
from flower.model.panes import ABSORBS_TYPE
from flower.model.time import I64, MIN_TIME
from flower.model.triggers import Finishing
from flower.model.windows import touching


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

    def __len__(self) -> int:
        return len(self.start)

    @property
    def nbytes(self) -> int:
        """Bytes of its columns."""
        return self.groups.nbytes

    @staticmethod
    def fresh(start: I64, end: I64, groups: Groups) -> SessionRun:
        """Sessions of which no pane is known."""
        return SessionRun(start, end, _nothing(len(start)), groups)

    def where(self, mask: Bools) -> SessionRun:
        """The sessions where ``mask`` holds."""
        if mask.all():
            return self
        at = np.flatnonzero(mask)
        return SessionRun(self.start[at], self.end[at], self.absorbs.take(pa.array(at)), self.groups.take(at))


@dataclass(frozen=True, slots=True)
class SessionState:
    """The sessions of a step that live; immutable."""

    watermark: int = MIN_TIME
    live: SessionRun | None = None

    @property
    def groups(self) -> int:
        """How many (key, window) pairs are held."""
        return 0 if self.live is None else len(self.live)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return 0 if self.live is None else self.live.groups.nbytes + 16 * len(self.live) + self.live.absorbs.nbytes


def advance(
    state: SessionState, deltas: Sequence[SessionRun], step: Keyed, w1: int, now: int
) -> Advanced[SessionState]:
    """One epoch."""
    w0 = state.watermark
    live = state.live
    for delta in deltas:
        if len(delta):
            live = delta if live is None else _laid_over(live, delta, step)
    if live is None:
        return Advanced(SessionState(w1), together([], step.schema), w1)
    firing = ask(live.groups, live.end, step, w0, w1, now)
    panes, groups = fire(live.groups, live.start, live.end, firing, step, live.absorbs)
    live = replace(live, groups=groups)
    if panes is not None:
        live = replace(live, absorbs=_without(live.absorbs, firing.fired))
    stays = live.end > step.expired(w1)
    live = live.where(stays if firing.lapsed is None else stays & ~firing.lapsed)
    out = w1
    hold = live.groups.hold
    if hold is not None:
        holds = (live.end > w1) & (hold != step.law.no_stamp)
        out = int(hold[holds].min(initial=w1))
    return Advanced(SessionState(w1, live), together([panes], step.schema), out)


def over(live: SessionRun, pairs: Pairs, step: Keyed) -> Bools:
    """Which pairs would merge with a session of their key whose trigger has finished."""
    finished = Finishing.finished(live.groups.marks)
    if not finished.any():
        return np.zeros(len(pairs), np.bool_)
    ended = live.where(finished)
    reach = int(touching(step.windowing.windows))
    return pairs.within(ended.start, ended.end + reach, ended.groups, reach)


def apart(start: I64, reach: I64, step: Keyed) -> Bools:
    """Whether a window begins after all before it have ended, so that they do not merge."""
    return start > reach if touching(step.windowing.windows) else start >= reach


def _laid_over(old: SessionRun, new: SessionRun, step: Keyed) -> SessionRun:
    """Old and new sessions together; only keys that have new ones are worked on."""
    touched = np.isin(old.groups.hash, new.groups.hash)
    merged = _merged(old.where(touched), new, step)
    return _joined([old.where(~touched), merged])


def _merged(old: SessionRun, new: SessionRun, step: Keyed) -> SessionRun:
    law = step.law
    every = _joined([old, new])
    by_key, change = in_order(every.groups, None, law.exact)
    key = np.empty(len(every), np.int64)
    key[by_key] = np.cumsum(change)
    order = np.lexsort((every.start, key))
    key, start, end = key[order], every.start[order], every.end[order]
    is_old = order < len(old)
    place = np.arange(len(order))
    begin = np.maximum.accumulate(np.where(np.concatenate(([True], key[1:] != key[:-1])), place, 0))
    reach = np.maximum(_last_end(end, is_old, place, begin), _last_end(end, ~is_old, place, begin))
    head = place == begin
    head[1:] |= apart(start[1:], reach[:-1], step)
    first = np.flatnonzero(head)
    last = group_ends(first, len(order))
    codes = np.empty(len(order), np.int64)
    codes[order] = np.cumsum(head) - 1
    starts, ends = start[first], reach[last]
    same = (every.start == starts[codes]) & (every.end == ends[codes])
    swallowed = ~same & (every.groups.panes > 0)
    absorbs = _gathered(every, swallowed, codes, len(first))
    panes = np.where(same, every.groups.panes, 0)
    groups = law.merge(replace(every.groups, panes=panes), codes, len(first), order[first])
    return SessionRun(starts, ends, absorbs, groups)


def _last_end(end: I64, chosen: Bools, place: I64, begin: I64) -> I64:
    """Per place, the end of the last chosen session of the same key up to there; the start of time if there is none."""
    last = np.maximum.accumulate(np.where(chosen, place, -1))
    return np.where(last >= begin, end[last], MIN_TIME)


def _joined(runs: Sequence[SessionRun]) -> SessionRun:
    runs = [run for run in runs if len(run)] or list(runs[:1])
    if len(runs) == 1:
        return runs[0]
    return SessionRun(
        np.concatenate([run.start for run in runs]),
        np.concatenate([run.end for run in runs]),
        pa.concat_arrays([run.absorbs for run in runs]),
        joined([run.groups for run in runs]),
    )


def _lists(offsets: I64, start: I64, end: I64) -> pa.Array:
    window = ABSORBS_TYPE.value_type
    values = pa.StructArray.from_arrays(
        [pa.array(start).view(window.field(0).type), pa.array(end).view(window.field(1).type)], fields=list(window)
    )
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values, type=ABSORBS_TYPE)


def _nothing(n: int) -> pa.Array:
    none = np.zeros(0, np.int64)
    return _lists(np.zeros(n + 1, np.int64), none, none)


def _without(absorbs: pa.Array, told: Bools) -> pa.Array:
    """The lists, emptied where a pane has told them."""
    counts = np.where(told, 0, np.diff(np.asarray(absorbs.offsets)))
    if not counts.any():
        return _nothing(len(absorbs))
    kept = absorbs.take(pa.array(np.flatnonzero(counts))).flatten()
    return pa.ListArray.from_arrays(
        pa.array(np.concatenate(([0], np.cumsum(counts))).astype(np.int32)), kept, type=ABSORBS_TYPE
    )


def _gathered(every: SessionRun, swallowed: Bools, codes: I64, n: int) -> pa.Array:
    """Per merged session, the emitted windows that are part of it, by end."""
    flat = every.absorbs.flatten()
    if not len(flat) and not swallowed.any():
        return _nothing(n)
    counts = np.diff(np.asarray(every.absorbs.offsets))
    group = np.concatenate((np.repeat(codes, counts), codes[swallowed]))
    start = np.concatenate((np.asarray(flat.field(0).view(pa.int64())), every.start[swallowed]))
    end = np.concatenate((np.asarray(flat.field(1).view(pa.int64())), every.end[swallowed]))
    order = np.lexsort((start, end, group))
    return _lists(np.searchsorted(group[order], np.arange(n + 1)), start[order], end[order])
