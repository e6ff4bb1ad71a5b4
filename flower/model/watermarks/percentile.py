"""A watermark that learns how disordered a partition is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from flower.errors import WatermarkError
from flower.model.time import I64, MIN_TIME, Duration
from flower.model.watermarks.policy import NOTHING, Estimate, Told, WatermarkPolicy, behind, idle_of, idle_text

FIRST, BLOCK = 16, 1_024
"""The disorder is learnt after 16, 32, 64, ... rows of a partition, and from 1,024 on after every 1,024."""

ROW = 1 << 20
"""What a row weighs, so that halves and quarters of it stay whole numbers."""


def _edges() -> I64:
    """The least lag of each bucket: one for each of 0 to 7, then eight to each doubling."""
    return np.array([*range(8), *((8 + part) << up for up in range(60) for part in range(8))], np.int64)


_EDGES = _edges()


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Percentile(WatermarkPolicy):
    """Learns the disorder: the watermark is the newest event time less what a share ``q`` of the rows lag behind it.

    A row's lag is how far its event time is behind the newest of its partition so far. Lags are counted in buckets an
    eighth wide, so the bound that is learnt is at most an eighth above the quantile, and never below it. It is learnt
    after 16, 32, 64, ... rows of a partition, and from 1,024 on after every 1,024, whichever epochs they fall into;
    before the 16th row there is no watermark. Every 1,024 rows what was counted before loses an eighth of its weight,
    so that the last ten thousand rows or so decide, and the bound follows a stream that changes. The watermark never
    goes back: when the bound grows, it waits.

    Parameters
    ----------
    q : float
        The share of rows that are not to be late, above 0 and at most 1; of the rest some are late. 0.99 is a start.
    idle : str or pandas.Timedelta, optional
        A partition without rows for this long in processing time does not hold the others back. None: it does.

    Raises
    ------
    WatermarkError
        If ``q`` is out of its range.

    Examples
    --------
    >>> Percentile(0.99, idle="1min")
    Percentile(0.99, idle='1min')
    >>> time = 100 + np.arange(64) - 5 * (np.arange(64) % 2)  # every other row is 4 behind
    >>> _, after = Percentile(0.9).observe(Estimate(), time, 0)
    >>> after.newest, after.bound, after.watermark
    (162, 4, 158)
    """

    q: float
    idle_us: int | None

    def __init__(self, q: float, *, idle: Duration | None = None) -> None:
        if isinstance(q, bool) or not isinstance(q, (int, float)) or not 0 < q <= 1:
            raise WatermarkError("`q` must be a share of rows, above 0 and at most 1", got=repr(q), hint="write 0.99")
        object.__setattr__(self, "q", float(q))
        object.__setattr__(self, "idle_us", idle_of(idle))

    def __repr__(self) -> str:
        return f"Percentile({self.q!r}{idle_text(self.idle_us)})"

    def observe(self, estimate: Estimate, time: I64, now: int, told: Told = NOTHING) -> tuple[I64, Estimate]:
        """The watermark that each row meets, and the partition's state after all rows."""
        n = len(time)
        after = estimate.seen(time, now)
        if not n:
            return np.empty(0, np.int64), after
        newest = np.maximum.accumulate(np.maximum(time, estimate.newest))
        bucket = np.searchsorted(_EDGES, newest - time, side="right") - 1
        made = np.empty(n + 1, np.int64)
        made[0] = estimate.watermark
        counts = np.zeros(len(_EDGES), np.int64)
        counts[: len(estimate.lags)] = estimate.lags
        bound, start = estimate.bound, 0
        for stop in _pauses(estimate.rows, n):
            made[start + 1 : stop + 1] = MIN_TIME if bound < 0 else behind(newest[start:stop], bound)
            counts += ROW * np.bincount(bucket[start:stop], minlength=len(counts))
            if _learns(estimate.rows + stop):
                bound = _quantile(counts, self.q)
                # The row that completes a block is the first whose watermark is made with what was learnt.
                made[stop] = int(behind(newest[stop - 1 : stop], bound)[0])
                if (estimate.rows + stop) % BLOCK == 0:
                    counts -= (counts + 7) // 8
            start = stop
        np.maximum.accumulate(made, out=made)
        used = int(np.flatnonzero(counts)[-1]) + 1 if counts.any() else 0
        lags = tuple(counts[:used].tolist())
        after = replace(after, watermark=int(made[-1]), rows=estimate.rows + n, bound=bound, lags=lags)
        return made[:-1], after


def _learns(rows: int) -> bool:
    return rows % BLOCK == 0 or (FIRST <= rows < BLOCK and rows & (rows - 1) == 0)


def _pauses(rows: int, n: int) -> Iterator[int]:
    """After how many of ``n`` further rows the disorder is learnt anew; ``n`` itself comes last."""
    at = rows
    while True:
        at = (at // BLOCK + 1) * BLOCK if at >= BLOCK // 2 else max(FIRST, 1 << at.bit_length())
        if at >= rows + n:
            yield n
            return
        yield at - rows


def _quantile(counts: I64, q: float) -> int:
    """The greatest lag of the bucket in which the quantile lies."""
    total = np.cumsum(counts)
    bucket = int(np.searchsorted(total, math.ceil(q * int(total[-1]))))
    return int(_EDGES[bucket + 1]) - 1
