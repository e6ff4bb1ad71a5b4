"""The steps of a pipeline: frozen values that know, before any data flows, which columns they give.

A node names its inputs, so the last node of a pipeline is the whole pipeline. Nodes with equal content are equal,
however they were made; the optimizer relies on it to compute a common part once. The verbs of `Stream` build these and
nothing else.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import pyarrow as pa

from flower.errors import DtypeError, FlowerError, GraphError, SchemaError
from flower.graph.protocols import ERROR_SCHEMA
from flower.graph.schema import dtype_name, names_text, require_columns
from flower.model.custom import WindowFn
from flower.model.panes import INSTANT, PANE_COLUMNS, WINDOW_END, WINDOW_START, pane_schema, so_far
from flower.model.triggers import Trigger, When
from flower.model.windowing import Windowing
from flower.model.windows import GlobalWindows, Sessions, Windows, by_clock

if TYPE_CHECKING:
    from flower.graph.calls import Call
    from flower.graph.expressions import Expr, FrameFunction
    from flower.graph.protocols import Sink, Source
    from flower.model.combiners import Combiner
    from flower.model.watermarks import WatermarkPolicy

ROWS = "rows of the group"
"""The column of panes that holds what a function is applied to; gone before anybody sees it."""


@dataclass(frozen=True, eq=False)
class Node:
    """One step; see the subclasses.

    Parameters
    ----------
    name : str, optional
        The name that a user gave the step.

    Notes
    -----
    A name is a label: it does not make two nodes differ.
    """

    name: str | None = field(default=None, kw_only=True)

    verb: ClassVar[str]
    """The method of `Stream` that builds it."""

    @property
    def stem(self) -> str:
        """What its name begins with unless it is given one: its verb, unless some steps of that hold state."""
        return self.verb

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes whose rows it takes."""
        return self._inputs()

    def with_inputs(self, inputs: tuple[Node, ...]) -> Self:
        """Give the same step on other inputs, as many as it has; itself if they are the very same."""
        if all(new is old for new, old in zip(inputs, self.inputs, strict=True)):
            return self
        return self._on(inputs)

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of its rows.

        Raises
        ------
        ColumnError, DtypeError, SchemaError
            If the step does not fit the columns of its inputs.
        """
        try:
            return self._schema()
        except FlowerError as error:
            raise error.at(step_text(self)) from error.__cause__

    @cached_property
    def bounded(self) -> bool:
        """Whether its rows end."""
        return self._bounded()

    @cached_property
    def windowing(self) -> Windowing | None:
        """How the next `Aggregate` groups its rows in time; None: nothing was said."""
        return self._windowing()

    @cached_property
    def timed(self) -> bool:
        """Whether its rows have an event time."""
        return self._timed()

    @cached_property
    def retracting(self) -> bool:
        """Whether some of its rows may take back others."""
        return self._retracting()

    def _inputs(self) -> tuple[Node, ...]:
        raise NotImplementedError

    def _on(self, inputs: tuple[Node, ...]) -> Self:
        return dataclasses.replace(self, input=inputs[0])  # type: ignore[call-arg]

    def _schema(self) -> pa.Schema:
        return self.inputs[0].schema

    def _bounded(self) -> bool:
        return all(node.bounded for node in self.inputs)

    def _windowing(self) -> Windowing | None:
        return self.inputs[0].windowing

    def _timed(self) -> bool:
        return all(node.timed for node in self.inputs)

    def _retracting(self) -> bool:
        return any(node.retracting for node in self.inputs)

    @property
    def _content(self) -> tuple[Any, ...]:
        """What makes it equal to another node of its class."""
        return tuple(getattr(self, each.name) for each in dataclasses.fields(self) if each.name not in ("name", "call"))

    @cached_property
    def _hash(self) -> int:
        return hash((type(self).__name__, self._content))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Node):
            return NotImplemented
        return type(self) is type(other) and self._hash == other._hash and self._content == other._content

    def __getstate__(self) -> dict[str, Any]:
        # What is cached stays behind: hashes differ between processes. So does the call, which may hold anything.
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(self) if each.name != "call"}


@dataclass(frozen=True, eq=False)
class Read(Node):
    """The rows of a source, each with its event time.

    Parameters
    ----------
    source : Source or LiveSource
        Two reads are equal only if they share this very object. A live one is replaced when a run begins.
    event_time : str or None
        The column that is the rows' event time; None: they have none.
    tz : str
        The zone in which naive local event times are read.
    arrival : str or None
        The column of arrival times.
    watermark : WatermarkPolicy
        How the source's watermark is estimated.
    columns : tuple of str, optional
        The columns to read, in the source's order; None: all.
    call : Call, optional
        How a person made it, as a script says it again; None: that cannot be said. A label, as the name.
    """

    source: Source
    event_time: str | None
    tz: str
    arrival: str | None
    watermark: WatermarkPolicy
    columns: tuple[str, ...] | None = None
    call: Call | None = field(default=None, kw_only=True)
    verb = "read"

    def _inputs(self) -> tuple[Node, ...]:
        return ()

    def _schema(self) -> pa.Schema:
        schema = self.source.schema
        for column in (self.event_time, self.arrival):
            if column is not None:
                column_of(schema, column)
        if self.columns is None:
            return schema
        return pa.schema([column_of(schema, column) for column in self.columns])

    def _bounded(self) -> bool:
        return self.source.bounded

    def _windowing(self) -> Windowing | None:
        return None

    def _timed(self) -> bool:
        return self.event_time is not None

    @property
    def _content(self) -> tuple[Any, ...]:
        return (id(self.source), *super()._content[1:])


@dataclass(frozen=True, eq=False)
class Step(Node):
    """A node with one input."""

    input: Node

    def _inputs(self) -> tuple[Node, ...]:
        return (self.input,)


@dataclass(frozen=True, eq=False)
class Filter(Step):
    """The rows for which ``predicate`` holds; where it is missing, it does not."""

    predicate: Expr | FrameFunction
    verb = "filter"

    def _schema(self) -> pa.Schema:
        from flower.graph.expressions import predicate  # loaded with the first one

        predicate(self.predicate, self.input.schema)
        return self.input.schema

    def _retracting(self) -> bool:
        from flower.graph.retracting import keeps_final_only

        # No pane comes after the final one, so none takes it back.
        return self.input.retracting and not keeps_final_only(self)


@dataclass(frozen=True, eq=False)
class Require(Step):
    """The rows for which ``predicate`` holds; those for which it does not are errors."""

    predicate: Expr | FrameFunction
    verb = "require"

    def _schema(self) -> pa.Schema:
        from flower.graph.expressions import predicate

        predicate(self.predicate, self.input.schema)
        return self.input.schema


@dataclass(frozen=True, eq=False)
class Select(Step):
    """Some columns, in order, as pairs ``(new name, old name)``."""

    columns: tuple[tuple[str, str], ...]
    verb = "select"

    def _schema(self) -> pa.Schema:
        before = self.input.schema
        require_columns(before, [old for _, old in self.columns])
        return pa.schema([before.field(old).with_name(new) for new, old in self.columns])


@dataclass(frozen=True, eq=False)
class Assign(Step):
    """New or replaced columns, in order; each may use those before it. A replaced column keeps its place.

    The rows' event time is kept beside the columns: replacing the column that it came from does not change it.
    """

    columns: tuple[tuple[str, Expr | FrameFunction], ...]
    verb = "assign"

    def _schema(self) -> pa.Schema:
        schema = self.input.schema
        for name, value in self.columns:
            schema = with_field(schema, value.field(name, schema))
        return schema


@dataclass(frozen=True, eq=False)
class MapFrames(Step):
    """``fn(frame) -> frame`` on frames of any number of rows: some of its rows, with the columns ``output``."""

    fn: FrameFunction
    output: pa.Schema
    verb = "map_frames"

    def _schema(self) -> pa.Schema:
        return self.output


@dataclass(frozen=True, eq=False)
class FlatMapRows(Step):
    """``fn(row) -> rows`` for each row: any number of rows out, with the columns ``output``."""

    fn: FrameFunction
    output: pa.Schema
    verb = "flat_map_rows"

    def _schema(self) -> pa.Schema:
        return self.output


@dataclass(frozen=True, eq=False)
class WindowInto(Step):
    """The same rows; the next `Aggregate` groups them by ``into``."""

    into: Windowing
    verb = "window"

    def _windowing(self) -> Windowing | None:
        return self.into


@dataclass(frozen=True, eq=False)
class Concat(Node):
    """The rows of several nodes: the columns in the order of the first, nullable where those of any part are."""

    parts: tuple[Node, ...]
    verb = "concat"

    def _inputs(self) -> tuple[Node, ...]:
        return self.parts

    def _schema(self) -> pa.Schema:
        first = self.parts[0].schema
        nullable = set()
        for number, part in enumerate(self.parts, 1):
            if set(part.schema.names) != set(first.names):
                raise SchemaError(
                    "streams that are put together must have the same columns",
                    got=f"{names_text(first.names)} in the first, {names_text(part.schema.names)} in number {number}",
                    hint="bring them together with .select(), .rename() or .assign() before",
                )
            for each in part.schema:
                if each.type != first.field(each.name).type:
                    raise DtypeError(
                        f"column {each.name!r} must have one dtype in all streams that are put together",
                        got=f"{dtype_name(first.field(each.name))} in the first, {dtype_name(each)} in number {number}",
                        hint="convert it with .assign() before",
                    )
                if each.nullable:
                    nullable.add(each.name)
            if part.windowing != self.parts[0].windowing:
                raise GraphError(
                    "streams that are put together must have the same windowing",
                    got=f"{self.parts[0].windowing} in the first, {part.windowing} in number {number}",
                    hint="put them together first, then call .window() on the result",
                )
        return pa.schema([each.with_nullable(each.name in nullable) for each in first])

    def _on(self, inputs: tuple[Node, ...]) -> Self:
        return dataclasses.replace(self, parts=inputs)


@dataclass(frozen=True)
class Aggregation:
    """One result column: ``combiner`` over ``column``, or over the rows if that is None."""

    name: str
    column: str | None
    combiner: Combiner

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that it takes."""
        return (*(() if self.column is None else (self.column,)), *self.combiner.others)

    def input(self, schema: pa.Schema) -> pa.Field | None:
        """What the combiner takes of rows: a field, of several columns a struct; None: only how many there are."""
        parts = [column_of(schema, name) for name in self.columns]
        if not self.combiner.others:
            return parts[0] if parts else None
        return pa.field(self.columns[0], pa.struct(parts), nullable=False)


