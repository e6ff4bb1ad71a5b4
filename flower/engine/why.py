"""Why a window has not fired, in words and numbers."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd

from flower.engine.asof import AsofState
from flower.engine.holders import NEAREST, HeldBack, Known, window_text
from flower.engine.inwindow import InWindowState
from flower.engine.keyed import Keyed
from flower.engine.learning import LearnedState
from flower.engine.lookup import Record, wanted
from flower.engine.processing import Processing
from flower.errors import RunError
from flower.model.calendar import CalendarWindows
from flower.model.time import MAX_TIME, MIN_TIME, duration_text, instant_text, instant_us, later_by
from flower.model.triggers import AfterCount, AfterWatermark, Asked, Finishing, Trigger
from flower.model.windows import CountWindows, FixedWindows, SlidingWindows, by_clock

_LONGEST = 200
"""So many characters of a value are told."""


@dataclass(frozen=True, repr=False)
class Why:
    """The answer of ``run.why(...)``: prints as sentences, and has the numbers they are made of.

    Parameters
    ----------
    step : str
        The keyed step that it is about.
    watermark : pandas.Timestamp
        Of that step; NaT before the first and after the last row.
    status : str or None
        Of the window: ``"open"`` (its end is not passed), ``"passed"`` (it admits late rows), ``"expired"``, ``"never
        opened"`` (no row of the key is held for it), ``"no window"`` (the step has none that ends there); None: no
        window was asked for.
    start, end : pandas.Timestamp
        The window; NaT for the ends of time.
    rows, panes : int or None
        Rows since the last pane, and panes so far, of the key in the window.
    to_go : pandas.Timedelta
        How far the watermark has to go to the window's end; NaT if that is not known, or passed.
    due : pandas.Timestamp
        The processing time at which the trigger fires by itself; NaT: it does not.
    held_by : str or None
        The source's partition, or the step, that holds the watermark back.
    windows : tuple of (Timestamp, Timestamp)
        The key's windows that are held and nearest.
    reasons : tuple of str
        The sentences.
    """

    step: str
    watermark: pd.Timestamp
    status: str | None
    start: pd.Timestamp
    end: pd.Timestamp
    rows: int | None
    panes: int | None
    to_go: pd.Timedelta
    due: pd.Timestamp
    held_by: str | None
    windows: tuple[tuple[pd.Timestamp, pd.Timestamp], ...]
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.reasons)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "<ul>" + "".join(f"<li>{html.escape(reason)}</li>" for reason in self.reasons) + "</ul>"


def why(driver: Known, key: object, window: object, step: str | None) -> Why:
    """The answer for one step of a run that holds rows."""
    if not driver.job.steps and driver.reads_table is not None:
        return _bare(driver.reads_table[0], MIN_TIME, HeldBack(driver, 0))
    index = _index(driver, step)
    if index in driver.job.keyed:
        return _Answer(driver, index).given(key, window)
    if index in driver.job.processes:
        return _OfTimers(driver, index).given(key, window)
    if key is not None or window is not None:
        verb = driver.job.stages[index].origin.verb
        raise RunError(
            f"why() of {verb} takes no key and no window", got=f"key={key!r}, window={window!r}", hint="leave them out"
        )
    if index in driver.job.learners:
        return _learns(driver, index)
    return _joins(driver, index) if index in driver.job.joins else _deduplicates(driver, index)


def _index(driver: Known, name: str | None) -> int:
    """The step asked about: that of a name, else the last aggregation, code of one's own, join, or deduplication."""
    steps = driver.job.keyed or driver.job.processes or driver.job.joins or driver.job.distinct or driver.job.learners
    if name is None and steps:
        return max(steps)
    names = {step.name: index for index, step in driver.job.steps.items()}
    if not names:
        raise RunError(
            "why() is about windows, and rows that wait to be joined",
            got="a run without an aggregation or a join",
            hint="ask a run with .agg(...)",
        )
    if name not in names:
        raise RunError("`step` must be a keyed step of the run", got=repr(name), hint=f"there is {', '.join(names)}")
    return names[name]


