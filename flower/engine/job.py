"""A plan made ready to run, and the whole state of a run as one immutable value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import pyarrow as pa

from flower.engine.aggregates import Aggregates
from flower.engine.deduplication import Distinct
from flower.engine.groups import Law
from flower.engine.joint import InWindow, Joint
from flower.engine.keyed import Keyed
from flower.engine.keys import exact
from flower.engine.learning import Learning
from flower.engine.processing import Processing
from flower.engine.state import KeyedState, KeyedStep, empty
from flower.graph.deduplication import Deduplicate
from flower.graph.enriching import EnrichInWindow, Lookup, Table
from flower.graph.joins import Join, JoinAsof, Joining
from flower.graph.learning import Learn
from flower.graph.nodes import Aggregate, Node, Read
from flower.graph.plan import Plan, Stage, plan
from flower.graph.process import Process
from flower.graph.retracting import subtracting
from flower.model.calendar import CalendarWindows
from flower.model.time import MIN_TIME
from flower.model.triggers import machine_of
from flower.model.watermarks import Estimate
from flower.model.windowing import Windowing
from flower.model.windows import FixedWindows


@dataclass(frozen=True)
class Job:
    """What an executor runs.

    Parameters
    ----------
    plan : Plan
        Stages and consumers.
    keyed : mapping of int to Keyed
        Per stage of an aggregation, what its epochs need.
    joins : mapping of int to Joint
        The same of the stages of joins.
    batch : bool
        Whether the watermark goes from minus to plus infinity at the end of the input: then nothing is late.
    distinct : mapping of int to Distinct
        Per stage of a deduplication, what its epochs need.
    processes : mapping of int to Processing
        The same of the stages of a person's own code.
    learners : mapping of int to Learning
        The same of the stages of models that learn.
    """

    plan: Plan
    keyed: Mapping[int, Keyed]
    joins: Mapping[int, Joint] = field(default_factory=dict)
    batch: bool = False
    distinct: Mapping[int, Distinct] = field(default_factory=dict)
    processes: Mapping[int, Processing] = field(default_factory=dict)
    learners: Mapping[int, Learning] = field(default_factory=dict)

    @cached_property
    def steps(self) -> Mapping[int, KeyedStep]:
        """Per stage that holds state by key, what its epochs need."""
        return {**self.keyed, **self.joins, **self.distinct, **self.processes, **self.learners}

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The plan's stages."""
        return self.plan.stages

    @property
    def lookups(self) -> dict[str, Lookup]:
        """The steps that look rows up in a table, by name."""
        nodes = (op.node for stage in self.stages for op in stage.ops)
        return {node.name: node for node in nodes if isinstance(node, Lookup) and node.name is not None}

    def reads(self) -> list[tuple[int, Read]]:
        """The stages that read, and what."""
        return [(i, stage.origin) for i, stage in enumerate(self.stages) if isinstance(stage.origin, Read)]


@dataclass(frozen=True, slots=True)
class SourceState:
    """What is known of a source's partitions.

    Parameters
    ----------
    positions : tuple of int
        Up to where each has been read.
    estimates : tuple of Estimate
        What each partition's rows say of its watermark.
    ended : tuple of bool
        Whether no row will follow.
    """

    positions: tuple[int, ...]
    estimates: tuple[Estimate, ...]
    ended: tuple[bool, ...]

    def moved(self, partition: int, position: int, estimate: Estimate, ended: bool) -> SourceState:
        """The state after more of one partition has been read."""
        positions, estimates, over = list(self.positions), list(self.estimates), list(self.ended)
        positions[partition], estimates[partition], over[partition] = position, estimate, ended
        return SourceState(tuple(positions), tuple(estimates), tuple(over))


@dataclass(frozen=True, slots=True)
class JobState:
    """A run between two epochs.

    Parameters
    ----------
    epoch : int
        Epochs done.
    now : int
        Processing time of the last one.
    sources : mapping of int to SourceState
        Per reading stage.
    keyed : mapping of int to AlignedState or SessionState
        Per stage of a keyed step.
    watermarks : tuple of int
        The output watermark of each stage.
    """

    epoch: int
    now: int
    sources: Mapping[int, SourceState]
    keyed: Mapping[int, KeyedState]
    watermarks: tuple[int, ...] = field(repr=False)


def job(outputs: Sequence[Node], *, batch: bool = False) -> Job:
    """Plan ``outputs`` and prepare every keyed step."""
    planned = plan(outputs)
    keyed = {
        index: _keyed(stage.name, stage.origin, batch)
        for index, stage in enumerate(planned.stages)
        if isinstance(stage.origin, Aggregate)
    }
    joins = {
        index: _joint(stage.name, stage.origin, batch)
        for index, stage in enumerate(planned.stages)
        if isinstance(stage.origin, Joining)
    }
    processes = {
        index: _processing(stage.name, stage.origin, batch)
        for index, stage in enumerate(planned.stages)
        if isinstance(stage.origin, Process)
    }
    distinct = {
        index: _distinct(stage.name, stage.origin, batch)
        for index, stage in enumerate(planned.stages)
        if isinstance(stage.origin, Deduplicate)
    }
    learners = {
        index: _learning(stage.name, stage.origin, batch)
        for index, stage in enumerate(planned.stages)
        if isinstance(stage.origin, Learn)
    }
    return Job(planned, keyed, joins, batch, distinct, processes, learners)