Kind = Literal["aggregate", "join", "rows"]
"""Partial groups, the rows of one of two sides, or rows as they are."""


class Stateful(Node):
    """A step that holds rows by key until the watermark lets them go, and may drop rows that come too late."""

    kind: ClassVar[Kind]
    """What rows come to on their way to it."""

    @cached_property
    def dropped_schema(self) -> pa.Schema:
        """The columns of what it drops."""
        return self._dropped_schema()

    def _dropped_schema(self) -> pa.Schema:
        raise NotImplementedError


def with_reason(rows: Iterable[pa.Field], *, windows: bool = True) -> pa.Schema:
    """The columns of dropped rows: theirs, and why; a column whose name is taken gets ``input_`` before it."""
    added = [
        *([pa.field(WINDOW_START, INSTANT), pa.field(WINDOW_END, INSTANT)] if windows else []),
        pa.field("reason", pa.large_string(), nullable=False),
        pa.field("watermark", INSTANT),
    ]
    taken = {each.name for each in added}
    return pa.schema([*(each.with_name(f"input_{each.name}") if each.name in taken else each for each in rows), *added])


@dataclass(frozen=True, eq=False)
class Aggregate(Step, Stateful):
    """One row a key and pane: ``aggregations`` over the rows of a group and window. It holds state, under its name."""

    keys: tuple[str, ...]
    aggregations: tuple[Aggregation, ...]
    verb = "agg"
    kind = "aggregate"

    @cached_property
    def grouping(self) -> Windowing:
        """The windowing of its panes: the input's, else the global window."""
        return self.input.windowing or Windowing(GlobalWindows())

    @cached_property
    def panes(self) -> pa.Schema:
        """The columns of the panes that it fires."""
        before = self.input.schema
        keys = [column_of(before, key) for key in self.keys]
        for key in keys:
            if pa.types.is_nested(key.type):
                raise DtypeError(
                    "a key must be a number, text, a bool, a time or a duration",
                    got=f"column {key.name!r} of {dtype_name(key)}",
                    hint="group by other columns",
                )
        results = []
        for each in self.aggregations:
            results.append(each.combiner.schema(each.input(before)).with_name(each.name))
        if self.input.retracting:
            from flower.graph.retracting import require_subtractable

            require_subtractable(self)
        panes = pane_schema(keys, results, self.grouping, retracts=self.input.retracting)
        self._placed(self.grouping.windows)
        if self.grouping.trigger.driven_by_data:
            self._look(so_far(panes, self.keys))
        return panes

    def _schema(self) -> pa.Schema:
        return self.panes

    def _dropped_schema(self) -> pa.Schema:
        return with_reason(self.input.schema)

    def _placed(self, windows: Windows) -> None:
        """See whether what gives rows their gaps fits them, and what places them has its columns."""
        if isinstance(windows, WindowFn):
            require_columns(self.input.schema, list(windows.columns))
        if isinstance(windows, Sessions) and windows.gap is not None:
            from flower.graph.expressions import expression

            field = expression(windows.gap, self.input.schema).field("gap", self.input.schema)
            if not pa.types.is_duration(field.type):
                raise DtypeError(
                    "the gap of sessions must be a duration",
                    got=f"`{windows.gap}` of {dtype_name(field)}",
                    hint="give a duration, as in Sessions('30min'), or a column of durations; convert with .assign()",
                )

    def _look(self, schema: pa.Schema) -> None:
        """See whether the predicates of its trigger fit what they will look at."""
        from flower.graph.expressions import predicate

        def fits(trigger: Trigger) -> Trigger:
            if isinstance(trigger, When):
                predicate(trigger.predicate, schema)
            return trigger

        self.grouping.trigger.mapped(fits)

    def _windowing(self) -> Windowing | None:
        return None

    def _timed(self) -> bool:
        # Panes of the global window end with time itself: they have an event time only if it comes from their rows.
        whole = isinstance(self.grouping.windows, GlobalWindows)
        if by_clock(self.grouping.windows):
            return True
        return self.input.timed and not (whole and self.grouping.timestamp_combiner == "end_of_window")

    def _retracting(self) -> bool:
        return self.grouping.accumulation == "retracting" or self.input.retracting


