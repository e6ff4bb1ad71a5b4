"""The third executor: the same plan and the same epochs, every keyed step computed by the oracle, row by row.

Reading and row-wise steps are those of the engine; watermarks, windows, triggers and panes are the oracle's. Slow,
and meant for tests.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.engine.embedded import Driver, Options, require_bounded
from flower.engine.epoch import EpochPlan, Range, errors_from, errors_of_source, ingested, untimed
from flower.engine.holding import gap_for, holds_for
from flower.engine.job import SourceState
from flower.engine.joint import Joint
from flower.engine.observe import punctuations
from flower.engine.placing import asked, microseconds
from flower.engine.reference_calls import (
    failed_calls,
    failed_rows,
    learning_oracle,
    lost_rows,
    owing_groups,
    process_oracle,
)
from flower.engine.results import Results
from flower.engine.rowwise import apply_step, gaps
from flower.graph.batch import Batch, constant
from flower.graph.deduplication import Deduplicate
from flower.graph.joins import Joining
from flower.graph.learning import Learn
from flower.graph.nodes import Aggregate, Dropped, Errors, Node, Read
from flower.graph.plan import Stage
from flower.graph.process import Process
from flower.graph.protocols import MarkedSource
from flower.model.combiners import Combiner, Only, Order, Sketched
from flower.model.combiners.of_side import OfSide
from flower.model.custom import WindowFn
from flower.model.panes import RETRACTION, TIMINGS
from flower.model.reference import KeyedOracle, Marks, Row, WatermarkOracle
from flower.model.reference.aggregates import Custom
from flower.model.reference.deduplication import DeduplicationOracle
from flower.model.reference.joins import AsofJoinOracle, IntervalJoinOracle, InWindowOracle, WindowJoinOracle
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.watermarks import ManualWatermark, Punctuated, WatermarkPolicy
from flower.model.windows import Sessions

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def collect_reference(node: Node, *, as_stream: bool, epoch_rows: int | None) -> pd.DataFrame:
    """What ``collect`` gives, by the oracle."""
    results = Results(node, kept_rows=None, batch=not as_stream)
    for batches in epochs_reference(node, as_stream=as_stream, epoch_rows=epoch_rows):
        for batch in batches:
            results.add(batch.rows)
    return results.panes() if as_stream else results.view()


def epochs_reference(node: Node, *, as_stream: bool = True, epoch_rows: int | None = None) -> Iterator[list[Batch]]:
    """What the oracle gives, epoch by epoch."""
    require_bounded(node)
    driver = Driver([node], Options.make(epoch_rows=epoch_rows), batch=not as_stream)
    driver.read_tables()
    oracle = _Oracle(driver)
    try:
        while not driver.over():
            epoch = driver.next_epoch()
            assert epoch is not None, "a bounded source has rows until it ends"
            yield oracle.run(epoch)
    finally:
        driver.close()


def replayed(ran: Driver) -> Results:
    """What the oracle makes of the very epochs that another executor ran: boundaries and clock are an input of both."""
    driver = Driver(ran.job.plan.logical, ran.options, batch=ran.job.batch)
    results = Results(driver.job.plan.consumers[driver.job.plan.outputs[0]].node, batch=ran.job.batch)
    driver.read_tables()
    oracle = _Oracle(driver)
    for epoch in ran.log:
        for batch in oracle.run(epoch):
            results.add(batch.rows)
    driver.close()
    return results


def watermarks_replayed(ran: Driver) -> list[tuple[int, ...]]:
    """The output watermark of each stage after each epoch that another executor ran."""
    driver = Driver(ran.job.plan.logical, ran.options, batch=ran.job.batch)
    driver.read_tables()
    oracle, told = _Oracle(driver), []
    for epoch in ran.log:
        oracle.run(epoch)
        told.append(tuple(oracle.watermarks))
    driver.close()
    return told


class _Oracle:
    """Oracles for every keyed step of a job, and the order in which an epoch asks them."""

    def __init__(self, driver: Driver) -> None:
        self.driver, self.job = driver, driver.job
        self.steps = {
            index: KeyedOracle(
                step.windowing,
                step.keys,
                _aggregates(self.job.stages[index].origin),
                holds_for(step.schema, step.keys, step.name),
                self._gap_of(index),
                self._placed(index),
                net=step.law.net,
                retraction=RETRACTION in step.schema.names,
            )
            for index, step in self.job.keyed.items()
        }
        self.joins = {index: _join_oracle(step) for index, step in self.job.joins.items()}
        for index, oracle in self.joins.items():
            oracle.same, oracle.retracts = self.job.joins[index].same, self.job.joins[index].retracts
        self.distinct = {
            index: DeduplicationOracle(step.keys, step.reach, step.slice, at_end=step.batch)
            for index, step in self.job.distinct.items()
        }
        self.processes = {index: process_oracle(step) for index, step in self.job.processes.items()}
        self.learners = {index: learning_oracle(step) for index, step in self.job.learners.items()}
        # What rows meet depends on who takes them, so every keyed step has watermark oracles of its own.
        self.sources = {
            (target, index): self._source(index) for target in (*self.job.steps, -1) for index, _ in self.job.reads()
        }
        self.watermarks = [MIN_TIME] * len(self.job.stages)

    def _gap_of(self, index: int) -> Callable[[Row], int | None]:
        """The gap of a row of a keyed step, if it has one of its own."""
        node = self.job.stages[index].origin
        assert isinstance(node, Aggregate)
        windows = node.grouping.windows
        if not isinstance(windows, Sessions) or windows.gap is None:
            return lambda row: None
        answer = gap_for(windows.gap, node.input.schema)
        return lambda row: answer(row.values)

    def _placed(self, index: int) -> Callable[[Row], list[tuple[int, int]]]:
        """The windows of a row, as a person's own class says of it alone."""
        node = self.job.stages[index].origin
        assert isinstance(node, Aggregate)
        windows, schema = node.grouping.windows, node.input.schema

        def answer(row: Row) -> list[tuple[int, int]]:
            assert isinstance(windows, WindowFn)
            rows = pa.RecordBatch.from_pylist([dict(row.values)], schema=schema)
            _, *ends = asked(windows, np.array([row.time]), rows)
            start, end = (microseconds(each) for each in ends)
            assert start is not None and end is not None
            return list(zip(start.tolist(), end.tolist(), strict=True))

        return answer

    def _failed(self, index: int) -> list[pa.RecordBatch]:
        """The rows of an epoch that have no gap, in the words of the engine."""
        node = self.job.stages[index].origin
        assert isinstance(node, Aggregate)
        windows, found = node.grouping.windows, []
        for row in self.steps[index].failed:
            assert isinstance(windows, Sessions)
            rows = pa.RecordBatch.from_pylist([dict(row.values)], schema=node.input.schema)
            at = (np.array([value]) for value in (row.time, row.met, row.partition, row.position))
            failed = gaps(windows.gap, Batch(rows, *at), self.job.keyed[index].name)[2]
            found.append(errors_of_source(self.job.stages[row.stage], failed))
        return found

    def _source(self, index: int) -> WatermarkOracle:
        read = self.job.stages[index].origin
        assert isinstance(read, Read)
        return WatermarkOracle(read.watermark, len(read.source.partitions()))

    def run(self, epoch: EpochPlan) -> list[Batch]:
        """One epoch: the rows of the only output."""
        before = list(self.watermarks)
        fresh: dict[int, dict[int, tuple[Range, Batch]]] = defaultdict(dict)
        errors: dict[str, list[pa.RecordBatch]] = defaultdict(list)
        for wanted in epoch.ranges:
            rows = ingested(self.job, wanted)
            fresh[wanted.stage][wanted.partition] = (wanted, rows.batch)
            stage = self.job.stages[wanted.stage]
            errors[stage.name].append(errors_of_source(stage, rows.errors))
            self._moved(wanted)
        met = {
            (target, index): self._met(target, index, fresh[index], before, epoch.now)
            for target in (*self.job.steps, -1)
            for index, _ in self.job.reads()
        }
        waiting: dict[int, list[Row]] = defaultdict(list)
        dropped: dict[Node, list[Batch]] = defaultdict(list)
        output: list[Batch] = []
        for index, stage in enumerate(self.job.stages):
            match stage.origin:
                case Read():
                    self.watermarks[index] = self.sources[-1, index].watermark
                    batches = [batch for _, batch in fresh[index].values()]
                case Aggregate():
                    w0 = min(before[i] for i in stage.inputs)
                    w1 = min(self.watermarks[i] for i in stage.inputs)
                    panes, gone, _ = self.steps[index].epoch(waiting[stage.ports[0]], w0, w1, epoch.now)
                    self.watermarks[index] = self.steps[index].watermark
                    errors[self.job.keyed[index].name] += self._failed(index)
                    errors[self.job.keyed[index].name] += owing_groups(self.steps[index].owing, self.job.keyed[index])
                    dropped[stage.origin].append(_batch(gone, self.job.keyed[index].dropped_schema, None))
                    fired = _batch(panes, stage.origin.panes, "event_time")
                    if RETRACTION in stage.origin.panes.names:
                        retraction = np.array([pane[RETRACTION] for pane in panes], np.bool_)
                        oldest = [MAX_TIME if us is None else us for us in self.steps[index].oldest]
                        fired = replace(fired, retraction=retraction, oldest=np.array(oldest, np.int64))
                    batches = [fired]
                case Joining():
                    w0 = min(before[i] for i in stage.inputs)
                    w1 = min(self.watermarks[i] for i in stage.inputs)
                    joined, gone, _ = self.joins[index].epoch([waiting[port] for port in stage.ports], w0, w1)
                    self.watermarks[index] = self.joins[index].watermark
                    lost = lost_rows(self.joins[index].never, self.job.joins[index])
                    errors[self.job.joins[index].name] += [errors_from(self.job, index, rows) for rows in lost]
                    dropped[stage.origin].append(_batch(gone, self.job.joins[index].dropped_schema, None))
                    pairs = _batch(joined, stage.origin.schema, "event_time")
                    if stage.origin.retracting:
                        pairs = replace(pairs, retraction=np.array([row[RETRACTION] for row in joined], np.bool_))
                    batches = [pairs]
                case Deduplicate():
                    w1 = min(self.watermarks[i] for i in stage.inputs)
                    first, gone = self.distinct[index].epoch(waiting[stage.ports[0]], w1)
                    self.watermarks[index] = self.distinct[index].watermark
                    dropped[stage.origin].append(_batch(gone, self.job.distinct[index].dropped_schema, None))
                    batches = [_rows(first, stage.origin.schema)]
                case Process():
                    w1 = min(self.watermarks[i] for i in stage.inputs)
                    given, gone, _ = self.processes[index].epoch(waiting[stage.ports[0]], w1, epoch.now)
                    self.watermarks[index] = self.processes[index].watermark
                    for origin, failed in failed_calls(self.processes[index].failed, self.job.processes[index]):
                        alone = len(stage.inputs) == 1
                        named = (
                            failed if origin is None or not alone else errors_of_source(self.job.stages[origin], failed)
                        )
                        errors[self.job.processes[index].name].append(named)
                    dropped[stage.origin].append(_batch(gone, self.job.processes[index].dropped_schema, None))
                    batches = [_batch(given, stage.origin.schema, "event_time" if stage.origin.timed else None)]
                case Learn():
                    w1 = min(self.watermarks[i] for i in stage.inputs)
                    learning = self.job.learners[index]
                    told, gone = self.learners[index].epoch(waiting[stage.ports[0]], w1)
                    self.watermarks[index] = self.learners[index].watermark
                    for origin, failed in failed_rows(self.learners[index].failed, learning):
                        alone = len(stage.inputs) == 1
                        errors[learning.name].append(
                            errors_of_source(self.job.stages[origin], failed) if alone else failed
                        )
                    dropped[stage.origin].append(_batch(gone, learning.dropped_schema, None))
                    said = [replace(row, values={**row.values, learning.said.name: answer}) for row, answer in told]
                    batches = [_rows(said, stage.origin.schema)]
                case Dropped():
                    self.watermarks[index] = min(self.watermarks[i] for i in stage.inputs)
                    batches = dropped[stage.origin.of]
                case Errors():
                    self.watermarks[index] = min(self.watermarks[i] for i in stage.inputs)
                    batches = [untimed(rows) for name in stage.covers for rows in errors[name]]
            for batch in batches:
                self._through(index, stage, batch, errors, waiting, output, met, before)
        self.driver.state = replace(self.driver.state, epoch=epoch.epoch + 1, now=epoch.now)
        return output

    def _moved(self, wanted: Range) -> None:
        state = self.driver.state
        known = state.sources[wanted.stage]
        p = wanted.partition
        moved = SourceState(
            (*known.positions[:p], wanted.end, *known.positions[p + 1 :]),
            known.estimates,
            (*known.ended[:p], wanted.ended, *known.ended[p + 1 :]),
        )
        self.driver.state = replace(state, sources={**state.sources, wanted.stage: moved})

    def _met(
        self, target: int, index: int, fresh: dict[int, tuple[Range, Batch]], before: list[int], now: int
    ) -> dict[tuple[int, int], int]:
        """The watermark that each row meets at ``target``, by partition and position."""
        read = self.job.stages[index].origin
        assert isinstance(read, Read)
        oracle = self.sources[target, index]
        ended = self.driver.state.sources[index].ended
        if self.job.batch:
            oracle.watermark = MAX_TIME if all(ended) else MIN_TIME
            return {}
        times = [fresh[p][1].time.tolist() if p in fresh else [] for p in range(len(ended))]
        marks: Marks | None = None
        if any(isinstance(leaf, ManualWatermark) for leaf in read.watermark.leaves):
            marks = [_marks(read, fresh.get(p)) for p in range(len(ended))]
        carried: dict[WatermarkPolicy, list[list[int]]] = {
            leaf: [punctuations(leaf, fresh[p][1], read.tz).tolist() if p in fresh else [] for p in range(len(ended))]
            for leaf in read.watermark.leaves
            if isinstance(leaf, Punctuated)
        }
        inputs = self.job.stages[target].inputs if target >= 0 else (index,)
        promised = min(before[i] for i in inputs)
        beyond = min((before[i] for i in inputs if i != index), default=MAX_TIME)
        met = oracle.epoch(times, now, ended, marks=marks, punctuations=carried, promised=promised, beyond=beyond)
        return {
            (p, position): met[p][i]
            for p, (_, batch) in fresh.items()
            for i, position in enumerate(batch.position.tolist())
        }

    def _through(
        self,
        index: int,
        stage: Stage,
        batch: Batch,
        errors: dict[str, list[pa.RecordBatch]],
        waiting: dict[int, list[Row]],
        output: list[Batch],
        met: dict[tuple[int, int], dict[tuple[int, int], int]],
        before: list[int],
    ) -> None:
        slots = [batch]
        for op in stage.ops:
            assert op.node.name is not None
            result, failed = apply_step(op.node, slots[op.source], op.node.name)
            errors[op.node.name].append(errors_of_source(stage, failed))
            slots.append(result)
        for delivery in stage.deliveries:
            rows = slots[delivery.slot]
            target = self.job.plan.consumers[delivery.port].stage
            if target is None:
                output.append(rows)
                continue
            inputs = self.job.stages[target].inputs
            # Rows of another keyed step meet what that step had promised.
            otherwise = min(before[i] for i in inputs)
            told = met.get((target, index), {})
            for i, values in enumerate(rows.rows.to_pylist()):
                partition, position = int(rows.partition[i]), int(rows.position[i])
                at = told.get((partition, position), otherwise)
                back = rows.retraction is not None and bool(rows.retraction[i])
                oldest = None if rows.oldest is None or rows.oldest[i] == MAX_TIME else int(rows.oldest[i])
                row = Row(values, int(rows.time[i]), at, partition, position, back, oldest, index)
                waiting[delivery.port].append(row)


