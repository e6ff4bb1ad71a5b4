"""One watermark of a source's partitions, and what a row meets of those that are not its own."""

from __future__ import annotations

from collections.abc import Sequence

from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.watermarks.policy import Estimate, WatermarkPolicy


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
    >>> from flower.model.watermarks import ManualWatermark
    >>> combined([Estimate(5), Estimate(3)], [False, False], ManualWatermark(), 0)
    3
    """
    open_ = [e for e, over in zip(estimates, ended, strict=True) if not over]
    if not open_:
        return MAX_TIME
    active = [e.watermark for e in open_ if not idle(e, policy, now)]
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
        if p != partition and not over and not idle(e, policy, now)
    )
    return min(others, default=MAX_TIME)


def idle(estimate: Estimate, policy: WatermarkPolicy, now: int) -> bool:
    """Whether a partition had no rows for so long that it does not hold the others back."""
    if policy.idle_us is None or estimate.last_row == MIN_TIME:
        return False
    return now - estimate.last_row >= policy.idle_us
