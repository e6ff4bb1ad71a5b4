"""Runs: groups of windows that do not merge, sorted by (window end, window start, key hash), a window's groups side by
side.

State is a handful of runs of geometrically growing size, an LSM tree. What the watermark passes is at the front of
every run, so firing and expiry cut slices off and never search. A run is its own index: a key of a window is found by
binary search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from flower.engine.directory import Sought
from flower.engine.groups import Groups, Law, in_order, joined
from flower.engine.keys import equal
from flower.model import arrays
from flower.model.time import I64, MAX_TIME


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Run:
    """Groups by window.

    Parameters
    ----------
    start, end : ndarray of int64
        The windows, by end, then start.
    offsets : ndarray of int64
        Where each window's groups begin among ``groups``; one more than windows.
    groups : Groups
        Within a window sorted by hash.

    Attributes
    ----------
    whole : tuple of (Run, int) or None
        Of which run these are the windows from a number on, so that a checkpoint that has that one need not write
        this. Whatever makes a run in another way leaves it out, `dataclasses.replace` included.
    """

    start: I64
    end: I64
    offsets: I64
    groups: Groups
    whole: tuple[Run, int] | None = field(default=None, init=False, repr=False)
    _lows: I64 | None = field(default=None, init=False, repr=False, compare=False)
    _sought: dict[int, Sought] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The hashes of windows that were asked for some."""

    def __len__(self) -> int:
        return len(self.groups)

    def __reduce__(self) -> tuple[object, ...]:
        return Run, (self.start, self.end, self.offsets, self.groups)

    @property
    def nbytes(self) -> int:
        """Bytes of its columns."""
        return self.groups.nbytes

    def lows(self, nothing: int) -> I64:
        """The least stamp of each window's groups but ``nothing``, which is that of a group without rows; `MAX_TIME`:
        there is none. Computed once a run; a run cut off it keeps them.
        """
        lows = self._lows
        if lows is None:
            stamp = self.groups.hold
            assert stamp is not None
            stamp = stamp if nothing == MAX_TIME else np.where(stamp == nothing, MAX_TIME, stamp)
            lows = np.minimum.reduceat(stamp, self.offsets[:-1]) if len(self.end) else np.zeros(0, np.int64)
            object.__setattr__(self, "_lows", lows)
        return lows

    def places(self, window: int, hashes: I64) -> I64:
        """Where hashes stand among the groups' of a window, the first of equal ones; -1: nowhere. Those that ascend are
        found each near the one before, in cache.
        """
        low = int(self.offsets[window])
        sought = self._sought.get(window)
        if sought is None:
            sought = self._sought[window] = Sought(self.groups.hash[low : int(self.offsets[window + 1])])
        place = sought.find(hashes)
        return np.where(place >= 0, place + low, -1) if low else place

    def windows(self, first: int, last: int) -> Run:
        """The windows of ``[first, last)``, not copied."""
        if first == 0 and last == len(self.end):
            return self
        low, high = int(self.offsets[first]), int(self.offsets[last])
        cut = Run(
            self.start[first:last],
            self.end[first:last],
            self.offsets[first : last + 1] - low,
            self.groups.cut(low, high),
        )
        if self._lows is not None:
            object.__setattr__(cut, "_lows", self._lows[first:last])
        cut._sought.update({at - first: known for at, known in self._sought.items() if first <= at < last})
        whole, before = self.whole or (self, 0)
        object.__setattr__(cut, "whole", (whole, before + first))
        return cut

    def split(self, watermark: int) -> tuple[Run | None, Run | None]:
        """The windows whose end a watermark has passed, and the rest; None for none."""
        n = len(self.end)
        if not n or self.end[0] > watermark:
            return None, self if n else None
        at = int(self.end.searchsorted(watermark, side="right"))
        return self.windows(0, at), self.windows(at, n) if at < n else None

    def spread(self, per_window: I64) -> I64:
        """A value a window as a value a group."""
        return np.repeat(per_window, np.diff(self.offsets))

    def with_groups(self, groups: Groups) -> Run:
        """The same (key, window) pairs with other columns."""
        return Run(self.start, self.end, self.offsets, groups)

    def where(self, mask: arrays.Bools) -> Run:
        """The groups where ``mask`` holds; windows left without any are gone."""
        if mask.all():
            return self
        counts = np.add.reduceat(mask, self.offsets[:-1]) if len(mask) else np.zeros(0, np.int64)
        kept = counts > 0
        offsets = np.concatenate(([0], np.cumsum(counts[kept])))
        return Run(self.start[kept], self.end[kept], offsets, self.groups.take(np.flatnonzero(mask)))


