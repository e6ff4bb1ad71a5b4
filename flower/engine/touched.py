"""When groups lapse under a ttl: each touch of a group is an entry, due when that touch is no longer recent.

An entry is taken once, when it is due. Its group lapses unless a newer row has touched it meanwhile, whose entry is
still to come. So no epoch looks at groups that are neither touched nor due.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from flower.engine import aggregates as agg
from flower.engine.groups import GONE, Groups, Law, in_order, joined
from flower.engine.runs import Run
from flower.model import arrays
from flower.model.time import I64, MAX_TIME


@dataclass(frozen=True, slots=True)
class Touched:
    """Entries by when they are due.

    Parameters
    ----------
    due, start, end : ndarray of int64
        The watermark at which each is due, ascending, and its window.
    groups : Groups
        Which keys; without what they hold.
    """

    due: I64
    start: I64
    end: I64
    groups: Groups

    def __len__(self) -> int:
        return len(self.due)

    def cut(self, first: int, last: int) -> Touched:
        """The entries of ``[first, last)``, not copied."""
        return Touched(self.due[first:last], self.start[first:last], self.end[first:last], self.groups.cut(first, last))


def named(groups: Groups) -> Groups:
    """Only which groups there are, without what they hold."""
    return replace(groups, states=(), stamp=None, marks=(), fresh=None, last=None, net=None, standing=None)


def touched(run: Run, due: I64) -> Touched:
    """Entries for the groups of a run."""
    order = np.argsort(due, kind="stable")
    start, end = run.spread(run.start), run.spread(run.end)
    return Touched(due[order], start[order], end[order], named(run.groups).take(order))


def taken(entries: Sequence[Touched], watermark: int, law: Law) -> tuple[Run | None, tuple[Touched, ...]]:
    """The groups with entries that are due, each once; and the entries that are not, in tables that double in size."""
    front, rest = [], []
    for each in entries:
        at = int(np.searchsorted(each.due, watermark, side="right"))
        if at:
            front.append(each.cut(0, at))
        if at < len(each):
            rest.append(each.cut(at, len(each)))
    while len(rest) > 1 and len(rest[-2]) < 2 * len(rest[-1]):
        rest[-2:] = [merged(rest[-2:], law)]
    return (_run(front, law) if front else None), tuple(rest)


def merged(entries: Sequence[Touched], law: Law) -> Touched:
    """One table; of a group's entries only the last can let it go, so the others are dropped."""
    every = _joined(entries)
    _, _, window = _windows(every)
    order, change = in_order(every.groups, window, law.exact)
    # The order is stable, and entries of one group stood by when they are due.
    last = np.sort(order[arrays.group_ends(np.flatnonzero(change), len(order))])
    return Touched(every.due[last], every.start[last], every.end[last], every.groups.take(last))


def _joined(entries: Sequence[Touched]) -> Touched:
    """All entries by when they are due."""
    due = np.concatenate([each.due for each in entries])
    order = np.argsort(due, kind="stable")
    start = np.concatenate([each.start for each in entries])[order]
    end = np.concatenate([each.end for each in entries])[order]
    return Touched(due[order], start, end, joined([each.groups for each in entries]).take(order))


def _windows(entries: Touched) -> tuple[I64, I64, I64]:
    """The distinct windows, by end, then start, and the number of each entry's among them."""
    start, end = entries.start, entries.end
    order = np.lexsort((start, end))
    new = np.ones(len(order), np.bool_)
    new[1:] = (end[order[1:]] != end[order[:-1]]) | (start[order[1:]] != start[order[:-1]])
    window = np.empty(len(order), np.int64)
    window[order] = np.cumsum(new) - 1
    return start[order[new]], end[order[new]], window


def _run(entries: Sequence[Touched], law: Law) -> Run:
    """The distinct groups of entries as a run."""
    every = _joined(entries)
    start, end, window = _windows(every)
    order, change = in_order(every.groups, window, law.exact)
    picks = order[change]
    offsets = np.searchsorted(window[picks], np.arange(len(end) + 1))
    return Run(start, end, offsets, every.groups.take(picks))


def lapsed(groups: Groups, which: arrays.Bools, law: Law) -> Groups:
    """Groups of which some are let go: their records hold nothing from now on, and hide those before them."""
    if not which.any():
        return groups
    n, stay = len(groups), np.flatnonzero(~which)
    assert groups.last is not None
    return replace(
        groups,
        states=law.aggregates.merge(law.aggregates.create(n), agg.take(groups.states, stay), stay),
        rows=np.where(which, 0, groups.rows),
        since=np.where(which, MAX_TIME, groups.since),
        panes=np.where(which, 0, groups.panes),
        stamp=None if groups.stamp is None else np.where(which, law.no_stamp, groups.stamp),
        last=np.where(which, GONE, groups.last),
    )


def living(run: Run | None) -> Run | None:
    """A run without the records of groups that have been let go; None if none is left."""
    if run is None or run.groups.last is None:
        return run
    left = run.where(run.groups.last != GONE)
    return left if len(left) else None
