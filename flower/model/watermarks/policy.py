"""What every policy is, and what it knows of one partition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from flower.model.time import I64, MIN_TIME, Duration, duration_text, duration_us


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
    rows : int
        Rows so far, where the policy learns from them.
    bound : int
        The disorder that it has learnt; -1: nothing yet.
    lags : tuple of int
        How many rows lagged how far, by bucket; newer ones weigh more.
    parts : tuple of Estimate
        What is known by each policy of a combination.
    """

    watermark: int = MIN_TIME
    newest: int = MIN_TIME
    last_row: int = MIN_TIME
    rows: int = 0
    bound: int = -1
    lags: tuple[int, ...] = ()
    parts: tuple[Estimate, ...] = ()

    def seen(self, time: I64, now: int) -> Estimate:
        """The same with the newest event time and the processing time of the last row brought up to date."""
        if len(time):
            return replace(self, newest=max(self.newest, int(time.max())), last_row=now)
        return replace(self, last_row=now) if self.last_row == MIN_TIME else self


Told: TypeAlias = "Mapping[WatermarkPolicy, tuple[I64, int]]"
"""Per policy that is told its watermark, the one in force before each row, and after the last."""

NOTHING: Told = MappingProxyType({})


class WatermarkPolicy:
    """How a source's partitions know their watermarks; what all policies share."""

    __slots__ = ()

    idle_us: int | None
    """After how long without rows, in processing time, a partition does not hold the others back; None: never."""

    @property
    def leaves(self) -> tuple[WatermarkPolicy, ...]:
        """The policies that this one is made of; itself if it is no combination."""
        return (self,)

    def observe(self, estimate: Estimate, time: I64, now: int, told: Told = NOTHING) -> tuple[I64, Estimate]:
        """The watermark that each row meets, and the partition's state after all rows.

        Call it in every epoch, also without rows, so that idleness is counted from the first look.

        Parameters
        ----------
        estimate : Estimate
            The state before.
        time : ndarray of int64
            Event times of the partition's next rows, in order.
        now : int
            Processing time.
        told : mapping
            For policies that are told: the watermark in force before each row, and after the last.
        """
        raise NotImplementedError

    def after(self, estimate: Estimate, time: I64, now: int, told: Told = NOTHING) -> Estimate:
        """The partition's state after all rows alone, where nobody asks what each of them meets."""
        return self.observe(estimate, time, now, told)[1]


def idle_of(idle: Duration | None) -> int | None:
    """Microseconds of what a person gave as ``idle``."""
    return None if idle is None else duration_us(idle, "idle", minimum=1)


def idle_text(idle_us: int | None) -> str:
    """``idle`` as canonical source after other arguments; nothing for None."""
    return "" if idle_us is None else f", idle='{duration_text(idle_us)}'"


def behind(newest: I64, bound: I64 | int) -> I64:
    """Event times less a bound; what comes below the range, `MIN_TIME` included, stays at the start of time."""
    return np.where(newest < MIN_TIME + bound, MIN_TIME, newest - bound)