def numbered(runs: Sequence[Run]) -> tuple[I64, I64, list[I64]]:
    """All windows of the runs in order, and per run the number of each of its windows among them."""
    first = runs[0]
    if len(first.end) == 1 and all(
        len(run.end) == 1 and run.end[0] == first.end[0] and run.start[0] == first.start[0] for run in runs
    ):
        return first.start, first.end, [np.zeros(1, np.int64)] * len(runs)
    start = np.concatenate([run.start for run in runs])
    end = np.concatenate([run.end for run in runs])
    order = np.lexsort((start, end))
    new = np.ones(len(order), np.bool_)
    new[1:] = (end[order[1:]] != end[order[:-1]]) | (start[order[1:]] != start[order[:-1]])
    number = np.empty(len(order), np.int64)
    number[order] = np.cumsum(new) - 1
    bounds = np.cumsum([len(run.end) for run in runs])[:-1]
    distinct = order[new]
    return start[distinct], end[distinct], np.split(number, bounds)


def merge(runs: Sequence[Run], law: Law, *, newest_wins: bool) -> Run:
    """One run of several, given oldest first.

    Parameters
    ----------
    newest_wins : bool
        True where runs hold whole records of their groups, so that a newer one replaces an older; False where they
        hold partial aggregates that add up.
    """
    if len(runs) == 1:
        return runs[0]
    start, end, numbers = numbered(runs)
    window = None if len(end) == 1 else np.concatenate([run.spread(n) for run, n in zip(runs, numbers, strict=True)])
    groups = joined([run.groups for run in runs])
    order, change = in_order(groups, window, law.exact)
    heads = np.flatnonzero(change)
    if newest_wins:
        picks = order[arrays.group_ends(heads, len(order))]
        merged = groups.take(picks)
    else:
        picks = order[heads]
        codes = np.empty(len(order), np.int64)
        codes[order] = np.cumsum(change) - 1
        merged = law.merge(groups, codes, len(heads), picks)
    if window is None:
        return Run(start, end, np.array([0, len(merged)]), merged)
    return Run(start, end, np.searchsorted(window[picks], np.arange(len(end) + 1)), merged)


def find(run: Run, wanted: Run, exact: bool) -> I64:
    """Per group of ``wanted``, where ``run`` has it; -1: it has not."""
    _, ends, (mine, theirs) = numbered((run, wanted))
    hashes, here = wanted.groups.hash, run.groups.hash
    found = np.full(len(hashes), -1)
    in_mine = in_theirs = mine
    if len(ends) > 1:
        _, in_mine, in_theirs = np.intersect1d(mine, theirs, assume_unique=True, return_indices=True)
    # One search a window that both have.
    for i, j in zip(in_mine.tolist(), in_theirs.tolist(), strict=True):
        low, high = int(run.offsets[i]), int(run.offsets[i + 1])
        first, last = int(wanted.offsets[j]), int(wanted.offsets[j + 1])
        needles, least, most = hashes[first:last], here[low], here[high - 1]
        if exact and int(most) - int(least) == high - 1 - low:
            # Every number between the least and the greatest key is there: its place is told by itself.
            inside = (needles >= least) & (needles <= most)
            found[first:last] = np.where(inside, low + (needles - least), -1)
            continue
        found[first:last] = run.places(i, needles)
        if not exact:
            _tell_apart(found[first:last], run, high, wanted, first)
    return found


def _tell_apart(found: I64, run: Run, high: int, wanted: Run, first: int) -> None:
    """Where the keys of groups are among those of equal hashes, the first of which were found; in place."""
    hashes, asking = wanted.groups.hash, np.flatnonzero(found >= 0)
    while len(asking):
        same = equal(
            tuple(arrays.take(key, found[asking]) for key in run.groups.keys),
            tuple(arrays.take(key, first + asking) for key in wanted.groups.keys),
        )
        asking = asking[~same]
        spot = found[asking] + 1
        over = spot == high
        over |= run.groups.hash[np.minimum(spot, high - 1)] != hashes[first + asking]
        found[asking] = np.where(over, -1, spot)
        asking = asking[~over]
