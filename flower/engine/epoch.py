"""One epoch as a pure function: state and ranges in, state and rows out. Both executors run the parts of it.

The order within an epoch is that of the model: rows are admitted against the watermark they meet, then watermark and
clock move, then every trigger is asked once, then expired windows leave.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flower.engine.counts import Counts
from flower.engine.deduplication import lift_rows
from flower.engine.job import Job, JobState
from flower.engine.lift import Lifted, lift
from flower.engine.observe import estimated, observed
from flower.engine.processing import lift_process
from flower.engine.rowwise import apply_step
from flower.engine.side import lift_side
from flower.engine.state import KeyedState, advance
from flower.graph.batch import Batch, constant
from flower.graph.nodes import Dropped, Errors, Read, Stateful
from flower.graph.plan import Stage
from flower.io.ingest import Ingested, ingest
from flower.model.arrays import size_of
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.watermarks import Estimate, combined, elsewhere


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

    @property
    def partitions(self) -> dict[int, int]:
        """How many partitions of each stage it knows, at least: those that are over may be missing."""
        known: dict[int, int] = {}
        for wanted in self.ranges:
            known[wanted.stage] = max(known.get(wanted.stage, 0), wanted.partition + 1)
        return known


@dataclass(frozen=True, slots=True)
class Report:
    """What an epoch did.

    Parameters
    ----------
    rows_in, bytes_in, rows_out : int
        Rows read, the bytes of their columns; rows given to outputs.
    counts : mapping of str to Counts
        Per keyed step, what became of its pairs.
    errors : int
        Rows that could not be processed.
    first_error : str or None
        The first of them, for a person.
    notes : tuple of str
        What a source has to say, such as columns that were ignored.
    groups, state_bytes : int
        Records that are held after it, and their bytes.
    held : mapping of str to (int, int)
        The same for each keyed step.
    """

    rows_in: int = 0
    bytes_in: int = 0
    rows_out: int = 0
    counts: Mapping[str, Counts] = field(default_factory=dict)
    errors: int = 0
    first_error: str | None = None
    notes: tuple[str, ...] = ()
    groups: int = 0
    state_bytes: int = 0
    held: Mapping[str, tuple[int, int]] = field(default_factory=dict)


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


# -- the parts of an epoch: small pure functions, which an executor calls in an order of its own


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of the rows that leave a stage, between two epochs.

    Parameters
    ----------
    watermark : int
        Its output watermark.
    estimates : tuple of Estimate
        Of a source, what each partition's rows say.
    ended : tuple of bool
        Of a source, whether no row will follow.
    """

    watermark: int = MIN_TIME
    estimates: tuple[Estimate, ...] = ()
    ended: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """What an epoch's rows are admitted against.

    Parameters
    ----------
    now, before : int
        Processing time of this epoch and of the one before.
    marks : mapping of int to Mark
        Per stage, as of the epoch's start.
    """

    now: int
    before: int
    marks: Mapping[int, Mark]


@dataclass(frozen=True, slots=True)
class Part:
    """What some rows of a stage came to.

    Parameters
    ----------
    outputs : list of (int, Batch)
        Rows for outputs, by consumer.
    lifted : list of (int, Lifted)
        Groups for keyed steps, by consumer.
    dropped : list of (int, Batch)
        Pairs that keyed steps did not admit, by stage.
    errors : list of (str, pyarrow.RecordBatch)
        Rows that a step could not process.
    counts : mapping of str to Counts
        Per keyed step, what became of its pairs.
    """

    outputs: list[tuple[int, Batch]] = field(default_factory=list)
    lifted: list[tuple[int, Lifted]] = field(default_factory=list)
    dropped: list[tuple[int, Batch]] = field(default_factory=list)
    errors: list[tuple[str, pa.RecordBatch]] = field(default_factory=list)
    counts: dict[str, Counts] = field(default_factory=dict)


def observe_range(job: Job, wanted: Range, rows: Batch, estimate: Estimate, now: int) -> tuple[Batch, Estimate]:
    """The rows of a range with the watermark that each meets in its own partition, and the estimate after them."""
    read = job.stages[wanted.stage].origin
    assert isinstance(read, Read)
    if job.batch:
        return rows, estimate
    if all(job.plan.consumers[delivery.port].stage is None for delivery in job.stages[wanted.stage].deliveries):
        # All rows leave the pipeline: nobody asks what they met.
        return rows, estimated(read, wanted.partition, wanted.start, wanted.end, rows, estimate, now)
    return observed(read, wanted.partition, wanted.start, wanted.end, rows, estimate, now)


def source_watermark(job: Job, stage: int, mark: Mark, now: int) -> int:
    """The watermark of a source that has been read so far; never behind the one before, ``mark.watermark``."""
    read = job.stages[stage].origin
    assert isinstance(read, Read)
    if job.batch:
        return MAX_TIME if all(mark.ended) else mark.watermark
    return max(mark.watermark, combined(mark.estimates, mark.ended, read.watermark, now))


