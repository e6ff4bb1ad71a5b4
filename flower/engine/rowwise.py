"""The steps without state: each takes a batch and gives a batch and the rows that it could not process.

A user's function gets a DataFrame of its own, or a row, and may raise or give nonsense for some rows: those become rows
of `ERROR_SCHEMA`, the others go on (see `flower.engine.isolate`). Event time, partition and position follow each row.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flower.engine.evaluate import REASONS, evaluate, predicate_mask
from flower.engine.isolate import isolate
from flower.engine.joint import missing_of
from flower.engine.tables import looked_up
from flower.errors import DtypeError, FlowerError, SchemaError
from flower.graph.applied import rows_of
from flower.graph.batch import Batch, constant
from flower.graph.cogrouping import Sided
from flower.graph.enriching import Lookup
from flower.graph.expressions import Expr, FrameFunction
from flower.graph.nodes import ROWS, Apply, Assign, Concat, Filter, FlatMapRows, MapFrames, Node, Require, Select
from flower.graph.protocols import ERROR_SCHEMA
from flower.graph.schema import array_of, cast_column, cast_columns, columns_of, dtype_name, frame_of, names_text
from flower.model import arrays
from flower.model.combiners.of_side import SIDE
from flower.model.panes import WINDOW_END, WINDOW_START
from flower.model.time import I64, MAX_TIME, duration_text

NO_VALUE, RAISED, WRONG, NO_GAP = "no value", "function raised", "wrong result", "no gap"
UNMET = "not as required"
NEVER = "takes back a row that was never there"
"""The reasons of error rows: an expression has no value, a function raised, a function gave what does not fit, a
session has no positive gap; what was required of a row does not hold; a
retraction finds nothing to take back.
"""

_MAX_TEXT = 2_000
_NO_ERRORS = pa.RecordBatch.from_pylist([], schema=ERROR_SCHEMA)


def apply_step(node: Node, batch: Batch, step: str) -> tuple[Batch, pa.RecordBatch]:
    """The rows that a stateless step makes of a batch, and the rows that it cannot process.

    Parameters
    ----------
    node : Filter, Require, Select, Assign, MapFrames, FlatMapRows, Apply, Lookup, Sided or Concat
        The step; an apply takes panes that hold the rows of their groups; a concat puts the
        columns of one part into the order of the whole; what is before it is not asked.
    batch : Batch
        Rows with the columns of the step's input.
    step : str
        How error rows name the step.

    Returns
    -------
    batch : Batch
        Rows with the step's columns, in the order of those they come from.
    errors : pyarrow.RecordBatch
        Rows of `ERROR_SCHEMA`; ``source`` is null, for a batch does not know its name.
    """
    errors = ErrorRows(step)
    match node:
        case Filter(predicate=Expr() as predicate):
            mask, codes = predicate_mask(predicate, batch.rows)
            errors.no_value(batch, codes, str(predicate))
            result = batch.filter(mask)
        case Filter(predicate=FrameFunction() as function):
            result = batch.filter(_holds(function, batch, errors)[0])
        case Require(predicate=predicate):
            result = _required(predicate, batch, errors)
        case Select(columns=pairs):
            result = batch.with_rows(_selected(batch.rows, pairs))
        case Assign(columns=values):
            result = batch
            for name, value in values:
                result = _assigned(node.schema.field(name), value, result, errors)
        case MapFrames():
            result = _mapped(node, batch, errors)
        case FlatMapRows():
            result = _flat_mapped(node, batch, errors)
        case Apply():
            result = _applied(node, batch, errors)
        case Lookup():
            result = looked_up(node, batch)
        case Sided():
            result = _sided(node, batch)
        case Concat():
            ordered = [batch.rows.column(name) for name in node.schema.names]
            result = batch.with_rows(pa.RecordBatch.from_arrays(ordered, schema=node.schema))
        case _:
            raise TypeError(f"not a stateless step: {node!r}")
    return result, errors.rows()


class ErrorRows:
    """Collects the rows that a step cannot process."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.parts: list[pa.RecordBatch] = []

    def add(self, batch: Batch, indices: npt.NDArray[np.int64], reason: str, error: str | Sequence[str]) -> None:
        """The rows of ``batch`` at ``indices``, with one text or one each; places below 0 are none."""
        n = len(indices)
        if not n:
            return
        failed = batch.take(indices)
        columns = [
            pa.repeat(pa.scalar(self.step, pa.large_string()), n),
            pa.repeat(pa.scalar(reason, pa.large_string()), n),
            pa.repeat(pa.scalar(_clean(error), pa.large_string()), n)
            if isinstance(error, str)
            else pa.array(error, pa.large_string()),
            pa.nulls(n, pa.large_string()),
            pa.array(failed.partition, pa.int64(), mask=failed.partition < 0),
            pa.array(failed.position, pa.int64(), mask=failed.position < 0),
            _json(failed.rows),
        ]
        self.parts.append(pa.RecordBatch.from_arrays(columns, schema=ERROR_SCHEMA))

    def no_value(self, batch: Batch, codes: np.ndarray | None, expression: str) -> None:
        """The rows in which an expression has no value."""
        if codes is not None:
            failed = np.flatnonzero(codes)
            self.add(batch, failed, NO_VALUE, [f"{REASONS[code]}, in `{expression}`" for code in codes[failed]])

    def raised(self, batch: Batch, failures: Sequence[tuple[int, int, Exception]]) -> None:
        """The ranges of rows for which a function raised, or gave what is no result at all."""
        for start, stop, error in failures:
            reason = WRONG if isinstance(error, FlowerError) else RAISED
            text = error_text(error)
            if stop - start > 1:
                text += f" (in a frame of {stop - start} rows that was not taken apart)"
            self.add(batch, np.arange(start, stop), reason, text)

    def lost(self, batch: Batch, masks: Mapping[str, np.ndarray], schema: pa.Schema) -> np.ndarray | None:
        """The rows whose values do not fit the columns they are for; gives back where they are, None: nowhere."""
        if not masks:
            return None
        bad = np.zeros(len(batch), bool)
        for name, mask in masks.items():
            fresh = np.flatnonzero(mask & ~bad)
            text = f"the value for column {name!r} is no {dtype_name(schema.field(name))}, or loses something as one"
            self.add(batch, fresh, WRONG, text)
            bad |= mask
        return bad

    def rows(self) -> pa.RecordBatch:
        """All of them so far."""
        if not self.parts:
            return _NO_ERRORS
        return self.parts[0] if len(self.parts) == 1 else pa.concat_batches(self.parts)


