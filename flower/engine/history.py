"""A run epoch by epoch, made by running its epochs again: an epoch is a pure function, so nothing was kept for it."""

from __future__ import annotations

import dataclasses
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from flower.engine.beforehand import with_tables_read
from flower.engine.epoch import EpochPlan, Range, ingested, run_epoch
from flower.engine.held import held_rows
from flower.engine.job import Job, JobState, discovered, initial, job
from flower.engine.keyed import Keyed
from flower.engine.lookup import NO_KEY, Record, Wanted, exact_of, records_of
from flower.engine.why import Why, why
from flower.errors import GraphError, RunError
from flower.graph.batch import Batch
from flower.graph.nodes import Aggregate, Dropped, Node, Read, walk
from flower.graph.optimizer.rewrite import substituted
from flower.graph.protocols import EpochedSource
from flower.io.ingest import Ingested
from flower.io.replay import ReplaySource
from flower.model.event_time import event_time_us
from flower.model.time import I64, MIN_TIME

if TYPE_CHECKING:
    from flower.engine.embedded import Driver

MOMENTS = 500
ROWS = 50_000
"""Epochs and rows that a history keeps, the newest."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One epoch: what came, what it gave, and how things stood after it.

    Parameters
    ----------
    now : int
        Processing time.
    watermark : int
        What the step's rows are admitted against from now on.
    rows : Batch
        The rows that came to the step.
    dropped : Batch or None
        The pairs that were not admitted.
    panes : pyarrow.RecordBatch or None
        What the step gave.
    state : JobState
        The state after it.
    """

    now: int
    watermark: int
    rows: Batch
    dropped: Batch | None
    panes: pa.RecordBatch | None
    state: JobState


@dataclass(frozen=True, slots=True)
class _Then:
    """A job at an earlier epoch, as `why` looks at a driver."""

    job: Job
    seen: JobState
    reads_table: tuple[str, int] | None = None

    def records(self, index: int, one: Wanted | None) -> list[Record] | None:
        return records_of(self.seen.keyed[index], one or NO_KEY, exact_of(self.job.steps[index]))


class History:
    """The epochs of a keyed step, the newest ones, in order.

    Parameters
    ----------
    node : Node
        The stream.
    step : str, optional
        The name of the keyed step; default: the last. A stream without one shows its rows.

    Attributes
    ----------
    moments : deque of Moment
        The epochs that are kept.
    let_go : int
        Epochs that are not.
    """

    def __init__(self, node: Node, step: str | None = None) -> None:
        self.aggregate = keyed_step(node, step)
        shown = node if self.aggregate is None else self.aggregate.input
        outputs = (shown,) if self.aggregate is None else (shown, self.aggregate, Dropped(self.aggregate))
        self.job = job(outputs)
        self.state = initial(self.job, MIN_TIME)
        self.moments: deque[Moment] = deque()
        self.let_go = 0
        self._rows = 0
        ports = self.job.plan.outputs
        self._ports = dict(zip(("rows", "panes", "dropped"), ports, strict=False))
        self._index = next(iter(self._keyed_at()), None)
        self._source = [
            index
            for index, stage in enumerate(self.job.stages)
            if any(delivery.port == ports[0] for delivery in stage.deliveries)
        ]
        self._lock = threading.RLock()

    def _keyed_at(self) -> Iterator[int]:
        if self.aggregate is not None:
            # Of several steps that feed it, it is the last.
            yield max(self.job.keyed)

    @property
    def keyed(self) -> Keyed | None:
        """The step, ready to run."""
        return None if self._index is None else self.job.keyed[self._index]

    @property
    def schema(self) -> pa.Schema:
        """The columns of the rows that come to the step."""
        return self.job.plan.consumers[self._ports["rows"]].node.schema

    # -- epochs

    def take(self, plan: EpochPlan, rows: dict[Range, Ingested] | None = None) -> None:
        """Run an epoch more; ``rows`` are those that have been read already."""
        with self._lock:
            known = rows or {}
            self.job = with_tables_read(self.job)
            self.state = discovered(self.job, self.state)
            result = run_epoch(self.job, self.state, plan, lambda job, r: known[r] if r in known else ingested(job, r))
            self.state = result.state
            outputs = {what: result.outputs.get(port) for what, port in self._ports.items()}
            came = outputs["rows"] or Batch.empty(self.schema)
            panes = outputs.get("panes")
            self.moments.append(
                Moment(
                    plan.now,
                    min(result.state.watermarks[i] for i in self._inputs()),
                    came,
                    outputs.get("dropped"),
                    None if panes is None else panes.rows,
                    result.state,
                )
            )
            self._rows += len(came)
            while len(self.moments) > MOMENTS or (self._rows > ROWS and len(self.moments) > 1):
                self._rows -= len(self.moments.popleft().rows)
                self.let_go += 1

    def _inputs(self) -> tuple[int, ...] | list[int]:
        return self._source if self._index is None else self.job.stages[self._index].inputs

    def held(self, moment: Moment) -> tuple[pa.RecordBatch, I64] | None:
        """The windows that fill at a moment; see `flower.engine.held`."""
        return (
            None
            if self._index is None or self.keyed is None
            else held_rows(moment.state.keyed[self._index], self.keyed)
        )

    def why(self, moment: Moment, key: object, window: tuple[object, object]) -> Why:
        """Why a window had not fired at that moment; see ``Run.why``."""
        if self.keyed is None:
            raise RunError("why() is about windows", got="a stream without a windowed aggregation")
        return why(_Then(self.job, moment.state), key, window, self.keyed.name)

    # -- of a run, of a stream that ends

    def follow(self, driver: Driver) -> bool:
        """Take the epochs that a run has done since; returns whether there were any.

        Raises
        ------
        RunError
            If the run no longer remembers the epochs that follow.
        """
        with self._lock:
            with driver.changed:
                plans = [plan for plan in driver.log if plan.epoch >= self.state.epoch]
                first = driver.log[0].epoch if driver.log else self.state.epoch
            if first > self.state.epoch:
                raise RunError(
                    "a time diagram runs the epochs of a run again, from the first on",
                    got=f"a run that remembers those from {first:,}",
                    hint="ask for the diagram early: it then follows the run",
                )
            here = {stage.name: index for index, stage in enumerate(self.job.stages) if isinstance(stage.origin, Read)}
            names = [stage.name for stage in driver.job.stages]
            for plan in plans:
                ranges = [replace(r, stage=here[names[r.stage]]) for r in plan.ranges if names[r.stage] in here]
                self.take(replace(plan, ranges=tuple(ranges)))
            return bool(plans)


