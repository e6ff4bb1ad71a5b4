"""The embedded executor: epochs one after another in a thread of this process, the next one's rows read ahead by
another.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Literal

import pandas as pd

from flower.engine import budget
from flower.engine.beforehand import with_tables_read
from flower.engine.budget import budget_of
from flower.engine.checkpoint import Stored
from flower.engine.clock import Clock, Pace, SystemClock
from flower.engine.counts import Counts
from flower.engine.epoch import EpochPlan, EpochResult, Range, ingested, run_epoch
from flower.engine.job import Job, JobState, discovered, initial, job
from flower.engine.learning import require_declared
from flower.engine.lookup import NO_KEY, Record, Wanted, exact_of, records_of
from flower.engine.metrics import Metrics, StepMetrics, remedy
from flower.engine.open_windows import OpenWindow, open_windows_of
from flower.engine.progress import Progress
from flower.engine.recovery import Recovery
from flower.engine.results import KEPT_ROWS, Results
from flower.engine.reuse import keep_freed_blocks
from flower.engine.sizing import Sizing
from flower.engine.state import KeyedState
from flower.errors import GraphError, RunError
from flower.graph.nodes import Node, Read, Write
from flower.graph.protocols import EpochedSource, Measured, ResumableSink, Scheduled, Sink, Waiting
from flower.io.ingest import Ingested
from flower.io.live import LiveRun, opened
from flower.model.time import Duration, duration_us
from flower.model.watermarks import BoundedDisorder
from flower.model.windows import by_clock

FIRST_ROWS = 16_384
LEAST_ROWS, MOST_ROWS = 1_024, 1_048_576
MOST_BYTES = 256 * 2**20
"""Rows and bytes of an epoch: few at first, so that a person sees something, then as many as the latency allows."""


KEPT_EPOCHS = 10_000
"""Plans that a driver remembers; by them an epoch can be run again."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to run; see ``Stream.run``."""

    latency_us: int = 100_000
    clock: Clock = field(default_factory=SystemClock)
    epoch_rows: int | None = None
    on_error: Literal["collect", "fail"] = "collect"
    max_errors: int | None = None
    scratch: str | None = None
    checkpoint: str | None = None
    state_budget: int | None = None
    kept_rows: int | None = KEPT_ROWS
    """Of each output; None: all, for who wants them as a frame."""

    @staticmethod
    def make(
        *,
        latency: Duration = "100ms",
        clock: Clock | None = None,
        epoch_rows: int | None = None,
        on_error: str = "collect",
        max_errors: int | None = None,
        keep_rows: int = KEPT_ROWS,
        scratch: str | os.PathLike[str] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        state_budget: str | None = None,
    ) -> Options:
        """Options of what a person gives.

        Raises
        ------
        GraphError
            If one is out of its range.
        """
        if on_error not in ("collect", "fail"):
            raise GraphError("`on_error` must be 'collect' or 'fail'", got=repr(on_error))
        counts = {"epoch_rows": (epoch_rows, 1), "max_errors": (max_errors, 0), "keep_rows": (keep_rows, 1)}
        for name, (count, least) in counts.items():
            if count is None and name != "keep_rows":
                continue
            if isinstance(count, bool) or not isinstance(count, int) or count < least:
                raise GraphError(f"`{name}` must be a whole number, at least {least}", got=repr(count))
        return Options(
            duration_us(latency, "latency", minimum=1000),
            clock or SystemClock(),
            epoch_rows,
            "fail" if on_error == "fail" else "collect",
            max_errors,
            None if scratch is None else os.path.abspath(os.path.expanduser(os.fspath(scratch))),
            None if checkpoint is None else os.fspath(checkpoint),
            budget_of(state_budget),
            keep_rows,
        )