def _joins(driver: Known, index: int) -> Why:
    """Where the watermarks of both sides of a join stand, how many rows it holds, and who is waited for."""
    told, job = HeldBack(driver, index), driver.job
    state, step = driver.seen, job.joins[index]
    feeds = [
        [i for i, stage in enumerate(job.stages) if any(d.port == port for d in stage.deliveries)]
        for port in job.stages[index].ports
    ]
    marks = [min(state.watermarks[i] for i in stages) for stages in feeds]
    enriches = job.stages[index].origin.verb == "enrich"
    sides = ("its rows", "its table") if enriches else ("its left side", "its right side")
    at = [f"{side} is {instant_text(mark)}" for side, mark in zip(sides, marks, strict=True)]
    told.reasons.insert(0, f"step {step.name!r}: the watermark of {at[0]}, of {at[1]}.")
    held = state.keyed.get(index)
    if isinstance(held, AsofState | InWindowState):
        waiting = sum(map(len, held.left))
        first = " for the first row of their key in their window of it, or" if isinstance(held, InWindowState) else ""
        told.reasons.append(f"{waiting:,} rows wait{first} for both watermarks to pass them.")
    elif held is not None:
        told.reasons.append(f"{held.groups:,} rows are held for others to come.")
    told.holds(index, set())
    return _bare(step.name, min(marks), told)


def _deduplicates(driver: Known, index: int) -> Why:
    """How many rows a deduplication remembers, and until when."""
    told, step = HeldBack(driver, index), driver.job.distinct[index]
    watermark = min(driver.seen.watermarks[i] for i in driver.job.stages[index].inputs)
    told.reasons.insert(0, f"step {step.name!r}: its watermark is {instant_text(watermark)}.")
    held = driver.seen.keyed.get(index)
    if held is not None:
        span = duration_text(step.within)
        how = "remembered, each" if step.error is None else "in a sketch, part of which goes at a time, each at least"
        told.reasons.append(
            f"{held.groups:,} rows are {how} until the watermark is {span} past it. None waits: the first of each key"
            " is given at once."
        )
    told.holds(index, set())
    return _bare(step.name, watermark, told)


def _learns(driver: Known, index: int) -> Why:
    """How many models there are, and how many rows wait."""
    told, step = HeldBack(driver, index), driver.job.learners[index]
    watermark = min(driver.seen.watermarks[i] for i in driver.job.stages[index].inputs)
    told.reasons.insert(0, f"step {step.name!r}: its watermark is {instant_text(watermark)}.")
    held = driver.seen.keyed.get(index)
    if isinstance(held, LearnedState):
        waiting = sum(map(len, held.waiting))
        waits = f"{waiting:,} rows wait for the watermark to pass them" if step.waits else "no row waits"
        told.reasons.append(f"{held.models:,} models are held; {waits}.")
    told.holds(index, set())
    return _bare(step.name, watermark, told)


def _bare(step: str, watermark: int, told: HeldBack) -> Why:
    """An answer that is about no window."""
    nothing, never = cast("pd.Timestamp", pd.NaT), cast("pd.Timedelta", pd.NaT)
    ends = (nothing, nothing)
    return Why(step, instant(watermark), None, *ends, None, None, never, nothing, told.held_by, (), tuple(told.reasons))


