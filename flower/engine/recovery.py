"""How a run goes on after its process has died: the driver's side of a `Ledger`, in the words of its job.

Everything is known by the names of steps. A pipeline may change in what holds no state (a filter inserted, a limit
changed); what it remembers must be the same, or going on is refused by name.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flower.engine.checkpoint import Stored
from flower.engine.counts import Counts
from flower.engine.deduplication import Distinct
from flower.engine.epoch import EpochPlan, Range
from flower.engine.job import Job, JobState, SourceState
from flower.engine.joint import Joint
from flower.engine.keyed import Keyed
from flower.engine.learning import Learning
from flower.engine.ledger import Ledger, Logged, refuse
from flower.engine.metrics import Metrics
from flower.engine.processing import Processing
from flower.engine.resharding import together
from flower.engine.results import Results
from flower.engine.state import KeyedState
from flower.errors import RunError
from flower.graph.enriching import Lookup
from flower.graph.nodes import Read, Write, step_names, walk
from flower.graph.protocols import IdentifiedSource, ResumableSink, Sink
from flower.graph.schema import dtype_name
from flower.io.generator import GeneratorSource
from flower.io.live import Kept, LiveRun
from flower.model.time import MIN_TIME, duration_text
from flower.model.windowing import Windowing

if TYPE_CHECKING:
    from collections.abc import Sequence

EPOCHS = 500
SECONDS = 10.0
"""After how many epochs, or seconds, the state is written."""
SHARE = 0.1
"""Of the time, how much may go into writing it."""

_CLASS = re.compile(r"\b[A-Z]\w+(?=\()")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


class Recovery:
    """What is known of a job from the processes that worked on it before, and what this one adds.

    Parameters
    ----------
    path : str
        The checkpoint's directory.
    whole : bool
        Whether this process goes on with the states of keyed steps by itself; else its workers will, see `shards`.
    """

    def __init__(self, path: str, *, whole: bool = True) -> None:
        self._ledger = Ledger(path, whole=whole)
        self._whole = whole
        self._saved_at, self._seconds, self._epochs = time.monotonic(), 0.0, 0
        self._state_saved: tuple[int, bool] | None = None
        self._resumes = self._ledger.saved is not None
        self._notes: list[str] = []  # of how it went on, which is no matter of the next time
        self.live: Sequence[LiveRun] = ()

    @property
    def finished(self) -> bool:
        """Whether the job had come to its end."""
        saved = self._ledger.saved
        return saved is not None and bool(saved.value["finished"])

    @property
    def address(self) -> str:
        """By which workers find the checkpoint."""
        return self._ledger.address

    @property
    def identity(self) -> str:
        """What tells this job from every other."""
        return self._ledger.job

    @property
    def mark(self) -> str:
        """Begins the names of the parts that workers write for this process."""
        return self._ledger.mark

    def shards(self, job: Job) -> dict[int, tuple[Stored, ...]]:
        """Per keyed stage, the states that workers go on with; small ones get files of their own."""
        saved = self._ledger.saved
        if saved is None:
            return {}
        held: Mapping[str, tuple[KeyedState | Stored, ...]] = saved.value["state"]["keyed"]
        writing = self._ledger.writing()
        return {
            index: tuple(each if isinstance(each, Stored) else writing.state(each) for each in held.get(step.name, ()))
            for index, step in job.steps.items()
        }

    def close(self) -> None:
        """Let another run have the job."""
        self._ledger.close()

    def kept(self, step: str) -> Kept:
        """The journal of a live source."""
        local = self._ledger.files.local
        if local is None:
            raise RunError(
                "a source that cannot replay needs a checkpoint on a local disk, for its journal",
                got=f"step {step!r} and {self._ledger!r}",
                hint="give a local directory, or write the stream into files and read those",
            )
        return Kept(f"{local}/journals/{quote(step, safe='')}", self._ledger.needed(step), not self.finished)

    # -- beginning

    def begin(
        self, job: Job, state: JobState, started: int, results: Mapping[int, Results]
    ) -> tuple[JobState, int, Metrics, Counts]:
        """The state to go on with, when the run had started, its numbers; results are filled with what they had.

        Raises
        ------
        RunError
            If the pipeline is another; names what has changed.
        """
        saved = self._ledger.saved
        if saved is None:
            return state, started, Metrics(), Counts()
        value = saved.value
        refuse(changes(value["steps"], described(job)), self._ledger)
        notes = self._notes
        notes += self._ledger.notes
        for port, result in results.items():
            step = job.plan.consumers[port].step
            before = value["results"].get(step)
            if before is None or not result.restore(before):
                notes.append(f"what {step!r} gave before epoch {saved.epoch} is not among its results: it is another")
        if self.finished:
            notes.append(f"finished before, nothing was run: these are the results that {self._ledger!r} holds")
        else:
            notes.append(f"goes on behind epoch {saved.epoch} of {self._ledger!r}")
            notes += [
                f"{run.label} was called anew: its rows are new ones; with a parameter `after` it could go on"
                for run in self.live
                if run.begun and isinstance(run.source, GeneratorSource) and not run.source.resumes
            ]
        metrics: Metrics = value["metrics"]
        self._state_saved = saved.epoch, self.finished
        return (
            _restored(job, value["state"], state.keyed if not self._whole else None),
            value["started"],
            dataclasses.replace(metrics, notes=tuple(dict.fromkeys((*metrics.notes, *notes)))),
            value["counts"],
        )

    def open(self, sinks: Mapping[str, tuple[Sink, Any]]) -> None:
        """Open the sinks, by step, with their schemas; finish the commit that may not have come to its end."""
        last = self._ledger.last_commit
        staged: Mapping[str, list[str]] = (last.staged if last is not None else None) or {}
        for step, (sink, schema) in sinks.items():
            if not isinstance(sink, ResumableSink):
                sink.open(schema)
                continue
            sink.open(schema, self._ledger.job)
            if last is not None and staged.get(step):
                sink.commit(last.epoch, staged[step])
            if self._resumes:
                sink.sweep()

    # -- epochs

    def replanned(self, job: Job, state: JobState) -> EpochPlan | None:
        """The plan of the next epoch, if it was logged."""
        logged = self._ledger.log.get(state.epoch)
        if logged is None:
            return None
        stages = {job.stages[index].name: index for index, _ in job.reads()}
        ranges = tuple(Range(stages[step], *rest) for step, *rest in logged.ranges)  # type: ignore[arg-type]
        return EpochPlan(logged.epoch, logged.now, ranges)

    def planned(self, job: Job, epoch: EpochPlan) -> None:
        """Log an epoch before it runs."""
        if epoch.epoch not in self._ledger.log:
            self._ledger.plan(self._logged(job, epoch))

    def is_committed(self, epoch: int) -> bool:
        """Whether an epoch's rows are out."""
        logged = self._ledger.log.get(epoch)
        return logged is not None and logged.staged is not None

    def is_last_commit(self, epoch: int) -> bool:
        """Whether it is the epoch whose rows may not have reached every sink."""
        last = self._ledger.last_commit
        return last is not None and last.epoch == epoch

    def commit(self, job: Job, epoch: EpochPlan, staged: Mapping[str, Sequence[object]]) -> None:
        """Commit an epoch with what the sinks that can be resumed have staged."""
        tokens = {step: [str(token) for token in each] for step, each in staged.items()}
        self._ledger.commit(dataclasses.replace(self._logged(job, epoch), staged=tokens))

    def _logged(self, job: Job, epoch: EpochPlan) -> Logged:
        ranges = tuple((job.stages[r.stage].name, r.partition, r.start, r.end, r.ended) for r in epoch.ranges)
        return Logged(epoch.epoch, epoch.now, self._ledger.attempt, ranges)

    # -- checkpoints

    def due(self) -> bool:
        """Whether it is time to write the state; called once an epoch."""
        self._epochs += 1
        seconds = time.monotonic() - self._saved_at
        return (self._epochs >= EPOCHS or seconds >= SECONDS) and seconds * SHARE >= self._seconds

    def stands(self, epoch: int, finished: bool) -> bool:
        """Whether the state is written as it is; that of a job that is finished always is."""
        return self.finished or self._state_saved == (epoch, finished)

    def save(
        self,
        job: Job,
        state: JobState,
        shards: Mapping[int, tuple[KeyedState | Stored, ...]],
        started: int,
        results: Mapping[int, dict[str, object]],
        metrics: Metrics,
        counts: Counts,
        *,
        finished: bool,
    ) -> None:
        """Write the state; ``shards`` is that of every keyed stage, in its shards."""
        began = time.monotonic()
        value = {
            "finished": finished,
            "started": started,
            "steps": described(job),
            "state": _stored(job, state, shards),
            "results": {job.plan.consumers[port].step: stored for port, stored in results.items()},
            "metrics": dataclasses.replace(
                metrics, notes=tuple(note for note in metrics.notes if note not in self._notes)
            ),
            "counts": counts,
        }
        self._ledger.save(state.epoch, value)
        self._state_saved = state.epoch, finished
        for index, read in job.reads():
            if isinstance(read.source, LiveRun):
                read.source.forget(self._ledger.forgettable(job.stages[index].name))
        self._saved_at, self._epochs = time.monotonic(), 0
        self._seconds = self._saved_at - began


