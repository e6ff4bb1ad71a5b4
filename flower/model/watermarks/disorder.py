"""Watermarks that follow the newest event time at a distance that a person knows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from flower.model.arrays import rising
from flower.model.time import I64, MIN_TIME, Duration, duration_text, duration_us, later_by
from flower.model.watermarks.policy import NOTHING, Estimate, Told, WatermarkPolicy, idle_of, idle_text


@dataclass(frozen=True, slots=True, init=False, repr=False)
class BoundedDisorder(WatermarkPolicy):
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
        object.__setattr__(self, "idle_us", idle_of(idle))

    def __repr__(self) -> str:
        return f"BoundedDisorder('{duration_text(self.bound_us)}'{idle_text(self.idle_us)})"

    def observe(self, estimate: Estimate, time: I64, now: int, told: Told = NOTHING) -> tuple[I64, Estimate]:
        """The watermark that each row meets, and the partition's state after all rows."""
        return _observe(estimate, time, now, self.bound_us)

    def after(self, estimate: Estimate, time: I64, now: int, told: Told = NOTHING) -> Estimate:
        """The partition's state after all rows alone."""
        return _after(estimate, time, now, self.bound_us)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Monotonic(WatermarkPolicy):
    """Event time never goes back within a partition: the watermark is the newest event time.

    A row that goes back nevertheless is late, as it would be under ``BoundedDisorder("0s")``: it is counted in its
    window as long as that admits late rows, and goes to ``stream.dropped`` after that.

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
        object.__setattr__(self, "idle_us", idle_of(idle))

    def __repr__(self) -> str:
        return f"Monotonic({idle_text(self.idle_us)[2:]})"

    def observe(self, estimate: Estimate, time: I64, now: int, told: Told = NOTHING) -> tuple[I64, Estimate]:
        """The watermark that each row meets, and the partition's state after all rows."""
        return _observe(estimate, time, now, 0)

    def after(self, estimate: Estimate, time: I64, now: int, told: Told = NOTHING) -> Estimate:
        """The partition's state after all rows alone."""
        return _after(estimate, time, now, 0)


def _observe(estimate: Estimate, time: I64, now: int, bound: int) -> tuple[I64, Estimate]:
    if not len(time):
        return np.empty(0, np.int64), _after(estimate, time, now, bound)
    newest = np.empty(len(time) + 1, np.int64)
    newest[0] = estimate.newest
    newest[1:] = rising(time, estimate.newest)
    # It ascends, so what comes below the range is at its front.
    met = newest[:-1]
    below = int(np.searchsorted(met, MIN_TIME + bound))
    met[:below] = MIN_TIME
    met[below:] -= bound
    return met, _after(estimate, time, now, bound)


def _after(estimate: Estimate, time: I64, now: int, bound: int) -> Estimate:
    after = estimate.seen(time, now)
    return replace(after, watermark=later_by(after.newest, -bound)) if len(time) else after
