"""The trigger that the model is about: before, at, and after the moment when the watermark says that all is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from flower.errors import TriggerError
from flower.model.time import I64, MAX_TIME, MIN_TIME
from flower.model.triggers.base import Asked, Bools, Machine, Marks, Trigger, all_of, now_or_never, side_by_side


class _Watermark(Machine):
    """Both parts hear of all rows; whichever fires, the other starts anew, and at the watermark both do."""

    def __init__(self, early: Machine | None, late: Machine | None) -> None:
        self.early, self.late = early, late
        self.parts = [part for part in (early, late) if part is not None]
        self.initial = tuple(value for part in self.parts for value in part.initial)

    def _split(self, marks: Marks) -> tuple[Marks, Marks]:
        own = all_of(self.parts, marks)
        early = own.pop(0) if self.early is not None else ()
        return early, own.pop(0) if self.late is not None else ()

    def on_rows(self, marks: Marks, added: I64, now: int) -> Marks:
        parts = zip(self.parts, all_of(self.parts, marks), strict=True)
        return side_by_side([part.on_rows(own, added, now) for part, own in parts])

    def on_merge(self, marks: Marks, codes: I64, n: int) -> Marks:
        parts = zip(self.parts, all_of(self.parts, marks), strict=True)
        return side_by_side([part.on_merge(own, codes, n) for part, own in parts])

    def due(self, marks: Marks, asked: Asked) -> I64:
        early, late = self._split(marks)
        due = np.full(len(asked.end), MIN_TIME)
        if (before := asked.early).any():
            due[before] = MAX_TIME
            if self.early is not None:
                due = np.where(before, self.early.due(early, asked), due)
        if (after := asked.late).any():
            then = now_or_never(asked.rows > 0) if self.late is None else self.late.due(late, asked)
            due = np.where(after, then, due)
        return due

    def on_fire(self, marks: Marks, fired: Bools, asked: Asked) -> tuple[Marks, Bools]:
        none = np.zeros(len(fired), np.bool_)
        if not marks:
            return marks, none
        early, late = self._split(marks)
        before, after = fired & asked.early, fired & asked.late
        passing = fired & ~before & ~after
        if self.early is not None:
            early, finished = self.early.on_fire(early, before, asked)
            early = self.early.reset(early, finished | after | passing)
        if self.late is not None:
            late, finished = self.late.on_fire(late, after, asked)
            late = self.late.reset(late, finished | before | passing)
        return (*early, *late), none


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AfterWatermark(Trigger):
    """Fires when the watermark passes the end of the window, and as ``early`` and ``late`` say before and after.

    Parameters
    ----------
    early : Trigger, optional
        Fires again and again until the end of the window is passed; None: never.
    late : Trigger, optional
        Fires again and again afterwards; None: once an epoch, if late rows came.

    Raises
    ------
    TriggerError
        If ``early`` or ``late`` is something else.

    Notes
    -----
    Both parts hear of all rows since the last pane: whichever fires, the other begins anew, and when the watermark
    passes the window's end both do (the paper, section 2.3; Beam's AfterWatermark, but for ``late=None``). A window
    that a merge takes back before the watermark is early again.

    Examples
    --------
    >>> from flower.model.triggers import AfterCount, AfterProcessingTime
    >>> AfterWatermark(early=AfterProcessingTime("1s"), late=AfterCount(1))
    AfterWatermark(early=AfterProcessingTime('1s'), late=AfterCount(1))
    """

    early: Trigger | None = None
    late: Trigger | None = None

    def __post_init__(self) -> None:
        for name, part in (("early", self.early), ("late", self.late)):
            if part is not None and (not isinstance(part, Trigger) or isinstance(part, AfterWatermark)):
                raise TriggerError(
                    f"`{name}` must be a trigger that does not wait for the watermark, or None",
                    got=repr(part),
                    hint=f"write AfterWatermark({name}=AfterProcessingTime('1s'))",
                )

    def __repr__(self) -> str:
        parts = (("early", self.early), ("late", self.late))
        return f"AfterWatermark({', '.join(f'{name}={part!r}' for name, part in parts if part is not None)})"

    def mapped(self, change: Callable[[Trigger], Trigger]) -> Trigger:
        """Of the changed triggers."""
        early, late = (None if part is None else part.mapped(change) for part in (self.early, self.late))
        return AfterWatermark(early=early, late=late)

    @property
    def parts(self) -> Sequence[Trigger]:
        """What fires before and after."""
        return tuple(part for part in (self.early, self.late) if part is not None)

    @property
    def gives_early(self) -> bool:
        """Whether a pane may come before the watermark has passed the window's end."""
        return self.early is not None and self.early.gives_early

    def machine(self, *, lasting: bool = False) -> Machine:
        """Those of its parts side by side."""
        parts = [None if part is None else part.machine(lasting=lasting) for part in (self.early, self.late)]
        return _Watermark(*parts)


ON_TIME_ONLY = AfterWatermark()
"""The default trigger."""