def keyed_step(node: Node, step: str | None) -> Aggregate | None:
    """The keyed step of a name, or the last; None if there is none.

    Raises
    ------
    GraphError
        If there is none of that name.
    """
    steps = [each for each in walk(node) if isinstance(each, Aggregate)]
    if step is None:
        return steps[-1] if steps else None
    for each in steps:
        if each.name == step:
            return each
    names = ", ".join(repr(each.name) for each in steps if each.name) or "none that is named"
    raise GraphError("`step` must be the name of a keyed step of the stream", got=repr(step), hint=f"there is {names}")


def of_run(driver: Driver, step: str | None = None) -> History:
    """The history of a run so far; `History.follow` brings it up to date."""
    logical = driver.job.plan.logical
    chosen = next((node for node in logical if keyed_step_or_none(node, step) is not None), logical[0])
    history = History(chosen, step)
    history.follow(driver)
    return history


def keyed_step_or_none(node: Node, step: str | None) -> Aggregate | None:
    """The keyed step of a name, or the last, if there is one."""
    steps = [each for each in walk(node) if isinstance(each, Aggregate) and step in (None, each.name)]
    return steps[-1] if steps else None


def of_stream(node: Node, step: str | None = None, *, epochs: int = 150) -> History:
    """The history of a stream that ends, by a clock of its own.

    A script has its epochs and clock. Other rows come in about ``epochs`` portions, and the clock is at the arrival of
    the newest, or where that is not known, at the newest event time: as if each had been seen when it happened.

    Raises
    ------
    GraphError
        If the stream does not end.
    """
    if not node.bounded:
        raise GraphError(
            "time_diagram() of a stream needs one that ends",
            got="an unbounded source",
            hint="run it, and draw the run: stream.run().time_diagram()",
        )
    reads = [each for each in walk(node) if isinstance(each, Read)]
    recorded: dict[Node, Node] = {
        read: dataclasses.replace(read, source=read.source.recording)
        for read in reads
        if isinstance(read.source, ReplaySource)
    }
    if recorded:
        (node,) = substituted((node,), recorded)
    history = History(node, step)
    if all(isinstance(read.source, EpochedSource) for read in reads):
        _scripted(history, node)
    else:
        _portioned(history, epochs)
    return history


def _scripted(history: History, node: Node) -> None:
    from flower.engine.embedded import Driver, Options

    driver = Driver([node], Options.make())
    try:
        driver.drive()
        history.follow(driver)
    finally:
        driver.close()


def _portioned(history: History, epochs: int) -> None:
    history.state = discovered(history.job, history.state)
    whole = 0
    for index, read in history.job.reads():
        for partition, start in enumerate(history.state.sources[index].positions):
            whole += read.source.latest(partition, start, 2**40, 2**62) - start
    limit = max(1, whole // max(epochs, 1))
    now = MIN_TIME
    while not all(all(known.ended) for known in history.state.sources.values()):
        rows: dict[Range, Ingested] = {}
        for index, read in history.job.reads():
            known = history.state.sources[index]
            for partition, (start, over) in enumerate(zip(known.positions, known.ended, strict=True)):
                if not over:
                    end = read.source.latest(partition, start, limit, 2**62)
                    wanted = Range(index, partition, start, end, read.source.ended(partition, end))
                    rows[wanted] = ingested(history.job, wanted)
                    now = max(now, _newest(read, wanted, rows[wanted]))
        history.take(EpochPlan(history.state.epoch, now, tuple(rows)), rows)


def _newest(read: Read, wanted: Range, rows: Ingested) -> int:
    """When the newest row was seen."""
    times = rows.batch.time
    if read.arrival is not None and wanted.end > wanted.start:
        table = read.source.read(wanted.partition, wanted.start, wanted.end, (read.arrival,))
        times, _, _ = event_time_us(table[read.arrival], tz=read.tz)
    return int(np.max(times, initial=MIN_TIME))