def _join_oracle(step: Joint) -> WindowJoinOracle | IntervalJoinOracle | AsofJoinOracle | InWindowOracle:
    left = {each.left: each.name for each in step.columns if each.left is not None}
    right = {each.right: each.name for each in step.columns if each.right is not None}
    common = (step.keys, (left, right), step.keeps)
    if step.lookup is not None:
        assert step.windowing is not None
        return InWindowOracle(step.windowing, step.lookup.mapped, step.lookup.waits, *common)
    if step.windowing is not None:
        return WindowJoinOracle(step.windowing, *common)
    if step.direction is None:
        assert step.within is not None
        return IntervalJoinOracle(*step.within, *common)
    tolerance = None if step.within is None else max(-step.within[0], step.within[1])
    return AsofJoinOracle(step.direction, tolerance, *common)


def _aggregates(node: Node) -> dict[str, tuple[str | None, Combiner | Custom]]:
    """What a keyed step computes, as a person said it."""
    assert isinstance(node, Aggregate)
    schema = node.input.schema
    return {each.name: (each.column, _how(each.combiner, each.input(schema))) for each in node.aggregations}


def _how(law: Combiner, column: pa.Field | None) -> Combiner | Custom:
    """A combiner that the oracle knows; a user's own, or that of a library, is fed a row at a time."""
    own = law.of if isinstance(law, OfSide) else law.law if isinstance(law, Only) else law
    if type(own).__module__.startswith("flower.") and not isinstance(own, Sketched):
        return law

    def aggregate(rows: Sequence[Row]) -> Any:
        state = law.create(1, column)
        for row in rows:
            one = np.array([0])
            order = Order(np.array([row.time]), np.array([row.partition]), np.array([row.position]))
            state = law.add(state, one, None if column is None else _single(row, column), order)
        return law.extract(state, column)[0].as_py()

    return aggregate