def errors_of_source(stage: Stage, errors: pa.RecordBatch) -> pa.RecordBatch:
    """Errors of rows that came from a source name it."""
    if not isinstance(stage.origin, Read) or not len(errors):
        return errors
    at = errors.schema.get_field_index("source")
    named = errors.column(at).fill_null(stage.origin.source.label)
    return errors.set_column(at, errors.schema.field(at), named)


def errors_from(job: Job, index: int, errors: pa.RecordBatch) -> pa.RecordBatch:
    """Errors of a keyed step name the source of the rows among them, if all came from one."""
    inputs = [job.stages[i] for i in job.stages[index].inputs]
    named = errors_of_source(inputs[0], errors) if len(inputs) == 1 else errors
    at = errors.schema.get_field_index("source")
    source = pc.if_else(errors.column("partition").is_valid(), named.column(at), errors.column(at))
    return errors.set_column(at, errors.schema.field(at), source)


def through_stage(job: Job, context: Context, index: int, partition: int, batch: Batch) -> Part:
    """Rows of a stage's origin through its steps, to its consumers."""
    stage, part = job.stages[index], Part()
    slots = [batch]
    for op in stage.ops:
        name = op.node.name
        assert name is not None
        result, errors = apply_step(op.node, slots[op.source], name)
        if len(errors):
            part.errors.append((name, errors_of_source(stage, errors)))
        slots.append(result)
    for delivery in stage.deliveries:
        target = job.plan.consumers[delivery.port].stage
        rows = slots[delivery.slot]
        if not len(rows):
            continue
        if target is None:
            part.outputs.append((delivery.port, rows))
        else:
            side = job.plan.consumers[delivery.port].side
            lifted = lift_delivery(job, context, index, partition, target, rows, side)
            _deliver(part, lifted, delivery.port, target, job)
            if lifted.errors is not None and len(lifted.errors):
                part.errors.append((job.steps[target].name, errors_of_source(stage, lifted.errors)))
    return part


def _deliver(part: Part, lifted: Lifted, port: int, target: int, job: Job) -> None:
    name = job.steps[target].name
    part.lifted.append((port, lifted))
    part.counts[name] = part.counts.get(name, Counts()) + lifted.counts
    if len(lifted.dropped):
        part.dropped.append((target, lifted.dropped))


def lift_delivery(
    job: Job, context: Context, origin: int, partition: int, target: int, rows: Batch, side: int = 0
) -> Lifted:
    """Rows of one partition of a stage into groups of a keyed step, admitted against what was known before."""
    inputs, marks = job.stages[target].inputs, context.marks
    start = min(marks[i].watermark for i in inputs)
    others = min((marks[i].watermark for i in inputs if i != origin), default=MAX_TIME)
    read = job.stages[origin].origin
    if not isinstance(read, Read):
        rows = replace(rows, met=constant(marks[origin].watermark, len(rows)))
    elif not job.batch:
        mark = marks[origin]
        there = elsewhere(mark.estimates, mark.ended, read.watermark, context.before, partition)
        others = min(others, there)
    if target in job.joins:
        return lift_side(rows, job.joins[target], side, watermark=start, elsewhere=others)
    if target in job.processes or target in job.learners:
        step = job.processes.get(target) or job.learners[target]
        return lift_process(rows, step, watermark=start, elsewhere=others)
    if target in job.distinct:
        return lift_rows(rows, job.distinct[target], watermark=start, elsewhere=others)
    return lift(rows, job.keyed[target], watermark=start, elsewhere=others, now=context.now)


def first_error(errors: Sequence[pa.RecordBatch]) -> str | None:
    """The first of the rows that failed, for a person."""
    if not errors:
        return None
    first = errors[0].slice(0, 1).to_pylist()[0]
    return f"step {first['step']!r}: {first['reason']}: {first['error']}"


