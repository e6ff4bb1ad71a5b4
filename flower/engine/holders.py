"""What holds the watermark of a step back, in words."""

from __future__ import annotations

from typing import Protocol

from flower.engine.job import Job, JobState, SourceState
from flower.engine.lookup import Record, Wanted, holder_of
from flower.graph.nodes import Aggregate, Read
from flower.graph.process import Process
from flower.model.time import MIN_TIME, duration_text, instant_text
from flower.model.watermarks import Estimate, Percentile, idle

NEAREST = 3
"""So many windows of a key, or partitions, are named."""


class Known(Protocol):
    """Who is asked: a driver, or a job at an earlier epoch."""

    @property
    def job(self) -> Job:
        """What it runs."""

    @property
    def seen(self) -> JobState:
        """The state that is meant."""

    @property
    def reads_table(self) -> tuple[str, int] | None:
        """The step whose table is being read before the first row, and how many rows of it are."""

    def records(self, index: int, one: Wanted | None) -> list[Record] | None:
        """What a keyed step holds of a key."""


class HeldBack:
    """Collects what there is to say of a step; lives no longer than the call."""

    def __init__(self, driver: Known, index: int) -> None:
        self.driver, self.index = driver, index
        self.state: JobState = driver.seen
        self.reasons: list[str] = []
        self.held_by: str | None = None
        if driver.reads_table is not None:
            step, rows = driver.reads_table
            self.reasons.append(f"The table of {step!r} is read whole before the first row: {rows:,} rows so far.")

    def holds(self, index: int, told: set[int]) -> None:
        """What holds the watermark of a step back, and of the steps before it."""
        stages = self.driver.job.stages
        inputs = stages[index].inputs
        least = min(self.state.watermarks[i] for i in inputs)
        for i in inputs:
            if i in told:
                continue
            told.add(i)
            origin = stages[i].origin
            holds = self.state.watermarks[i] == least
            if isinstance(origin, Read):
                self._of_source(origin, self.state.sources[i], holds)
            elif holds:
                self._of_step(i, told)

    def _of_step(self, index: int, told: set[int]) -> None:
        stage = self.driver.job.stages[index]
        out, into = self.state.watermarks[index], min(self.state.watermarks[i] for i in stage.inputs)
        if isinstance(stage.origin, Aggregate) and out < into:
            window = holder_of(self.state.keyed[index], self.driver.job.keyed[index]) if self.state.keyed else None
            by = "its open windows" if window is None else f"its window {window_text(*window)}"
            self.held_by = self.held_by or f"step {stage.name!r}"
            combiner = self.driver.job.keyed[index].windowing.timestamp_combiner
            self.reasons.append(
                f"step {stage.name!r} holds the watermark at {instant_text(out)}, its own being {instant_text(into)}:"
                f" {by} will give a pane of that event time (timestamp_combiner={combiner!r})."
            )
        if isinstance(stage.origin, Process) and out < into:
            self.held_by = self.held_by or f"step {stage.name!r}"
            self.reasons.append(
                f"step {stage.name!r} holds the watermark at {instant_text(out)}, its own being {instant_text(into)}:"
                f" a timer that is set will give rows of that event time."
            )
        self.holds(index, told)

    def _of_source(self, read: Read, source: SourceState, holds: bool) -> None:
        """Which partition holds the watermark back."""
        label, policy, now = read.source.label, read.watermark, self.state.now
        parts = list(zip(source.estimates, source.ended, read.source.partitions(), strict=False))
        open_ = [(estimate, name) for estimate, over, name in parts if not over]
        if not open_:
            self.reasons.append(f"source {label} has ended.")
            return
        silent = [(estimate, name) for estimate, name in open_ if idle(estimate, policy, now)]
        counted = [each for each in open_ if each not in silent]
        if counted:
            estimate, name = min(counted, key=lambda each: each[0].watermark)
        else:
            estimate, name = max(silent, key=lambda each: each[0].watermark)
        verb = "holds the watermark" if holds else "has its watermark"
        self.reasons.append(
            f"source {label}: partition {name!r} {verb} at {instant_text(estimate.watermark)} ({policy!r};"
            f" {_learnt(estimate, policy)})."
        )
        if silent:
            names = ", ".join(repr(name) for _, name in silent[:NEAREST]) + ", ..." * (len(silent) > NEAREST)
            left = "the furthest of them counts" if not counted else "it does not hold the others back"
            self.reasons.append(f"source {label}: idle: {names}; {left}.")
        if holds:
            self.held_by = self.held_by or f"{label}, partition {name!r}"


def _learnt(estimate: Estimate, policy: object) -> str:
    """What a partition's watermark is made of."""
    if estimate.newest == MIN_TIME:
        return "it has had no row yet"
    told = f"its newest row is of {instant_text(estimate.newest)}"
    if isinstance(policy, Percentile):
        known = "no disorder learnt yet" if estimate.bound < 0 else f"disorder learnt: {duration_text(estimate.bound)}"
        return f"{told}; {known}"
    if estimate.watermark == MIN_TIME:
        return f"{told}; nothing has told a watermark yet"
    return told


def window_text(start: int, end: int) -> str:
    """A window as a person reads it."""
    return f"[{instant_text(start)}, {instant_text(end)})"
