"""Windows that merge: the sessions of a step, and one epoch of them.

Sessions of a key never overlap. New ones are laid over the old ones of the same keys: sorted by key and start, a
session begins where a start is not before every end so far. As old and new are free of overlaps among themselves, the
greatest end so far is that of the last old or the last new one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from flower.engine.blocks import Block, SessionRun, compacted, lists, nothing, side_by_side
from flower.engine.groups import in_order
from flower.engine.keyed import Advanced, Keyed
from flower.engine.pairs import Pairs
from flower.engine.panes import ask, due, fire, together
from flower.model.arrays import Bools, distinct, group_ends, order
from flower.model.panes import ABSORBS_TYPE
from flower.model.time import I64, MAX_TIME, MIN_TIME
from flower.model.triggers import Finishing
from flower.model.windows import touching


@dataclass(frozen=True, slots=True)
class SessionState:
    """The sessions of a step that live; immutable.

    Parameters
    ----------
    watermark, now : int
        The step's watermark and the processing time of the last epoch.
    blocks : tuple of Block
        The sessions.
    """

    watermark: int = MIN_TIME
    now: int = MIN_TIME
    blocks: tuple[Block, ...] = ()

    @property
    def groups(self) -> int:
        """How many (key, window) pairs are held."""
        return sum(block.count for block in self.blocks)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(block.run.nbytes + len(block.there) for block in self.blocks)

    @property
    def live(self) -> SessionRun | None:
        """All sessions, for those who look at each."""
        return side_by_side([block.left for block in self.blocks]) if self.blocks else None


def advance(
    state: SessionState, deltas: Sequence[SessionRun], step: Keyed, w1: int, now: int
) -> Advanced[SessionState]:
    """One epoch: the sessions of keys that have new ones and those that are due are taken out and asked."""
    w0 = state.watermark
    blocks, asked = list(state.blocks), [delta for delta in deltas if len(delta)]
    if asked:
        hashes = distinct(np.concatenate([delta.groups.hash for delta in asked]))
        before = _taken(blocks, lambda block: block.of_keys(hashes))
        touched = before[0] if before else None
        for delta in asked:
            touched = delta if touched is None else _laid_over(touched, delta, step)
        assert touched is not None
        asked = [touched]
    asked += _taken(blocks, lambda block: _due(block, state, step, w1, now))
    panes = None
    if asked:
        run = side_by_side(asked)
        firing = ask(run.groups, run.end, step, w0, w1, now)
        by = _by_end(run, np.flatnonzero(firing.fired)) if run.groups.standing is None else None
        panes, groups = fire(run.groups, run.start, run.end, firing, step, run.absorbs, by)
        absorbs = run.absorbs if panes is None else _without(run.absorbs, firing.fired)
        stays = run.end > step.expired(w1)
        at = np.flatnonzero(stays if firing.lapsed is None else stays & ~firing.lapsed)
        at = at[order(groups.hash[at])]
        blocks.append(Block.of(SessionRun(run.start, run.end, absorbs, groups).take(at)))
    then = SessionState(w1, now, compacted(blocks))
    return Advanced(then, together([panes], step.schema), _held(then, step))


def _by_end(run: SessionRun, at: I64) -> I64:
    """The sessions at some places by end, start and hash, as windows that do not merge come."""
    at = at[order(run.groups.hash[at])]
    return at[order(run.start[at], run.end[at])]


def _taken(blocks: list[Block], chosen: Callable[[Block], I64]) -> list[SessionRun]:
    """The sessions at the places that ``chosen`` names, taken out of their blocks; at most one table."""
    parts = []
    for number, block in enumerate(blocks):
        at = chosen(block)
        if len(at):
            parts.append(block.run.take(at))
            blocks[number] = block.without(at)
    return [side_by_side(parts)] if parts else []


def _due(block: Block, state: SessionState, step: Keyed, w1: int, now: int) -> I64:
    """Where sessions are that the watermark completes or lets go, or whose triggers the clock has reached."""
    run, w0 = block.run, state.watermark
    parts = [run.between("end", lambda run: run.end, w0, w1)]
    if step.windowing.allowed_lateness_us:
        parts.append(run.between("end", lambda run: run.end, step.expired(w0), step.expired(w1)))
    if step.windowing.trigger.timed:
        parts.append(run.between("due", lambda run: due(run.groups, run.end, step, w0, w0, state.now), state.now, now))
    if step.law.ttl:
        parts.append(run.between("lapse", lambda run: _lapse(run, step), w0, w1))
    at = parts[0] if len(parts) == 1 else distinct(np.concatenate(parts))
    return at[block.there[at]]


def _lapse(run: SessionRun, step: Keyed) -> I64:
    assert run.groups.last is not None
    return step.windowing.lapse(run.groups.last)


def _held(state: SessionState, step: Keyed) -> int:
    """The output watermark, which the sessions that are open hold where they have stamps."""
    out = state.watermark
    for block in state.blocks if step.law.stamp is not None else ():

        def is_open(at: I64, block: Block = block) -> Bools:
            return block.there[at] & (block.run.end[at] > state.watermark)

        out = min(out, block.run.least("hold", lambda run: _holds(run, step), is_open))
    return out


def _holds(run: SessionRun, step: Keyed) -> I64:
    hold = run.groups.hold
    assert hold is not None
    return np.where(hold == step.law.no_stamp, MAX_TIME, hold)


def over(state: SessionState, pairs: Pairs, step: Keyed) -> Bools:
    """Which pairs would merge with a session of their key whose trigger has finished."""
    hashes = distinct(pairs.hash)
    parts = [block.run.take(block.of_keys(hashes)) for block in state.blocks]
    parts = [run.where(Finishing.finished(run.groups.marks)) for run in parts]
    if not any(map(len, parts)):
        return np.zeros(len(pairs), np.bool_)
    ended = side_by_side(parts)
    reach = int(touching(step.windowing.windows))
    return pairs.within(ended.start, ended.end + reach, ended.groups, reach)


def apart(start: I64, reach: I64, step: Keyed) -> Bools:
    """Whether a window begins after all before it have ended, so that they do not merge."""
    return start > reach if touching(step.windowing.windows) else start >= reach


def _laid_over(old: SessionRun, new: SessionRun, step: Keyed) -> SessionRun:
    """Old and new sessions together. Those that begin after all old ones have ended merge with none."""
    near = new.start <= old.end.max()
    return side_by_side([_merged(old, new.where(near), step), new.where(~near)])


def _merged(old: SessionRun, new: SessionRun, step: Keyed) -> SessionRun:
    law = step.law
    every = side_by_side([old, new])
    by_key, change = in_order(every.groups, None, law.exact)
    key = np.empty(len(every), np.int64)
    key[by_key] = np.cumsum(change)
    by_start = order(every.start, key)
    key, start, end = key[by_start], every.start[by_start], every.end[by_start]
    is_old = by_start < len(old)
    place = np.arange(len(by_start))
    begin = np.maximum.accumulate(np.where(np.concatenate(([True], key[1:] != key[:-1])), place, 0))
    reach = np.maximum(_last_end(end, is_old, place, begin), _last_end(end, ~is_old, place, begin))
    head = place == begin
    head[1:] |= apart(start[1:], reach[:-1], step)
    first = np.flatnonzero(head)
    last = group_ends(first, len(by_start))
    codes = np.empty(len(by_start), np.int64)
    codes[by_start] = np.cumsum(head) - 1
    starts, ends = start[first], reach[last]
    same = (every.start == starts[codes]) & (every.end == ends[codes])
    swallowed = ~same & (every.groups.panes > 0)
    absorbs = _gathered(every, swallowed, codes, len(first))
    panes = np.where(same, every.groups.panes, 0)
    groups = law.merge(replace(every.groups, panes=panes), codes, len(first), by_start[first])
    return SessionRun(starts, ends, absorbs, groups)


def _last_end(end: I64, chosen: Bools, place: I64, begin: I64) -> I64:
    """Per place, the end of the last chosen session of the same key up to there; the start of time if there is none."""
    last = np.maximum.accumulate(np.where(chosen, place, -1))
    return np.where(last >= begin, end[last], MIN_TIME)


def _without(absorbs: pa.Array, told: Bools) -> pa.Array:
    """The lists, emptied where a pane has told them."""
    counts = np.where(told, 0, np.diff(np.asarray(absorbs.offsets)))
    if not counts.any():
        return nothing(len(absorbs))
    kept = absorbs.take(pa.array(np.flatnonzero(counts))).flatten()
    return pa.ListArray.from_arrays(
        pa.array(np.concatenate(([0], np.cumsum(counts))).astype(np.int32)), kept, type=ABSORBS_TYPE
    )


def _gathered(every: SessionRun, swallowed: Bools, codes: I64, n: int) -> pa.Array:
    """Per merged session, the emitted windows that are part of it, by end."""
    flat = every.absorbs.flatten()
    if not len(flat) and not swallowed.any():
        return nothing(n)
    counts = np.diff(np.asarray(every.absorbs.offsets))
    group = np.concatenate((np.repeat(codes, counts), codes[swallowed]))
    start = np.concatenate((np.asarray(flat.field(0).view(pa.int64())), every.start[swallowed]))
    end = np.concatenate((np.asarray(flat.field(1).view(pa.int64())), every.end[swallowed]))
    by_end = np.lexsort((start, end, group))
    return lists(np.searchsorted(group[by_end], np.arange(n + 1)), start[by_end], end[by_end])