def _stored(job: Job, state: JobState, shards: Mapping[int, tuple[KeyedState | Stored, ...]]) -> dict[str, Any]:
    """A state by the names of stages; that of a keyed step is a tuple, each of some keys."""
    return {
        "epoch": state.epoch,
        "now": state.now,
        "sources": {job.stages[index].name: known for index, known in state.sources.items()},
        "keyed": {job.stages[index].name: held for index, held in shards.items()},
        "watermarks": {stage.name: at for stage, at in zip(job.stages, state.watermarks, strict=True)},
    }


def _restored(job: Job, told: Mapping[str, Any], keyed: Mapping[int, KeyedState] | None) -> JobState:
    """The state to go on with; ``keyed`` in place of what keyed steps hold, where workers have that."""
    sources: dict[str, SourceState] = told["sources"]
    if keyed is None:
        keyed = {index: together(told["keyed"].get(step.name, ()), step) for index, step in job.steps.items()}
    return JobState(
        told["epoch"],
        told["now"],
        {index: sources[job.stages[index].name] for index, _ in job.reads()},
        keyed,
        tuple(told["watermarks"].get(stage.name, MIN_TIME) for stage in job.stages),
    )


# -- what a pipeline remembers, in words


def described(job: Job) -> dict[str, dict[str, str]]:
    """Per step that has a state or a position, and per sink, what must stay as it is."""
    steps = {job.stages[index].name: _of_source(read) for index, read in job.reads()}
    steps |= {step.name: _of_keyed(step) for step in job.keyed.values()}
    steps |= {step.name: _of_join(step) for step in job.joins.values()}
    steps |= {step.name: _of_distinct(step) for step in job.distinct.values()}
    steps |= {name: _of_lookup(node) for name, node in job.lookups.items()}
    steps |= {step.name: _of_process(step) for step in job.processes.values()}
    steps |= {step.name: _of_learning(step) for step in job.learners.values()}
    for port in job.plan.outputs:
        consumer = job.plan.consumers[port]
        if isinstance(consumer.node, Write):
            steps[consumer.step] = {"kind": "sink", "sink": consumer.node.sink.label}
    return {name: {key: _ADDRESS.sub("", text) for key, text in step.items()} for name, step in steps.items()}


