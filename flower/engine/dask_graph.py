"""One epoch as one Dask graph.

Per range of a source: its rows are read (which depends on nothing, so several epochs are read at once), give the
partition's estimate, and go through their stage. Per keyed step and shard: the groups that fell to it, with the shard's
state of the epoch before, give state and panes, which go through their stage. Watermarks are tiny values in tasks of
their own. No key is ever used twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dask._task_spec import Dict, List, Task, TaskRef

from flower.engine import dask_tasks as tasks
from flower.engine.checkpoint import Stored
from flower.engine.dask_tasks import Home, Told
from flower.engine.epoch import EpochPlan, Mark, Range, dropped_by
from flower.engine.job import Job
from flower.graph.nodes import Dropped, Errors, Read, Stateful


@dataclass(frozen=True)
class Planned:
    """An epoch that is to be run: its plan, and which partitions had ended before and have ended after."""

    plan: EpochPlan
    before: int
    ended: Mapping[int, tuple[bool, ...]]
    ended_after: Mapping[int, tuple[bool, ...]]


@dataclass(frozen=True)
class Saved:
    """Where the state of a shard is saved.

    Parameters
    ----------
    address : str
        The place.
    files : tuple of Stored
        The shard's own, or those of all shards of another deal.
    dealt_anew : bool
        Whether it is another deal.
    """

    address: str
    files: tuple[Stored, ...]
    dealt_anew: bool = False

    def restored(self, told: Told, place: tuple[int, int]) -> tuple[Any, ...]:
        """The function that gives the state, with its arguments."""
        names = [each.name for each in self.files]
        return tasks.restore_shard, told, *place, self.address, names, self.dealt_anew


@dataclass
class Graph:
    """A graph and what of it is of use later.

    Parameters
    ----------
    free, placed : dict
        Tasks that may run anywhere, and per (stage, shard) those that should run where its state is.
    marks : dict
        Per stage that others wait for, the key of its mark after the epoch.
    shards : dict
        Per (stage, shard), the key of what it leaves.
    briefs : dict
        For what the driver learns, the (stage, partition or shard) and the key.
    """

    free: dict[str, Any] = field(default_factory=dict)
    placed: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    marks: dict[int, str] = field(default_factory=dict)
    shards: dict[tuple[int, int], str] = field(default_factory=dict)
    briefs: dict[tuple[int, int], str] = field(default_factory=dict)

    @property
    def kept(self) -> list[str]:
        """The keys whose results are held."""
        return [*self.marks.values(), *self.shards.values(), *self.briefs.values()]


def waited_for(job: Job) -> set[int]:
    """The stages whose marks other tasks need; the driver works out the others itself."""
    needed = {index for index, _ in job.reads()}
    for stage in job.stages:
        needed |= set(stage.inputs)
    return needed


class Maker:
    """Makes the graphs of one job; keeps nothing but how."""

    def __init__(self, job: Job, shards: Mapping[int, int]) -> None:
        self.job, self.shards = job, shards
        self.waited_for = waited_for(job)
        # What a stage's rows are admitted against: the marks of all inputs of the keyed steps that they go to. A
        # source's rows are observed with its own besides.
        self.against = [
            sorted(
                {i for each in stage.deliveries for i in self._inputs(each.port)}
                | ({index} if isinstance(stage.origin, Read) else set())
            )
            for index, stage in enumerate(job.stages)
        ]
        self.dropped_by = {
            index: dropped_by(job, stage) for index, stage in enumerate(job.stages) if isinstance(stage.origin, Dropped)
        }

    def _inputs(self, port: int) -> Sequence[int]:
        target = self.job.plan.consumers[port].stage
        return () if target is None else self.job.stages[target].inputs

    def graph(
        self,
        planned: Planned,
        told: Told,
        prefix: str,
        marks: Mapping[int, str | Mark],
        states: Mapping[tuple[int, int], str | Saved],
        tables: Mapping[Range, bytes],
    ) -> Graph:
        """The graph of an epoch.

        Parameters
        ----------
        prefix : str
            Begins every key: no other epoch, attempt or job has it.
        marks, states
            Keys or values of the epoch before: per stage its mark, per (stage, shard) what that left.
        tables : mapping of Range to bytes
            Rows that only the driver can read.
        """
        return _Epoch(self, planned, told, prefix, marks, states, tables).made()


def saving(graph: Graph, told: Told, prefix: str, home: Home) -> tuple[Graph, dict[tuple[int, int], str]]:
    """The graph that has the states saved which another one left; and per (stage, shard), the key of its file."""
    out, files = Graph(), {}
    for (index, shard), key in graph.shards.items():
        name = files[index, shard] = f"{prefix}-save-{index}-{shard}"
        task = Task(name, tasks.save_shard, TaskRef(key), home, f"{told.job}-{index}-{shard}")
        out.placed[index, shard] = {name: task}
    return out, files


def _ref(value: Any) -> Any:
    return TaskRef(value) if isinstance(value, str) else value


class _Epoch:
    """The bookkeeping while one graph is made."""

    def __init__(self, maker: Maker, planned: Planned, told: Told, prefix: str, *given: Any) -> None:
        self.maker, self.job, self.planned, self.told, self.prefix = maker, maker.job, planned, told, prefix
        self.marks, self.states, self.tables = given
        self.out = Graph()
        # Per stage, the keys and places of its parts.
        self.done: dict[int, list[tuple[str, tuple[int, int] | None]]] = {}

    def made(self) -> Graph:
        for index, stage in enumerate(self.job.stages):
            match stage.origin:
                case Read():
                    self._read(index)
                case Stateful():
                    self._keyed(index)
                case Dropped() | Errors():
                    self._side(index)
        return self.out

    def _add(self, name: str, function: Any, *args: Any, place: tuple[int, int] | None = None) -> str:
        key = f"{self.prefix}-{name}"
        into = self.out.free if place is None else self.out.placed.setdefault(place, {})
        into[key] = Task(key, function, *args)
        return key

    def _against(self, index: int) -> Any:
        return Dict({i: _ref(self.marks[i]) for i in self.maker.against[index]})

    def _after(self, index: int) -> Any:
        return List(*(TaskRef(self.out.marks[i]) for i in self.job.stages[index].inputs))

    def _part(self, index: int, number: int, key: str, place: tuple[int, int] | None = None) -> None:
        self.done.setdefault(index, []).append((key, place))
        self.out.briefs[index, number] = self._add(
            f"brief-{index}-{number}", tasks.pick_brief, TaskRef(key), place=place
        )

    def _read(self, index: int) -> None:
        ranges = [wanted for wanted in self.planned.plan.ranges if wanted.stage == index]
        before, after = _ref(self.marks[index]), self.planned.ended_after[index]
        estimates = []
        for wanted in ranges:
            name = f"{index}-{wanted.partition}"
            rows = self._add(f"read-{name}", tasks.read_range, self.told, wanted, self.tables.get(wanted))
            key = self._add(f"rows-{name}", tasks.run_range, self.told, wanted, TaskRef(rows), self._against(index))
            self._part(index, wanted.partition, key)
            if len(ranges) == 1:
                self.out.marks[index] = self._add(
                    f"mark-{index}", tasks.mark_only_partition, self.told, wanted, TaskRef(rows), before, after
                )
            else:
                key = self._add(f"estimate-{name}", tasks.estimate_after, self.told, wanted, TaskRef(rows), before)
                estimates.append(TaskRef(key))
        if len(ranges) != 1:
            partitions = tuple(wanted.partition for wanted in ranges)
            self.out.marks[index] = self._add(
                f"mark-{index}", tasks.mark_source, self.told, index, before, after, partitions, List(*estimates)
            )

    def _keyed(self, index: int) -> None:
        after, outs = self._after(index), []
        origins = [part for origin in self.job.stages[index].inputs for part in self.done.get(origin, ())]
        for shard in range(self.maker.shards[index]):
            place = (index, shard)
            pieces = []
            for n, (origin, at) in enumerate(origins):
                name = f"piece-{index}-{shard}-{n}"
                pieces.append(TaskRef(self._add(name, tasks.pick_pieces, TaskRef(origin), index, shard, place=at)))
            before: Any = self.states.get(place)
            if isinstance(before, Saved):
                before = self._add(f"restore-{index}-{shard}", *before.restored(self.told, place), place=place)
            before = _ref(before)
            key = self._add(
                f"shard-{index}-{shard}",
                tasks.run_shard,
                self.told,
                index,
                shard,
                before,
                List(*pieces),
                after,
                self._against(index),
                place=place,
            )
            self.out.shards[place] = key
            self._part(index, shard, key, place)
            if index in self.maker.waited_for:
                out = self._add(f"out-{index}-{shard}", tasks.pick_watermark, TaskRef(key), place=place)
                outs.append(TaskRef(out))
        if outs:
            self.out.marks[index] = self._add(f"mark-{index}", tasks.mark_keyed, _ref(self.marks[index]), List(*outs))

    def _side(self, index: int) -> None:
        stage = self.job.stages[index]
        target = self.maker.dropped_by.get(index)
        if index in self.maker.waited_for:
            self.out.marks[index] = self._add(f"mark-{index}", tasks.mark_side, self._after(index))
        # Whatever ran before may have dropped or failed rows of a step that this takes.
        picks = [
            TaskRef(self._add(f"side-{index}-{n}", tasks.pick_side, TaskRef(key), target, stage.covers, place=place))
            for n, (key, place) in enumerate(part for i in range(index) for part in self.done.get(i, ()))
        ]
        if picks:
            key = self._add(f"rows-{index}", tasks.run_side, self.told, index, List(*picks), self._against(index))
            self._part(index, 0, key)
