"""What the engine needs to know of one join, and joined rows as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flower.graph.joins import Direction, How, Joined
from flower.model.calendar import CalendarWindows
from flower.model.panes import TIMINGS
from flower.model.time import I64
from flower.model.windowing import Windowing
from flower.model.windows import FixedWindows


@dataclass(frozen=True, slots=True)
class InWindow:
    """How left rows find one right row, the newest in the window that they look into.

    Parameters
    ----------
    mapped : FixedWindows, CalendarWindows or None
        The windows of the left rows, whose last instant they look for; None: their own event time.
    waits : bool
        Whether they wait to the window's end; else for the first right row only.
    """

    mapped: FixedWindows | CalendarWindows | None
    waits: bool


@dataclass(frozen=True, slots=True)
class Joint:
    """One join, ready to run.

    Parameters
    ----------
    name : str
        The step's name.
    keys : tuple of str
        Key columns, the same on both sides.
    keeps : {"inner", "left", "right", "outer"}
        Which rows are kept though nothing joins them.
    windowing : Windowing or None
        That of both sides, if rows must be in one window.
    within : tuple of int or None
        Else, how far after a left row a right row may be: at least and at most.
    direction : {"backward", "forward", "nearest"} or None
        Of an as-of join; ``within`` is then how far a right row may be at all.
    lookup : InWindow or None
        How the rows of the left find one of the right that is in their window.
    exact : bool
        Whether equal hashes mean equal keys.
    columns : tuple of Joined
        Where the columns come from.
    sides : tuple of pyarrow.Schema
        The columns of the rows.
    schema, dropped_schema : pyarrow.Schema
        The columns of joined and of dropped rows.
    same : tuple of (tuple of str or None)
        Per side, the columns that a row and its retraction have alike; None: none is retracted.
    retracts : bool
        Whether joined rows may be taken back.
    """

    name: str
    keys: tuple[str, ...]
    keeps: How
    windowing: Windowing | None
    within: tuple[int, int] | None
    direction: Direction | None
    lookup: InWindow | None
    exact: bool
    columns: tuple[Joined, ...]
    sides: tuple[pa.Schema, pa.Schema]
    schema: pa.Schema
    dropped_schema: pa.Schema
    same: tuple[tuple[str, ...] | None, tuple[str, ...] | None] = (None, None)
    retracts: bool = False

    @property
    def tells_time(self) -> bool:
        """Whether joined rows tell their event time in a column."""
        return len(self.schema) > len(self.columns)

    def kept(self, side: int) -> bool:
        """Whether a row of a side is given though nothing joins it."""
        return self.keeps == "outer" or self.keeps == ("left", "right")[side]

    def joined(self, rows: tuple[pa.RecordBatch, pa.RecordBatch], at: tuple[I64, I64]) -> list[pa.Array]:
        """The columns of joined rows: of each side the row at an index, missing values where that is -1."""
        missing = tuple(index < 0 for index in at)
        picks = [
            pa.array(index, mask=gone) if gone.any() else pa.array(index)
            for index, gone in zip(at, missing, strict=True)
        ]
        made = []
        for each, field in zip(self.columns, self.schema, strict=False):
            if each.left is not None and each.right is not None:
                made.append(self._key(each.name, rows, at, missing[0]))
                continue
            side, name = (0, each.left) if each.left is not None else (1, each.right)
            made.append(filled(rows[side].column(name).take(picks[side]), field.type))
        return made

    def _key(
        self, name: str, rows: tuple[pa.RecordBatch, pa.RecordBatch], at: tuple[I64, I64], missing: np.ndarray
    ) -> pa.Array:
        left, right = (each.column(name) for each in rows)
        if not missing.any():
            return left.take(pa.array(at[0]))
        whole = pa.concat_arrays([left, right])
        return whole.take(pa.array(np.where(missing, at[1] + len(left), at[0])))

    def gone(self, side: int, rows: pa.RecordBatch, added: Sequence[pa.Array]) -> pa.RecordBatch:
        """Dropped rows of a side; ``added`` says why."""
        n = len(rows)
        columns = []
        for each, field in zip(self.columns, self.dropped_schema, strict=False):
            name = (each.left, each.right)[side]
            columns.append(rows.column(name) if name is not None else missing_of(field.type, n))
        which = pa.array([("left", "right")[side]] * n, pa.large_string())
        return pa.RecordBatch.from_arrays([*columns, which, *added], schema=self.dropped_schema)


def no_rows(schema: pa.Schema) -> pa.RecordBatch:
    """No rows of a side."""
    return pa.RecordBatch.from_arrays([missing_of(kind, 0) for kind in schema.types], schema=schema)


def missing_of(kind: pa.DataType, n: int) -> pa.Array:
    """So many missing values."""
    return filled(pa.nulls(n, kind), kind)


def filled(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """A missing float is NaN; a category has its values also where all are missing."""
    if pa.types.is_dictionary(kind):
        if len(column.dictionary):
            return column  # in the order that its step gave them
        return pa.DictionaryArray.from_arrays(column.indices, pa.array(TIMINGS, pa.string()), ordered=True)
    return column.fill_null(float("nan")) if pa.types.is_floating(kind) and column.null_count else column
