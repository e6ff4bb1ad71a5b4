"""Triggers that are made of no others: a count, the clock, every row, nothing, and a look at the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flower.errors import TriggerError
from flower.model.said import said
from flower.model.time import I64, MAX_TIME, MIN_TIME, Duration, duration_text, duration_us, later
from flower.model.triggers.base import Asked, Bools, Machine, Marks, Trigger, now_or_never

if TYPE_CHECKING:
    from pandas.api.typing import Expression


class _Leaf(Machine):
    """A machine that fires once and has one column, or none where it starts anew after every pane."""

    def __init__(self, initial: tuple[int, ...]) -> None:
        self.initial = initial

    def on_fire(self, marks: Marks, fired: Bools, asked: Asked) -> tuple[Marks, Bools]:
        return self.reset(marks, fired), fired


class _Counting(_Leaf):
    def __init__(self, n: int, lasting: bool) -> None:
        super().__init__((0,) if lasting else ())
        self.n = n

    def on_rows(self, marks: Marks, added: I64, now: int) -> Marks:
        return (marks[0] + added,) if marks else marks

    def on_merge(self, marks: Marks, codes: I64, n: int) -> Marks:
        if not marks:
            return marks
        total = np.zeros(n, np.int64)
        np.add.at(total, codes, marks[0])
        return (total,)

    def due(self, marks: Marks, asked: Asked) -> I64:
        return now_or_never((marks[0] if marks else asked.rows) >= self.n)


@dataclass(frozen=True, slots=True)
class AfterCount(Trigger):
    """Fires when at least ``n`` rows came.

    Parameters
    ----------
    n : int
        At least 1. A pane holds all rows of its epoch, so it may hold more than ``n``.

    Raises
    ------
    TriggerError
        If ``n`` is not a positive integer.

    Notes
    -----
    It fires once; ``Repeatedly(AfterCount(n))``, and ``early=`` and ``late=`` of `AfterWatermark`, begin to count anew
    after every pane. When windows merge, their counts add up.

    Examples
    --------
    >>> AfterCount(3)
    AfterCount(3)
    """

    n: int

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 1:
            raise TriggerError(
                "`n` of AfterCount must be a positive integer", got=repr(self.n), hint="AfterCount(1) fires for any row"
            )

    def __repr__(self) -> str:
        return f"AfterCount({self.n})"

    def machine(self, *, lasting: bool = False) -> Machine:
        """Counts the pairs since the last pane, or its own."""
        return _Counting(self.n, lasting)

    @property
    def finishes(self) -> bool:
        """Once it has fired."""
        return True

    @property
    def gives_early(self) -> bool:
        """It does not look at the watermark."""
        return True


class _Delayed(_Leaf):
    def __init__(self, trigger: AfterProcessingTime, lasting: bool) -> None:
        super().__init__((MAX_TIME,) if lasting else ())
        self.trigger = trigger

    def on_rows(self, marks: Marks, added: I64, now: int) -> Marks:
        return (np.where(added > 0, np.minimum(marks[0], now), marks[0]),) if marks else marks

    def on_merge(self, marks: Marks, codes: I64, n: int) -> Marks:
        if not marks:
            return marks
        first = np.full(n, MAX_TIME)
        np.minimum.at(first, codes, marks[0])
        return (first,)

    def due(self, marks: Marks, asked: Asked) -> I64:
        return self.trigger.deadline(marks[0] if marks else asked.since)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class AfterProcessingTime(Trigger):
    """Fires when the clock shows ``delay`` more than at the first row, or the next full ``align`` from then on.

    Parameters
    ----------
    delay : str or pandas.Timedelta
        At least 0; ``"0s"`` fires in every epoch that brought a row.
    align : str or pandas.Timedelta, optional
        The time that comes of ``delay`` is moved up to the next multiple of this, so that all windows fire together
        (Beam's ``alignedTo``, and the way of the paper's figures).
    align_offset : str or pandas.Timedelta
        Shifts those multiples from 1970-01-01T00:00Z; counts modulo ``align``.

    Raises
    ------
    DurationError
        If a parameter is no duration.

    Notes
    -----
    It fires once, and counts from the first row since the pane before where it is repeated. When windows merge, the
    earliest first row counts.

    Examples
    --------
    >>> AfterProcessingTime("1s")
    AfterProcessingTime('1s')
    >>> AfterProcessingTime(align="1min").deadline(np.array([0, 1, 60_000_000])).tolist()
    [0, 60000000, 60000000]
    """

    delay_us: int
    align_us: int | None
    align_offset_us: int

    def __init__(self, delay: Duration = "0s", *, align: Duration | None = None, align_offset: Duration = "0s") -> None:
        align_us = None if align is None else duration_us(align, "align", minimum=1)
        offset_us = duration_us(align_offset, "align_offset", minimum=MIN_TIME)
        if align_us is None and offset_us:
            raise TriggerError(
                "`align_offset` shifts the multiples of `align`",
                got="align_offset without align",
                hint="write AfterProcessingTime(align='1min', align_offset='30s')",
            )
        object.__setattr__(self, "delay_us", duration_us(delay, "delay"))
        object.__setattr__(self, "align_us", align_us)
        object.__setattr__(self, "align_offset_us", offset_us % align_us if align_us else 0)

    def __repr__(self) -> str:
        parts = [f"'{duration_text(self.delay_us)}'"] if self.delay_us else []
        if self.align_us is not None:
            parts.append(f"align='{duration_text(self.align_us)}'")
        if self.align_offset_us:
            parts.append(f"align_offset='{duration_text(self.align_offset_us)}'")
        return f"AfterProcessingTime({', '.join(parts)})"

    def machine(self, *, lasting: bool = False) -> Machine:
        """Keeps the processing time of the first row."""
        return _Delayed(self, lasting)

    @property
    def finishes(self) -> bool:
        """Once it has fired."""
        return True

    @property
    def timed(self) -> bool:
        """It waits for the clock."""
        return True

    @property
    def gives_early(self) -> bool:
        """It does not look at the watermark."""
        return True

    def deadline(self, since: I64) -> I64:
        """The processing time at which each window fires by itself; `MAX_TIME`: it does not."""
        due = later(since, self.delay_us)
        if self.align_us is None:
            return due
        waiting = due < MAX_TIME - self.align_us
        ahead = np.where(waiting, (self.align_offset_us - due) % self.align_us, 0)
        return due + ahead


class _Always(Machine):
    def due(self, marks: Marks, asked: Asked) -> I64:
        return now_or_never(asked.rows > 0)

    def on_fire(self, marks: Marks, fired: Bools, asked: Asked) -> tuple[Marks, Bools]:
        return marks, np.zeros(len(fired), np.bool_)


@dataclass(frozen=True, slots=True)
class Always(Trigger):
    """Fires in every epoch that brought a row; never finishes.

    Examples
    --------
    >>> Always()
    Always()
    """

    def machine(self, *, lasting: bool = False) -> Machine:
        """Needs to know nothing."""
        return _Always()

    @property
    def gives_early(self) -> bool:
        """It does not look at the watermark."""
        return True


class _Never(Machine):
    def due(self, marks: Marks, asked: Asked) -> I64:
        return np.full(len(asked.rows), MAX_TIME)

    def on_fire(self, marks: Marks, fired: Bools, asked: Asked) -> tuple[Marks, Bools]:
        return marks, np.zeros(len(fired), np.bool_)


@dataclass(frozen=True, slots=True)
class Never(Trigger):
    """Never fires: a window gives one pane, when it expires.

    Examples
    --------
    >>> Never()
    Never()
    """

    def machine(self, *, lasting: bool = False) -> Machine:
        """Needs to know nothing."""
        return _Never()


class _Looking(_Leaf):
    def __init__(self, predicate: object) -> None:
        super().__init__(())
        self.predicate = predicate

    def due(self, marks: Marks, asked: Asked) -> I64:
        return now_or_never(asked.holds(self.predicate))


@dataclass(frozen=True, slots=True, repr=False)
class When(Trigger):
    """Fires when ``predicate`` holds for the aggregates so far: a trigger driven by the data.

    Parameters
    ----------
    predicate : str, pandas.col expression or callable
        ``"total > 100"``, ``pd.col("total") > 100``, or a function of a frame, over the keys and the aggregates of a
        window: of all its rows, or, where panes discard, of those since the last pane. A missing value does not hold.

    Notes
    -----
    It is asked in epochs that bring the window rows; it fires once, and where it is repeated, once an epoch as long as
    the predicate holds and rows come.

    Examples
    --------
    >>> When("total > 100")
    When('total > 100')
    """

    predicate: str | Expression | Callable[..., Any] | Any

    def __repr__(self) -> str:
        return f"When({said(self.predicate)})"

    def machine(self, *, lasting: bool = False) -> Machine:
        """Needs to know nothing but the aggregates."""
        return _Looking(self.predicate)

    @property
    def finishes(self) -> bool:
        """Once it has fired."""
        return True

    @property
    def driven_by_data(self) -> bool:
        """It looks at the aggregates."""
        return True

    @property
    def gives_early(self) -> bool:
        """It does not look at the watermark."""
        return True