@dataclass(frozen=True, eq=False)
class Apply(Aggregate):
    """Any number of rows a key and pane: what ``fn`` gives for a frame of the group's rows, with columns ``output``.

    Its panes hold these rows as a list, in the column `ROWS`; ``fn`` is called as they leave the keyed step.
    """

    fn: FrameFunction
    output: pa.Schema
    verb = "apply"

    @classmethod
    def of(cls, before: Node, keys: tuple[str, ...], fn: FrameFunction, output: pa.Schema) -> Apply:
        """The step on all columns but the keys."""
        from flower.model.combiners import Rows

        column, *others = (name for name in before.schema.names if name not in keys)
        return cls(before, keys, (Aggregation(ROWS, column, Rows(tuple(others))),), fn, output)

    @cached_property
    def rows(self) -> pa.Schema:
        """The columns of the frames that ``fn`` gets."""
        return pa.schema(list(self.panes.field(ROWS).type.value_type))

    def _schema(self) -> pa.Schema:
        twice = [name for name in self.output.names if name in (*self.panes.names, *PANE_COLUMNS)]
        if twice:
            raise GraphError(
                "what is applied to groups must give columns of other names than the keys and those of panes",
                got=names_text(twice),
                hint="leave them out or rename them: each row has its keys and window anyway",
            )
        at = self.panes.get_field_index(ROWS)
        fields = list(self.panes)
        return pa.schema([*fields[:at], *self.output, *fields[at + 1 :]])


