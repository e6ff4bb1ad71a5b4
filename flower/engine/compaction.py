"""Few runs of many: those of like size are merged, small ones at once, large ones by a thread beside the epochs.

A large merge would hold up the epoch that it falls into: ten thousand rows an epoch into ten million live keys, under
an early trigger, take milliseconds, and a merge of millions of records hundreds. So it is begun when two runs are of
like size, and taken over when as many records have come since as the newer of them has, which is a function of the
runs alone. Whether the thread has done it by then, or has never been asked (a state that was restored), changes nothing
but the time: an epoch stays a pure function of its state.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from weakref import ReferenceType, WeakKeyDictionary, ref

from flower.engine.groups import Law
from flower.engine.runs import Run, merge

LARGE = 2**18
"""Records of a merge that takes too long for an epoch."""

_begun: WeakKeyDictionary[Run, tuple[ReferenceType[Run], Future[Run]]] = WeakKeyDictionary()
"""By the newer of two runs, the older and what they come to."""


def compacted(runs: Sequence[Run], law: Law, *, newest_wins: bool) -> tuple[Run, ...]:
    """The same state in few runs, given oldest first: where no large merge is due, their sizes at least double from the
    newest to the oldest. Empty ones are dropped. ``newest_wins`` as for `flower.engine.runs.merge`.
    """
    kept = [run for run in runs if len(run)]
    first, size = len(kept) - 1, len(kept[-1]) if kept else 0
    while first > 0 and len(kept[first - 1]) < 2 * size and len(kept[first - 1]) + size <= LARGE:
        first -= 1
        size += len(kept[first])
    if first < len(kept) - 1:
        kept[first:] = [merge(kept[first:], law, newest_wins=newest_wins)]
    since = 0
    for number in reversed(range(len(kept) - 1)):
        older, newer = kept[number : number + 2]
        if len(older) < 2 * len(newer):
            if since >= len(newer):
                kept[number : number + 2] = [_done(older, newer, law, newest_wins)]
                continue
            _begin(older, newer, law, newest_wins)
        since += len(newer)
    return tuple(kept)


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "flower-merger")


def _begin(older: Run, newer: Run, law: Law, newest_wins: bool) -> None:
    older, newer = _uncut(older), _uncut(newer)
    known = _begun.get(newer)
    if known is None or known[0]() is not older:
        _begun[newer] = ref(older), _thread().submit(merge, (older, newer), law, newest_wins=newest_wins)


def _done(older: Run, newer: Run, law: Law, newest_wins: bool) -> Run:
    """Two runs as one."""
    whole = _uncut(older), _uncut(newer)
    known = _begun.pop(whole[1], None)
    if known is None or known[0]() is not whole[0]:
        return merge((older, newer), law, newest_wins=newest_wins)
    if known[1].cancel():  # a larger one is in its way
        return merge((older, newer), law, newest_wins=newest_wins)
    merged = known[1].result()
    if whole == (older, newer):
        return merged
    # What the watermark has passed since was at the front of both.
    first = min(int(older.end[0]), int(newer.end[0]))
    return merged.windows(int(merged.end.searchsorted(first)), len(merged.end))


def _uncut(run: Run) -> Run:
    """What a run was before the watermark passed its first windows, if most of it is left: it may be under way."""
    if run.whole is None:
        return run
    whole, gone = run.whole
    return whole if gone + len(run.end) == len(whole.end) and len(whole) <= 2 * len(run) else run