def _of_source(read: Read) -> dict[str, str]:
    told = {
        "kind": "source",
        "source": read.source.label,
        "columns": ", ".join(f"{field.name}: {dtype_name(field)}" for field in read.source.schema),
        "event time": f"{read.event_time!r} in {read.tz}",
        "watermark policy": " ".join(_CLASS.findall(repr(read.watermark))),
    }
    if isinstance(read.source, IdentifiedSource):
        told |= {name: text for name, text in read.source.identity().items() if name not in told}
    return told


def _of_lookup(node: Lookup) -> dict[str, str]:
    """A table is read again: what it is read from must not have changed."""
    told = {"kind": "enrichment", "keys": ", ".join(node.on), "keeps": node.how, "columns": ", ".join(node.added)}
    names = step_names(node.table)
    reads = {names[each]: _of_source(each) for each in walk(node.table) if isinstance(each, Read)}
    return told | {
        f"{name} of the table, its {key}": text for name, read in reads.items() for key, text in read.items()
    }


def _of_keyed(step: Keyed) -> dict[str, str]:
    told = {"kind": "aggregation"} | _of_windowing(step.windowing)
    told["keys"] = ", ".join(f"{key}: {dtype_name(step.schema.field(key))}" for key in step.keys)
    laws = step.law.aggregates
    told["aggregates"] = ", ".join(
        f"{name}={law!r}" + ("" if column is None else f" of {column.name}: {dtype_name(column)}")
        for (name, law, _), column in zip(laws.parts, laws.inputs, strict=True)
    )
    return told


