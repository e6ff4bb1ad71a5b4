"""What a source and a sink must be; anybody's class that has these methods is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from flower.model.time import I64


@runtime_checkable
class Source(Protocol):
    """Rows that can be read again: per partition a line of positions, of which any range can be read at any time.

    Positions are integers that grow with every row. `read` is pure for a given range, so that an epoch can be replayed.
    """

    @property
    def label(self) -> str:
        """What a person calls it, as errors and plans show it: ``parquet 'flights.parquet'``."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """The columns, known before any row is read."""
        ...

    @property
    def bounded(self) -> bool:
        """Whether it ends by itself."""
        ...

    def partitions(self) -> tuple[str, ...]:
        """Names of the partitions; a partition's number is its index. The tuple may grow at its end, never change."""
        ...

    def initial(self, partition: int) -> int:
        """The position before the first row."""
        ...

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        """A position at most ``limit_rows`` rows after ``position`` up to which rows can be read now.

        ``elapsed_us`` is the processing time since the run started, for sources whose rows appear with time.
        """
        ...

    def read(self, partition: int, start: int, end: int, columns: tuple[str, ...] | None = None) -> pa.Table:
        """The rows of ``[start, end)``; at least the named columns, all if None.

        A source whose rows can be broken (a line that is no JSON) says so in the table's column `ERROR_COLUMN`: text of
        what is wrong, null for good rows, empty for rows that are lost together with one before them, whose text says
        how many; and in `ROW_COLUMN` what such a row was, as JSON. What there is to tell about the source itself
        stands in the metadata of the table's schema, under `NOTES`.
        """
        ...

    def ended(self, partition: int, position: int) -> bool:
        """Whether no row will ever follow ``position``."""
        ...


@runtime_checkable
class Waiting(Protocol):
    """A source that can tell at once how many of its rows have come and were not yet asked for."""

    def waiting(self, partition: int, position: int, elapsed_us: int) -> int:
        """Rows of a partition after ``position``."""
        ...


@runtime_checkable
class Scheduled(Protocol):
    """A source whose rows appear with time, and that can tell when."""

    def due(self, partition: int, position: int) -> int | None:
        """Microseconds after the run's start at which the row at ``position`` appears; None: that is not known."""
        ...


@runtime_checkable
class Measured(Protocol):
    """A source that can tell at once how many rows a partition has."""

    def total(self, partition: int) -> int | None:
        """Rows of a partition; None: there is no end."""
        ...


@runtime_checkable
class MarkedSource(Source, Protocol):
    """A source that brings its own watermark, for `ManualWatermark`."""

    def marks(self, partition: int, start: int, end: int) -> tuple[I64, int]:
        """The watermark in force before each row of ``[start, end)``, and the one in force at ``end``."""
        ...


@runtime_checkable
class EpochedSource(Source, Protocol):
    """A source that says itself how its rows fall into epochs and what the clock shows then (a `TestStream`)."""

    def epochs(self) -> Sequence[tuple[tuple[int, ...], int]]:
        """Per epoch, the end position of every partition and the processing time in microseconds."""
        ...


@runtime_checkable
class IdentifiedSource(Source, Protocol):
    """A source that can tell whether it is still the same when a run is resumed."""

    def identity(self) -> Mapping[str, str]:
        """What must not change, by names for a person: of each file its size and time of change."""
        ...


class LiveRows(Protocol):
    """Rows as they come, asked for by one thread."""

    def __iter__(self) -> Iterator[Any]:
        """Itself."""
        ...

    def __next__(self) -> Any:
        """Wait for rows: anything that has a length and `LiveSource.table` takes."""
        ...

    def cancel(self) -> None:
        """End a wait, if that can be; any thread may call it."""
        ...

    def close(self) -> None:
        """Let go of what is held; called once, by the thread that asked."""
        ...


@runtime_checkable
class LiveSource(Protocol):
    """Rows that come once: a run writes them to a journal, from which they are read as those of a `Source`."""

    @property
    def label(self) -> str:
        """What a person calls it, as errors and plans show it."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """The columns, known before any row comes."""
        ...

    @property
    def bounded(self) -> bool:
        """Whether it ends by itself."""
        ...

    def open(self, after: int = 0) -> LiveRows:
        """Begin anew, or behind the first ``after`` rows if it can; called once a run, by the thread that asks."""
        ...

    def table(self, batches: Sequence[Any], arrivals_us: Sequence[int]) -> pa.Table:
        """What came and when, as `Source.read` gives rows."""
        ...

    def failed(self, error: Exception) -> Exception:
        """What a run raises for an error of its rows."""
        ...


ERROR_COLUMN = "__error"
ROW_COLUMN = "__row"
NOTES = b"flower.notes"
"""Where `Source.read` puts what is wrong with a row, the row as JSON, and a JSON list of what a person should know."""


@runtime_checkable
class Sink(Protocol):
    """Where rows go, in two steps: staged by whoever has them, made visible by one commit an epoch."""

    @property
    def label(self) -> str:
        """What a person calls it, as errors and plans show it."""
        ...

    def open(self, schema: pa.Schema) -> None:
        """Called once, before the first epoch, with the columns that will come."""
        ...

    def stage(self, epoch: int, attempt: int, partition: int, rows: pa.RecordBatch) -> object:
        """Write rows where nobody sees them yet; the returned token (JSON-serialisable) names them."""
        ...

    def commit(self, epoch: int, tokens: Sequence[object]) -> None:
        """Make an epoch's rows visible, all or none; doing it again changes nothing."""
        ...

    def abort(self, tokens: Sequence[object]) -> None:
        """Forget staged rows."""
        ...

    def close(self) -> None:
        """Called once, after the last commit."""
        ...


@runtime_checkable
class ResumableSink(Sink, Protocol):
    """A sink whose rows come out once, though the process dies: what it stages is still there afterwards."""

    def open(self, schema: pa.Schema, job: str | None = None) -> None:
        """As `Sink.open`; if this job has been here before, what it had committed and staged stays."""
        ...

    def sweep(self) -> None:
        """Forget all that this job has staged and not committed."""
        ...


ERROR_SCHEMA = pa.schema(
    [
        pa.field("step", pa.large_string(), nullable=False),
        pa.field("reason", pa.large_string(), nullable=False),
        pa.field("error", pa.large_string(), nullable=False),
        pa.field("source", pa.large_string(), nullable=True),
        pa.field("partition", pa.int64(), nullable=True),
        pa.field("position", pa.int64(), nullable=True),
        pa.field("row", pa.large_string(), nullable=True),
    ]
)
"""Columns of ``stream.errors``: the step and why, the exception's text, where the row came from, the row as JSON."""
