"""Steps that look rows up in a table: the columns of the one row there that has the same keys."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, Self, get_args

import pyarrow as pa

from flower.errors import SchemaError
from flower.graph.joins import require_same_keys
from flower.graph.nodes import Node, column_of
from flower.graph.schema import names_text
from flower.model.panes import PANE_COLUMNS
from flower.model.windowing import Windowing

Keeps = Literal["left", "inner"]
"""Whether a row that finds nothing in the table is kept, with missing values, or left out."""

KEEPS = get_args(Keeps)


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a table, one a key; its very object is what it is."""

    rows: pa.RecordBatch


@dataclass(frozen=True, eq=False)
class Enrich(Node):
    """Each row with columns of the row of a table that has the same keys; the table is read whole before.

    Parameters
    ----------
    input : Node
        The rows.
    table : Node
        The table; it ends.
    on : tuple of str
        The keys. Missing ones are equal to one another.
    how : {"left", "inner"}
        Whether rows without such a row are kept.
    columns : tuple of str
        Those of the table that are added.
    """

    input: Node
    table: Node
    on: tuple[str, ...]
    how: Keeps
    columns: tuple[str, ...]
    verb = "enrich"

    def _inputs(self) -> tuple[Node, ...]:
        return (self.input, self.table)

    def _on(self, inputs: tuple[Node, ...]) -> Self:
        return dataclasses.replace(self, input=inputs[0], table=inputs[1])

    def _schema(self) -> pa.Schema:
        before, table = self.input.schema, self.table.schema
        require_same_keys(self.on, before, table, ("in the stream", "in the table"))
        twice = [name for name in self.columns if name in before.names]
        if twice:
            raise SchemaError(
                "the columns that a table adds must have names of their own",
                got=f"{names_text(twice)} in both",
                hint="name those to add with columns=[...]; or rename them before",
            )
        if panes := [name for name in self.columns if name in PANE_COLUMNS]:
            raise SchemaError(
                "the columns that a table adds must have other names than those of panes",
                got=names_text(panes),
                hint="rename them in the table before, or leave them out of columns=[...]",
            )
        added = [column_of(table, name) for name in self.columns]
        return pa.schema([*before, *(each.with_nullable(each.nullable or self.how == "left") for each in added)])

    # What is said of the rows is said of those of the stream: the table only adds to them.

    def _bounded(self) -> bool:
        return self.input.bounded

    def _windowing(self) -> Windowing | None:
        return self.input.windowing

    def _timed(self) -> bool:
        return self.input.timed

    def _retracting(self) -> bool:
        return self.input.retracting


@dataclass(frozen=True, eq=False)
class Lookup(Enrich):
    """The same as a step of one pass: its table is no input, but read whole before; ``rows`` is what was read."""

    rows: Table | None = None

    def _inputs(self) -> tuple[Node, ...]:
        return (self.input,)

    def _on(self, inputs: tuple[Node, ...]) -> Self:
        return dataclasses.replace(self, input=inputs[0])

    @classmethod
    def of(cls, node: Enrich, before: Node) -> Lookup:
        """The step on its input alone."""
        return cls(before, node.table, node.on, node.how, node.columns, name=node.name)


def addable(table: Node, on: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that a table adds unless they are named: all but its keys, and those of panes."""
    return tuple(name for name in table.schema.names if name not in on and name not in PANE_COLUMNS)
