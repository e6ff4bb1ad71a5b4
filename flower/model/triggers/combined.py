"""Triggers that are made of others: any, all, one after another, again and again, and until."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from flower.model.time import I64, MAX_TIME
from flower.model.triggers.base import (
    Asked,
    Bools,
    Machine,
    Marks,
    Trigger,
    all_of,
    require_triggers,
    side_by_side,
)
from flower.model.triggers.leaves import Never
from flower.model.triggers.watermark import AfterWatermark


class _Parts(Machine):
    """Machines side by side that hear of all rows."""

    def __init__(self, parts: Sequence[Machine]) -> None:
        self.parts = tuple(parts)
        self.initial = tuple(value for part in parts for value in part.initial)

    def split(self, marks: Marks) -> list[tuple[Machine, Marks]]:
        return list(zip(self.parts, all_of(self.parts, marks), strict=True))

    def on_rows(self, marks: Marks, added: I64, now: int) -> Marks:
        return side_by_side([part.on_rows(own, added, now) for part, own in self.split(marks)])

    def on_merge(self, marks: Marks, codes: I64, n: int) -> Marks:
        return side_by_side([part.on_merge(own, codes, n) for part, own in self.split(marks)])

    def each_due(self, marks: Marks, asked: Asked) -> list[I64]:
        return [part.due(own, asked) for part, own in self.split(marks)]

    def on_fire(self, marks: Marks, fired: Bools, asked: Asked) -> tuple[Marks, Bools]:
        return self.reset(marks, fired), fired

    def due(self, marks: Marks, asked: Asked) -> I64:
        raise NotImplementedError


class _Any(_Parts):
    def due(self, marks: Marks, asked: Asked) -> I64:
        return reduce(np.minimum, self.each_due(marks, asked))


class _All(_Parts):
    def due(self, marks: Marks, asked: Asked) -> I64:
        return reduce(np.maximum, self.each_due(marks, asked))


class _Several(Trigger):
    """What `AfterAny`, `AfterAll` and `AfterEach` share: any number of triggers."""

    __slots__ = ()
    triggers: tuple[Trigger, ...]

    def _take(self, triggers: tuple[Trigger, ...]) -> None:
        require_triggers(type(self).__name__, triggers, 1)
        object.__setattr__(self, "triggers", triggers)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.triggers))})"

    def mapped(self, change: Callable[[Trigger], Trigger]) -> Trigger:
        """Of the changed triggers."""
        return type(self)(*(each.mapped(change) for each in self.triggers))

    @property
    def parts(self) -> Sequence[Trigger]:
        """Those it was given."""
        return self.triggers

    @property
    def finishes(self) -> bool:
        """Once it has fired."""
        return True


@dataclass(frozen=True, slots=True, init=False, repr=False)
class AfterAny(_Several):
    """Fires, once, when one of its triggers would.

    Parameters
    ----------
    *triggers : Trigger
        At least one.

    Notes
    -----
    Beam's AfterFirst. All of them hear of all rows; whichever fires, all have finished.

    Examples
    --------
    >>> from flower.model.triggers import AfterCount, AfterProcessingTime
    >>> AfterAny(AfterCount(100), AfterProcessingTime("1s"))
    AfterAny(AfterCount(100), AfterProcessingTime('1s'))
    """

    triggers: tuple[Trigger, ...]

    def __init__(self, *triggers: Trigger) -> None:
        self._take(triggers)

    def machine(self, *, lasting: bool = False) -> Machine:
        """Those of its triggers side by side."""
        return _Any([each.machine(lasting=lasting) for each in self.triggers])


@dataclass(frozen=True, slots=True, init=False, repr=False)
class AfterAll(_Several):
    """Fires, once, when all of its triggers would at the same time.

    Parameters
    ----------
    *triggers : Trigger
        At least one.

    Notes
    -----
    All of them hear of all rows until they fire together.

    Examples
    --------
    >>> from flower.model.triggers import AfterCount, AfterProcessingTime
    >>> AfterAll(AfterCount(100), AfterProcessingTime("1s"))
    AfterAll(AfterCount(100), AfterProcessingTime('1s'))
    """

    triggers: tuple[Trigger, ...]

    def __init__(self, *triggers: Trigger) -> None:
        self._take(triggers)

    def machine(self, *, lasting: bool = False) -> Machine:
        """Those of its triggers side by side."""
        return _All([each.machine(lasting=lasting) for each in self.triggers])

    @property
    def gives_early(self) -> bool:
        """Whether all of them may."""
        return all(part.gives_early for part in self.triggers)


class _Each(_Parts):
    """The first column is the place in the sequence; beyond the last, it has finished.

    ``passes``: whose turn is over when it has fired at the end of the window, or later.
    """

    def __init__(self, parts: Sequence[Machine], passes: Sequence[bool]) -> None:
        super().__init__(parts)
        self.initial = (0, *self.initial)
        self.passes = tuple(passes)

    def split(self, marks: Marks) -> list[tuple[Machine, Marks]]:
        return super().split(marks[1:])

    def on_rows(self, marks: Marks, added: I64, now: int) -> Marks:
        at = marks[0]
        parts = [
            part.on_rows(own, np.where(at == number, added, 0), now)
            for number, (part, own) in enumerate(self.split(marks))
        ]
        return (at, *side_by_side(parts))

    def on_merge(self, marks: Marks, codes: I64, n: int) -> Marks:
        furthest = np.zeros(n, np.int64)
        np.maximum.at(furthest, codes, marks[0])
        behind = marks[0] < furthest[codes]
        parts = [part.on_merge(part.reset(own, behind), codes, n) for part, own in self.split(marks)]
        return (furthest, *side_by_side(parts))

    def due(self, marks: Marks, asked: Asked) -> I64:
        result = np.full(len(marks[0]), MAX_TIME)
        for number, (part, own) in enumerate(self.split(marks)):
            here = marks[0] == number
            if here.any():
                result = np.where(here, part.due(own, asked), result)
        return result

    def on_fire(self, marks: Marks, fired: Bools, asked: Asked) -> tuple[Marks, Bools]:
        at, parts = marks[0].copy(), []
        for number, (part, own) in enumerate(self.split(marks)):
            fires = fired & (marks[0] == number)
            own, finished = part.on_fire(own, fires, asked)
            if self.passes[number]:
                finished = finished | (fires & ~asked.early)
            at += finished
            parts.append(part.reset(own, finished))
        return (at, *side_by_side(parts)), fired & (at == len(self.parts))


@dataclass(frozen=True, slots=True, init=False, repr=False)
class AfterEach(_Several):
    """Its triggers one after another: when one has finished, the next begins.

    Parameters
    ----------
    *triggers : Trigger
        At least one, in order. What never finishes, such as `Repeatedly`, is never followed by another.

    Notes
    -----
    Beam's ``AfterEach.inOrder``. A trigger hears only of rows that come while it is its turn. `AfterWatermark` without
    ``late`` has had its turn when it has fired at the end of the window, if another follows it. Of windows that merge,
    the one that has come furthest goes on; what the others had counted of earlier triggers is over.

    Examples
    --------
    >>> from flower.model.triggers import AfterCount, Repeatedly
    >>> AfterEach(AfterCount(1), Repeatedly(AfterCount(100)))
    AfterEach(AfterCount(1), Repeatedly(AfterCount(100)))
    """

    triggers: tuple[Trigger, ...]

    def __init__(self, *triggers: Trigger) -> None:
        self._take(triggers)

    def machine(self, *, lasting: bool = False) -> Machine:
        """Remembers whose turn it is."""
        return _Each([each.machine(lasting=True) for each in self.triggers], self.passes)

    @property
    def passes(self) -> tuple[bool, ...]:
        """Which of them have had their turn when the end of the window is passed."""
        return (
            *(isinstance(each, AfterWatermark) and each.late is None for each in self.triggers[:-1]),
            False,
        )

    @property
    def finishes(self) -> bool:
        """Once all of them have."""
        return all(each.finishes or passes for each, passes in zip(self.triggers, self.passes, strict=True))

    @property
    def gives_early(self) -> bool:
        """Whether the first may, or one that follows."""
        return self.triggers[0].gives_early


class _Repeated(Machine):
    def __init__(self, part: Machine) -> None:
        self.part = part
        self.initial = part.initial

    def on_rows(self, marks: Marks, added: I64, now: int) -> Marks:
        return self.part.on_rows(marks, added, now)

    def on_merge(self, marks: Marks, codes: I64, n: int) -> Marks:
        return self.part.on_merge(marks, codes, n)

    def due(self, marks: Marks, asked: Asked) -> I64:
        return self.part.due(marks, asked)

    def on_fire(self, marks: Marks, fired: Bools, asked: Asked) -> tuple[Marks, Bools]:
        marks, finished = self.part.on_fire(marks, fired, asked)
        return self.part.reset(marks, finished), np.zeros(len(fired), np.bool_)


@dataclass(frozen=True, slots=True, repr=False)
class Repeatedly(Trigger):
    """A trigger again and again: whenever it has finished, it begins anew.

    Parameters
    ----------
    trigger : Trigger
        What is repeated.

    Examples
    --------
    >>> from flower.model.triggers import AfterCount
    >>> Repeatedly(AfterCount(3))
    Repeatedly(AfterCount(3))
    """

    trigger: Trigger

    def __post_init__(self) -> None:
        require_triggers("Repeatedly", (self.trigger,), 1)

    def __repr__(self) -> str:
        return f"Repeatedly({self.trigger!r})"

    def mapped(self, change: Callable[[Trigger], Trigger]) -> Trigger:
        """Of the changed trigger."""
        return Repeatedly(self.trigger.mapped(change))

    @property
    def parts(self) -> Sequence[Trigger]:
        """What is repeated."""
        return (self.trigger,)

    def machine(self, *, lasting: bool = False) -> Machine:
        """That of its trigger, begun anew."""
        return _Repeated(self.trigger.machine(lasting=lasting))


class _Finally(_Parts):
    def due(self, marks: Marks, asked: Asked) -> I64:
        return reduce(np.minimum, self.each_due(marks, asked))

    def on_fire(self, marks: Marks, fired: Bools, asked: Asked) -> tuple[Marks, Bools]:
        (actual, own), (until, untils) = self.split(marks)
        over = fired & (until.due(untils, asked) <= asked.now)
        own, finished = actual.on_fire(own, fired & ~over, asked)
        over = over | finished
        return side_by_side([actual.reset(own, over), until.reset(untils, over)]), over


@dataclass(frozen=True, slots=True, repr=False)
class OrFinally(Trigger):
    """``trigger``, until ``until`` fires: that is the last pane.

    Parameters
    ----------
    trigger : Trigger
        What fires on the way.
    until : Trigger
        When it fires, the whole has finished. It hears of all rows, whatever fires before.

    Notes
    -----
    When both would fire in one epoch, there is one pane, and it is the last.

    Examples
    --------
    >>> from flower.model.triggers import AfterCount, AfterProcessingTime, Repeatedly
    >>> OrFinally(Repeatedly(AfterCount(10)), AfterProcessingTime("1min"))
    OrFinally(Repeatedly(AfterCount(10)), AfterProcessingTime('1min'))
    """

    trigger: Trigger
    until: Trigger

    def __post_init__(self) -> None:
        require_triggers("OrFinally", (self.trigger, self.until), 2)

    def __repr__(self) -> str:
        return f"OrFinally({self.trigger!r}, {self.until!r})"

    def mapped(self, change: Callable[[Trigger], Trigger]) -> Trigger:
        """Of the changed triggers."""
        return OrFinally(self.trigger.mapped(change), self.until.mapped(change))

    @property
    def parts(self) -> Sequence[Trigger]:
        """What fires on the way, and at last."""
        return (self.trigger, self.until)

    def machine(self, *, lasting: bool = False) -> Machine:
        """Both side by side, neither forgetting when the other fires."""
        return _Finally([self.trigger.machine(lasting=True), self.until.machine(lasting=True)])

    @property
    def finishes(self) -> bool:
        """Once ``until`` has fired, or ``trigger`` has finished."""
        return self.trigger.finishes or not isinstance(self.until, Never)