# -- an epoch in this process


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
        self.job, self.epoch = job, epoch
        self.context = Context(epoch.now, state.now, marks_of(state))
        self.sources = dict(state.sources)
        self.keyed: dict[int, KeyedState] = dict(state.keyed)
        self.watermarks = list(state.watermarks)
        self.fresh: dict[int, list[tuple[int, Batch]]] = defaultdict(list)  # per reading stage, partition and rows
        self.lifted: dict[int, list[Lifted]] = defaultdict(list)  # per keyed consumer
        self.outputs: dict[int, list[Batch]] = defaultdict(list)  # per output consumer
        self.errors: dict[str, list[pa.RecordBatch]] = defaultdict(list)  # per step
        self.dropped: dict[int, list[Batch]] = defaultdict(list)  # per keyed stage
        self.counts: dict[str, Counts] = {}
        self.notes: list[str] = []
        self.rows_in = self.bytes_in = 0

    def admit(self, wanted: Range, rows: Ingested) -> None:
        """Take the rows of a range."""
        stage, known = self.job.stages[wanted.stage], self.sources[wanted.stage]
        batch, estimate = observe_range(self.job, wanted, rows.batch, known.estimates[wanted.partition], self.epoch.now)
        self.fresh[wanted.stage].append((wanted.partition, batch))
        self.sources[wanted.stage] = known.moved(wanted.partition, wanted.end, estimate, wanted.ended)
        if len(rows.errors):
            self.errors[stage.name].append(errors_of_source(stage, rows.errors))
        self.rows_in += rows.rows_read
        self.bytes_in += sum(map(size_of, rows.batch.rows.columns))
        self.notes += rows.notes

    def run(self, index: int) -> None:
        """Run one stage: its origin's rows through its steps, to its consumers."""
        stage = self.job.stages[index]
        match stage.origin:
            case Read():
                known = self.sources[index]
                mark = Mark(self.watermarks[index], known.estimates, known.ended)
                self.watermarks[index] = source_watermark(self.job, index, mark, self.epoch.now)
                # Without rows the empty batch still goes through: a consumer learns its columns from it.
                for partition, batch in self.fresh[index]:
                    self._through(index, partition, batch)
            case Stateful():
                self._through(index, 0, self._advance(index, stage))
            case Dropped():
                self.watermarks[index] = min(self.watermarks[i] for i in stage.inputs)
                for batch in self.dropped.get(dropped_by(self.job, stage), ()):
                    self._through(index, 0, batch)
            case Errors():
                self.watermarks[index] = min(self.watermarks[i] for i in stage.inputs)
                rows = [batch for name in stage.covers for batch in self.errors.get(name, ())]
                if rows:
                    self._through(index, 0, untimed(pa.concat_batches(rows)))

    def _through(self, index: int, partition: int, batch: Batch) -> None:
        part = through_stage(self.job, self.context, index, partition, batch)
        for port, rows in part.outputs:
            self.outputs[port].append(rows)
        for port, lifted in part.lifted:
            self.lifted[port].append(lifted)
        for target, gone in part.dropped:
            self.dropped[target].append(gone)
        for name, errors in part.errors:
            self.errors[name].append(errors)
        for name, counts in part.counts.items():
            self.counts[name] = self.counts.get(name, Counts()) + counts

    def _advance(self, index: int, stage: Stage) -> Batch:
        step = self.job.steps[index]
        watermark = min(self.watermarks[i] for i in stage.inputs)
        pieces = [piece for port in stage.ports for lifted in self.lifted[port] for piece in lifted.pieces]
        done = advance(self.keyed[index], pieces, step, watermark, self.epoch.now)
        self.keyed[index] = done.state
        self.watermarks[index] = max(self.watermarks[index], done.watermark)
        if done.dropped is not None:
            self.dropped[index].append(done.dropped)
            self.counts[step.name] = self.counts.get(step.name, Counts()) + done.counts
        if done.errors is not None and len(done.errors):
            self.errors[step.name].append(errors_from(self.job, index, done.errors))
        return done.panes

    def done(self) -> EpochResult:
        """What the epoch comes to."""
        failed = [batch for batches in self.errors.values() for batch in batches]
        state = JobState(self.epoch.epoch + 1, self.epoch.now, self.sources, self.keyed, tuple(self.watermarks))
        outputs = {port: Batch.concat(batches) for port, batches in self.outputs.items()}
        held = {self.job.steps[index].name: (held.groups, held.nbytes) for index, held in self.keyed.items()}
        report = Report(
            self.rows_in,
            self.bytes_in,
            sum(len(rows) for rows in outputs.values()),
            self.counts,
            sum(len(batch) for batch in failed),
            first_error(failed),
            tuple(dict.fromkeys(self.notes)),
            sum(groups for groups, _ in held.values()),
            sum(nbytes for _, nbytes in held.values()),
            held,
        )
        return EpochResult(state, outputs, report)


def marks_of(state: JobState) -> dict[int, Mark]:
    """What a state knows of every stage."""
    marks = {index: Mark(watermark) for index, watermark in enumerate(state.watermarks)}
    for index, known in state.sources.items():
        marks[index] = Mark(state.watermarks[index], known.estimates, known.ended)
    return marks


def dropped_by(job: Job, stage: Stage) -> int:
    """The keyed stage of which ``stage`` takes the dropped pairs."""
    assert isinstance(stage.origin, Dropped)
    return next(index for index, other in enumerate(job.stages) if other.origin == stage.origin.of)


def untimed(rows: pa.RecordBatch) -> Batch:
    """A batch of rows that have no event time."""
    n = len(rows)
    return Batch(rows, constant(MIN_TIME, n), constant(MIN_TIME, n), constant(0, n), np.arange(n))