@dataclass(frozen=True, eq=False)
class Dropped(Node):
    """The (row, window) pairs, or rows, that came to ``of`` too late."""

    of: Stateful
    verb = "dropped"

    def _inputs(self) -> tuple[Node, ...]:
        return (self.of,)

    def _on(self, inputs: tuple[Node, ...]) -> Self:
        return dataclasses.replace(self, of=inputs[0])  # type: ignore[arg-type]

    def _schema(self) -> pa.Schema:
        return self.of.dropped_schema

    def _windowing(self) -> Windowing | None:
        return None

    def _timed(self) -> bool:
        return all(node.timed for node in self.of.inputs)

    def _retracting(self) -> bool:
        # They are told as they came, retractions and others: nothing is taken back any more.
        return False


@dataclass(frozen=True, eq=False)
class Errors(Node):
    """The rows that ``of``, or a step before it, could not process."""

    of: Node
    verb = "errors"

    def _inputs(self) -> tuple[Node, ...]:
        return (self.of,)

    def _on(self, inputs: tuple[Node, ...]) -> Self:
        return dataclasses.replace(self, of=inputs[0])

    def _schema(self) -> pa.Schema:
        return ERROR_SCHEMA

    def _windowing(self) -> Windowing | None:
        return None

    def _timed(self) -> bool:
        return False

    def _retracting(self) -> bool:
        return False