class _Answer(HeldBack):
    """Of an aggregation."""

    def __init__(self, driver: Known, index: int) -> None:
        super().__init__(driver, index)
        self.step: Keyed = driver.job.keyed[index]
        self.watermark = min(self.state.watermarks[i] for i in driver.job.stages[index].inputs)
        self.by_clock = by_clock(self.step.windowing.windows)
        if self.by_clock and self.watermark < MAX_TIME:
            self.watermark = self.state.now
        what = "its watermark is the clock, " if self.by_clock else "its watermark is "
        self.reasons.insert(0, f"step {self.step.name!r}: {what}{instant_text(self.watermark)}.")
        self.status: str | None = None
        self.window = (MIN_TIME, MIN_TIME)
        self.record: Record | None = None
        self.due, self.nearest = MAX_TIME, []  # type: tuple[int, list[Record]]

    def given(self, key: object, window: object) -> Why:
        """The answer for a key and a window, as far as they are given."""
        end = None if window is None else _end(window)
        if key is not None or not self.step.keys:
            self._of_key(key, end)
        elif end is not None:
            self._of_window(end)
        if self.status not in ("expired", "no window") and not self.by_clock:
            self.holds(self.index, set())
        return self._made()

    # -- the window

    def _of_key(self, key: object, end: int | None) -> None:
        one = wanted(self.step, key) if self.step.keys or key is not None else None
        records = self.driver.records(self.index, one)
        if records is None:
            self.reasons.append("What the step holds is on workers that did not answer, or are gone.")
            if end is not None:
                self._of_window(end)
            return
        subject = "" if one is None else f", key {key!r},"
        if isinstance(self.step.windowing.windows, CountWindows):
            self._of_count(records, "" if one is None else f" of key {key!r}", self.step.windowing.windows.n)
            return
        if end is None:
            found = next((record for record in records if record.end > self.watermark), None)
            if found is None and not records:
                self.reasons.append(f"No row of key {key!r} is held." if one is not None else "No row is held.")
                return
            end = (found or records[-1]).end
        here = [record for record in records if record.end == end]
        if not here:
            self._of_window(end, subject)
            if self.status in ("open", "passed"):
                self.status = "never opened"
                self.reasons.append(f"No row of {'it' if one is None else f'key {key!r}'} is held for that window.")
            self.nearest = sorted(records, key=lambda record: _distance(record.end, end))[:NEAREST]
            if self.nearest:
                told = ", ".join(f"{window_text(r.start, r.end)} ({r.rows:,} new rows)" for r in self.nearest)
                self.reasons.append(f"Windows that are held, nearest first: {told}.")
            return
        self.record = here[-1]
        self._of_window(end, subject, self.record.start)
        self._of_record(self.record)

    def _of_count(self, records: list[Record], subject: str, n: int) -> None:
        """How many rows a window of so many still waits for."""
        self.status = "open" if records else "never opened"
        if not records:
            self.reasons.append(f"No window{subject} is open: its next row begins one, which fires at {n:,} rows.")
            return
        self.record = records[-1]
        self.window = (self.record.start, self.record.end)
        more = n - self.record.rows
        self.reasons.append(
            f"The open window{subject} has {self.record.rows:,} rows; it fires at {n:,}: {more:,} more,"
            " or when the stream ends."
        )

    def _of_window(self, end: int, subject: str = "", start: int | None = None) -> None:
        """Where the watermark stands to it."""
        lateness = self.step.windowing.allowed_lateness_us
        closes = MAX_TIME if lateness == MAX_TIME else later_by(end, lateness)
        if start is None:
            start = _start(self.step, end)
            if start is None:
                self.status = "no window"
                self.reasons.append(f"No window of {self.step.windowing.windows!r} ends at {instant_text(end)}.")
                return
        self.window = (start, end)
        named = "The global window" if end == MAX_TIME else f"The window that ends at {instant_text(end)}"
        what = named + subject
        if self.watermark < end:
            self.status = "open"
            told = "which no row has moved yet" if self.watermark == MIN_TIME else "when the stream ends"
            if self.watermark != MIN_TIME and end != MAX_TIME:
                domain = "processing" if self.by_clock else "event"
                told = f"{duration_text(end - self.watermark)} from now in {domain} time"
            self.reasons.append(f"{what} fires on time when the watermark reaches its end, {told}.")
        elif self.watermark < closes:
            self.status = "passed"
            until = "the stream ends" if closes == MAX_TIME else f"the watermark reaches {instant_text(closes)}"
            self.reasons.append(f"{what} has been passed; it admits late rows until {until}.")
        else:
            self.status = "expired"
            self.reasons.append(f"{what} has expired: rows for it are dropped.")

    def _of_record(self, record: Record) -> None:
        """What the trigger waits for."""
        fired = f"{record.panes:,} pane{'s' * (record.panes != 1)} so far" if record.panes else "no pane so far"
        since = "" if record.since == MAX_TIME else f", the first at {instant_text(record.since)}"
        self.reasons.append(f"It has {record.rows:,} rows since the last pane{since}; {fired}.")
        if record.last is not None and self.step.windowing.ttl_us is not None:
            lapses = instant_text(later_by(record.last, self.step.windowing.ttl_us))
            self.reasons.append(f"It is let go when the watermark reaches {lapses} without a newer row (ttl).")
        if self.status != "expired":
            self._of_trigger(record)

    def _of_trigger(self, record: Record) -> None:
        trigger, machine = self.step.windowing.trigger, self.step.law.machine
        marks = tuple(np.array([mark]) for mark in record.marks)
        if isinstance(machine, Finishing) and bool(machine.finished(marks)[0]):
            self.reasons.append(f"{trigger!r} has finished: rows for the window are dropped.")
            return
        part: Trigger = trigger
        which = "a pane"
        if isinstance(trigger, AfterWatermark):
            early = self.status == "open"
            which = "an early pane" if early else "a late pane"
            inner = trigger.early if early else trigger.late
            if inner is None:
                then = "fires no early pane" if early else "fires again when late rows come"
                self.reasons.append(f"{trigger!r} {then}.")
                return
            part = inner
        due = int(machine.due(marks, self._asked(record))[0])
        if due != MIN_TIME:
            self.due = due
        if isinstance(part, AfterCount):
            when = f"at {part.n:,} rows: {max(part.n - record.rows, 0):,} more"
        elif due in (MIN_TIME, MAX_TIME):
            when = "when rows have come that make it; the clock alone does not"
        else:
            left = duration_text(max(due - self.state.now, 0))
            when = f"at {instant_text(due)} of processing time, {left} after the last epoch, if nothing does before"
        self.reasons.append(f"{part!r} fires {which} {when}.")

    def _asked(self, record: Record) -> Asked:
        """As the trigger would be asked now; a predicate that held would have made it fire."""
        rows, since, end = (np.array([value]) for value in (record.rows, record.since, record.end))
        none = np.zeros(1, np.bool_)
        return Asked(rows, since, end, self.watermark, self.watermark, self.state.now, lambda _: none)

    # -- the whole

    def _made(self) -> Why:
        start, end = self.window
        known = self.status == "open" and self.watermark != MIN_TIME and end != MAX_TIME
        return Why(
            self.step.name,
            instant(self.watermark),
            self.status,
            instant(start),
            instant(end),
            None if self.record is None else self.record.rows,
            None if self.record is None else self.record.panes,
            pd.Timedelta(end - self.watermark, unit="us") if known else cast("pd.Timedelta", pd.NaT),
            instant(self.due),
            self.held_by,
            tuple((instant(record.start), instant(record.end)) for record in self.nearest),
            tuple(self.reasons),
        )


