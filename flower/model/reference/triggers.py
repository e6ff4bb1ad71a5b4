"""The oracle's triggers: one small object a window, told of rows, asked whether it fires, told that it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flower.model import triggers as model
from flower.model.reference.rows import plus
from flower.model.time import MAX_TIME, MIN_TIME


@dataclass
class Situation:
    """What a window's trigger may look at besides what it has been told.

    Parameters
    ----------
    phase : {"early", "passing", "late"}
        Where the watermark is: before the window's end, passing it in this epoch, or past it since an earlier one.
    new : bool
        Whether there are rows since the last pane.
    holds : callable
        Whether a predicate holds for the aggregates so far.
    """

    phase: str
    new: bool
    holds: Callable[[object], bool]


class Watch:
    """What one window knows for one trigger; this one never fires."""

    def begin(self) -> None:
        """Forget everything."""

    def add(self, rows: int, now: int) -> None:
        """Some rows came at ``now``."""

    def ready(self, at: Situation, clock: int) -> bool:
        """Whether it fires when the clock shows ``clock``."""
        return False

    def fire(self, at: Situation, clock: int) -> bool:
        """It has fired; whether it has finished."""
        return False

    def take(self, others: Sequence[Watch]) -> None:
        """Become what several windows' watches are together."""


class _Count(Watch):
    def __init__(self, n: int) -> None:
        self.n, self.count = n, 0

    def begin(self) -> None:
        self.count = 0

    def add(self, rows: int, now: int) -> None:
        self.count += rows

    def ready(self, at: Situation, clock: int) -> bool:
        return self.count >= self.n

    def fire(self, at: Situation, clock: int) -> bool:
        self.begin()
        return True

    def take(self, others: Sequence[_Count]) -> None:  # type: ignore[override]
        self.count = sum(other.count for other in others)


class _Delay(Watch):
    def __init__(self, trigger: model.AfterProcessingTime) -> None:
        self.trigger, self.first = trigger, MAX_TIME

    def begin(self) -> None:
        self.first = MAX_TIME

    def add(self, rows: int, now: int) -> None:
        self.first = min(self.first, now)

    def ready(self, at: Situation, clock: int) -> bool:
        if self.first == MAX_TIME:
            return False
        time = plus(self.first, self.trigger.delay_us)
        if self.trigger.align_us is not None:
            while (time - self.trigger.align_offset_us) % self.trigger.align_us:
                time += self.trigger.align_us - (time - self.trigger.align_offset_us) % self.trigger.align_us
        return time <= clock

    def fire(self, at: Situation, clock: int) -> bool:
        self.begin()
        return True

    def take(self, others: Sequence[_Delay]) -> None:  # type: ignore[override]
        self.first = min(other.first for other in others)


class _Always(Watch):
    def ready(self, at: Situation, clock: int) -> bool:
        return at.new


class _When(Watch):
    def __init__(self, predicate: object) -> None:
        self.predicate = predicate

    def ready(self, at: Situation, clock: int) -> bool:
        return at.holds(self.predicate)

    def fire(self, at: Situation, clock: int) -> bool:
        return True


class _Several(Watch):
    def __init__(self, parts: Sequence[Watch]) -> None:
        self.parts = list(parts)

    def begin(self) -> None:
        for part in self.parts:
            part.begin()

    def add(self, rows: int, now: int) -> None:
        for part in self.parts:
            part.add(rows, now)

    def fire(self, at: Situation, clock: int) -> bool:
        self.begin()
        return True

    def take(self, others: Sequence[_Several]) -> None:  # type: ignore[override]
        for number, part in enumerate(self.parts):
            part.take([other.parts[number] for other in others])


class _Any(_Several):
    def ready(self, at: Situation, clock: int) -> bool:
        return any(part.ready(at, clock) for part in self.parts)


class _All(_Several):
    def ready(self, at: Situation, clock: int) -> bool:
        return all(part.ready(at, clock) for part in self.parts)


class _Each(_Several):
    def __init__(self, parts: Sequence[Watch], triggers: Sequence[model.Trigger]) -> None:
        super().__init__(parts)
        self.turn = 0
        self.triggers = triggers

    def begin(self) -> None:
        super().begin()
        self.turn = 0

    def add(self, rows: int, now: int) -> None:
        if self.turn < len(self.parts):
            self.parts[self.turn].add(rows, now)

    def ready(self, at: Situation, clock: int) -> bool:
        return self.turn < len(self.parts) and self.parts[self.turn].ready(at, clock)

    def fire(self, at: Situation, clock: int) -> bool:
        part = self.parts[self.turn]
        trigger, followed = self.triggers[self.turn], self.turn < len(self.parts) - 1
        passes = followed and isinstance(trigger, model.AfterWatermark) and trigger.late is None
        if part.fire(at, clock) or (passes and at.phase != "early"):
            part.begin()
            self.turn += 1
        return self.turn == len(self.parts)

    def take(self, others: Sequence[_Each]) -> None:  # type: ignore[override]
        self.turn = max(other.turn for other in others)
        if self.turn < len(self.parts):
            self.parts[self.turn].take([other.parts[self.turn] for other in others if other.turn == self.turn])