class Driver:
    """Plans epochs, runs them, commits their outputs. One thread drives; any thread may ask for its numbers.

    Parameters
    ----------
    outputs : sequence of Node
        What to compute.
    options : Options
        How.
    batch : bool
        Whether the watermark stays behind until the input has ended.
    """

    prompt = True
    """Whether an epoch may cost so little that one begins for a row."""
    holds_state = True
    """Whether what keyed steps hold is in this process."""

    def __init__(self, outputs: Sequence[Node], options: Options, *, batch: bool = False) -> None:
        checkpoint = options.checkpoint
        self._recovery = None if checkpoint is None else Recovery(checkpoint, whole=self.holds_state)
        self._live: list[LiveRun] = []
        try:
            outputs, self._live = opened(outputs, keep=None if self._recovery is None else self._recovery.kept)
            self.job: Job = job(outputs, batch=batch)
            if self._recovery is not None:
                require_declared(self.job.learners.values(), "a run with a checkpoint remembers")
            self._prepare(options, batch)
        except BaseException:
            self._let_go()
            raise

    def _prepare(self, options: Options, batch: bool) -> None:
        keep_freed_blocks()
        self.options = options
        self.started = options.clock.now_us()
        self.state: JobState = initial(self.job, self.started)
        self.log: deque[EpochPlan] = deque(maxlen=KEPT_EPOCHS)
        self.metrics = Metrics()
        self.results = {
            port: Results(self.job.plan.consumers[port].node, kept_rows=options.kept_rows, batch=batch)
            for port in self.job.plan.outputs
            if not isinstance(self.job.plan.consumers[port].node, Write)
        }
        self.changed = threading.Condition()
        self._came, self.eager = False, True
        for live in self._live:
            live.woken = self._wake
        self.reads_table: tuple[str, int] | None = None
        """The step whose table is being read, and how many rows of it are."""
        self._sinks = {
            port: self.job.plan.consumers[port].node.sink  # type: ignore[attr-defined]
            for port in self.job.plan.outputs
            if isinstance(self.job.plan.consumers[port].node, Write)
        }
        self._reads = self.job.reads()
        self._scripted = _scripted(self._reads)
        self._ticks = self._needs_ticks()
        self._rows = options.epoch_rows or FIRST_ROWS
        self._sizing = Sizing(options.latency_us / 1e6, FIRST_ROWS, least=LEAST_ROWS, most=MOST_ROWS)
        self._counts = Counts()
        self._counts_of: dict[str, Counts] = {}
        if self._recovery is not None:
            self._recovery.live = self._live
            self.state, self.started, self.metrics, self._counts = self._recovery.begin(
                self.job, self.state, self.started, self.results
            )
        for each in self.metrics.steps:
            self._counts_of[each.step] = Counts(each.on_time, each.late, each.dropped)
        self.pace = Pace(self.started)
        self._began = time.perf_counter() - self.metrics.seconds
        # When which epoch was done, and the rows up to it: the last second's.
        self._recent: deque[tuple[float, int]] = deque()
        self._waiting = [(stage, read.source) for stage, read in self._reads if isinstance(read.source, Waiting)]
        self._scheduled = [(stage, read.source) for stage, read in self._reads if isinstance(read.source, Scheduled)]
        self._measured = [(stage, read.source) for stage, read in self._reads if isinstance(read.source, Measured)]
        self._ahead: dict[Range, Future[Ingested]] = {}
        self._reader = ThreadPoolExecutor(1, "flower-reader")
        self._opened = False
        self._budget = options.state_budget or self._default_budget()

    @property
    def seen(self) -> JobState:
        """The state as of the last epoch that is done."""
        return self.state

    @property
    def finished(self) -> bool:
        """Whether a run before this one has brought the job to its end."""
        return self._recovery is not None and self._recovery.finished

    def _default_budget(self) -> int | None:
        there = budget.memory()
        return None if there is None else there // budget.SHARE

    def records(self, index: int, one: Wanted | None) -> list[Record] | None:
        """What a keyed step holds of a key (None: it has no keys), as of the last epoch; None: that cannot be told."""
        return records_of(self.seen.keyed[index], one or NO_KEY, exact_of(self.job.steps[index]))

    def open_windows(self, index: int, n: int) -> list[OpenWindow] | None:
        """The windows of a keyed step that are open, the ``n`` that end first; None: that cannot be told."""
        return open_windows_of(self.seen.keyed[index], n)

    # -- tables

    def read_tables(self, go_on: Callable[[], bool] = lambda: True) -> None:
        """Read whole what rows are looked up in, before the first row; done once.

        Parameters
        ----------
        go_on : callable
            Asked often; once it says no, nothing more is read.

        Raises
        ------
        RunError
            If a row of a table cannot be processed.
        SchemaError
            If two rows of a table have the same keys.
        """
        before = self.metrics

        def tell(step: str, rows: int) -> None:
            note = f"reads the table of {step!r} before the first row: {rows:,} rows so far"
            with self.changed:
                self.reads_table = step, rows
                self.metrics = replace(before, notes=(*before.notes, note))
                self.changed.notify_all()

        if not self.finished:
            self.job = with_tables_read(self.job, self.options, go_on, tell)
            self.metrics, self.reads_table = before, None

    # -- planning

    def next_epoch(self, *, drain: bool = False, force: bool = False, tick: bool = True) -> EpochPlan | None:
        """The plan of the next epoch; None if there is nothing to do now, unless ``force`` asks for an empty one.

        ``drain`` ends the input where it is; without ``tick`` the clock alone is no reason for an epoch.
        """
        if self._recovery is not None:
            again = self._recovery.replanned(self.job, self.state)
            if again is not None:
                self.state = discovered(self.job, self.state, again.partitions)
                return again
        self.state = discovered(self.job, self.state)
        if self._scripted is not None and not drain:
            return self._scripted_epoch()
        now = max(self.options.clock.now_us(), self.state.now)
        ranges = self._ranges(self.pace.elapsed(now), drain)
        moved = any(r.end > r.start or r.ended != self._ended(r) for r in ranges)
        if not moved and not drain and not force and not (self._ticks and tick):
            return None
        return EpochPlan(self.state.epoch, now, tuple(ranges))

    def _ended(self, wanted: Range) -> bool:
        return self.state.sources[wanted.stage].ended[wanted.partition]

    def _ranges(self, elapsed: int, drain: bool) -> list[Range]:
        ready = {(r.stage, r.partition, r.start): r for r in self._ahead}
        limit = self._limit()
        ranges = []
        for stage, read in self._reads:
            known = self.state.sources[stage]
            for partition, (start, over) in enumerate(zip(known.positions, known.ended, strict=True)):
                if over:
                    continue
                if drain:
                    ranges.append(Range(stage, partition, start, start, True))
                elif (stage, partition, start) in ready:
                    ranges.append(ready[stage, partition, start])
                else:
                    ranges.append(_range(read, stage, partition, start, limit, elapsed))
        return ranges

    def _limit(self) -> int:
        """Rows of an epoch for each partition that is not over."""
        open_ = sum(not over for known in self.state.sources.values() for over in known.ended)
        return max(1, self._rows // max(open_, 1))

    def _scripted_epoch(self) -> EpochPlan | None:
        assert self._scripted is not None
        if self.state.epoch >= max(len(epochs) for epochs in self._scripted.values()):
            return None
        ranges, now = [], self.state.now if self.state.epoch else -(2**63)
        for stage, read in self._reads:
            epochs = self._scripted[stage]
            if self.state.epoch >= len(epochs):
                continue
            ends, clock = epochs[self.state.epoch]
            now = max(now, clock)
            for partition, (start, end) in enumerate(zip(self.state.sources[stage].positions, ends, strict=True)):
                ranges.append(Range(stage, partition, start, end, read.source.ended(partition, end)))
        return EpochPlan(self.state.epoch, now, tuple(ranges))

    def over(self) -> bool:
        """Whether no epoch will follow by itself."""
        if self._scripted is not None:
            return self.state.epoch >= max(len(epochs) for epochs in self._scripted.values())
        return all(all(known.ended) for known in self.state.sources.values())

    # -- running

    def open(self) -> None:
        """Open the sinks; done once."""
        if self._opened or self.finished:
            return
        self._opened = True
        consumers = self.job.plan.consumers
        if self._recovery is None:
            for port, sink in self._sinks.items():
                sink.open(consumers[port].node.schema)
            return
        self._recovery.open(
            {consumers[port].step: (sink, consumers[port].node.schema) for port, sink in self._sinks.items()}
        )
        self.save()

    def run(self, epoch: EpochPlan) -> EpochResult:
        """Run an epoch, commit what it gives, and adopt its state."""
        began = time.perf_counter()
        if self._recovery is not None:
            self._recovery.planned(self.job, epoch)
        self._read_ahead(epoch)
        result = run_epoch(self.job, self.state, epoch, self._fetch)
        self._check(result)
        self._commit(epoch, result)
        with self.changed:
            for port, results in self.results.items():
                rows = result.outputs.get(port)
                if rows is not None:
                    results.add(rows.rows)
            self.log.append(epoch)
            self.state = result.state
            self._measure(result)
            self.changed.notify_all()
        self._size(result, time.perf_counter() - began)
        if self._recovery is not None and self._recovery.due():
            self.save()
        return result

    def save(self, *, finished: bool = False) -> None:
        """Write a checkpoint, where the run has a place for them."""
        if self._recovery is None or self._recovery.stands(self.state.epoch, finished):
            return
        self._write({index: (held,) for index, held in self.state.keyed.items()}, finished)

    def _write(self, shards: Mapping[int, tuple[KeyedState | Stored, ...]], finished: bool) -> None:
        """Write a checkpoint with the states of the shards of every keyed stage."""
        assert self._recovery is not None
        with self.changed:
            results = {port: each.stored() for port, each in self.results.items()}
        told = (self.started, results, self.metrics, self._counts)
        self._recovery.save(self.job, self.seen, shards, *told, finished=finished)

    def settle(self) -> None:
        """Wait for the epochs that are under way; here every epoch is done when `run` returns."""

    def _commit(self, epoch: EpochPlan, result: EpochResult) -> None:
        """Stage what every sink gets, then commit: what fails while staging leaves nothing behind."""
        self._let_out(epoch, self._staged(self._wanting(epoch.epoch), epoch.epoch, result))

    def _wanting(self, epoch: int) -> Mapping[int, Sink]:
        """The sinks that an epoch's rows have not surely reached."""
        if self._recovery is None or not self._recovery.is_committed(epoch):
            return self._sinks
        # Run again to have its state. Its rows are out, but for a sink that may have died with them.
        again = self._recovery.is_last_commit(epoch)
        return {port: sink for port, sink in self._sinks.items() if again and not isinstance(sink, ResumableSink)}

    def _let_out(self, epoch: EpochPlan, staged: Mapping[int, Sequence[object]]) -> None:
        """Commit an epoch with what the sinks that want it have staged."""
        if self._recovery is not None and not self._recovery.is_committed(epoch.epoch):
            steps = {port: self.job.plan.consumers[port].step for port in staged}
            kept = {
                steps[port]: tokens for port, tokens in staged.items() if isinstance(self._sinks[port], ResumableSink)
            }
            self._recovery.commit(self.job, epoch, kept)
        for port, tokens in staged.items():
            self._sinks[port].commit(epoch.epoch, tokens)

    def _staged(self, sinks: Mapping[int, Sink], epoch: int, result: EpochResult) -> dict[int, list[object]]:
        staged: dict[int, list[object]] = {}
        try:
            for port, sink in sinks.items():
                rows = result.outputs.get(port)
                staged[port] = [] if rows is None else [sink.stage(epoch, 0, 0, rows.rows)]
        except Exception:
            for port, tokens in staged.items():
                sinks[port].abort(tokens)
            raise
        return staged

    def _fetch(self, job: Job, wanted: Range) -> Ingested:
        ahead = self._ahead.pop(wanted, None)
        return ahead.result() if ahead is not None else ingested(job, wanted)

    def _read_ahead(self, epoch: EpochPlan) -> None:
        """Have the rows after this epoch's read while it is computed."""
        if self._scripted is not None:
            return
        elapsed = self.pace.elapsed(epoch.now)
        for done in epoch.ranges:
            if done.ended or done.end == done.start:
                continue
            read = self.job.stages[done.stage].origin
            assert isinstance(read, Read)
            wanted = _range(read, done.stage, done.partition, done.end, self._limit(), elapsed)
            if wanted.end > wanted.start and wanted not in self._ahead:
                self._ahead[wanted] = self._reader.submit(ingested, self.job, wanted)

    def _check(self, result: EpochResult) -> None:
        errors = self.metrics.errors + result.report.errors
        limit = 0 if self.options.on_error == "fail" else self.options.max_errors
        if limit is not None and errors > limit:
            first = self.metrics.first_error or result.report.first_error
            raise RunError(
                "a row could not be processed" if limit == 0 else f"more than {limit:,} rows could not be processed",
                got=first,
                hint="run with on_error='collect' to go on; the rows are then in stream.errors",
            )
        budget.check(result.report.held, self._budget)

    def _size(self, result: EpochResult, seconds: float) -> None:
        """Make the next epoch as large as the latency allows."""
        rows = result.report.rows_in
        if self.options.epoch_rows is None:
            self._rows = self._sizing.after(rows, seconds, MOST_BYTES * rows // max(result.report.bytes_in, 1))

    def _measure(self, result: EpochResult) -> None:
        now = time.perf_counter()
        self._recent.append((now, self.metrics.rows_in + result.report.rows_in))
        while len(self._recent) > 2 and now - self._recent[0][0] > 1.0:
            self._recent.popleft()
        first, before = self._recent[0] if len(self._recent) > 1 else (self._began, self.metrics.rows_in)
        span, rows = now - first, self._recent[-1][1] - before
        for name, counts in result.report.counts.items():
            self._counts += counts
            self._counts_of[name] = self._counts_of.get(name, Counts()) + counts
        old = self.metrics
        told = remedy(self._bound(), self._counts.excess) if self._counts.dropped else None
        self.metrics = Metrics(
            old.epochs + 1,
            old.rows_in + result.report.rows_in,
            old.rows_out + result.report.rows_out,
            now - self._began,
            rows / span if span else 0.0,
            self._counts.on_time,
            self._counts.late,
            self._counts.dropped,
            old.errors + result.report.errors,
            result.report.groups,
            result.report.state_bytes,
            min(result.state.watermarks),
            told,
            old.first_error or result.report.first_error,
            tuple(dict.fromkeys((*old.notes, *result.report.notes))),
            self._backlog(result.state),
            self._steps(result),
            self._share(result.state),
        )

    def behind(self, epoch: EpochPlan) -> bool:
        """Whether more rows are there than an epoch took, as far as can be told: of a source with an end, they are."""
        for wanted in epoch.ranges:
            read = self.job.stages[wanted.stage].origin
            assert isinstance(read, Read)
            comes = not read.source.bounded or getattr(read.source, "paced", False)
            if wanted.end - wanted.start >= (self._limit() // 2 if comes else 1):
                return True
        return False

    def _wake(self) -> None:
        """Rows have come; called by the threads of live sources."""
        with self.changed:
            self._came = True
            if self.eager:
                self.changed.notify_all()

    def come(self) -> bool:
        """Whether live sources have given rows since this was last asked."""
        came, self._came = self._came, False
        return came

    def due(self) -> float | None:
        """Seconds until the next row appears, of the sources that can tell; 0: it is there; None: none can."""
        dues = [
            due
            for stage, source in self._scheduled
            for partition, position in enumerate(self.state.sources[stage].positions)
            if (due := source.due(partition, position)) is not None
        ]
        if not dues:
            return None
        age = self.pace.elapsed(max(self.options.clock.now_us(), self.state.now))
        return max(0.0, (min(dues) - age) / self.pace.speed / 1e6)

    @property
    def paced(self) -> bool:
        """Whether there is a source whose rows come with time, as fast as the run's speed says."""
        return any(getattr(read.source, "paced", False) for _, read in self._reads)

    def _backlog(self, state: JobState) -> int | None:
        """Rows that wait, of the sources that can tell."""
        elapsed = self.pace.elapsed(state.now)
        told = [
            source.waiting(partition, position, elapsed)
            for stage, source in self._waiting
            for partition, position in enumerate(state.sources[stage].positions)
        ]
        return sum(told) if told else None

    def _share(self, state: JobState) -> float | None:
        """How much of the input is read, if every source can tell."""
        read = total = 0
        if len(self._measured) < len(self._reads):
            return None
        for stage, source in self._measured:
            for partition, position in enumerate(state.sources[stage].positions):
                rows = source.total(partition)
                if rows is None:
                    return None
                read, total = read + position - source.initial(partition), total + rows
        return read / total if total else None

    def _steps(self, result: EpochResult) -> tuple[StepMetrics, ...]:
        state, made = result.state, []
        for index, stage in enumerate(self.job.stages):
            watermark = state.watermarks[index]
            if isinstance(stage.origin, Read):
                source = stage.origin.source
                rows = sum(at - source.initial(p) for p, at in enumerate(state.sources[index].positions))
                made.append(StepMetrics(stage.name, rows=rows, watermark=watermark))
            elif index in self.job.steps:
                name = self.job.steps[index].name
                counts, groups = self._counts_of.get(name, Counts()), result.report.held.get(name, (0, 0))[0]
                made.append(StepMetrics(name, 0, counts.on_time, counts.late, counts.dropped, groups, watermark))
        return tuple(made)

    def _bound(self) -> int | None:
        bounds = [read.watermark.bound_us for _, read in self._reads if isinstance(read.watermark, BoundedDisorder)]
        return max(bounds) if len(bounds) == len(self._reads) else None

    def _needs_ticks(self) -> bool:
        """Whether the clock alone can change something."""
        if self.job.batch:
            return False
        timed = any(
            step.windowing.trigger.timed or by_clock(step.windowing.windows) for step in self.job.keyed.values()
        )
        timed = timed or any("processing" in step.domains.values() for step in self.job.processes.values())
        return timed or any(read.watermark.idle_us is not None for _, read in self._reads)

    def close(self) -> None:
        """Close the live sources and the sinks, and let the reader and the checkpoint go."""
        self._reader.shutdown(wait=True, cancel_futures=True)
        try:
            if self._opened:
                for sink in self._sinks.values():
                    sink.close()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        with contextlib.ExitStack() as everything:
            if self._recovery is not None:
                everything.callback(self._recovery.close)
            for source in self._live:
                everything.callback(source.close)

    def drive(self) -> None:
        """Run to the end in this thread."""
        progress = Progress("collect", lambda: self.metrics)
        try:
            self.open()

            def go_on() -> bool:
                progress.tick()
                return True

            self.read_tables(go_on)
            while not self.over():
                progress.tick()
                epoch = self.next_epoch()
                if epoch is None:
                    time.sleep(self.options.latency_us / 4e6)
                else:
                    self.run(epoch)
            self.settle()
        finally:
            progress.close()
            self.close()


def _range(read: Read, stage: int, partition: int, start: int, limit: int, elapsed: int) -> Range:
    end = read.source.latest(partition, start, limit, elapsed)
    return Range(stage, partition, start, end, read.source.ended(partition, end))


def _scripted(reads: Sequence[tuple[int, Read]]) -> dict[int, Sequence[tuple[tuple[int, ...], int]]] | None:
    """The epochs that sources prescribe, per stage; None if none does."""
    scripted = {stage: read.source.epochs() for stage, read in reads if isinstance(read.source, EpochedSource)}
    if scripted and len(scripted) < len(reads):
        raise GraphError(
            "sources that prescribe their epochs cannot run together with others",
            hint="make every source a TestStream, or none",
        )
    return scripted or None


def collect(
    node: Node, *, as_stream: bool = False, executor: object = "embedded", epoch_rows: int | None = None
) -> pd.DataFrame:
    """Run a bounded pipeline to its end; see ``Stream.collect``."""
    if executor == "reference":
        from flower.engine.reference import collect_reference

        return collect_reference(node, as_stream=as_stream, epoch_rows=epoch_rows)
    require_bounded(node)
    options = replace(Options.make(epoch_rows=epoch_rows), kept_rows=None)
    driver = driver_of([node], options, executor, batch=not as_stream)
    results = driver.results[driver.job.plan.outputs[0]]
    driver.drive()
    return results.panes() if as_stream else results.view()


def driver_of(outputs: Sequence[Node], options: Options, executor: object, *, batch: bool = False) -> Driver:
    """The driver for an executor as a person names it.

    Raises
    ------
    GraphError
        If there is no such executor.
    """
    if executor == "embedded":
        return Driver(outputs, options, batch=batch)
    is_address = isinstance(executor, str) and (executor == "dask" or "://" in executor)
    if not is_address and not hasattr(executor, "scheduler_info"):
        raise GraphError(
            "`executor` must be 'embedded', 'dask', a distributed.Client or a scheduler's address",
            got=repr(executor)[:80],
            hint="write executor='dask' for workers on this machine, or executor='tcp://host:8786'",
        )
    try:
        from flower.engine.dask_driver import DaskDriver
    except ImportError as error:
        raise GraphError(
            "Dask must be installed to run on it", got=str(error), hint="pip install 'flower-streams[dask]'"
        ) from error
    return DaskDriver(outputs, options, executor, batch=batch)


def require_bounded(node: Node) -> None:
    """Refuse to wait for a stream that does not end."""
    if not node.bounded:
        raise GraphError(
            "collect() needs a stream that ends",
            got="an unbounded source",
            hint="use .run() and look at run.results, or .head(n)",
        )


def head(node: Node, n: int) -> pd.DataFrame:
    """The first ``n`` rows, computed only as far as needed."""
    driver = Driver([node], replace(Options.make(epoch_rows=max(256, n)), kept_rows=None), batch=node.bounded)
    results = driver.results[driver.job.plan.outputs[0]]
    try:
        driver.read_tables()
        while not driver.over() and driver.metrics.rows_out < n:
            epoch = driver.next_epoch()
            if epoch is None:
                time.sleep(driver.options.latency_us / 4e6)
            else:
                driver.run(epoch)
    finally:
        driver.close()
    return results.panes().head(n)
