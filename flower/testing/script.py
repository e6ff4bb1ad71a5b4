"""A source that plays a script: rows, watermarks and a clock, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from flower.errors import ColumnError, DtypeError, GraphError, WatermarkError
from flower.graph.schema import columns_of, dtype_name, names_text
from flower.model.time import I64, MAX_TIME, MIN_TIME, instant_text, instant_us

CLOCK_START = 946_684_800_000_000
"""What the clock shows until it is set: 2000-01-01T00:00:00Z."""


@dataclass(frozen=True)
class Rows:
    """Rows that one partition reads."""

    partition: int
    rows: pa.RecordBatch


@dataclass(frozen=True)
class Mark:
    """A watermark that one partition announces."""

    partition: int
    watermark: int


@dataclass(frozen=True)
class Tick:
    """The clock, set."""

    now: int


Event = Rows | Mark | Tick


@dataclass(frozen=True)
class _Log:
    """One partition by position; an entry is a row or a watermark, so that both have their place in the order."""

    rows: pa.Table
    is_row: npt.NDArray[np.bool_]
    in_force: I64
    """The watermark at each position, that after the last entry included."""

    @cached_property
    def rows_before(self) -> I64:
        return np.concatenate([[0], np.cumsum(self.is_row)])


@dataclass(frozen=True, eq=False)
class ScriptedSource:
    """A source whose epochs are given: a `MarkedSource` and an `EpochedSource`. Immutable; verbs give a longer script.

    Parameters
    ----------
    schema : pyarrow.Schema
        The columns, the event time among them.
    count : int
        How many partitions.
    script : tuple of tuple of Event
        What happens in each epoch, in order.
    over : bool
        Whether the script ends the stream.
    """

    schema: pa.Schema
    count: int = 1
    script: tuple[tuple[Event, ...], ...] = ()
    over: bool = False

    # The script

    def then(self, *events: Event) -> ScriptedSource:
        """The script with one epoch more."""
        if self.over:
            raise GraphError("a test stream that has ended cannot go on", hint="call .end() last")
        for event in events:
            if not isinstance(event, Tick) and not 0 <= event.partition < self.count:
                raise GraphError(
                    f"`partition` must be below {self.count}",
                    got=str(event.partition),
                    hint="give TestStream(..., partitions=n) as many as it uses",
                )
        return replace(self, script=(*self.script, events))

    def add(self, rows: Sequence[Mapping[str, Any]] | pd.DataFrame, partition: int) -> ScriptedSource:
        """An epoch that reads rows."""
        return self.then(Rows(partition, self._batch(rows)))

    def mark(self, at: object, partition: int) -> ScriptedSource:
        """An epoch that moves the watermark."""
        after = instant_us(at, "watermark")
        if 0 <= partition < self.count and after < (before := self._logs[partition].in_force[-1]):
            raise WatermarkError(
                "a watermark cannot go back",
                got=f"{instant_text(after)} after {instant_text(int(before))}",
                hint="leave it out, or start with the earlier one",
            )
        return self.then(Mark(partition, after))

    def tick(self, at: object) -> ScriptedSource:
        """An epoch that sets the clock."""
        after, before = instant_us(at, "clock"), self._nows[-1] if self.script else CLOCK_START
        if after < before:
            raise GraphError(
                "the clock cannot go back",
                got=f"{instant_text(after)} after {instant_text(before)}",
                hint=f"it shows {instant_text(CLOCK_START)} until it is set",
            )
        return self.then(Tick(after))

    def end(self) -> ScriptedSource:
        """An epoch after which no row follows."""
        return replace(self.then(*(Mark(p, MAX_TIME) for p in range(self.count))), over=True)

    def grouped(self, fn: Callable[[ScriptedSource], ScriptedSource]) -> ScriptedSource:
        """One epoch of all that ``fn`` adds."""
        longer = fn(self)
        known = len(self.script)
        if longer.script[:known] != self.script or len(longer.script) == known:
            raise GraphError(
                "the function of .epoch() must add to the stream that it is given and return it",
                hint="write .epoch(lambda s: s.add(...).watermark(...))",
            )
        together = tuple(event for epoch in longer.script[known:] for event in epoch)
        return replace(longer, script=(*self.script, together))

    def _batch(self, rows: Sequence[Mapping[str, Any]] | pd.DataFrame) -> pa.RecordBatch:
        if isinstance(rows, pd.DataFrame):
            return columns_of(rows, self.schema)
        for row in rows:
            if unknown := [name for name in row if name not in self.schema.names]:
                raise ColumnError(
                    f"there is no column {unknown[0]!r}", hint=f"the columns are {names_text(self.schema.names)}"
                )
        columns = [_column(field, [row.get(field.name) for row in rows]) for field in self.schema]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    # The source

    @property
    def label(self) -> str:
        """What a person calls it."""
        return "test stream"

    @property
    def bounded(self) -> bool:
        """A script is finite."""
        return True

    def partitions(self) -> tuple[str, ...]:
        """Numbers as names."""
        return tuple(str(p) for p in range(self.count))

    def initial(self, partition: int) -> int:
        """The position before the first entry."""
        return 0

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        """A position at most ``limit_rows`` entries further."""
        return min(position + limit_rows, len(self._logs[partition].is_row))

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        """The rows among the entries ``[start, end)``."""
        log = self._logs[partition]
        first, last = int(log.rows_before[start]), int(log.rows_before[end])
        rows = log.rows.slice(first, last - first)
        return rows if columns is None else rows.select(list(columns))

    def ended(self, partition: int, position: int) -> bool:
        """Whether the script has ended the stream by then."""
        return self.over and position >= len(self._logs[partition].is_row)

    def marks(self, partition: int, start: int, end: int) -> tuple[I64, int]:
        """The watermark before each row among the entries ``[start, end)``, and the one at ``end``."""
        log = self._logs[partition]
        return log.in_force[start:end][log.is_row[start:end]], int(log.in_force[end])

    def epochs(self) -> Sequence[tuple[tuple[int, ...], int]]:
        """Per epoch, the end position of every partition and the processing time."""
        ends, result = [0] * self.count, []
        for events, now in zip(self.script, self._nows, strict=True):
            for event in events:
                if not isinstance(event, Tick):
                    ends[event.partition] += len(event.rows) if isinstance(event, Rows) else 1
            result.append((tuple(ends), now))
        return result

    @cached_property
    def _nows(self) -> list[int]:
        now, result = CLOCK_START, []
        for events in self.script:
            for event in events:
                now = event.now if isinstance(event, Tick) else now
            result.append(now)
        return result

    @cached_property
    def _logs(self) -> list[_Log]:
        return [self._log(partition) for partition in range(self.count)]

    def _log(self, partition: int) -> _Log:
        batches, is_row, in_force = [], [], [MIN_TIME]
        for event in (event for events in self.script for event in events):
            if isinstance(event, Tick) or event.partition != partition:
                continue
            if isinstance(event, Rows):
                batches.append(event.rows)
                is_row += [True] * len(event.rows)
                in_force += [in_force[-1]] * len(event.rows)
            else:
                is_row.append(False)
                in_force.append(event.watermark)
        rows = pa.Table.from_batches(batches, self.schema)
        return _Log(rows, np.array(is_row, bool), np.array(in_force, np.int64))


def _column(field: pa.Field, values: list[Any]) -> pa.Array:
    """The values of one column, as a person wrote them: times may be text."""
    if pa.types.is_timestamp(field.type):
        stamps = [None if pd.isna(value) else pd.Timestamp(value) for value in values]
        if field.type.tz is not None:
            stamps = [None if s is None else s.tz_localize("UTC") if s.tzinfo is None else s for s in stamps]
        values = stamps
    elif pa.types.is_floating(field.type):
        values = [float("nan") if value is None else value for value in values]
    try:
        column = pa.array(values, field.type, from_pandas=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise DtypeError(f"column {field.name!r} must be {dtype_name(field)}", got=str(error)) from None
    if column.null_count and not field.nullable:
        raise DtypeError(
            f"column {field.name!r} must be {dtype_name(field)}, which cannot be missing",
            got=f"no value in row {int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))}",
            hint="give it, or declare a dtype that can be missing, as 'Int64' or 'boolean'",
        )
    return column
