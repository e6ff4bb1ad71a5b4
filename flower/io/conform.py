"""Rows as they are read against the columns declared at planning: what fits is cast, what does not is an error row.

The declared outcomes of a schema that changes: an added column is left out and noted; a dropped one makes its rows
errors; a wider or narrower type is cast, row by row, where nothing is lost, else the row is an error; a missing value
in a column that has none is an error. Nothing becomes NaN silently.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flower.errors import DtypeError
from flower.graph.protocols import ERROR_COLUMN, NOTES, ROW_COLUMN
from flower.graph.schema import cast_column, dtype_name, names_text

Mask = npt.NDArray[np.bool_]

_OWN = (ERROR_COLUMN, ROW_COLUMN)


class Conformed(NamedTuple):
    """Rows of the declared columns.

    Parameters
    ----------
    rows : pyarrow.RecordBatch
        All rows; those that are bad hold any value.
    bad : ndarray of bool, or None
        The rows that do not conform; None if all do.
    reasons : list of str
        Why, one for each bad row in order; empty for a row that is lost with one before it.
    """

    rows: pa.RecordBatch
    bad: Mask | None
    reasons: list[str]


class _Failure(NamedTuple):
    """A column that some rows (None: all) do not fit, and what to say of all of them."""

    lost: Mask | None
    field: pa.Field
    column: pa.ChunkedArray | None
    text: str


def conform(table: pa.Table, schema: pa.Schema) -> Conformed:
    """The columns of ``schema`` from rows that may have others, or other types.

    Parameters
    ----------
    table : pyarrow.Table
        Rows as a source gives them; its `ERROR_COLUMN` says which are bad already.
    schema : pyarrow.Schema
        The declared columns, as `normal_schema` gives them.

    Examples
    --------
    >>> schema = pa.schema([pa.field("n", pa.int32(), nullable=False)])
    >>> rows, bad, reasons = conform(pa.table({"n": [1, 3_000_000_000, None], "new": ["a", "b", "c"]}), schema)
    >>> bad.tolist(), reasons
    ([False, True, True], ["column 'n': 3000000000 does not fit int32", "column 'n' must not be missing: it is int32"])
    """
    bad, why = _broken(table)
    columns: list[pa.Array] = []
    failures: list[_Failure] = []
    for field in schema:
        index = table.schema.get_field_index(field.name)
        if index < 0:
            columns.append(_anything(field, table.num_rows))
            failures.append(_Failure(None, field, None, f"column {field.name!r} is missing"))
            continue
        column = table.column(index)
        try:
            # combining even one chunk would copy it
            array, lost = cast_column(column.chunk(0) if column.num_chunks == 1 else column, field)
        except DtypeError as error:
            columns.append(_anything(field, table.num_rows))
            text = f"column {field.name!r} must be {dtype_name(field)}; got {error.got}"
            failures.append(_Failure(None, field, None, text))
            continue
        columns.append(array)
        if lost is not None:
            failures.append(_Failure(lost, field, column, ""))
    rows = _batch(columns, schema, table.num_rows)
    for failure in failures:
        lost = np.ones(table.num_rows, bool) if failure.lost is None else failure.lost
        bad = lost if bad is None else bad | lost
    if bad is None or not bad.any():
        return Conformed(rows, None, [])
    return Conformed(rows, bad, [_reason(row, why, failures) for row in np.flatnonzero(bad).tolist()])


def checked(table: pa.Table, schema: pa.Schema, notes: Iterable[str] = ()) -> pa.Table:
    """What `conform` finds, as a source gives it: a table of ``schema`` with `ERROR_COLUMN` if there are bad rows.

    Sources whose files differ do this file by file, since rows of different columns cannot stand in one table.
    """
    rows, bad, reasons = conform(table, schema)
    result = pa.Table.from_batches([rows])
    if bad is not None:
        errors, texts = np.full((2, len(bad)), None, object)
        errors[bad] = reasons
        texts[bad] = rows_json(table, np.flatnonzero(bad))
        result = with_errors(result, errors, texts)
    return with_notes(result, notes)


def with_errors(table: pa.Table, errors: Iterable[str | None], rows: Iterable[str | None]) -> pa.Table:
    """The table with the columns that say which rows are bad, and what they were."""
    for name, texts in ((ERROR_COLUMN, errors), (ROW_COLUMN, rows)):
        table = table.append_column(name, pa.array(texts, pa.large_string()))
    return table


def with_notes(table: pa.Table, notes: Iterable[str]) -> pa.Table:
    """The table with ``notes`` as its only metadata."""
    told = list(notes)
    return table.replace_schema_metadata({NOTES: json.dumps(told).encode()} if told else None)


def notes_of(table: pa.Table) -> tuple[str, ...]:
    """What the source has to tell a person."""
    metadata = table.schema.metadata
    return tuple(json.loads(metadata[NOTES])) if metadata and NOTES in metadata else ()


def added_columns(there: Iterable[str], schema: pa.Schema) -> list[str]:
    """The columns that nobody declared."""
    known = {*schema.names, *_OWN}
    return [name for name in there if name not in known]


def added_note(label: str, added: Iterable[str]) -> str:
    """How a person is told of columns that nobody declared."""
    return f"{label}: left out {names_text(added)}, which the declared columns do not have"


def concat(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables of one schema below each other, where some may have error columns and notes."""
    if len(tables) == 1:
        return tables[0]
    notes = dict.fromkeys(note for table in tables for note in notes_of(table))
    if any(ERROR_COLUMN in table.schema.names for table in tables):
        tables = [_with_error_columns(table) for table in tables]
    return with_notes(pa.concat_tables([table.replace_schema_metadata() for table in tables]), notes)


