"""One epoch as a pure function: state and ranges in, state and rows out. Both executors run the parts of it.

The order within an epoch is that of the model: rows are admitted against the watermark they meet, then watermark and
clock move, then every trigger is asked once, then expired windows leave.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from flower.engine.job import Job, JobState, SourceState
from flower.engine.lift import Counts, Lifted, lift
from flower.engine.rowwise import apply_step
from flower.engine.state import KeyedState, advance
from flower.graph.batch import Batch, constant
from flower.graph.nodes import Aggregate, Dropped, Errors, Read
from flower.graph.plan import Stage
from flower.graph.protocols import MarkedSource
from flower.io.ingest import Ingested, ingest
from flower.model.time import I64, MAX_TIME, MIN_TIME
from flower.model.watermarks import Estimate, ManualWatermark, combined, elsewhere


@dataclass(frozen=True, slots=True)
class Range:
    """The rows ``[start, end)`` of one partition of a reading stage, and whether none will follow."""

    stage: int
    partition: int
    start: int
    end: int
    ended: bool


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """All that an epoch depends on besides the state: logged, it can be run again."""

    epoch: int
    now: int
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What an epoch did.

    Parameters
    ----------
    rows_in, bytes_in : int
        Rows read, and the bytes of their columns.
    counts : mapping of str to Counts
        Per keyed step, what became of its pairs.
    errors : int
        Rows that could not be processed.
    first_error : str or None
        The first of them, for a person.
    notes : tuple of str
        What a source has to say, such as columns that were ignored.
    """

    rows_in: int = 0
    bytes_in: int = 0
    counts: Mapping[str, Counts] = field(default_factory=dict)
    errors: int = 0
    first_error: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EpochResult:
    """State after the epoch, rows per output consumer, and the report."""

    state: JobState
    outputs: Mapping[int, Batch]
    report: Report


def ingested(job: Job, wanted: Range) -> Ingested:
    """Read a range; pure, so it may be done ahead."""
    read = job.stages[wanted.stage].origin
    assert isinstance(read, Read)
    return ingest(read, wanted.partition, wanted.start, wanted.end, job.stages[wanted.stage].name)


def run_epoch(
    job: Job, state: JobState, epoch: EpochPlan, fetch: Callable[[Job, Range], Ingested] = ingested
) -> EpochResult:
    """Run one epoch.

    Parameters
    ----------
    fetch : callable
        Gives the rows of a range; an executor that reads ahead passes its own.
    """
    work = _Epoch(job, state, epoch)
    for wanted in epoch.ranges:
        work.admit(wanted, fetch(job, wanted))
    for index in range(len(job.stages)):
        work.run(index)
    return work.done()


