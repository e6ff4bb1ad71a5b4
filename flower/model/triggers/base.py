"""What a trigger is: a small value that a person writes, and a machine that asks all windows at once.

A machine's state is columns, one value a (key, window): its ``marks``. Two columns every window has anyway, the pairs
since its last pane and the processing time of the first of them; a part that starts anew after every pane needs no
others. What outlives a pane (a place in a sequence, a count under `OrFinally`) has columns of its own.

A window is asked in an epoch that brought it rows, or in which the clock reached what the trigger waits for, or the
watermark passed its end or its expiry. It is told how many rows the epoch brought, once; then it may fire once. After a
merge the merged window is told of all new rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flower.errors import TriggerError
from flower.model.time import I64, MAX_TIME, MIN_TIME

Bools = npt.NDArray[np.bool_]
Marks = tuple[I64, ...]
"""The columns of a machine."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of the windows that are asked.

    Parameters
    ----------
    rows, since : ndarray of int64
        Pairs since the last pane, and the processing time of the first of them (`MAX_TIME`: none).
    end : ndarray of int64
        Ends of the windows.
    before, watermark : int
        The step's watermark before and after this epoch.
    now : int
        Processing time.
    holds : callable
        Which of the windows a predicate holds for, given what `When` was given.
    """

    rows: I64
    since: I64
    end: I64
    before: int
    watermark: int
    now: int
    holds: Callable[[object], Bools]

    @property
    def early(self) -> Bools:
        """Whose end the watermark has not passed."""
        return self.end > self.watermark

    @property
    def late(self) -> Bools:
        """Whose end had been passed before this epoch."""
        return self.end <= self.before


class Machine(ABC):
    """The columnar state machine of a trigger; pure functions of columns.

    Attributes
    ----------
    initial : tuple of int
        One value a column: that of a window which has seen nothing.
    """

    initial: tuple[int, ...] = ()

    def create(self, n: int) -> Marks:
        """Columns of ``n`` windows that have seen nothing."""
        return tuple(np.full(n, value) for value in self.initial)

    def reset(self, marks: Marks, where: Bools) -> Marks:
        """Let some windows start anew."""
        if not marks or not where.any():
            return marks
        return tuple(np.where(where, value, column) for value, column in zip(self.initial, marks, strict=True))

    def on_rows(self, marks: Marks, added: I64, now: int) -> Marks:
        """Tell each window how many rows the epoch brought it."""
        return marks

    def on_merge(self, marks: Marks, codes: I64, n: int) -> Marks:
        """Merge windows: number i becomes part of ``codes[i]``."""
        return tuple(np.zeros(n, np.int64) for _ in marks)

    @abstractmethod
    def due(self, marks: Marks, asked: Asked) -> I64:
        """The processing time from which each window fires if nothing else happens.

        `MIN_TIME`: it fires when it is asked. `MAX_TIME`: the clock alone does not make it fire.
        """

    @abstractmethod
    def on_fire(self, marks: Marks, fired: Bools, asked: Asked) -> tuple[Marks, Bools]:
        """What follows where it fires: the columns after it, and who has finished."""


class Trigger(ABC):
    """When the panes of a window fire; a frozen value.

    It holds for one aggregation. Beam passes a weaker one on to the next (its "continuation trigger": counts become 1,
    delays become none), which says when in a pipeline that nobody wrote down; here the aggregation that follows is told
    of its own window and trigger. One that shall fire for every pane that comes has ``AfterCount(1)``, repeatedly.
    """

    @abstractmethod
    def machine(self, *, lasting: bool = False) -> Machine:
        """Its machine; ``lasting`` if what it knows must outlive panes that others cause."""

    @property
    def parts(self) -> Sequence[Trigger]:
        """The triggers that it is made of."""
        return ()

    def mapped(self, change: Callable[[Trigger], Trigger]) -> Trigger:
        """The same trigger with ``change`` made to each that is made of no others."""
        return change(self)

    @property
    def finishes(self) -> bool:
        """Whether there comes a point after which it never fires again, while rows may still come."""
        return False

    @property
    def timed(self) -> bool:
        """Whether the clock alone can make it fire."""
        return any(part.timed for part in self.parts)

    @property
    def driven_by_data(self) -> bool:
        """Whether it looks at the aggregates."""
        return any(part.driven_by_data for part in self.parts)

    @property
    def gives_early(self) -> bool:
        """Whether a pane may come before the watermark has passed the window's end."""
        return any(part.gives_early for part in self.parts)


def all_of(machines: Sequence[Machine], marks: Marks) -> list[Marks]:
    """The columns of each of several machines that lie side by side."""
    found, at = [], 0
    for machine in machines:
        found.append(marks[at : at + len(machine.initial)])
        at += len(machine.initial)
    return found


def side_by_side(parts: Sequence[Marks]) -> Marks:
    """The columns of several machines as those of one."""
    return tuple(column for part in parts for column in part)


def require_triggers(owner: str, given: Sequence[object], least: int) -> None:
    """Refuse what are no triggers, or too few of them."""
    if len(given) < least:
        raise TriggerError(
            f"{owner} must have at least {least} triggers",
            got=str(len(given)),
            hint=f"write {owner}(AfterCount(100), AfterProcessingTime('1s'))",
        )
    for each in given:
        if not isinstance(each, Trigger):
            raise TriggerError(
                f"{owner} is made of triggers", got=repr(each), hint="AfterCount(100) is one, for example"
            )


def now_or_never(where: Bools) -> I64:
    """`MIN_TIME` where it fires as soon as it is asked, `MAX_TIME` elsewhere."""
    return np.where(where, MIN_TIME, MAX_TIME)