class _Repeated(Watch):
    def __init__(self, part: Watch) -> None:
        self.part = part

    def begin(self) -> None:
        self.part.begin()

    def add(self, rows: int, now: int) -> None:
        self.part.add(rows, now)

    def ready(self, at: Situation, clock: int) -> bool:
        return self.part.ready(at, clock)

    def fire(self, at: Situation, clock: int) -> bool:
        if self.part.fire(at, clock):
            self.part.begin()
        return False

    def take(self, others: Sequence[_Repeated]) -> None:  # type: ignore[override]
        self.part.take([other.part for other in others])


class _Finally(_Several):
    def ready(self, at: Situation, clock: int) -> bool:
        return any(part.ready(at, clock) for part in self.parts)

    def fire(self, at: Situation, clock: int) -> bool:
        actual, until = self.parts
        over = until.ready(at, clock) or actual.fire(at, clock)
        if over:
            self.begin()
        return over


class _Watermark(Watch):
    def __init__(self, early: Watch | None, late: Watch | None) -> None:
        self.early, self.late = early, late

    def _parts(self) -> list[Watch]:
        return [part for part in (self.early, self.late) if part is not None]

    def begin(self) -> None:
        for part in self._parts():
            part.begin()

    def add(self, rows: int, now: int) -> None:
        for part in self._parts():
            part.add(rows, now)

    def ready(self, at: Situation, clock: int) -> bool:
        if at.phase == "passing":
            return True
        if at.phase == "early":
            return self.early is not None and self.early.ready(at, clock)
        return at.new if self.late is None else self.late.ready(at, clock)

    def fire(self, at: Situation, clock: int) -> bool:
        mine = {"early": self.early, "late": self.late}.get(at.phase)
        for part in self._parts():
            if part is not mine or part.fire(at, clock):
                part.begin()
        return False

    def take(self, others: Sequence[_Watermark]) -> None:  # type: ignore[override]
        for name in ("early", "late"):
            if getattr(self, name) is not None:
                getattr(self, name).take([getattr(other, name) for other in others])


class _Top(Watch):
    """A whole trigger: it remembers that it has finished."""

    def __init__(self, part: Watch) -> None:
        self.part, self.over = part, False

    def add(self, rows: int, now: int) -> None:
        self.part.add(rows, now)

    def ready(self, at: Situation, clock: int) -> bool:
        return not self.over and self.part.ready(at, clock)

    def fire(self, at: Situation, clock: int) -> bool:
        self.over = self.part.fire(at, clock)
        return self.over

    def take(self, others: Sequence[_Top]) -> None:  # type: ignore[override]
        self.part.take([other.part for other in others])


def watch(trigger: model.Trigger) -> _Top:
    """A window's watch that has seen nothing."""
    return _Top(_watch(trigger))


def _watch(trigger: model.Trigger) -> Watch:
    match trigger:
        case model.AfterCount():
            return _Count(trigger.n)
        case model.AfterProcessingTime():
            return _Delay(trigger)
        case model.Always():
            return _Always()
        case model.When():
            return _When(trigger.predicate)
        case model.AfterAny():
            return _Any([_watch(each) for each in trigger.triggers])
        case model.AfterAll():
            return _All([_watch(each) for each in trigger.triggers])
        case model.AfterEach():
            return _Each([_watch(each) for each in trigger.triggers], trigger.triggers)
        case model.Repeatedly():
            return _Repeated(_watch(trigger.trigger))
        case model.OrFinally():
            return _Finally([_watch(trigger.trigger), _watch(trigger.until)])
        case model.AfterWatermark():
            early, late = (None if part is None else _watch(part) for part in (trigger.early, trigger.late))
            return _Watermark(early, late)
    return Watch()


def asks(watch: Watch, at: Situation, rows: int, now: int) -> bool:
    """Whether a window is asked in an epoch that brought it ``rows`` rows: for them, the watermark or the clock."""
    return rows > 0 or at.phase == "passing" or (watch.ready(at, now) and not watch.ready(at, MIN_TIME))
