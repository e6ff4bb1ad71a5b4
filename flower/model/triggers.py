"""When in processing time: a window's panes fire by the watermark, and before and after it by a clock or a count.

The state of an early or late part is two columns per (key, window): ``rows``, the pairs since the last pane, and
``since``, the processing time in microseconds at which the first of them came (`MAX_TIME`: none). A part is asked once
an epoch, for all windows at once, and starts anew after every pane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flower.errors import TriggerError
from flower.model.time import I64, MAX_TIME, Duration, duration_text, duration_us, later


@dataclass(frozen=True, slots=True, init=False, repr=False)
class AfterProcessingTime:
    """Fires ``delay`` of processing time after the first row since the last pane.

    Parameters
    ----------
    delay : str or pandas.Timedelta
        At least 0; ``"0s"`` fires in every epoch that brought a row.

    Examples
    --------
    >>> AfterProcessingTime("1s")
    AfterProcessingTime('1s')
    >>> AfterProcessingTime("1s").should_fire(np.array([1, 1]), np.array([0, 500_000]), 1_000_000).tolist()
    [True, False]
    """

    delay_us: int

    def __init__(self, delay: Duration = "0s") -> None:
        object.__setattr__(self, "delay_us", duration_us(delay, "delay"))

    def __repr__(self) -> str:
        return f"AfterProcessingTime('{duration_text(self.delay_us)}')" if self.delay_us else "AfterProcessingTime()"

    def should_fire(self, rows: I64, since: I64, now: int) -> npt.NDArray[np.bool_]:
        """Which windows fire when the clock shows ``now``; never one without rows."""
        return (rows > 0) & (self.deadline(since) <= now)

    def deadline(self, since: I64) -> I64:
        """The processing time at which each window fires by itself; `MAX_TIME`: it does not."""
        return later(since, self.delay_us)


@dataclass(frozen=True, slots=True)
class AfterCount:
    """Fires when at least ``n`` rows came since the last pane.

    Parameters
    ----------
    n : int
        At least 1. A pane holds all rows of its epoch, so it may hold more than ``n``.

    Raises
    ------
    TriggerError
        If ``n`` is not a positive integer.

    Examples
    --------
    >>> AfterCount(3).should_fire(np.array([2, 3, 4]), np.array([0, 0, 0]), 0).tolist()
    [False, True, True]
    """

    n: int

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 1:
            raise TriggerError(
                "`n` of AfterCount must be a positive integer", got=repr(self.n), hint="AfterCount(1) fires for any row"
            )

    def __repr__(self) -> str:
        return f"AfterCount({self.n})"

    def should_fire(self, rows: I64, since: I64, now: int) -> npt.NDArray[np.bool_]:
        """Which windows fire when the clock shows ``now``; never one without rows."""
        return rows >= self.n

    def deadline(self, since: I64) -> I64:
        """The processing time at which each window fires by itself; `MAX_TIME`: it does not."""
        return np.full(len(since), MAX_TIME)


Part = AfterProcessingTime | AfterCount
"""What can fire before or after the watermark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterWatermark:
    """Fires when the watermark passes the end of the window, and as ``early`` and ``late`` say before and after.

    Parameters
    ----------
    early : AfterProcessingTime or AfterCount, optional
        Fires again and again until the end of the window is passed; None: never.
    late : AfterProcessingTime or AfterCount, optional
        Fires again and again afterwards; None: once an epoch, if late rows came.

    Raises
    ------
    TriggerError
        If ``early`` or ``late`` is something else.

    Examples
    --------
    >>> AfterWatermark(early=AfterProcessingTime("1s"), late=AfterCount(1))
    AfterWatermark(early=AfterProcessingTime('1s'), late=AfterCount(1))
    """

    early: Part | None = None
    late: Part | None = None

    def __post_init__(self) -> None:
        for name, part in (("early", self.early), ("late", self.late)):
            if part is not None and not isinstance(part, Part):
                raise TriggerError(
                    f"`{name}` must be AfterProcessingTime(...), AfterCount(...) or None",
                    got=repr(part),
                    hint=f"write AfterWatermark({name}=AfterProcessingTime('1s'))",
                )

    def __repr__(self) -> str:
        parts = (("early", self.early), ("late", self.late))
        return f"AfterWatermark({', '.join(f'{name}={part!r}' for name, part in parts if part is not None)})"


ON_TIME_ONLY = AfterWatermark()
"""The default trigger."""