def _single(row: Row, column: pa.Field) -> pa.Array:
    if pa.types.is_struct(column.type):
        return pa.StructArray.from_arrays([_single(row, part) for part in column.type], fields=list(column.type))
    return pa.array([row.values[column.name]], column.type)


def _marks(read: Read, fresh: tuple[Range, Batch] | None) -> tuple[list[int], int]:
    if fresh is None or not isinstance(read.source, MarkedSource):
        return [MIN_TIME] * (0 if fresh is None else len(fresh[1])), MIN_TIME
    wanted, batch = fresh
    marks, after = read.source.marks(wanted.partition, wanted.start, wanted.end)
    return marks[batch.position - wanted.start].tolist(), after


def _batch(rows: list[dict[str, Any]], schema: pa.Schema, time: str | None) -> Batch:
    """Rows of the oracle, whose times are microseconds, as a batch."""
    columns = []
    for field in schema:
        values = [_value(row[field.name], field.type) for row in rows]
        if pa.types.is_floating(field.type):
            values = [float("nan") if value is None else value for value in values]
        if pa.types.is_dictionary(field.type):
            codes = pa.array([None if value is None else TIMINGS.index(value) for value in values], pa.int8())
            columns.append(pa.DictionaryArray.from_arrays(codes, pa.array(TIMINGS, pa.string()), ordered=True))
        else:
            columns.append(pa.array(values, field.type))
    n = len(rows)
    times = constant(MIN_TIME, n) if time is None else np.array([_us(row[time]) for row in rows], np.int64)
    table = pa.RecordBatch.from_arrays(columns, schema=schema)
    return Batch(table, times, constant(MIN_TIME, n), constant(0, n), np.arange(n))


def _rows(rows: Sequence[Row], schema: pa.Schema) -> Batch:
    """Rows that the oracle gives as they came."""
    batch = _batch([dict(row.values) for row in rows], schema, None)
    time, partition, position = (
        np.array([getattr(row, name) for row in rows], np.int64) for name in ("time", "partition", "position")
    )
    return replace(batch, time=time, partition=partition, position=position)


def _value(value: Any, kind: pa.DataType) -> Any:
    if pa.types.is_timestamp(kind) and isinstance(value, int):
        return EPOCH + dt.timedelta(microseconds=value)
    if pa.types.is_list(kind):
        return [{end: _value(us, pa.timestamp("us", "UTC")) for end, us in window.items()} for window in value]
    return value


def _us(value: int | None) -> int:
    return MAX_TIME if value is None else value
