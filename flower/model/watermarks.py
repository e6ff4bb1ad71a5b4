"""How a source knows its watermark: a small state per partition, chained from epoch to epoch.

A watermark of T says that no row before T follows. `observe` gives the watermark that each row meets (made by the rows
before it in its partition, never by itself), and the state after them; `combined` makes one watermark of a source's
partitions; `elsewhere` is what a row meets of the partitions that are not its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from flower.model.time import I64, MAX_TIME, MIN_TIME, Duration, duration_text, duration_us, later_by


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is known of one partition.

    Parameters
    ----------
    watermark : int
        No row before it follows; microseconds UTC.
    newest : int
        The newest event time so far.
    last_row : int
        The processing time of the last row; before any row, of the first look at the partition. `MIN_TIME`: not yet
        looked at, so it cannot be idle.
    """

    watermark: int = MIN_TIME
    newest: int = MIN_TIME
    last_row: int = MIN_TIME


@dataclass(frozen=True, slots=True, init=False, repr=False)
class BoundedDisorder:
    """No row comes more than ``bound`` after a newer one: the watermark is the newest event time less ``bound``.

    Parameters
    ----------
    bound : str or pandas.Timedelta
        At least 0.
    idle : str or pandas.Timedelta, optional
        A partition without rows for this long in processing time does not hold the others back. None: it does.

    Examples
    --------
    >>> BoundedDisorder("12h", idle="1min")
    BoundedDisorder('12h', idle='1min')
    >>> met, after = BoundedDisorder("2us").observe(Estimate(), np.array([10, 5, 20]), 0)
    >>> met[1:].tolist(), after.watermark
    ([8, 8], 18)
    """

    bound_us: int
    idle_us: int | None

    def __init__(self, bound: Duration, *, idle: Duration | None = None) -> None:
        object.__setattr__(self, "bound_us", duration_us(bound, "bound"))
        object.__setattr__(self, "idle_us", None if idle is None else duration_us(idle, "idle", minimum=1))

    def __repr__(self) -> str:
        idle = "" if self.idle_us is None else f", idle='{duration_text(self.idle_us)}'"
        return f"BoundedDisorder('{duration_text(self.bound_us)}'{idle})"

    def observe(self, estimate: Estimate, time: I64, now: int) -> tuple[I64, Estimate]:
        """The watermark that each row meets, and the partition's state after all rows.

        Call it in every epoch, also without rows, so that idleness is counted from the first look.
        """
        return _observe(estimate, time, now, self.bound_us)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Monotonic:
    """Event time never goes back within a partition: the watermark is the newest event time.

    Parameters
    ----------
    idle : str or pandas.Timedelta, optional
        A partition without rows for this long in processing time does not hold the others back. None: it does.

    Examples
    --------
    >>> Monotonic()
    Monotonic()
    """

    idle_us: int | None

    def __init__(self, *, idle: Duration | None = None) -> None:
        object.__setattr__(self, "idle_us", None if idle is None else duration_us(idle, "idle", minimum=1))

    def __repr__(self) -> str:
        return "Monotonic()" if self.idle_us is None else f"Monotonic(idle='{duration_text(self.idle_us)}')"

    def observe(self, estimate: Estimate, time: I64, now: int) -> tuple[I64, Estimate]:
        """The watermark that each row meets, and the partition's state after all rows.

        Call it in every epoch, also without rows, so that idleness is counted from the first look.
        """
        return _observe(estimate, time, now, 0)


@dataclass(frozen=True, slots=True)
class ManualWatermark:
    """The source tells the watermark itself: its marks say the one in force before each row.

    Examples
    --------
    >>> ManualWatermark()
    ManualWatermark()
    """

    @property
    def idle_us(self) -> None:
        """A partition is never set aside."""
        return None


WatermarkPolicy = BoundedDisorder | Monotonic | ManualWatermark
"""Any of the policies."""


def _observe(estimate: Estimate, time: I64, now: int, bound: int) -> tuple[I64, Estimate]:
    if len(time) == 0:
        looked = now if estimate.last_row == MIN_TIME else estimate.last_row
        return np.empty(0, np.int64), replace(estimate, last_row=looked)
    newest = np.empty(len(time) + 1, np.int64)
    newest[0] = estimate.newest
    newest[1:] = time
    np.maximum.accumulate(newest, out=newest)
    last = int(newest[-1])
    # What comes below the range, `MIN_TIME` included, stays at the start of time.
    met = np.where(newest[:-1] < MIN_TIME + bound, MIN_TIME, newest[:-1] - bound)
    return met, Estimate(later_by(last, -bound), last, now)


def combined(estimates: Sequence[Estimate], ended: Sequence[bool], policy: WatermarkPolicy, now: int) -> int:
    """The watermark of a source: the minimum over its partitions that are neither ended nor idle.

    When none is left but some are idle, it is the greatest watermark of the idle ones, so that it does not depend on
    the order in which they fell silent; when all have ended, `MAX_TIME`. A partition that wakes up behind the others
    makes the result go back: who keeps a watermark takes the maximum with the one before.

    Parameters
    ----------
    estimates : sequence of Estimate
        One a partition.
    ended : sequence of bool
        Whether no row will follow, one a partition.
    policy : WatermarkPolicy
        Says when a partition is idle.
    now : int
        Processing time in microseconds.

    Examples
    --------
    >>> combined([Estimate(5), Estimate(3)], [False, False], ManualWatermark(), 0)
    3
    """
    open_ = [e for e, over in zip(estimates, ended, strict=True) if not over]
    if not open_:
        return MAX_TIME
    active = [e.watermark for e in open_ if not _idle(e, policy, now)]
    return min(active) if active else max(e.watermark for e in open_)


def elsewhere(
    estimates: Sequence[Estimate], ended: Sequence[bool], policy: WatermarkPolicy, now: int, partition: int
) -> int:
    """The minimum over the partitions but ``partition`` that are neither ended nor idle; `MAX_TIME` if there is none.

    A row meets ``max(w, min(own, elsewhere))``, where ``own`` is what `observe` says and ``elsewhere`` and ``w``, the
    watermark of the step that admits it, are those at the epoch's start. The maximum matters only to a partition that
    had been idle, or is new: its rows may be older than what has been promised in its absence.
    """
    others = (
        e.watermark
        for p, (e, over) in enumerate(zip(estimates, ended, strict=True))
        if p != partition and not over and not _idle(e, policy, now)
    )
    return min(others, default=MAX_TIME)


def _idle(estimate: Estimate, policy: WatermarkPolicy, now: int) -> bool:
    if policy.idle_us is None or estimate.last_row == MIN_TIME:
        return False
    return now - estimate.last_row >= policy.idle_us
