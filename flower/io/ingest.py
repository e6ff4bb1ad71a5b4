"""From a range of a source to a batch: the declared columns, the event time, and the rows that have neither."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flower.graph.batch import Batch, constant
from flower.graph.nodes import Read
from flower.graph.protocols import ERROR_SCHEMA
from flower.io.conform import Mask, added_columns, added_note, conform, notes_of, rows_json
from flower.model.event_time import event_time_us
from flower.model.time import MIN_TIME

NOT_AS_DECLARED = "the row is not as its source declares it"
NO_EVENT_TIME = "the row has no usable event time"
"""The reasons in ``stream.errors`` for rows that never left their source."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a range of a source came to.

    Parameters
    ----------
    batch : Batch
        The good rows; the watermark that they meet is not known yet (`MIN_TIME`).
    errors : pyarrow.RecordBatch
        The others, with the columns `ERROR_SCHEMA`.
    notes : tuple of str
        What the source has to tell, such as columns that were left out.
    rows_read : int
        How many rows the range has, good and bad.
    """

    batch: Batch
    errors: pa.RecordBatch
    notes: tuple[str, ...]
    rows_read: int


def ingest(read: Read, partition: int, start: int, end: int, step: str) -> Ingested:
    """Read the positions ``[start, end)`` of a partition.

    Only the columns of ``read`` and its event time are looked at: a value that nobody reads is not checked. Without an
    event time, rows are at `MIN_TIME`, which only the global window holds.

    Parameters
    ----------
    read : Read
        What to read, and which column is the event time.
    partition, start, end : int
        The range.
    step : str
        The name of the step, for its errors.

    Raises
    ------
    SourceError
        If the source cannot be read any more, or has changed.
    """
    schema = read.schema
    wanted, columns = schema, read.columns
    if read.event_time is not None and read.event_time not in schema.names:
        wanted = schema.append(read.source.schema.field(read.event_time))
        columns = (*schema.names, read.event_time)
    table = read.source.read(partition, start, end, columns)
    rows, bad, reasons = conform(table, wanted)
    n = table.num_rows
    kinds = [NOT_AS_DECLARED] * len(reasons)
    time = constant(MIN_TIME, n)
    if read.event_time is not None:
        time, missing, why = event_time_us(rows.column(read.event_time), tz=read.tz)
        if missing is not None:
            bad, reasons, kinds = _both(bad, reasons, missing, why)
    if wanted is not schema:
        rows = rows.select(schema.names)
    batch = Batch(rows, time, constant(MIN_TIME, n), constant(partition, n), np.arange(start, start + n))
    errors = _NONE
    if bad is not None:
        batch = batch.filter(~bad)
        errors = _errors(read, table, bad, reasons, kinds, partition, start, step)
    notes = notes_of(table)
    if added := added_columns(table.schema.names, read.source.schema):
        notes = (*notes, added_note(read.source.label, added))
    return Ingested(batch, errors, notes, n)


def _both(bad: Mask | None, reasons: list[str], missing: Mask, why: list[str]) -> tuple[Mask, list[str], list[str]]:
    """Bad rows of both kinds in order; a row that is not as declared has no event time either, and is told of once."""
    told = {int(row): (NO_EVENT_TIME, text) for row, text in zip(np.flatnonzero(missing), why, strict=True)}
    if bad is not None:
        told |= {int(row): (NOT_AS_DECLARED, text) for row, text in zip(np.flatnonzero(bad), reasons, strict=True)}
        missing = missing | bad
    ordered = [told[row] for row in sorted(told)]
    return missing, [text for _, text in ordered], [kind for kind, _ in ordered]


_NONE = pa.RecordBatch.from_pylist([], schema=ERROR_SCHEMA)


def _errors(
    read: Read, table: pa.Table, bad: Mask, reasons: list[str], kinds: list[str], partition: int, start: int, step: str
) -> pa.RecordBatch:
    # An empty reason: an error before tells of this row too.
    told = [(kind, text) for kind, text in zip(kinds, reasons, strict=True) if text]
    rows = np.flatnonzero(bad)[[bool(text) for text in reasons]]
    n = len(rows)
    return pa.RecordBatch.from_arrays(
        [
            pa.array([step] * n, pa.large_string()),
            pa.array([kind for kind, _ in told], pa.large_string()),
            pa.array([text for _, text in told], pa.large_string()),
            pa.array([read.source.label] * n, pa.large_string()),
            pa.array(np.full(n, partition)),
            pa.array(rows + start),
            pa.array(rows_json(table, rows), pa.large_string()),
        ],
        schema=ERROR_SCHEMA,
    )
