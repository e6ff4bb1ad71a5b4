"""The Dask executor: epochs as task graphs, several under way at once, their outputs committed in order.

State is a chain of results on the workers, which the scheduler remembers as a whole. So every so often the driver lets
the epochs under way come to their end, has every shard's state saved by the worker that has it, and begins a new chain
from there: in the run's checkpoint, which counts once all these files are there, else in its scratch. What is lost with
a worker is computed again from the last saved states; what the scheduler gives up on, the driver runs again as a new
attempt, with the same plans, and skips what has been committed.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from distributed import KilledWorker, wait
from distributed.client import ClosedClientError, FutureCancelledError
from distributed.comm.core import CommClosedError

from flower.engine import budget
from flower.engine import dask_tasks as tasks
from flower.engine.checkpoint import Stored
from flower.engine.cluster import Cluster
from flower.engine.counts import Counts
from flower.engine.dask_graph import Graph, Maker, Planned, Saved, saving, waited_for
from flower.engine.dask_plugin import JobPlugin
from flower.engine.dask_tasks import Brief, Home, Told, packed
from flower.engine.embedded import LEAST_ROWS, Driver, Options
from flower.engine.epoch import EpochPlan, EpochResult, Mark, Report, marks_of
from flower.engine.job import Job, JobState, SourceState
from flower.engine.keys import shard_of
from flower.engine.learning import require_declared
from flower.engine.lookup import NO_KEY, Record, Wanted, exact_of
from flower.engine.open_windows import OpenWindow, together
from flower.engine.parts import Parts
from flower.engine.travel import packed_job, stays
from flower.errors import RunError
from flower.graph.nodes import Node, Read, Stateful
from flower.io.storage import storage
from flower.model.watermarks import Estimate

UNDER_WAY = 4
"""Epochs at once; more would only wait."""

SAVE_EPOCHS, SAVE_SECONDS = 64, 10.0
"""A chain of states is at most so long: in epochs, and in time as long as saving takes a tenth of it."""

ATTEMPTS = 4
"""How often an epoch is run before the run fails."""

ANSWER_SECONDS = 10.0
"""How long a person who asks is kept waiting."""

FIRST_ROWS, BACKLOG_ROWS = 65_536, 524_288
MOST_BYTES = 64 * 2**20
"""Rows of an epoch while there is backlog, and its bytes at most: an epoch costs tens of milliseconds whatever its
size, so small ones would let the backlog grow. Without backlog an epoch has the rows that are there.
"""

LOST = (KilledWorker, FutureCancelledError, CancelledError, CommClosedError, ClosedClientError)
"""What the scheduler says of work that it has given up on."""


@dataclass
class _Submitted:
    planned: Planned
    graph: Graph
    futures: dict[str, Any]
    told: Told


@dataclass(frozen=True)
class _Root:
    """From where a new attempt begins."""

    marks: Mapping[int, Mark]
    states: Mapping[tuple[int, int], Saved]


class DaskDriver(Driver):
    """Plans epochs as the embedded driver does, and has a cluster run them.

    ``state`` is the state as of the last epoch that was planned, ``seen`` as of the last that is done.
    """

    prompt = False
    holds_state = False

    def __init__(self, outputs: Sequence[Node], options: Options, executor: Any, *, batch: bool = False) -> None:
        super().__init__(outputs, options, batch=batch)
        try:
            require_declared(self.job.learners.values(), "a run on Dask remembers")
            packed_job(self.job)  # refuses what cannot travel before anything is started
        except BaseException:
            self._let_go()
            raise
        self._rows = options.epoch_rows or FIRST_ROWS
        self._executor = executor
        self._cluster: Cluster | None = None
        self._seen = self.state
        self._under_way: deque[_Submitted] = deque()
        self._last: _Submitted | None = None
        self._since: list[Planned] = []  # planned since the root
        self._attempt = self._failures = 0
        self._job = ""
        self._run = uuid.uuid4().hex[:12]
        self._saved_at = time.monotonic()
        self._save_seconds = 0.0
        self._waited_for = waited_for(self.job)

    @property
    def seen(self) -> JobState:
        """The state as of the last epoch that is done; without what keyed steps hold, which is on the workers."""
        return self._seen

    def records(self, index: int, one: Wanted | None) -> list[Record] | None:
        """What the shard that has the key holds of it, asked where its state is; it may be an epoch ahead of `seen`."""
        one, exact = one or NO_KEY, exact_of(self.job.steps[index])
        shard = int(shard_of(np.array([one.hash]), self._shards.get(index, 1))[0])
        answers = self._asked(index, [shard], tasks.look_up, one, exact)
        return None if answers is None else answers[0] if answers else []

    def open_windows(self, index: int, n: int) -> list[OpenWindow] | None:
        """What is open on all shards."""
        answers = self._asked(index, range(self._shards.get(index, 0)), tasks.open_windows, n)
        return None if answers is None else together(answers, n)

    def _asked(self, index: int, shards: Iterable[int], ask: Any, *arguments: Any) -> list[Any] | None:
        """What a function says of shards of a step, where they are; None: the workers did not answer."""
        for _ in range(ATTEMPTS):
            cluster, last = self._cluster, self._last  # the thread that drives may change them
            if cluster is None or not self._job:
                return None
            futures = []
            try:
                for place in ((index, shard) for shard in shards):
                    if last is not None:
                        held = last.futures[last.graph.shards[place]]
                    elif place in self._root.states:
                        restored = self._root.states[place].restored(self._told(self._seen.epoch), place)
                        held = cluster.client.submit(*restored, pure=False)
                    else:
                        continue
                    futures.append(cluster.client.submit(ask, held, *arguments, pure=False))
                return [future.result(timeout=ANSWER_SECONDS) for future in futures]
            except (*LOST, KeyError, RunError):
                continue  # let go of meanwhile, for a newer one
            except TimeoutError:
                return None
        return None

    def open(self) -> None:
        """Start or find the cluster, and open the sinks."""
        if self._cluster is not None or self.finished:
            return
        try:
            self._cluster = Cluster(self._executor)
            threads = self._cluster.threads()
            self._budget = self.options.state_budget or self._cluster.memory() // budget.SHARE or None
            self._shards = {
                index: min(max(threads, 1), 64) if step.keys else 1 for index, step in self.job.steps.items()
            }
            self._maker = Maker(self.job, self._shards)
            self._home = self._place()
            self._root = _Root(marks_of(self._seen), self._states_there())
            super().open()
        except BaseException:
            self.close()
            raise

    def _place(self) -> Home:
        """Where states are saved: in the checkpoint if there is one, else in the run's scratch."""
        assert self._cluster is not None
        if self._recovery is None:
            scratch = self._cluster.scratch(self.options.scratch, self._run) if self._shards else ""
            return Home(scratch, "0")
        home = Home(self._recovery.address, self._recovery.mark)
        self._cluster.reach(home, self._recovery.identity)
        return home

    def _states_there(self) -> dict[tuple[int, int], Saved]:
        """The states that the processes before this one have left, for this one's shards."""
        there = {} if self._recovery is None else self._recovery.shards(self.job)
        states = {}
        for index, files in there.items():
            for shard in range(self._shards[index] if files else 0):
                alike = len(files) == self._shards[index]
                own = (files[shard],) if alike else files
                states[index, shard] = Saved(self._home.address, own, dealt_anew=not alike)
        return states

    def read_tables(self, go_on: Callable[[], bool] = lambda: True) -> None:
        """Read whole what rows are looked up in, and make the job known to the workers."""
        super().read_tables(go_on)
        if self.finished:
            return
        assert self._cluster is not None
        digest, blob = packed_job(self.job)
        # Two runs of one job at once are two jobs: each forgets its own.
        self._job = f"{digest}-{self._run}"
        self._cluster.client.register_plugin(JobPlugin(self._job, blob, self._home.address))

    # -- epochs

    def run(self, epoch: EpochPlan) -> EpochResult | None:  # type: ignore[override]
        """Have an epoch run, and finish those that are done; waits while too many are under way."""
        before = self.state
        moved = dict(before.sources)
        for wanted in epoch.ranges:
            moved[wanted.stage] = moved[wanted.stage].moved(wanted.partition, wanted.end, Estimate(), wanted.ended)
        ended, after = ({i: known.ended for i, known in sources.items()} for sources in (before.sources, moved))
        planned = Planned(epoch, before.now, ended, after)
        self.state = JobState(epoch.epoch + 1, epoch.now, moved, before.keyed, before.watermarks)
        if self._recovery is not None:
            self._recovery.planned(self.job, epoch)
        self._since.append(planned)
        self._trying(lambda: self._submit(planned))
        if len(self._since) >= SAVE_EPOCHS or self._is_time_to_save():
            self._reroot()
        while len(self._under_way) > UNDER_WAY or self._first_is_done():
            self._finish()
        return None

    def settle(self) -> None:
        """Wait for the epochs that are under way."""
        while self._under_way:
            self._finish()

    def _is_time_to_save(self) -> bool:
        return time.monotonic() - self._saved_at > max(SAVE_SECONDS, 10 * self._save_seconds)

    def _first_is_done(self) -> bool:
        return bool(self._under_way) and all(future.done() for future in self._under_way[0].futures.values())

    def _told(self, epoch: int, planned: Planned | None = None) -> Told:
        now, before = (planned.plan.now, planned.before) if planned is not None else (self._seen.now, self._seen.now)
        ended = {} if planned is None else planned.ended
        return Told(self._job, epoch, self._attempt, now, before, self._shards, ended)

    def _submit(self, planned: Planned) -> None:
        assert self._cluster is not None
        epoch = planned.plan.epoch
        marks: dict[int, str | Mark] = {i: mark for i, mark in self._root.marks.items() if i in self._waited_for}
        states: dict[tuple[int, int], str | Saved] = dict(self._root.states)
        if self._last is not None:
            marks |= self._last.graph.marks
            states |= self._last.graph.shards
        prefix = f"flower-{self._job}-{self._attempt}-{epoch}"
        told = self._told(epoch, planned)
        graph = self._maker.graph(planned, told, prefix, marks, states, self._tables(planned))
        self._last = _Submitted(planned, graph, self._send(graph, graph.kept, prefix, -epoch), told)
        self._under_way.append(self._last)

    def _send(self, graph: Graph, keys: list[str], prefix: str, priority: int) -> dict[str, Any]:
        assert self._cluster is not None
        workers = sorted(self._cluster.workers()) or [""]
        layers = {prefix: MaterializedLayer(graph.free)} if graph.free else {}
        for (index, shard), placed in graph.placed.items():
            # A wish: where that worker is gone, any other loads the state.
            wish = {"workers": [workers[(index + shard) % len(workers)]], "allow_other_workers": True}
            layers[f"{prefix}-{index}-{shard}"] = MaterializedLayer(placed, annotations=wish)
        every = set(layers)
        whole = HighLevelGraph(layers, {name: every - {name} if name == prefix else set() for name in every})
        held = self._cluster.client.get(whole, keys, sync=False, priority=priority)
        return dict(zip(keys, held, strict=True))

    def _tables(self, planned: Planned) -> dict[Any, bytes]:
        tables = {}
        for wanted in planned.plan.ranges:
            read = self.job.stages[wanted.stage].origin
            assert isinstance(read, Read)
            if stays(read.source):
                tables[wanted] = packed(read, wanted)
        return tables

    def _finish(self) -> None:
        """Wait for the oldest epoch under way, commit what it gives, and tell of it."""
        first = self._under_way[0]
        values = self._trying(lambda: self._values(first))
        if values is None:
            return  # a new attempt has begun
        self._failures = 0
        plan, graph = first.planned.plan, first.graph
        briefs: dict[tuple[int, int], Brief] = {place: values[key] for place, key in graph.briefs.items()}
        marks = self._marks(first, briefs, values)
        tokens = self._tokens(briefs)
        if plan.epoch >= self._seen.epoch:
            self._adopt(first, briefs, marks, tokens)
        else:
            for port, staged in tokens.items():
                self._sinks[port].abort(staged)
        self._under_way.popleft()
        if first is not self._last:
            first.futures.clear()

    def _values(self, submitted: _Submitted) -> dict[str, Any]:
        graph = submitted.graph
        return self._gathered(submitted.futures, [*graph.briefs.values(), *graph.marks.values()])

    def _gathered(self, futures: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
        """The values of some keys, once all futures are done."""
        assert self._cluster is not None
        pending = list(futures.values())
        while True:
            try:
                with self._cluster.client.as_current():
                    wait(pending, timeout=1.0)
                break
            except TimeoutError:
                self._cluster.watch()
        failed = next((f for f in pending if f.status == "error"), None)
        if failed is not None:
            failed.result()
        return dict(zip(keys, self._cluster.client.gather([futures[key] for key in keys]), strict=True))

    def _marks(
        self, submitted: _Submitted, briefs: Mapping[tuple[int, int], Brief], values: Mapping[str, Any]
    ) -> dict[int, Mark]:
        """What is known of every stage after an epoch."""
        marks: dict[int, Mark] = {i: values[key] for i, key in submitted.graph.marks.items()}
        for index, stage in enumerate(self.job.stages):
            if index in marks:
                continue
            if isinstance(stage.origin, Stateful):
                held = min(brief.watermark for (i, _), brief in briefs.items() if i == index)
                marks[index] = Mark(max(self._seen.watermarks[index], held))
            else:
                marks[index] = Mark(min(marks[i].watermark for i in stage.inputs))
        return marks

    def _tokens(self, briefs: Mapping[tuple[int, int], Brief]) -> dict[int, list[object]]:
        """What workers have staged for every sink."""
        return {port: [b.staged[port] for b in briefs.values() if port in b.staged] for port in self._sinks}

    def _adopt(
        self,
        submitted: _Submitted,
        briefs: Mapping[tuple[int, int], Brief],
        marks: Mapping[int, Mark],
        tokens: dict[int, list[object]],
    ) -> None:
        plan = submitted.planned.plan
        sources = {
            index: SourceState(known.positions, marks[index].estimates, marks[index].ended)
            for index, known in self._moved(plan).items()
        }
        watermarks = tuple(marks[index].watermark for index in range(len(self.job.stages)))
        seen = JobState(plan.epoch + 1, plan.now, sources, {}, watermarks)
        result = EpochResult(seen, {}, _report(self.job, briefs))
        self._check(result)
        wanting = self._wanting(plan.epoch)
        for port in tokens.keys() - wanting.keys():
            self._sinks[port].abort(tokens.pop(port))
        outputs: dict[int, list[pa.RecordBatch]] = {}
        for brief in briefs.values():
            for port, rows in brief.outputs.items():
                outputs.setdefault(port, []).append(rows)
        try:
            for port, sink in wanting.items():
                for part, rows in enumerate(outputs.get(port, ())):
                    tokens[port].append(sink.stage(plan.epoch, self._attempt, part, rows))
        except BaseException:
            for port, staged in tokens.items():
                self._sinks[port].abort(staged)
            raise
        self._let_out(plan, tokens)
        with self.changed:
            for port, results in self.results.items():
                for rows in outputs.get(port, ()):
                    results.add(rows)
            self.log.append(plan)
            self._seen = seen
            self._measure(result)
            self.changed.notify_all()
        self._grow(plan, result)

    def _grow(self, plan: EpochPlan, result: EpochResult) -> None:
        """Make the next epoch larger if a partition has more rows than this one could take, whatever others have."""
        rows = result.report.rows_in
        if self.options.epoch_rows is None and rows and self.behind(plan):
            most = MOST_BYTES * rows // max(result.report.bytes_in, 1)
            self._rows = max(LEAST_ROWS, min(BACKLOG_ROWS, most, 4 * self._rows))

    def _moved(self, plan: EpochPlan) -> dict[int, SourceState]:
        sources = dict(self._seen.sources)
        for wanted in plan.ranges:
            known = sources[wanted.stage]
            while len(known.positions) <= wanted.partition:
                known = SourceState((*known.positions, 0), (*known.estimates, Estimate()), (*known.ended, False))
            sources[wanted.stage] = known.moved(wanted.partition, wanted.end, Estimate(), wanted.ended)
        return sources

    # -- saving

    def save(self, *, finished: bool = False) -> None:
        """Write a checkpoint, where the run has a place for them; the epochs under way come to their end before."""
        self.settle()
        if self._recovery is not None and not self._recovery.stands(self._seen.epoch, finished):
            self._reroot(finished=finished)

    def _reroot(self, *, finished: bool = False) -> None:
        """Have every state saved, and begin a new chain from there; a checkpoint counts once all of them are."""
        began = time.monotonic()
        for _ in range(ATTEMPTS):
            self.settle()
            states = self._trying(self._saved_states)
            if states is not None:
                break
        else:
            raise RunError(
                "the cluster must be able to save the states of the run's steps",
                got=f"{ATTEMPTS} attempts that were lost",
                hint="look at the workers' logs",
            )
        if self._recovery is not None:
            shards = {
                # Of another deal, every shard's files are all there are.
                index: tuple(dict.fromkeys(each for at in range(shards) for each in _files(states, index, at)))
                for index, shards in self._shards.items()
            }
            self._write(shards, finished)
        self._root = _Root(marks_of(self._seen), states)
        self._last = None
        self._since.clear()
        if self._recovery is None and self._shards:
            Parts(storage(self._home.address)).keep(
                {name for saved in states.values() for each in saved.files for name in (each.name, *each.parts)},
                self._home.mark,
            )
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - began

    def _saved_states(self) -> Mapping[tuple[int, int], Saved]:
        """The states as of the last epoch, each in a file that the worker that has it writes."""
        last = self._last
        if last is None or not self._shards:
            return self._root.states
        prefix = f"flower-{self._job}-{self._attempt}-{last.planned.plan.epoch}-saving"
        graph, files = saving(last.graph, last.told, prefix, self._home)
        futures = self._send(graph, list(files.values()), prefix, 0)
        stored = self._gathered(futures, list(files.values()))
        return {place: Saved(self._home.address, (stored[key],)) for place, key in files.items()}

    # -- when work is lost

    def _trying(self, step: Any) -> Any:
        """Do it; if the scheduler has given up on an epoch, begin a new attempt, and give None."""
        try:
            return step()
        except LOST as error:
            self._again(error)
            return None

    def _again(self, error: BaseException) -> None:
        """Run what was planned since the last saved states as a new attempt."""
        assert self._cluster is not None
        while True:
            self._failures += 1
            if self._failures >= ATTEMPTS:
                raise RunError(
                    "the cluster must be able to run every epoch",
                    got=f"{self._failures} attempts that were lost, the last with {type(error).__name__}: {error}",
                    hint="a row may kill its worker, or memory may be short: look at the workers' logs",
                ) from error
            self._attempt += 1
            self._forget()
            try:
                self._back()
                for planned in self._since:
                    self._submit(planned)
                return
            except LOST as again:
                error = again

    def _back(self) -> None:
        """Wait until the cluster answers and has a worker."""
        assert self._cluster is not None
        while self._cluster.client.status != "running" or not self._cluster.workers():
            self._cluster.watch()
            time.sleep(0.1)

    def _forget(self) -> None:
        """Forget what is under way; outright, as the traceback of an error may hold on to futures."""
        for submitted in (*self._under_way, *([self._last] if self._last is not None else [])):
            for future in submitted.futures.values():
                future.release()
        self._under_way.clear()
        self._last = None

    def close(self) -> None:
        """Close the sinks, make the workers forget the job, and end what was started."""
        try:
            super().close()
        finally:
            cluster, self._cluster = self._cluster, None
            if cluster is not None:
                self._forget()
                try:
                    if self._job and cluster.client.status == "running":
                        cluster.client.unregister_worker_plugin(f"flower-{self._job}")
                except (*LOST, OSError, TimeoutError):
                    pass  # a cluster that is gone has forgotten
                finally:
                    cluster.close()


def _files(states: Mapping[tuple[int, int], Saved], index: int, shard: int) -> tuple[Stored, ...]:
    saved = states.get((index, shard))
    return () if saved is None else saved.files


def _report(job: Job, briefs: Mapping[tuple[int, int], Brief]) -> Report:
    counts: dict[str, Counts] = {}
    held: dict[str, tuple[int, int]] = {}
    whole = Report()
    for (index, _), brief in briefs.items():
        if index in job.steps:
            groups, size = held.get(job.steps[index].name, (0, 0))
            held[job.steps[index].name] = (groups + brief.groups, size + brief.state_bytes)
        for name, some in brief.counts.items():
            counts[name] = counts.get(name, Counts()) + some
        whole = replace(
            whole,
            rows_in=whole.rows_in + brief.rows_in,
            bytes_in=whole.bytes_in + brief.bytes_in,
            rows_out=whole.rows_out + brief.rows_out,
            errors=whole.errors + brief.errors,
            first_error=whole.first_error or brief.first_error,
            notes=tuple(dict.fromkeys((*whole.notes, *brief.notes))),
            groups=whole.groups + brief.groups,
            state_bytes=whole.state_bytes + brief.state_bytes,
        )
    return replace(whole, counts=counts, held=held)