class _OfTimers(HeldBack):
    """Of a person's own code."""

    def __init__(self, driver: Known, index: int) -> None:
        super().__init__(driver, index)
        self.step: Processing = driver.job.processes[index]
        self.watermark = min(self.state.watermarks[i] for i in driver.job.stages[index].inputs)
        self.reasons.insert(0, f"step {self.step.name!r}: its watermark is {instant_text(self.watermark)}.")
        self.next = self.due = MAX_TIME

    def given(self, key: object, window: object) -> Why:
        """The answer for a key."""
        if window is not None:
            raise RunError("a step of your own code has no windows", got=repr(window), step=repr(self.step.name))
        if key is not None:
            self._of_key(key, self.driver.records(self.index, wanted(self.step, key)))
        self.holds(self.index, set())
        told, never = _bare(self.step.name, self.watermark, self), self.next == MAX_TIME or self.watermark == MIN_TIME
        to_go = told.to_go if never else pd.Timedelta(self.next - self.watermark, unit="us")
        return replace(told, to_go=to_go, due=instant(self.due))

    def _of_key(self, key: object, records: list[Record] | None) -> None:
        if records is None:
            self.reasons.append("What the step remembers is on workers that did not answer, or are gone.")
            return
        if not records:
            self.reasons.append(f"Nothing is remembered of key {key!r}, and no timer of it is set.")
            return
        (record,) = records
        told = [
            f"{name}={kind.decoded(column)[0]!r}"[:_LONGEST]
            for (name, kind), column in zip(self.step.state, record.values, strict=True)
        ]
        self.reasons.append(f"Of key {key!r} it remembers {', '.join(told) or 'nothing'}.")
        for (name, domain), time in zip(self.step.timers, record.times, strict=True):
            if time == MAX_TIME:
                self.reasons.append(f"Timer {name!r} is not set.")
                continue
            if domain == "event":
                at, whose, self.next = self.watermark, "watermark", min(self.next, time)
            else:
                at, whose, self.due = self.state.now, "clock", min(self.due, time)
            left = "" if at == MIN_TIME else f", which has {duration_text(time - at)} to go"
            self.reasons.append(f"Timer {name!r} fires when the {whose} comes to {instant_text(time)}{left}.")


def _end(window: object) -> int:
    """The end of the window that a person means: an instant, or a pair of start and end."""
    if isinstance(window, tuple):
        if len(window) != 2:
            raise RunError("`window` must be its end, or (start, end)", got=repr(window))
        window = window[1]
    if window is pd.NaT:
        return MAX_TIME
    return instant_us(window, "window")


def _start(step: Keyed, end: int) -> int | None:
    """The start of the step's window with that end, as far as that is known without its rows; None: there is none."""
    windows = step.windowing.windows
    if not isinstance(windows, FixedWindows | SlidingWindows | CalendarWindows):
        return MIN_TIME
    _, starts, ends = windows.assign(np.array([end - 1]))
    at = np.flatnonzero(ends == end)
    return int(starts[at[0]]) if len(at) else None


def _distance(end: int, other: int) -> int:
    return abs(end - other)


def instant(us: int) -> pd.Timestamp:
    """A time as pandas has it; NaT for the ends of time."""
    if us in (MIN_TIME, MAX_TIME):
        return cast("pd.Timestamp", pd.NaT)
    return pd.Timestamp(us, unit="us", tz="UTC")