class _Epoch:
    """The bookkeeping of one epoch; lives no longer than the call."""

    def __init__(self, job: Job, state: JobState, epoch: EpochPlan) -> None:
        self.job, self.before, self.epoch = job, state, epoch
        self.sources = dict(state.sources)
        self.keyed: dict[int, KeyedState] = dict(state.keyed)
        self.watermarks = list(state.watermarks)
        self.fresh: dict[int, list[tuple[int, Batch]]] = defaultdict(list)  # per reading stage, partition and rows
        self.lifted: dict[int, list[Lifted]] = defaultdict(list)  # per keyed consumer
        self.outputs: dict[int, list[Batch]] = defaultdict(list)  # per output consumer
        self.errors: dict[str, list[pa.RecordBatch]] = defaultdict(list)  # per step
        self.dropped: dict[Aggregate, list[Batch]] = defaultdict(list)
        self.counts: dict[str, Counts] = {}
        self.notes: list[str] = []
        self.rows_in = self.bytes_in = 0

    def admit(self, wanted: Range, rows: Ingested) -> None:
        """Take the rows of a range, with the watermark that each meets in its own partition."""
        stage = self.job.stages[wanted.stage]
        assert isinstance(stage.origin, Read)
        known = self.sources[wanted.stage]
        met, estimate = self._observed(stage.origin, wanted, rows.batch, known.estimates[wanted.partition])
        self.fresh[wanted.stage].append((wanted.partition, replace(rows.batch, met=met)))
        self.sources[wanted.stage] = SourceState(
            _set(known.positions, wanted.partition, wanted.end),
            _set(known.estimates, wanted.partition, estimate),
            _set(known.ended, wanted.partition, wanted.ended),
        )
        self._failed(stage.name, rows.errors, stage)
        self.rows_in += rows.rows_read
        self.bytes_in += rows.batch.rows.nbytes
        self.notes += rows.notes

    def _observed(self, read: Read, wanted: Range, batch: Batch, estimate: Estimate) -> tuple[I64, Estimate]:
        if self.job.batch:
            return constant(MIN_TIME, len(batch)), estimate
        if not isinstance(read.watermark, ManualWatermark):
            return read.watermark.observe(estimate, batch.time, self.epoch.now)
        if not isinstance(read.source, MarkedSource):
            return constant(MIN_TIME, len(batch)), estimate
        marks, after = read.source.marks(wanted.partition, wanted.start, wanted.end)
        return marks[batch.position - wanted.start], replace(estimate, watermark=max(estimate.watermark, after))

    def run(self, index: int) -> None:
        """Run one stage: its origin's rows through its steps, to its consumers."""
        stage = self.job.stages[index]
        match stage.origin:
            case Read():
                self._move_source(index, stage.origin)
                # Without rows the empty batch still goes through: a consumer learns its columns from it.
                for partition, batch in self.fresh[index]:
                    self._through(index, stage, partition, batch)
            case Aggregate():
                self._through(index, stage, 0, self._advance(index, stage))
            case Dropped():
                self._move(index, stage)
                for batch in self.dropped.get(stage.origin.of, ()):
                    self._through(index, stage, 0, batch)
            case Errors():
                self._move(index, stage)
                rows = [batch for name in stage.covers for batch in self.errors.get(name, ())]
                if rows:
                    self._through(index, stage, 0, untimed(pa.concat_batches(rows)))

    def _move_source(self, index: int, read: Read) -> None:
        known = self.sources[index]
        if self.job.batch:
            now = MAX_TIME if all(known.ended) else MIN_TIME
        else:
            now = combined(known.estimates, known.ended, read.watermark, self.epoch.now)
        self.watermarks[index] = max(self.watermarks[index], now)

    def _move(self, index: int, stage: Stage) -> None:
        self.watermarks[index] = min(self.watermarks[i] for i in stage.inputs)

    def _through(self, index: int, stage: Stage, partition: int, batch: Batch) -> None:
        slots = [batch]
        for op in stage.ops:
            name = op.node.name
            assert name is not None
            result, errors = apply_step(op.node, slots[op.source], name)
            self._failed(name, errors, stage)
            slots.append(result)
        for delivery in stage.deliveries:
            consumer = self.job.plan.consumers[delivery.port]
            rows = slots[delivery.slot]
            if consumer.stage is None:
                if len(rows):
                    self.outputs[delivery.port].append(rows)
            elif len(rows):
                self._lift(index, partition, consumer.stage, delivery.port, rows)

    def _lift(self, origin: int, partition: int, target: int, port: int, rows: Batch) -> None:
        step = self.job.keyed[target]
        inputs = self.job.stages[target].inputs
        start = min(self.before.watermarks[i] for i in inputs)
        others = min((self.before.watermarks[i] for i in inputs if i != origin), default=MAX_TIME)
        read = self.job.stages[origin].origin
        if isinstance(read, Read):
            known = self.before.sources[origin]
            if not self.job.batch:
                there = elsewhere(known.estimates, known.ended, read.watermark, self.before.now, partition)
                others = min(others, there)
        else:
            rows = replace(rows, met=constant(self.before.watermarks[origin], len(rows)))
        lifted = lift(rows, step, watermark=start, elsewhere=others, now=self.epoch.now)
        self.lifted[port].append(lifted)
        self.counts[step.name] = self.counts.get(step.name, Counts()) + lifted.counts
        if len(lifted.dropped):
            node = self.job.stages[target].origin
            assert isinstance(node, Aggregate)
            self.dropped[node].append(lifted.dropped)

    def _advance(self, index: int, stage: Stage) -> Batch:
        assert stage.port is not None
        step = self.job.keyed[index]
        watermark = min(self.watermarks[i] for i in stage.inputs)
        deltas = [lifted.groups for lifted in self.lifted[stage.port]]
        self.keyed[index], panes, out = advance(self.keyed[index], deltas, step, watermark, self.epoch.now)
        self.watermarks[index] = max(self.watermarks[index], out)
        return panes

    def _failed(self, step: str, errors: pa.RecordBatch, stage: Stage) -> None:
        """Keep the rows that a step of ``stage`` could not process; those of a source's rows name the source."""
        if not len(errors):
            return
        if isinstance(stage.origin, Read):
            at = errors.schema.get_field_index("source")
            named = errors.column(at).fill_null(stage.origin.source.label)
            errors = errors.set_column(at, errors.schema.field(at), named)
        self.errors[step].append(errors)

    def done(self) -> EpochResult:
        """What the epoch comes to."""
        failed = [batch for batches in self.errors.values() for batch in batches]
        state = JobState(self.epoch.epoch + 1, self.epoch.now, self.sources, self.keyed, tuple(self.watermarks))
        outputs = {port: Batch.concat(batches) for port, batches in self.outputs.items()}
        report = Report(
            self.rows_in,
            self.bytes_in,
            self.counts,
            sum(len(batch) for batch in failed),
            _told(failed[0]) if failed else None,
            tuple(dict.fromkeys(self.notes)),
        )
        return EpochResult(state, outputs, report)


def untimed(rows: pa.RecordBatch) -> Batch:
    """A batch of rows that have no event time."""
    n = len(rows)
    return Batch(rows, constant(MIN_TIME, n), constant(MIN_TIME, n), constant(0, n), np.arange(n))


def _set(values: tuple[object, ...], index: int, value: object) -> tuple:  # type: ignore[type-arg]
    return (*values[:index], value, *values[index + 1 :])


def _told(errors: pa.RecordBatch) -> str:
    first = errors.slice(0, 1).to_pylist()[0]
    return f"step {first['step']!r}: {first['reason']}: {first['error']}"
