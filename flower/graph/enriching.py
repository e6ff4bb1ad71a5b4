"""Steps that look rows up in a table: the columns of the one row there that has the same keys."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self, get_args

import pyarrow as pa

from flower.errors import GraphError, SchemaError
from flower.graph.joins import How, JoinAsof, Joined, Joining, require_same_keys
from flower.graph.nodes import Node, column_of
from flower.graph.schema import names_text
from flower.model.calendar import CalendarWindows
from flower.model.panes import PANE_COLUMNS
from flower.model.windowing import Windowing
from flower.model.windows import FixedWindows, GlobalWindows, Windows, by_clock

Keeps = Literal["left", "inner"]
"""Whether a row that finds nothing in the table is kept, with missing values, or left out."""

KEEPS = get_args(Keeps)
IN_BOTH = ("in the stream", "in the table")


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
    added : tuple of str
        The columns of the table that are added.
    """

    input: Node
    table: Node
    on: tuple[str, ...]
    how: Keeps
    added: tuple[str, ...]
    verb = "enrich"

    def _inputs(self) -> tuple[Node, ...]:
        return (self.input, self.table)

    def _on(self, inputs: tuple[Node, ...]) -> Self:
        return dataclasses.replace(self, input=inputs[0], table=inputs[1])

    def _schema(self) -> pa.Schema:
        before, table = self.input.schema, self.table.schema
        require_same_keys(self.on, before, table, IN_BOTH)
        _require_free(before, self.added)
        added = [column_of(table, name) for name in self.added]
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
        return cls(before, node.table, node.on, node.how, node.added, name=node.name)


@dataclass(frozen=True, eq=False)
class _Enriching(Joining):
    """An enrichment whose table goes on: its rows, ``right``, are held by key, and the rows of ``left`` may wait.

    Parameters
    ----------
    how : {"left", "inner"}
        Whether rows that find nothing are kept.
    added : tuple of str
        The columns of the table that are added.
    """

    how: Keeps
    added: tuple[str, ...]
    places = IN_BOTH
    verb = "enrich"

    @property
    def keeps(self) -> How:
        """``how``."""
        return self.how

    @cached_property
    def shared(self) -> frozenset[str]:
        """Those that are added stay: nothing gets a suffix."""
        return frozenset(self.added)

    @cached_property
    def columns(self) -> tuple[Joined, ...]:
        """The columns of the left, and those that are added."""
        _require_free(self.left.schema, self.added)
        mine = [Joined(name, name, name if name in self.on else None) for name in self.plain[0]]
        return (*mine, *(Joined(name, None, name) for name in self.added))

    def _schema(self) -> pa.Schema:
        if not self._timed():
            raise GraphError(
                "rows whose table changes must have event times, and so must the table",
                got=f"a {'table' if self.left.timed else 'stream'} without event time",
                hint="name its column where it is read: event_time='column'",
            )
        return self.rows

    def _windowing(self) -> Windowing | None:
        return self.left.windowing


@dataclass(frozen=True, eq=False)
class EnrichVersions(_Enriching, JoinAsof):
    """Each row with the version of its key that was valid at its event time: the nearest earlier one."""


@dataclass(frozen=True, eq=False)
class EnrichInWindow(_Enriching):
    """Each row with the newest row of its key in the window of the table that it falls into."""

    @property
    def windowed(self) -> bool:
        """Dropped rows tell of their window; those that are given do not."""
        return True

    @property
    def grouping(self) -> Windowing:
        """The windowing of the table."""
        assert self.right.windowing is not None
        return self.right.windowing

    @property
    def mapped(self) -> Windows | None:
        """The windows of the rows, whose last instant says which window of the table they look into; None: their own
        event time does.
        """
        if self.left.windowing is None or isinstance(self.grouping.windows, GlobalWindows):
            return None
        return self.left.windowing.windows

    def _schema(self) -> pa.Schema:
        where = self.grouping
        got = None
        if not isinstance(where.windows, FixedWindows | CalendarWindows | GlobalWindows) or by_clock(where.windows):
            got = repr(where.windows)
        elif where != Windowing(where.windows, allowed_lateness_us=where.allowed_lateness_us):
            got = where.source
        if got is not None:
            raise GraphError(
                "a table in windows needs such of event time, a row in one of them, and nothing else said than "
                "allowed_lateness",
                got=got,
                hint="call .window(fl.FixedWindows('1h')) on the table; or leave it out, for the version that is valid "
                "at a row's event time",
            )
        mapped = self.mapped
        if mapped is not None and (not isinstance(mapped, FixedWindows | CalendarWindows) or by_clock(mapped)):
            raise GraphError(
                "rows that look into one window of a table must be in one window",
                got=repr(mapped),
                hint="call .window() after .enrich()",
            )
        for side, node in zip(("stream", "table"), self.inputs, strict=True):
            if node.retracting:
                raise GraphError(
                    "rows that look into a window of a table are given at once, and no row can be taken back",
                    got=f"a {side} that may be retracted",
                    hint="use accumulation='accumulating' for the table, of which the newest pane is taken; leave its "
                    ".window() out; or take final panes only, with .filter('pane_final')",
                )
        return super()._schema()


def _require_free(before: pa.Schema, added: tuple[str, ...]) -> None:
    """Refuse columns that there are already, or that tell of panes."""
    if twice := [name for name in added if name in before.names]:
        raise SchemaError(
            "the columns that a table adds must have names of their own",
            got=f"{names_text(twice)} in both",
            hint="name those to add with columns=[...]; or rename them before",
        )
    if panes := [name for name in added if name in PANE_COLUMNS]:
        raise SchemaError(
            "the columns that a table adds must have other names than those of panes",
            got=names_text(panes),
            hint="rename them in the table before, or leave them out of columns=[...]",
        )


def addable(table: Node, on: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that a table adds unless they are named: all but its keys, and those of panes."""
    return tuple(name for name in table.schema.names if name not in on and name not in PANE_COLUMNS)