def error_text(error: Exception) -> str:
    """An exception as error rows tell it."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # a user's exception may fail to say what it is
        return type(error).__name__


def _clean(text: str) -> str:
    """Text that Arrow holds: no halves of surrogate pairs, and not without end."""
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "..."


_encode = json.JSONEncoder(default=str, ensure_ascii=False).encode


def _json(rows: pa.RecordBatch) -> pa.Array:
    """Each row as a JSON object; what is missing is null, and so is what is infinite, which JSON lacks."""
    columns = [pc.if_else(pc.is_finite(c), c, None) if pa.types.is_floating(c.type) else c for c in rows.columns]
    records = pa.RecordBatch.from_arrays(columns, names=rows.schema.names).to_pylist()
    return pa.array([_encode(record) for record in records], pa.large_string())


def _selected(rows: pa.RecordBatch, columns: Sequence[tuple[str, str]]) -> pa.RecordBatch:
    fields = [rows.schema.field(old).with_name(new) for new, old in columns]
    return pa.RecordBatch.from_arrays([rows.column(old) for _, old in columns], schema=pa.schema(fields))


def _required(predicate: Expr | FrameFunction, batch: Batch, errors: ErrorRows) -> Batch:
    if isinstance(predicate, FrameFunction):
        mask, told = _holds(predicate, batch, errors)
    else:
        mask, codes = predicate_mask(predicate, batch.rows)
        errors.no_value(batch, codes, str(predicate))
        told = np.ones(len(batch), bool) if codes is None else codes == 0
    errors.add(batch, np.flatnonzero(told & ~mask), UNMET, f"`{predicate}` does not hold")
    return batch.filter(mask)


def _holds(function: FrameFunction, batch: Batch, errors: ErrorRows) -> tuple[np.ndarray, np.ndarray]:
    """Where a function says True, and of which rows it could tell."""

    def call(start: int, stop: int) -> np.ndarray:
        column = _value(function, batch.rows, start, stop)
        if column.type != pa.bool_():
            raise DtypeError(
                f"`{function}` must say True or False of each row",
                got=dtype_name(pa.field("", column.type)),
                hint="give back a comparison, as in frame['delay'] > 15",
            )
        return column.fill_null(False).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]

    done = isolate(call, len(batch))
    errors.raised(batch, done.failures)
    mask, told = np.zeros(len(batch), bool), np.zeros(len(batch), bool)
    for start, stop, holds in done.results:
        mask[start:stop], told[start:stop] = holds, True
    return mask, told


def _value(function: FrameFunction, rows: pa.RecordBatch, start: int, stop: int) -> pa.Array:
    """The column that a function gives for some rows, one value each."""
    n = stop - start
    result = function.fn(frame_of(rows.slice(start, n)))
    if not isinstance(result, (pd.Series, pd.Index, np.ndarray, list, pd.api.extensions.ExtensionArray)):
        got = f"one {type(result).__name__}" if np.isscalar(result) else type(result).__name__
        raise SchemaError(
            f"`{function}` must give back a Series, a value for each row",
            got=got,
            hint="compute it from the frame's columns",
        )
    if len(result) != n:
        raise SchemaError(
            f"`{function}` must give back a value for each row", got=f"{len(result)} for {n} rows", hint="keep all rows"
        )
    if isinstance(result, pd.Series) and not result.index.equals(pd.RangeIndex(n)):
        if not result.index.is_unique or not result.index.isin(range(n)).all():
            raise SchemaError(
                f"`{function}` must keep the frame's index, which says whose value is whose",
                got=f"{result.index!r}"[:80],
                hint="do not set another index",
            )
        result = result.reindex(pd.RangeIndex(n))
    return columns_of(pd.DataFrame({"value": result})).column(0)


def gaps(value: Expr | FrameFunction, batch: Batch, step: str) -> tuple[Batch, I64, pa.RecordBatch]:
    """The rows that have a gap, their gaps in microseconds, and the rows that have none, as `apply_step` gives them."""
    errors, name = ErrorRows(step), "the gap"
    while name in batch.rows.schema.names:
        name += "'"
    given = _assigned(value.field(name, batch.rows.schema), value, batch, errors)
    column = given.rows.column(name)
    given = given.with_rows(given.rows.remove_column(given.rows.schema.get_field_index(name)))
    kind = column.type
    per = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 1}[kind.unit]
    values = np.minimum(arrays.numbers(column), MAX_TIME // per) * per
    if kind.unit == "ns":
        values = values // 1_000
    none = arrays.missing(column)
    bad = values <= 0 if none is None else (values <= 0) | none
    if not bad.any():
        return given, values, errors.rows()
    at = np.flatnonzero(bad)
    told = [
        f"the gap is {'missing' if none is not None and none[i] else duration_text(int(values[i]))}, in `{value}`"
        for i in at.tolist()
    ]
    errors.add(given, at, NO_GAP, told)
    return given.filter(~bad), values[~bad], errors.rows()


def _assigned(field: pa.Field, value: Expr | FrameFunction, batch: Batch, errors: ErrorRows) -> Batch:
    name = field.name
    if isinstance(value, Expr):
        field = value.field(name, batch.rows.schema)
        column, codes = evaluate(value, batch.rows)
        if codes is not None:
            errors.no_value(batch, codes, str(value))
            good = np.flatnonzero(codes == 0)
            batch, column = batch.take(good), column.take(pa.array(good))
        return batch.with_rows(_with_column(batch.rows, field, column))
    function = value
    done = isolate(lambda start, stop: cast_column(_value(function, batch.rows, start, stop), field), len(batch))
    errors.raised(batch, done.failures)
    if done.failures:
        batch = batch.take(_covered(done.results))
    column = (
        pa.concat_arrays([column for _, _, (column, _) in done.results]) if done.results else pa.nulls(0, field.type)
    )
    bad = errors.lost(
        batch, _masks(name, [(stop - start, mask) for start, stop, (_, mask) in done.results]), pa.schema([field])
    )
    result = batch.with_rows(_with_column(batch.rows, field, column))
    return result if bad is None else result.filter(~bad)


def _covered(results: Sequence[tuple[int, int, Any]]) -> npt.NDArray[np.int64]:
    """The rows of the ranges."""
    return np.concatenate([np.arange(0)] + [np.arange(start, stop) for start, stop, _ in results])


def _masks(name: str, parts: Sequence[tuple[int, np.ndarray | None]]) -> dict[str, np.ndarray]:
    """Masks of ranges, put together; empty if none is."""
    if all(mask is None for _, mask in parts):
        return {}
    return {name: np.concatenate([np.zeros(n, bool) if mask is None else mask for n, mask in parts])}


def _with_column(rows: pa.RecordBatch, field: pa.Field, column: pa.Array) -> pa.RecordBatch:
    index = rows.schema.get_field_index(field.name)
    fields, columns = list(rows.schema), list(rows.columns)
    if index < 0:
        fields.append(field)
        columns.append(column)
    else:
        fields[index], columns[index] = field, column
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _mapped(node: MapFrames, batch: Batch, errors: ErrorRows) -> Batch:
    """``fn(frame)`` for frames whose index says which row is which.

    The index starts at the number of rows, so that one made anew can be told from one that was kept: anew and of full
    length its rows are in order, anew and shorter nobody knows which rows are left.
    """

    def call(start: int, stop: int) -> tuple[npt.NDArray[np.int64], pa.RecordBatch, dict[str, np.ndarray]]:
        n = stop - start
        frame = frame_of(batch.rows.slice(start, n))
        frame.index = pd.RangeIndex(n, 2 * n)
        result = node.fn.fn(frame)
        if not isinstance(result, pd.DataFrame):
            raise SchemaError(
                f"`{node.fn}` must give back a DataFrame",
                got=type(result).__name__,
                hint="return the frame, changed or not",
            )
        kept = _kept(result.index, n, str(node.fn))
        if len(kept) > 1 and not (np.diff(kept) > 0).all():
            order = np.argsort(kept)
            kept, result = kept[order], result.iloc[order]
        columns, bad = cast_columns(result, node.output)
        return kept + start, columns, bad

    done = isolate(call, len(batch))
    errors.raised(batch, done.failures)
    if not done.results:
        return Batch.empty(node.output)
    parts = [result for _, _, result in done.results]
    kept = np.concatenate([rows for rows, _, _ in parts])
    rows = parts[0][1] if len(parts) == 1 else pa.concat_batches([columns for _, columns, _ in parts])
    masks: dict[str, np.ndarray] = {}
    for name in node.output.names:
        masks |= _masks(name, [(len(rows_), bad.get(name)) for rows_, _, bad in parts])
    whole = len(kept) == len(batch)
    left = batch if whole else batch.take(kept)
    bad = errors.lost(left, masks, node.output)
    result = left.with_rows(rows)
    return result if bad is None else result.filter(~bad)


def _kept(index: pd.Index, n: int, function: str) -> npt.NDArray[np.int64]:
    """Which of ``n`` rows a frame with this index has."""
    if len(index) == n and (index.equals(pd.RangeIndex(n, 2 * n)) or index.equals(pd.RangeIndex(n))):
        return np.arange(n)
    if len(index) == 0:
        return np.arange(0)
    if not (
        pd.api.types.is_integer_dtype(index.dtype) and index.is_unique and index.min() >= n and index.max() < 2 * n
    ):
        raise SchemaError(
            f"`{function}` must keep the frame's index, which says which row, and so which event time, is which",
            got=f"{index!r}"[:80],
            hint="leave out reset_index and set_index; to make new rows use flat_map_rows",
        )
    return index.to_numpy().astype(np.int64) - n


def _flat_mapped(node: FlatMapRows, batch: Batch, errors: ErrorRows) -> Batch:
    """``fn(row)`` for each row as a dict; a row of which any new row does not fit is an error as a whole."""
    function, names = node.fn.fn, node.output.names
    made: list[Mapping[str, Any]] = []
    origins: list[int] = []
    failures: list[tuple[int, int, Exception]] = []
    for i, record in enumerate(frame_of(batch.rows).to_dict("records")):
        try:
            new = [_checked(each, names, str(node.fn)) for each in _iterable(function(record), str(node.fn))]
        except Exception as error:  # a user's function may raise anything
            failures.append((i, i + 1, error))
            continue
        made += new
        origins += [i] * len(new)
    errors.raised(batch, failures)
    taken = np.array(origins, np.int64)
    columns, bad = [], {}
    for field in node.output:
        column, mask = fitted([each[field.name] for each in made], field)
        columns.append(column)
        if mask is not None:
            bad[field.name] = np.isin(np.arange(len(batch)), taken[mask])
    failed = errors.lost(batch, bad, node.output)
    rows = pa.RecordBatch.from_arrays(columns, schema=node.output)
    result = batch.take(taken).with_rows(rows)
    return result if failed is None else result.filter(~failed[taken])


def _applied(node: Apply, batch: Batch, errors: ErrorRows) -> Batch:
    """``fn(frame)`` for the rows of each pane; a pane of which it makes nothing is an error, told by key and window."""
    lists = batch.rows.column(ROWS)
    offsets = np.asarray(lists.offsets)
    ends = offsets - offsets[:1]
    rows = pa.RecordBatch.from_arrays(lists.flatten().flatten(), schema=node.rows)
    parts = [pa.RecordBatch.from_pylist([], schema=node.output)]
    made = np.zeros(len(batch), np.int64)
    failures: list[tuple[int, int, Exception]] = []
    for i, (start, end) in enumerate(itertools.pairwise(ends.tolist())):
        try:
            result = rows_of(node.fn.fn(frame_of(rows.slice(start, end - start))), node.fn, node.output.names)
            parts.append(columns_of(result, node.output))
        except Exception as error:  # a user's function may raise anything
            failures.append((i, i + 1, error))
            continue
        made[i] = len(parts[-1])
    panes = batch.with_rows(batch.rows.drop_columns([ROWS]))
    nowhere = constant(-1, len(batch))
    told = replace(panes, partition=nowhere, position=nowhere)
    errors.raised(told.with_rows(panes.rows.select([*node.keys, WINDOW_START, WINDOW_END])), failures)
    panes = panes.take(np.repeat(np.arange(len(batch)), made))
    columns = pa.concat_batches(parts)
    ordered = [(columns if name in node.output.names else panes.rows).column(name) for name in node.schema.names]
    return panes.with_rows(pa.RecordBatch.from_arrays(ordered, schema=node.schema))


def _sided(node: Sided, batch: Batch) -> Batch:
    """Rows in the columns of all sides."""
    n, columns = len(batch), []
    for field in node.output:
        if field.name == SIDE:
            columns.append(pa.array(np.full(n, node.side, np.int8)))
        elif (own := node.own(field.name)) is not None:
            columns.append(batch.rows.column(own))
        else:
            columns.append(missing_of(field.type, n))
    return batch.with_rows(pa.RecordBatch.from_arrays(columns, schema=node.output))


def _iterable(rows: object, function: str) -> Iterable[object]:
    if isinstance(rows, (Mapping, str)) or not isinstance(rows, Iterable):
        raise SchemaError(
            f"`{function}` must give back rows: an iterable of dicts",
            got=type(rows).__name__,
            hint="put the dict into a list",
        )
    return rows


def _checked(row: object, names: Sequence[str], function: str) -> Mapping[str, Any]:
    if not isinstance(row, Mapping) or row.keys() != set(names):
        got = f"the keys {names_text(map(str, row))}" if isinstance(row, Mapping) else type(row).__name__
        raise SchemaError(
            f"a row of `{function}` must be a dict of the columns {names_text(names)}",
            got=got,
            hint="or declare others in `schema`",
        )
    return row


def fitted(values: list[Any], field: pa.Field) -> tuple[pa.Array, np.ndarray | None]:
    """Values as a column, and where one does not fit."""
    try:
        return cast_column(array_of(values, field.type), field)
    except (pa.ArrowException, FlowerError, TypeError, ValueError, OverflowError):
        pass  # some value is of another kind than the rest: who?
    columns, bad = [], np.zeros(len(values), bool)
    for i, value in enumerate(values):
        try:
            column, mask = cast_column(array_of([value], field.type), field)
            bad[i] = mask is not None
        except (pa.ArrowException, FlowerError, TypeError, ValueError, OverflowError):
            column, bad[i] = pa.nulls(1, field.type), True
        columns.append(column)
    return pa.concat_arrays(columns), bad
