"""Several streams grouped together: their rows as those of one, each of which knows its side."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from flower.errors import SchemaError
from flower.graph.expressions import FrameFunction
from flower.graph.joins import require_same_keys
from flower.graph.nodes import Aggregate, Concat, Node, Step, column_of
from flower.graph.schema import columns_of, frame_of, names_text
from flower.model.combiners.of_side import SIDE


@dataclass(frozen=True, eq=False)
class Sided(Step):
    """The rows of one of several streams that are grouped together, in the columns of all.

    Parameters
    ----------
    on : tuple of str
        The keys.
    side : int
        Which of the streams it is.
    label : str
        What it is called.
    columns : tuple of str
        Those of its columns, keys aside, that somebody needs.
    output : pyarrow.Schema
        The columns of all, those of the other sides missing.
    """

    on: tuple[str, ...]
    side: int
    label: str
    columns: tuple[str, ...]
    output: pa.Schema
    verb = "cogroup"

    def _schema(self) -> pa.Schema:
        return self.output

    def own(self, name: str) -> str | None:
        """The column of the stream that a column of all comes from; None: from none."""
        if name in self.on:
            return name
        label, _, own = name.partition(".")
        return own if label == self.label and own in self.columns else None


def placed(label: str, column: str) -> str:
    """What the column of a side is called among those of all."""
    return f"{label}.{column}"


def together(sides: Mapping[str, Node], on: tuple[str, ...], columns: Mapping[str, tuple[str, ...]]) -> Concat:
    """The rows of all sides.

    Raises
    ------
    ColumnError, DtypeError
        If a column is not there, or a key not of one dtype in all.
    GraphError
        If they do not have the same windows.
    """
    (first, one), *others = sides.items()
    for label, node in others:
        require_same_keys(on, one.schema, node.schema, (f"in {first!r}", f"in {label!r}"))
    fields = []
    for key in on:
        nullable = any(column_of(node.schema, key).nullable for node in sides.values())
        fields.append(column_of(one.schema, key).with_nullable(nullable))
    fields.append(pa.field(SIDE, pa.int8(), nullable=False))
    for label, node in sides.items():
        fields += [
            column_of(node.schema, name).with_name(placed(label, name)).with_nullable(True) for name in columns[label]
        ]
    output = pa.schema(fields)
    if twice := [key for key in on if output.names.count(key) > 1]:
        raise SchemaError(
            "a key of several streams cannot have the name of a stream, a dot and the name of a column of it",
            got=names_text(twice),
            hint="call the stream something else",
        )
    parts = (
        Sided(node, on, number, label, columns[label], output) for number, (label, node) in enumerate(sides.items())
    )
    return Concat(tuple(parts))


def sides_of(node: Node) -> tuple[Sided, ...] | None:
    """The sides of an aggregation of streams that are grouped together; None: it is of one stream."""
    before = node.input if isinstance(node, Aggregate) else node
    if isinstance(before, Concat) and all(isinstance(part, Sided) for part in before.parts):
        return before.parts  # type: ignore[return-value]
    return None


@dataclass(frozen=True, repr=False)
class PerSide:
    """A person's function of a frame for each side, as one of the rows of all."""

    fn: FrameFunction
    sides: tuple[tuple[str, pa.Schema], ...]

    def __repr__(self) -> str:
        return self.fn.name

    def __call__(self, frame: pd.DataFrame) -> object:
        """What it gives for a group."""
        side = frame[SIDE].to_numpy()
        frames = {}
        for number, (label, schema) in enumerate(self.sides):
            mine = frame[side == number]
            columns = {each.name: mine[placed(label, each.name)] for each in schema}
            frames[label] = _typed(pd.DataFrame(columns, index=mine.index).reset_index(drop=True), schema)
        return self.fn.fn(**frames)


def _typed(frame: pd.DataFrame, schema: pa.Schema) -> pd.DataFrame:
    """A frame with the dtypes that its stream has: nothing of it is missing because of another side."""
    return frame_of(columns_of(frame, schema))


def with_function(
    fn: FrameFunction, sides: Mapping[str, Node], columns: Mapping[str, tuple[str, ...]]
) -> FrameFunction:
    """A function of a frame a side as one of the rows of all."""
    schemas = (
        (label, pa.schema([node.schema.field(name) for name in columns[label]])) for label, node in sides.items()
    )
    return dataclasses.replace(fn, fn=PerSide(fn, tuple(schemas)))