def _keyed(name: str, node: Aggregate, batch: bool) -> Keyed:
    windowing = node.grouping
    if batch:
        # One pane a window, at the end: what is early or late does not exist.
        windowing = replace(Windowing(windowing.windows), timestamp_combiner=windowing.timestamp_combiner)
    before = node.input.schema
    # A batch has one pane a window, so nothing is ever taken back.
    net = node.input.retracting and not batch
    aggregates = Aggregates(
        tuple(
            (each.name, subtracting(each.combiner) if net else each.combiner, each.column) for each in node.aggregations
        ),
        tuple(each.input(before) for each in node.aggregations),
        name,
    )
    keys = [before.field(key) for key in node.keys]
    law = Law(
        aggregates,
        exact([key.type for key in keys], [key.nullable for key in keys]),
        None if windowing.timestamp_combiner == "end_of_window" else windowing.timestamp_combiner,
        windowing.accumulation == "discarding",
        machine := machine_of(windowing.trigger),
        bool(machine.initial) or windowing.trigger.driven_by_data,
        windowing.ttl_us is not None,
        net,
        windowing.accumulation == "retracting",
    )
    return Keyed(name, node.keys, windowing, law, node.panes, node.dropped_schema)


def _joint(name: str, node: Joining, batch: bool) -> Joint:
    windowing, within, direction, lookup = None, None, None, None
    if isinstance(node, EnrichInWindow):
        windowing = Windowing(node.grouping.windows) if batch else node.grouping
        mapped = node.mapped
        assert mapped is None or isinstance(mapped, FixedWindows | CalendarWindows), "others are refused"
        lookup = InWindow(mapped, waits=batch)
    elif isinstance(node, Join):
        within = node.within
        if node.windowed:
            windowing = Windowing(node.grouping.windows) if batch else node.grouping
    else:
        assert isinstance(node, JoinAsof)
        direction = node.direction
        if node.tolerance is not None:
            low, high = direction != "forward", direction != "backward"
            within = (-node.tolerance * low, node.tolerance * high)
    sides = (node.left.schema, node.right.schema)
    fields = [(sides[0].field(key), sides[1].field(key)) for key in node.on]
    alike = exact([left.type for left, _ in fields], [left.nullable or right.nullable for left, right in fields])
    keeps, columns = node.keeps, node.columns

    def plain(side: Node, which: int) -> tuple[str, ...] | None:
        # A batch has one pane a window, so nothing is ever taken back.
        return node.plain[which] if side.retracting and not batch else None

    return Joint(
        name,
        node.on,
        keeps,
        windowing,
        within,
        direction,
        lookup,
        alike,
        columns,
        sides,
        node.schema,
        node.dropped_schema,
        (plain(node.left, 0), plain(node.right, 1)),
        node.retracting,
    )


def _processing(name: str, node: Process, batch: bool) -> Processing:
    before = node.input.schema
    keys = [before.field(key) for key in node.keys]
    return Processing(
        name,
        node.keys,
        node.fn.fn,
        tuple(sorted(node.state, key=lambda each: each[0])),
        tuple(sorted(node.timers)),
        node.vectorised,
        node.allowed_lateness_us,
        node.timed,
        batch,
        exact([key.type for key in keys], [key.nullable for key in keys]),
        node.rows,
        node.output,
        before,
        node.schema,
        node.dropped_schema,
    )


def _learning(name: str, node: Learn, batch: bool) -> Learning:
    before = node.input.schema
    keys = [before.field(key) for key in node.keys]
    return Learning(
        name,
        node.keys,
        node.model,
        node.x,
        node.y,
        node.said,
        node.order == "event_time",
        node.missing,
        node.mini_batch,
        node.checkpoint,
        node.timed,
        batch,
        exact([key.type for key in keys], [key.nullable for key in keys]),
        before,
        node.schema,
        node.dropped_schema,
    )


def _distinct(name: str, node: Deduplicate, batch: bool) -> Distinct:
    keys = [node.schema.field(key) for key in node.keys]
    alike = exact([key.type for key in keys], [key.nullable for key in keys])
    return Distinct(
        name, node.keys, node.within, node.slice, node.reach, node.error, alike, batch, node.schema, node.dropped_schema
    )


def with_tables(job: Job, tables: Mapping[str, Table]) -> Job:
    """The job with the tables of the steps that look rows up in them."""
    stages = tuple(
        replace(
            stage,
            ops=tuple(
                replace(op, node=replace(op.node, rows=tables[op.node.name or ""]))
                if isinstance(op.node, Lookup)
                else op
                for op in stage.ops
            ),
        )
        for stage in job.stages
    )
    return replace(job, plan=replace(job.plan, stages=stages))


def initial(job: Job, now: int) -> JobState:
    """The state before the first epoch."""
    return JobState(
        0,
        now,
        {index: _source_state(read, SourceState((), (), ())) for index, read in job.reads()},
        {index: empty(step) for index, step in job.steps.items()},
        (MIN_TIME,) * len(job.stages),
    )


def _source_state(read: Read, known: SourceState, most: int | None = None) -> SourceState:
    """The state with partitions that have appeared since; that one has no rows is learnt in its first epoch."""
    names = read.source.partitions()[:most]
    fresh = range(len(known.positions), len(names))
    positions = (*known.positions, *(read.source.initial(p) for p in fresh))
    return SourceState(
        positions,
        (*known.estimates, *(Estimate() for _ in fresh)),
        (*known.ended, *(False for _ in fresh)),
    )


def discovered(job: Job, state: JobState, most: Mapping[int, int] | None = None) -> JobState:
    """The state with partitions that have appeared since the last epoch; ``most`` limits how many a stage has."""
    sources = {
        index: _source_state(read, state.sources[index], None if most is None else most.get(index, 0))
        for index, read in job.reads()
    }
    return replace(state, sources=sources)


def schema_of(job: Job, port: int) -> pa.Schema:
    """The columns that an output consumer gets."""
    return job.plan.consumers[port].node.schema