def _of_join(step: Joint) -> dict[str, str]:
    told = {"kind": "join", "keys": ", ".join(step.keys), "keeps": step.keeps}
    if step.windowing is not None:
        told |= _of_windowing(step.windowing)
    told["within"] = "any distance" if step.within is None else " to ".join(map(duration_text, step.within))
    told["direction"] = step.direction or "both"
    if step.lookup is not None:
        told["row in window"] = f"the newest, of {step.lookup.mapped!r}"
    for side, schema in zip(("left", "right"), step.sides, strict=True):
        told[f"{side} columns"] = ", ".join(f"{field.name}: {dtype_name(field)}" for field in schema)
    return told


def _of_distinct(step: Distinct) -> dict[str, str]:
    keys = ", ".join(f"{key}: {dtype_name(step.schema.field(key))}" for key in step.keys)
    told = {"kind": "deduplication", "keys": keys, "within": duration_text(step.within)}
    return told | {"error": "none" if step.error is None else repr(step.error)}


def _of_process(step: Processing) -> dict[str, str]:
    told = {"kind": "process", "keys": ", ".join(f"{key}: {dtype_name(step.before.field(key))}" for key in step.keys)}
    told |= {f"state {name!r}": repr(kind) for name, kind in step.state}
    return told | {f"timer {name!r}": f"of {domain} time" for name, domain in step.timers}


def _of_learning(step: Learning) -> dict[str, str]:
    fields = {name: dtype_name(step.before.field(name)) for name in (*step.keys, *step.x)}
    return {
        "kind": "models",
        "keys": ", ".join(f"{key}: {fields[key]}" for key in step.keys),
        "model": step.model.text,
        "version of river": step.model.version,
        "features": ", ".join(f"{name}: {fields[name]}" for name in step.x),
        "label": "none" if step.y is None else f"{step.y}: {dtype_name(step.before.field(step.y))}",
        "order": "event time" if step.waits else "arrival",
        "models are written as": step.checkpoint or "nothing",
    }


def _of_windowing(windowing: Windowing) -> dict[str, str]:
    return {
        field.name.removesuffix("_us"): repr(getattr(windowing, field.name)) for field in dataclasses.fields(windowing)
    }


def changes(before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What has changed, for a person."""
    told = []
    for name in [*before, *(name for name in now if name not in before)]:
        if name not in now:
            told.append(f"there is no step {name!r} any more ({_kind(before[name])})")
        elif name not in before:
            told.append(f"step {name!r} ({_kind(now[name])}) is new, and has no state")
        else:
            old, new = before[name], now[name]
            told += [
                f"step {name!r}: {key} was {old.get(key, 'not there')}, and is {new.get(key, 'not there')}"
                for key in dict.fromkeys((*old, *new))
                if old.get(key) != new.get(key)
            ]
    return told


def _kind(step: Mapping[str, str]) -> str:
    return step["kind"] if step["kind"] != "aggregation" else f"an aggregation by {step['keys'] or 'no key'}"