@dataclass(frozen=True, eq=False)
class Write(Step):
    """The rows, written to ``sink``; ``call`` says how a person made it."""

    sink: Sink
    call: Call | None = field(default=None, kw_only=True)
    verb = "write"

    @property
    def _content(self) -> tuple[Any, ...]:
        return (self.input, id(self.sink))


def column_of(schema: pa.Schema, name: str) -> pa.Field:
    """The field called ``name``.

    Raises
    ------
    ColumnError
        If there is none; the error lists those there are.
    """
    require_columns(schema, [name])
    return schema.field(name)


def with_field(schema: pa.Schema, new: pa.Field) -> pa.Schema:
    """``schema`` with ``new`` in the place of the field of its name, or at the end."""
    index = schema.get_field_index(new.name)
    return schema.append(new) if index < 0 else schema.set(index, new)


def walk(roots: Node | Iterable[Node]) -> Iterator[Node]:
    """Give every node that ``roots`` need, and themselves: equal ones once, inputs first, in the order of ``roots``."""
    return _walk(roots, lambda node: node)


def _walk(roots: Node | Iterable[Node], identity: Callable[[Node], object]) -> Iterator[Node]:
    seen: set[object] = set()
    waiting = [(root, False) for root in reversed([roots] if isinstance(roots, Node) else list(roots))]
    while waiting:
        node, ready = waiting.pop()
        if identity(node) in seen:
            continue
        if ready:
            seen.add(identity(node))
            yield node
        else:
            waiting.append((node, True))
            waiting.extend((each, False) for each in reversed(node.inputs))


def step_names(roots: Node | Iterable[Node]) -> dict[Node, str]:
    """The name of each step: the one given by the user, else its verb and its count among the steps of that verb.

    Equal nodes are one step, with the first name that one of them was given. Steps of one stem either hold state or do
    not, so a new stateless step renames none that holds state; nor does naming a step rename another.

    Raises
    ------
    GraphError
        If two different steps have one name.

    Examples
    --------
    >>> import pandas as pd, flower as fl
    >>> stream = fl.read.frame(pd.DataFrame({"k": ["a"]})).filter("k == 'a'").groupby("k").agg(n=("k", "count"))
    >>> list(step_names(stream.node).values())
    ['read-1', 'filter-1', 'agg-1']
    """
    roots = [roots] if isinstance(roots, Node) else list(roots)
    given: dict[Node, str] = {}
    for node in _walk(roots, id):
        if node.name is not None:
            given.setdefault(node, node.name)
    names: dict[Node, str] = {}
    steps: dict[str, Node] = {}
    counts: Counter[str] = Counter()
    for node in walk(roots):
        counts[node.stem] += 1
        name = given.get(node, f"{node.stem}-{counts[node.stem]}")
        if name in steps:
            raise GraphError(
                f"every step must have a name of its own; {name!r} names two, {steps[name].verb} and {node.verb}",
                hint="call one of them something else with .named(...)",
            )
        names[node], steps[name] = name, node
    return names


def step_text(node: Node, names: dict[Node, str] | None = None) -> str:
    """How errors and plans cite a step: ``'agg-1' (agg)``."""
    names = step_names(node) if names is None else names
    return f"{names[node]!r} ({node.verb})"
