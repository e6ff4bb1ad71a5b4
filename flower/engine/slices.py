"""Sliding windows by slices: rows are aggregated once, and a window that fires is put together from its slices.

Every start and every end of a window begins a slice, so all rows of a slice are in the same windows: one slice a period
where the size is a multiple of it, else two (Krishnamurthy, Wu and Franklin, SIGMOD 2006, "paired windows"). Slices are
kept only of windows that nobody looks at before the watermark passes them (`Windowing.sliced`), and only of rows that
come before all their windows have passed: a row that is late for one of them, or so near the ends of time that a window
is cut off, goes into each of its windows by itself (see `flower.engine.lift`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flower.engine.compaction import compacted
from flower.engine.groups import Groups, Law, in_order, joined
from flower.engine.runs import Run
from flower.model.arrays import Bools
from flower.model.time import I64, MAX_TIME, MIN_TIME
from flower.model.windows import FixedWindows, SlidingWindows

AT_ONCE = 4_194_304
"""Groups that are merged at once, so that many windows that pass together need no more memory than a few."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Rows in slices.

    Parameters
    ----------
    code : ndarray of int64
        Per row, the number of its slice.
    start, end : ndarray of int64
        The slices by number, ascending; some have no row.
    first : ndarray of int64
        Per slice, the end of the first of its windows to pass; it never descends.
    """

    code: I64
    start: I64
    end: I64
    first: I64

    def some_late(self, met: I64) -> bool:
        """Whether a row meets a watermark that has passed the first of its windows; ``met`` is what each meets."""
        if not len(met):
            return False
        if met.strides == (0,):
            return bool(met[0] >= self.first[int(self.code.min())])
        if not (met[1:] >= met[:-1]).all():
            return bool((met >= self.first[self.code]).any())
        # What rows meet ascends as they come: those from a place on meet the first end of a slice's windows, and are
        # late if they are in that slice or one before.
        at = np.searchsorted(met, self.first)
        slices = np.flatnonzero(at < len(met))
        return len(slices) > 0 and bool((np.minimum.reduceat(self.code, at[slices]) <= slices).any())


def cut(windows: FixedWindows | SlidingWindows, time: I64) -> Cut | None:
    """The slices of event times; None where a window may be cut off by the ends of time. Fixed windows are their own
    slices.
    """
    size, offset = windows.size_us, windows.offset_us
    every = windows.every_us if isinstance(windows, SlidingWindows) else size
    reach = size + 2 * every
    oldest, newest = (int(time.min()), int(time.max())) if len(time) else (0, 0)
    if oldest < MIN_TIME + reach or newest > MAX_TIME - reach:
        return None
    odd = size % every
    # From the period that the first row is in: numbers without a sign are divided twice as fast.
    low = (oldest - offset) // every
    shifted = (time - (low * every + offset)).view(np.uint64)
    code = (shifted // np.uint64(every)).view(np.int64)
    if odd:
        second = (shifted % np.uint64(every)).view(np.int64) >= odd
        code, low = 2 * code + second, 2 * low
    high = int(code.max()) if len(code) else -1
    if high < 4 * len(time) + 1024:
        number = np.arange(low, low + high + 1)
    else:
        number, code = np.unique(code, return_inverse=True)
        number += low
    if not odd:
        start = number * every + offset
        return Cut(code, start, start + every, start + every)
    halves = number % 2
    begin = number // 2 * every + offset
    end = begin + np.where(halves, every, odd)
    return Cut(code, begin + odd * halves, end, end + odd * halves)


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """Partial aggregates of slices.

    Parameters
    ----------
    run : Run
        One group a (key, slice).
    size, every, offset : int
        The windows, as `SlidingWindows` has them.
    """

    run: Run
    size: int
    every: int
    offset: int

    @staticmethod
    def of(run: Run, windows: SlidingWindows) -> Slices:
        """Slices of these windows."""
        return Slices(run, windows.size_us, windows.every_us, windows.offset_us)

    def __len__(self) -> int:
        return len(self.run)

    @property
    def groups(self) -> Groups:
        """The groups of all slices."""
        return self.run.groups

    @property
    def nbytes(self) -> int:
        """Bytes of its columns."""
        return self.run.nbytes

    def with_run(self, run: Run) -> Slices:
        """Other slices of the same windows."""
        return Slices(run, self.size, self.every, self.offset)

    def where(self, mask: Bools) -> Slices:
        """The groups where ``mask`` holds."""
        return self.with_run(self.run.where(mask))

    @property
    def _begun(self) -> I64:
        """Per slice, the start of the last window that it is in."""
        return self.run.start - (self.run.start - self.offset) % self.every

    @property
    def _others(self) -> I64:
        """Per slice, in how many windows it is besides that one."""
        others: I64 = (self._begun + self.size - self.run.end) // self.every
        return others

    @property
    def pairs(self) -> int:
        """How many (row, window) pairs it stands for."""
        rows = np.add.reduceat(self.groups.rows, self.run.offsets[:-1]) if len(self) else np.zeros(0, np.int64)
        return int((rows * (self._others + 1)).sum())

    def after(self, watermark: int) -> Slices:
        """The slices that windows need which a watermark has not passed."""
        at = int(np.searchsorted(self._begun + self.size, watermark, side="right"))
        return self.with_run(self.run.windows(at, len(self.run.end)))

    def windows(self, after: int, until: int) -> tuple[I64, I64]:
        """Each (slice, window) of the windows that end in ``(after, until]``: the slice's number, the window's end."""
        begun = self._begun
        if not len(begun) or until <= begun[0]:
            return begun[:0], begun[:0]
        # Near the slices, so that nothing that follows leaves the range of time.
        after, until = max(after, int(begun[0])), min(until, int(begun[-1]) + self.size)
        last = begun + self.size
        low = np.maximum(-((until - last) // self.every), 0)
        high = np.minimum((last - after - 1) // self.every, self._others)
        counts = np.maximum(high - low + 1, 0)
        number = np.repeat(np.arange(len(begun)), counts)
        back = np.arange(len(number)) - np.repeat(np.cumsum(counts) - counts, counts) + low[number]
        return number, last[number] - back * self.every

    def spread(self, after: int, until: int) -> tuple[I64, I64]:
        """Each (group, window) of the windows that end in ``(after, until]``: place of the group, end of the window."""
        return _spread(self.run.offsets, *self.windows(after, until))


def kept(slices: Sequence[Slices], watermark: int, law: Law) -> tuple[Slices, ...]:
    """What windows still need that a watermark has not passed, in few runs."""
    left = [each.after(watermark).run for each in slices]
    return tuple(slices[0].with_run(run) for run in compacted(left, law, newest_wins=False))


def passed(slices: Sequence[Slices], after: int, until: int, law: Law) -> list[Run]:
    """The partial aggregates of the windows that end in ``(after, until]``, by window, in runs of bounded size."""
    pairs = [each.windows(after, until) for each in slices]
    if not any(len(end) for _, end in pairs):
        return []
    counts = [np.diff(each.run.offsets)[number] for each, (number, _) in zip(slices, pairs, strict=True)]
    end = np.concatenate([end for _, end in pairs])
    ends, window = np.unique(end, return_inverse=True)
    groups = np.zeros(len(ends), np.int64)
    np.add.at(groups, window, np.concatenate(counts))
    filled = np.concatenate(([0], np.cumsum(groups)))
    runs, at = [], 0
    while at < len(ends):
        then = max(at + 1, int(np.searchsorted(filled, filled[at] + AT_ONCE, side="right")) - 1)
        runs.append(_put_together(slices, pairs, int(ends[at]), int(ends[then - 1]), law))
        at = then
    return runs


def _spread(offsets: I64, number: I64, end: I64) -> tuple[I64, I64]:
    """A value a slice as values of its groups: their places, and the values."""
    length = offsets[number + 1] - offsets[number]
    within = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
    return np.repeat(offsets[number], length) + within, np.repeat(end, length)


def _put_together(slices: Sequence[Slices], pairs: Sequence[tuple[I64, I64]], first: int, last: int, law: Law) -> Run:
    """The windows that end in ``[first, last]``."""
    parts, places, ends, base = [], [], [], 0
    for each, (number, end) in zip(slices, pairs, strict=True):
        chosen = (end >= first) & (end <= last)
        number, end, offsets = number[chosen], end[chosen], each.run.offsets
        if not len(number):
            continue
        low, high = int(offsets[number.min()]), int(offsets[number.max() + 1])
        at, end = _spread(offsets, number, end)
        parts.append(each.run.groups.cut(low, high))
        places.append(at + (base - low))
        ends.append(end)
        base += high - low
    groups, place = joined(parts), np.concatenate(places)
    # Keys are sorted once a group of a slice, not once a window that it is in.
    order, change = in_order(groups, None, law.exact)
    key = np.empty(len(order), np.int64)
    key[order] = np.cumsum(change) - 1
    width = int(change.sum())
    size, every = slices[0].size, slices[0].every
    window = (np.concatenate(ends) - first) // every
    many = (last - first) // every + 1
    cell = window * width + key[place]
    if many * width <= 4 * len(cell) + 65_536:
        there = np.bincount(cell, minlength=many * width) > 0
        at = np.flatnonzero(there)
        codes = cell if len(at) == len(there) else (np.cumsum(there) - 1)[cell]
    else:
        at, codes = np.unique(cell, return_inverse=True)
    merged = law.merge(groups.take(place), codes, len(at), _any(codes, len(at)))
    offsets = np.searchsorted(at, np.arange(many + 1) * width)
    filled = np.flatnonzero(np.diff(offsets))
    end = first + filled * every
    return Run(end - size, end, np.append(offsets[filled], len(at)), merged)


def _any(codes: I64, n: int) -> I64:
    """For each of ``n`` codes, one place where it stands."""
    place = np.empty(n, np.int64)
    place[codes] = np.arange(len(codes))
    return place
