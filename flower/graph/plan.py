"""From what a person wrote to what an executor does: `plan` makes a `Plan`, in which every step of the way can be read.

A plan is data. Its stages are in an order in which they can run: a stage takes the rows of one origin (a source, a
keyed step, or what a step dropped or could not process), runs the row-wise steps that follow it, and delivers the
results to consumers: keyed steps and outputs. A concat is several deliveries to one consumer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from flower.graph.enriching import Enrich, Lookup
from flower.graph.nodes import (
    Apply,
    Concat,
    Dropped,
    Errors,
    Kind,
    Node,
    Read,
    Stateful,
    WindowInto,
    Write,
    step_names,
    walk,
)
from flower.graph.optimizer.driver import Application, optimize
from flower.graph.optimizer.rewrite import rebuilt

Origin = Read | Stateful | Dropped | Errors
"""Where the rows of a stage come from."""


@dataclass(frozen=True)
class Op:
    """Run a row-wise step on the rows in slot ``source`` and put the result into slot ``target``.

    A `Concat` is an op only for a part whose columns are not yet exactly those of the whole: it puts them into the
    order of its schema, by name, with its nullability.
    """

    node: Node
    source: int
    target: int


@dataclass(frozen=True)
class Delivery:
    """Hand the rows in ``slot`` to the consumer at index ``port``."""

    slot: int
    port: int


@dataclass(frozen=True)
class Stage:
    """What runs without exchanging rows with others.

    Parameters
    ----------
    name : str
        The step name of its origin.
    origin : Read, Stateful, Dropped or Errors
        Its rows are in slot 0.
    ops : tuple of Op
        In an order in which they can run; each fills a slot of its own.
    deliveries : tuple of Delivery
        What leaves the stage.
    inputs : tuple of int
        The stages from which its origin's rows come; all are earlier.
    ports : tuple of int
        For a keyed step, the consumers through which its rows come in: one an input.
    covers : tuple of str
        For errors, the names of the steps whose failed rows it takes.
    """

    name: str
    origin: Origin
    ops: tuple[Op, ...]
    deliveries: tuple[Delivery, ...]
    inputs: tuple[int, ...]
    ports: tuple[int, ...] = ()
    covers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Consumer:
    """Where rows go.

    Parameters
    ----------
    kind : {"aggregate", "join", "rows", "output"}
        A keyed step, or rows that leave the pipeline: to a sink, if ``node`` is a `Write`, else to whoever asked.
    step : str
        The name of the step, as it was written.
    node : Node
        The step.
    stage : int or None
        The stage of the keyed step; None for outputs.
    side : int
        Which input of the keyed step it is.
    """

    kind: Kind | Literal["output"]
    step: str
    node: Node
    stage: int | None
    side: int = 0


@dataclass(frozen=True)
class Plan:
    """A pipeline as it was written, as it was optimised, and as it runs.

    Parameters
    ----------
    logical : tuple of Node
        The outputs as they were written; every step has its name, and equal steps are one object.
    optimized : tuple of Node
        The same outputs after the rules.
    applications : tuple of Application
        Which rules changed what, in order.
    stages : tuple of Stage
        In an order in which they can run.
    consumers : tuple of Consumer
        What deliveries name by index.
    outputs : tuple of int
        For each output asked for, its consumer.
    """

    logical: tuple[Node, ...]
    optimized: tuple[Node, ...]
    applications: tuple[Application, ...]
    stages: tuple[Stage, ...]
    consumers: tuple[Consumer, ...]
    outputs: tuple[int, ...]


def plan(outputs: Sequence[Node]) -> Plan:
    """The plan that gives ``outputs``.

    Raises
    ------
    GraphError
        If two steps have one name.

    Examples
    --------
    >>> import pandas as pd, flower as fl
    >>> frame = pd.DataFrame({"k": ["a", "b"], "v": [1, 2]})
    >>> counts = fl.read.frame(frame).filter("v > 1").groupby("k").agg(n=("v", "count"))
    >>> [(stage.name, [op.node.verb for op in stage.ops]) for stage in plan([counts.node]).stages]
    [('read-1', ['filter']), ('agg-1', [])]
    """
    logical = named(outputs)
    optimized, applications = optimize(logical)
    stages, consumers, ports = physical(optimized, tuple(_name(node) for node in logical))
    return Plan(logical, optimized, applications, stages, consumers, ports)


def named(outputs: Sequence[Node]) -> tuple[Node, ...]:
    """The same outputs with every step carrying its name, and equal steps as one object."""
    names = step_names(outputs)
    return rebuilt(outputs, lambda node, inputs: replace(node.with_inputs(inputs), name=names[node]))


def physical(
    outputs: Sequence[Node], names: Sequence[str]
) -> tuple[tuple[Stage, ...], tuple[Consumer, ...], tuple[int, ...]]:
    """Stages, consumers and the consumer of each of ``outputs``, whose steps all carry names.

    ``names`` are those of the outputs as they were written: rules may have put other steps last.
    """
    outputs = rebuilt(outputs, _alone)
    stages: list[_Stage] = []
    consumers: list[Consumer] = []
    places: dict[Node, list[tuple[_Stage, int]]] = {}  # the slots that hold a node's rows

    def begin(origin: Origin, inputs: set[int]) -> _Stage:
        stages.append(_Stage(len(stages), origin, tuple(sorted(inputs))))
        return stages[-1]

    def consume(
        kind: Kind | Literal["output"],
        node: Node,
        rows: Node,
        step: str,
        stage: int | None,
        side: int = 0,
    ) -> int:
        consumers.append(Consumer(kind, step, node, stage, side))
        for place, slot in places[rows]:
            place.deliveries.append(Delivery(slot, len(consumers) - 1))
        return len(consumers) - 1

    for node in walk(outputs):
        match node:
            case Read():
                places[node] = [(begin(node, set()), 0)]
            case Stateful():
                stage = begin(node, {place.index for each in node.inputs for place, _ in places[each]})
                stage.ports = tuple(
                    consume(node.kind, node, rows, _name(node), stage.index, side)
                    for side, rows in enumerate(node.inputs)
                )
                places[node] = [(stage, stage.run(node, 0) if isinstance(node, Apply) else 0)]
            case Dropped():
                places[node] = [(begin(node, {place.index for place, _ in places[node.of]}), 0)]
            case Errors():
                covered = list(walk(node.of))
                stage = begin(node, {place.index for each in covered for place, _ in places[each]})
                stage.covers = tuple(_name(each) for each in covered)
                places[node] = [(stage, 0)]
            case Concat():
                places[node] = [
                    (stage, slot if part.schema.equals(node.schema) else stage.run(node, slot))
                    for part in node.parts
                    for stage, slot in places[part]
                ]
            case WindowInto() | Write():
                places[node] = places[node.input]
            case _:
                places[node] = [(stage, stage.run(node, slot)) for stage, slot in places[node.inputs[0]]]

    ports: dict[str, int] = {}
    for name, node in zip(names, outputs, strict=True):
        if name not in ports:
            ports[name] = consume("output", node, node, name, None)
    return tuple(stage.done() for stage in stages), tuple(consumers), tuple(ports[name] for name in names)


class _Stage:
    """A stage while it is made."""

    def __init__(self, index: int, origin: Origin, inputs: tuple[int, ...]) -> None:
        self.index, self.origin, self.inputs = index, origin, inputs
        self.ops: dict[tuple[Node, int], Op] = {}
        self.deliveries: list[Delivery] = []
        self.ports: tuple[int, ...] = ()
        self.covers: tuple[str, ...] = ()

    def run(self, node: Node, source: int) -> int:
        """The slot of a step's result; a step that two routes share runs once."""
        return self.ops.setdefault((node, source), Op(node, source, len(self.ops) + 1)).target

    def done(self) -> Stage:
        ops, deliveries = tuple(self.ops.values()), tuple(self.deliveries)
        return Stage(_name(self.origin), self.origin, ops, deliveries, self.inputs, self.ports, self.covers)


def _alone(node: Node, inputs: tuple[Node, ...]) -> Node:
    """A step on its inputs; without its table, if it has one, which no stage reads."""
    return Lookup.of(node, inputs[0]) if type(node) is Enrich else node.with_inputs(inputs)


def _name(node: Node) -> str:
    assert node.name is not None, "a plan is made of named steps"
    return node.name
