"""Rows into groups: admission against the watermark, windows, keys and partial aggregates, before anything is shuffled.

Everything is arrays; where windows and keys are dense, which is the rule, a group's number is computed and never
looked up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.engine import aggregates as agg
from flower.engine.aggregates import States
from flower.engine.blocks import SessionRun
from flower.engine.counts import Counts
from flower.engine.groups import Groups, Law
from flower.engine.keyed import Keyed
from flower.engine.keys import Encoded, encode
from flower.engine.pairs import Pairs, dropped, with_met
from flower.engine.placing import placed
from flower.engine.rowwise import gaps
from flower.engine.runs import Run
from flower.engine.sessions import apart
from flower.engine.slices import Slices, cut
from flower.engine.standing import Standing
from flower.engine.waiting import Held
from flower.graph.batch import Batch, constant
from flower.model import arrays
from flower.model.combiners import Order
from flower.model.custom import WindowFn
from flower.model.time import I64, MAX_TIME, MIN_TIME
from flower.model.windows import (
    CountWindows,
    FixedWindows,
    GlobalWindows,
    Sessions,
    SlidingWindows,
    Windows,
    by_clock,
)

EXPIRED = "the window had expired"
TOGETHER = "the window of a pane that it replaces, or that replaces it, had expired"


@dataclass(frozen=True, slots=True)
class Lifted:
    """The groups of some rows, the pairs that came too late, and, if the step asks for them, the admitted pairs."""

    groups: Run | SessionRun | Held | None
    counts: Counts
    dropped: Batch
    pairs: Pairs | None = None
    errors: pa.RecordBatch | None = None
    """Rows that could not be placed."""

    slices: Slices | None = None
    """The groups of rows that are aggregated by slices."""

    @property
    def pieces(self) -> list[Run | Slices | SessionRun | Held | Pairs]:
        """What the step gets."""
        return [piece for piece in (self.groups, self.slices, self.pairs) if piece is not None]


def lift(batch: Batch, step: Keyed, *, watermark: int, elsewhere: int, now: int) -> Lifted:
    """Admit the rows of one partition and aggregate them partially.

    Parameters
    ----------
    watermark : int
        The step's watermark at the epoch's start.
    elsewhere : int
        The watermark of the other partitions and inputs at the epoch's start.
    now : int
        Processing time of the epoch.
    """
    if by_clock(step.windowing.windows):
        # The clock is never behind itself: nothing is late.
        batch = replace(batch, time=constant(now, len(batch)), met=constant(MIN_TIME, len(batch)))
        watermark, elsewhere = MIN_TIME, MAX_TIME
    if step.sliced:
        return _by_slices(batch, step, watermark, elsewhere, now)
    windows = step.windowing.windows
    if isinstance(windows, FixedWindows) and not step.law.finishes and batch.oldest is None:
        whole = cut(windows, batch.time)
        if whole is not None and not whole.some_late(_met(batch.met, watermark, elsewhere)):
            # Nothing is late: no row's window needs to be known by itself.
            run, _ = _run(batch, step, whole.code, whole.start, whole.end, now)
            return Lifted(run, Counts(on_time=len(batch)), Batch.empty(step.dropped_schema))
    return _by_windows(batch, step, watermark, elsewhere, now)


def _by_slices(batch: Batch, step: Keyed, watermark: int, elsewhere: int, now: int) -> Lifted:
    """Rows by slices, but for those that are late for one of their windows: these go into each window by itself."""
    windows = step.windowing.windows
    assert isinstance(windows, SlidingWindows)
    whole = cut(windows, batch.time)
    if whole is None:
        return _by_windows(batch, step, watermark, elsewhere, now)
    met = _met(batch.met, watermark, elsewhere)
    beside = None
    if whole.some_late(met):
        late = met >= whole.first[whole.code]
        beside = _by_windows(batch.filter(late), step, watermark, elsewhere, now)
        batch = batch.filter(~late)
        again = cut(windows, batch.time)
        assert again is not None
        whole = again
    slices = Slices.of(_run(batch, step, whole.code, whole.start, whole.end, now)[0], windows)
    counts = Counts(on_time=slices.pairs)
    if beside is None:
        return Lifted(None, counts, Batch.empty(step.dropped_schema), slices=slices)
    return replace(beside, counts=beside.counts + counts, slices=slices)


def _met(met: I64, watermark: int, elsewhere: int) -> I64:
    """The watermark that rows meet."""
    if elsewhere < MAX_TIME:
        met = np.minimum(met, elsewhere)
    return np.maximum(met, watermark) if watermark > met.min(initial=MAX_TIME) else met


def _by_windows(batch: Batch, step: Keyed, watermark: int, elsewhere: int, now: int) -> Lifted:
    windows, errors = step.windowing.windows, None
    if isinstance(windows, Sessions) and windows.gap is not None:
        batch, gap, errors = gaps(windows.gap, batch, step.name)
        row, start, end = windows.assign(batch.time, gap)
    elif isinstance(windows, WindowFn):
        row, start, end = placed(windows, batch, step.name)
    else:
        row, start, end = windows.assign(batch.time)
    gone = Batch.empty(step.dropped_schema)
    counts = Counts(on_time=len(end))
    if isinstance(step.windowing.windows, CountWindows):
        return Lifted(None, counts, gone, _counted(batch, step, start, end, elsewhere, watermark))
    met = batch.met if row is None else batch.met[row]
    if len(end):
        met = _met(met, watermark, elsewhere)
        late = np.flatnonzero(met >= end)
        pairs = late[met[late] >= step.windowing.expiry(end[late])]
        counts = Counts(len(end) - len(late), len(late) - len(pairs), len(pairs))
        if len(pairs):
            gone = _dropped(batch, row, pairs, met, (start, end), EXPIRED, step)
            excess = int((met[pairs] - step.windowing.expiry(end[pairs])).max())
            counts = Counts(counts.on_time, counts.late, len(pairs), excess)
        if step.law.net and batch.oldest is not None:
            others = np.setdiff1d(_gone_together(batch.oldest, row, met, step), pairs, assume_unique=True)
            if len(others):
                beside = _dropped(batch, row, others, met, (start, end), TOGETHER, step)
                gone = Batch.concat([gone, beside]) if len(pairs) else beside
                was_late = int((met[others] >= end[others]).sum())
                counts += Counts(was_late - len(others), -was_late, len(others), 0)
                pairs = np.concatenate((pairs, others))
        if len(pairs):
            kept = np.delete(np.arange(len(end)), pairs)
            row = kept if row is None else row[kept]
            start, end, met = start[kept], end[kept], met[kept]
    if row is not None:
        batch = batch.take(row)
    lifted = sessions_of if step.windowing.windows.merging else _windows
    groups, encoded = lifted(batch, step, start, end, now)
    if not step.law.finishes:
        return Lifted(groups, counts, gone, errors=errors)
    return Lifted(groups, counts, gone, _pairs(with_met(batch, met), start, end, encoded), errors)


def _counted(batch: Batch, step: Keyed, start: I64, end: I64, elsewhere: int, watermark: int) -> Pairs:
    """Rows for windows that count them: all are admitted."""
    met = _met(batch.met, watermark, elsewhere)
    encoded = encode([batch.rows.column(name) for name in step.keys], len(batch), exact=step.law.exact)
    return _pairs(with_met(batch, met), start, end, encoded)


def _pairs(batch: Batch, start: I64, end: I64, encoded: Encoded) -> Pairs:
    keys = tuple(arrays.take(column, encoded.codes) for column in encoded.keys)
    return Pairs(batch, start, end, encoded.hash[encoded.codes], keys)


def _dropped(
    batch: Batch, row: I64 | None, pairs: I64, met: I64, window: tuple[I64, I64], reason: str, step: Keyed
) -> Batch:
    rows = with_met(batch.take(pairs if row is None else row[pairs]), met[pairs])
    return dropped(rows, window[0][pairs], window[1][pairs], reason, step.dropped_schema)


def _gone_together(oldest: I64, row: I64 | None, met: I64, step: Keyed) -> I64:
    """Pairs of panes and retractions that cannot be taken, for one of the panes of their window was of a time of which
    a window has expired.

    A pane and its retraction may have different event times, so different windows. If one were taken without the other,
    a later retraction would take back what never came. The earliest of all times so far decides for them all: what it
    drops once, it drops for ever, and what it admits, it has always admitted.
    """
    if row is not None:
        oldest = oldest[row]
    asked = np.flatnonzero(oldest != MAX_TIME)
    windows = step.windowing.windows
    assert not isinstance(windows, WindowFn), "those are refused where rows may be taken back"
    which, _, ends = windows.assign(oldest[asked])
    first = ends
    if which is not None:
        first = np.full(len(asked), MAX_TIME)
        np.minimum.at(first, which, ends)
    return asked[met[asked] >= step.windowing.expiry(first)]


def _grid(windows: Windows) -> tuple[int, int] | None:
    """Size of the windows and distance between them, where both are the same everywhere."""
    match windows:
        case FixedWindows():
            return windows.size_us, windows.size_us
        case SlidingWindows():
            return windows.size_us, windows.every_us
    return None


def window_codes(windows: Windows, start: I64, end: I64) -> tuple[I64, I64, I64]:
    """Number the windows of pairs by end, then start: codes, and start and end of each number; some have no pair."""
    if not len(end):
        return end, end, end
    first, last = int(end.min()), int(end.max())
    grid = _grid(windows)
    if grid is not None:
        size, period = grid
        stops_at_end_of_time = int(start.min()) + size != first or int(start.max()) + size != last
        if not stops_at_end_of_time and last - first < (4 * len(end) + 1024) * period:
            ends = np.arange(first, last + 1, period)
            return (end - first) // period, ends - size, ends
    order = np.lexsort((start, end))
    new = np.ones(len(order), np.bool_)
    new[1:] = (end[order[1:]] != end[order[:-1]]) | (start[order[1:]] != start[order[:-1]])
    codes = np.empty(len(order), np.int64)
    codes[order] = np.cumsum(new) - 1
    return codes, start[order[new]], end[order[new]]


def _windows(batch: Batch, step: Keyed, start: I64, end: I64, now: int) -> tuple[Run, Encoded]:
    if isinstance(step.windowing.windows, GlobalWindows):
        return _run(batch, step, None, start[:1], end[:1], now)
    return _run(batch, step, *window_codes(step.windowing.windows, start, end), now)


def _run(batch: Batch, step: Keyed, window: I64 | None, starts: I64, ends: I64, now: int) -> tuple[Run, Encoded]:
    """Rows into groups by key and number of a window or slice; None: all are in one."""
    n = len(batch)
    encoded = encode([batch.rows.column(name) for name in step.keys], n, exact=step.law.exact)
    width = len(encoded.hash)
    cells = len(ends) * width
    cell = encoded.codes if window is None or len(ends) == 1 else window * width + encoded.codes
    if cells <= 4 * n + 65_536:
        rows = np.bincount(cell, minlength=cells)
        live = at = np.flatnonzero(rows)
        states, stamp, last, net = _aggregated(batch, step.law, cell, cells)
    else:
        seen, distinct = pd.factorize(cell)
        live = np.argsort(distinct)
        at = distinct[live]
        rows = np.bincount(seen, minlength=len(distinct))
        states, stamp, last, net = _aggregated(batch, step.law, seen, len(distinct))
    whole = len(live) == len(rows) and cells <= 4 * n + 65_536
    groups = _groups(
        step,
        encoded,
        at % width if width else at,
        states if whole else agg.take(states, live),
        rows if whole else rows[live],
        stamp if whole or stamp is None else stamp[live],
        last if whole or last is None else last[live],
        net if whole or net is None else net[live],
        now,
    )
    offsets = np.searchsorted(at, np.arange(len(ends) + 1) * width)
    filled = np.diff(offsets) > 0
    return Run(starts[filled], ends[filled], np.concatenate((offsets[:1], offsets[1:][filled])), groups), encoded


def _aggregated(batch: Batch, law: Law, codes: I64, size: int) -> tuple[States, I64 | None, I64 | None, I64 | None]:
    """Partial aggregates of ``size`` groups of rows, their stamps, the times of their newest rows, and how many rows
    are left of each once those that retractions take back are gone.
    """
    states = law.aggregates.create(size)
    stamp = last = net = None
    if law.net and batch.retraction is not None and batch.retraction.any():
        back, new = np.flatnonzero(batch.retraction), np.flatnonzero(~batch.retraction)
        net = np.bincount(codes[new], minlength=size) - np.bincount(codes[back], minlength=size)
        some = batch.take(new)
        states = law.aggregates.add(states, codes[new], some.rows, _order(some))
        some = batch.take(back)
        states = law.aggregates.subtract(states, codes[back], some.rows, _order(some))
    else:
        states = law.aggregates.add(states, codes, batch.rows, _order(batch))
        net = np.bincount(codes, minlength=size) if law.net else None
    if law.stamp is not None:
        stamp = np.full(size, law.no_stamp)
        law.reduce_stamp(stamp, codes, batch.time)
    if law.ttl:
        last = np.full(size, MIN_TIME)
        np.maximum.at(last, codes, batch.time)
    return states, stamp, last, net


def _order(batch: Batch) -> Order:
    return Order(batch.time, batch.partition, batch.position)


def _groups(
    step: Keyed,
    encoded: Encoded,
    key: I64,
    states: States,
    rows: I64,
    stamp: I64 | None,
    last: I64 | None,
    net: I64 | None,
    now: int,
) -> Groups:
    """The groups that rows of this epoch made; ``key`` tells the key of each."""
    law, n = step.law, len(key)
    keys = tuple(arrays.take(column, key) for column in encoded.keys)
    marks, fresh = (law.machine.create(n), rows) if law.told else ((), None)
    standing = Standing.none(n, step.schema, step.keys) if law.stands else None
    return Groups(
        encoded.hash[key],
        keys,
        states,
        rows,
        constant(now, n),
        constant(0, n),
        stamp,
        marks,
        fresh,
        last,
        net,
        standing,
    )


def sessions_of(batch: Batch, step: Keyed, start: I64, end: I64, now: int) -> tuple[SessionRun, Encoded]:
    """Rows of a key whose windows overlap become one session, before they meet the sessions of earlier epochs."""
    encoded = encode([batch.rows.column(name) for name in step.keys], len(batch), exact=step.law.exact)
    order = arrays.order(start, encoded.codes)
    key, start = encoded.codes[order], start[order]
    new = np.ones(len(order), np.bool_)
    reach = _reach(key, end[order])
    new[1:] = (key[1:] != key[:-1]) | apart(start[1:], reach[:-1], step)
    first = np.flatnonzero(new)
    last = arrays.group_ends(first, len(order))
    codes = np.empty(len(order), np.int64)
    codes[order] = np.cumsum(new) - 1
    states, stamp, newest, net = _aggregated(batch, step.law, codes, len(first))
    rows = np.bincount(codes, minlength=len(first))
    groups = _groups(step, encoded, key[first], states, rows, stamp, newest, net, now)
    return SessionRun.fresh(start[first], reach[last], groups), encoded


def _reach(key: I64, end: I64) -> I64:
    """The greatest end so far of each key; keys ascend."""
    if len(end) < 2 or bool(((end[1:] >= end[:-1]) | (key[1:] != key[:-1])).all()):
        return end  # one gap for all
    by_end = arrays.order(end)
    rank = np.empty(len(end), np.int64)
    rank[by_end] = np.arange(len(end))
    reach: I64 = end[by_end[np.maximum.accumulate(key * len(end) + rank) % len(end)]]
    return reach
