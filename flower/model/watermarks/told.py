"""Watermarks that somebody tells: the source itself, or rows that carry them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from flower.errors import WatermarkError
from flower.model.time import I64, MIN_TIME, Duration
from flower.model.watermarks.policy import NOTHING, Estimate, Told, WatermarkPolicy, idle_of, idle_text


@dataclass(frozen=True, slots=True)
class ManualWatermark(WatermarkPolicy):
    """The source tells the watermark itself: its marks say the one in force before each row.

    Examples
    --------
    >>> ManualWatermark()
    ManualWatermark()
    """

    @property
    def idle_us(self) -> None:  # type: ignore[override]
        """A partition is never set aside."""

    def observe(self, estimate: Estimate, time: I64, now: int, told: Told = NOTHING) -> tuple[I64, Estimate]:
        """The watermark that each row meets, and the partition's state after all rows."""
        return _observe(self, estimate, time, now, told)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Punctuated(WatermarkPolicy):
    """Rows carry the watermark: some of them say up to where the partition is complete.

    A punctuation counts from the row after the one that carries it, and never takes the watermark back. A row whose
    expression is missing or has no value carries none. Without punctuations there is no watermark: windows fire when
    the stream ends.

    Parameters
    ----------
    expr : str or pandas.api.typing.Expression
        Computed from the columns of each row. A time: no row before it follows, missing where a row says nothing
        (times without a zone are read in the source's). A bool: True says that no row before this row's own event time
        follows.
    idle : str or pandas.Timedelta, optional
        A partition without rows for this long in processing time does not hold the others back. None: it does.

    Examples
    --------
    >>> Punctuated("complete_to", idle="1min")
    Punctuated('complete_to', idle='1min')
    """

    expr: object
    idle_us: int | None

    def __init__(self, expr: object, *, idle: Duration | None = None) -> None:
        if (callable(expr) and not hasattr(expr, "_eval_expression")) or isinstance(expr, (bool, int, float)):
            raise WatermarkError(
                "Punctuated takes an expression over a row's columns",
                got=repr(expr)[:80],
                hint="write it as text or pd.col(...): Punctuated('complete_to'), Punctuated(\"kind == 'end'\")",
            )
        object.__setattr__(self, "expr", expr)
        object.__setattr__(self, "idle_us", idle_of(idle))

    def __repr__(self) -> str:
        return f"Punctuated({self.expr!r}{idle_text(self.idle_us)})"

    def observe(self, estimate: Estimate, time: I64, now: int, told: Told = NOTHING) -> tuple[I64, Estimate]:
        """The watermark that each row meets, and the partition's state after all rows."""
        return _observe(self, estimate, time, now, told)


def _observe(policy: WatermarkPolicy, estimate: Estimate, time: I64, now: int, told: Told) -> tuple[I64, Estimate]:
    """A policy that nobody tells anything stays where it was."""
    before, after = told.get(policy, (np.full(len(time), MIN_TIME), MIN_TIME))
    met = np.maximum(before, estimate.watermark)
    return met, replace(estimate.seen(time, now), watermark=max(estimate.watermark, after))


def running(marks: I64) -> tuple[I64, int]:
    """Punctuations of rows, `MIN_TIME` where there is none, as the watermark before each row and after the last.

    Examples
    --------
    >>> before, after = running(np.array([5, MIN_TIME, 3, 9]))
    >>> before[1:].tolist(), after
    ([5, 5, 5], 9)
    """
    made = np.empty(len(marks) + 1, np.int64)
    made[0] = MIN_TIME
    np.maximum.accumulate(marks, out=made[1:])
    return made[:-1], int(made[-1])