def rows_json(table: pa.Table, indices: npt.NDArray[np.int64]) -> list[str]:
    """The rows at ``indices`` as JSON: as the source says they were, else of their columns."""
    taken = table.take(pa.array(indices, pa.int64()))
    said = taken[ROW_COLUMN].to_pylist() if ROW_COLUMN in table.schema.names else [None] * len(indices)
    rows = taken.drop_columns([name for name in _OWN if name in table.schema.names]).to_pylist()
    return [_json(row) if text is None else text for row, text in zip(rows or [{}] * len(said), said, strict=True)]


def _json(row: Mapping[str, object]) -> str:
    return json.dumps({name: _plain(value) for name, value in row.items()}, default=str, ensure_ascii=False)


def _plain(value: object) -> object:
    if isinstance(value, float) and value != value:
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def _with_error_columns(table: pa.Table) -> pa.Table:
    if ERROR_COLUMN in table.schema.names:
        return table
    none = pa.nulls(table.num_rows, pa.large_string())
    return table.append_column(ERROR_COLUMN, none).append_column(ROW_COLUMN, none)


def _broken(table: pa.Table) -> tuple[Mask | None, pa.ChunkedArray | None]:
    if ERROR_COLUMN not in table.schema.names:
        return None, None
    why = table.column(ERROR_COLUMN)
    if why.null_count == len(why):
        return None, None
    return why.is_valid().to_numpy(), why


def _reason(row: int, why: pa.ChunkedArray | None, failures: Sequence[_Failure]) -> str:
    """The first thing that is wrong with a bad row."""
    if why is not None and why[row].is_valid:
        return str(why[row].as_py())
    for lost, field, column, text in failures:
        if lost is None:
            return text
        if lost[row] and column is not None:
            value = column[row].as_py()
            if value is None or value != value:
                return f"column {field.name!r} must not be missing: it is {dtype_name(field)}"
            return f"column {field.name!r}: {_short(value)} does not fit {dtype_name(field)}"
    raise AssertionError("a bad row has a reason")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _anything(field: pa.Field, length: int) -> pa.Array:
    """Values of a column whose rows are errors anyway."""
    return cast_column(pa.nulls(length), field)[0]


def _batch(columns: list[pa.Array], schema: pa.Schema, length: int) -> pa.RecordBatch:
    if columns:
        return pa.RecordBatch.from_arrays(columns, schema=schema)
    return pa.RecordBatch.from_struct_array(pa.array([{}] * length, pa.struct([])))
