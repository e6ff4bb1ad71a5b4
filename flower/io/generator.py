"""Rows that a person's generator yields: dicts, lists of dicts or frames, as they come."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import linecache
import os
import queue
import threading
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, cast

import pandas as pd
import pyarrow as pa

from flower.errors import DtypeError, FlowerError, SourceError, UserFunctionError
from flower.graph.protocols import LiveRows
from flower.graph.schema import cast_column, columns_of, normal_schema
from flower.io.conform import added_columns, added_note, checked, concat, with_errors
from flower.io.texts import TEXT, no_value, values_of

FIRST_ROWS_SECONDS = 10.0
_ARRIVAL_TYPE = pa.timestamp("us", "UTC")
_HERE = os.path.dirname(os.path.abspath(__file__))


class GeneratorSource:
    """What ``fn`` yields; each run calls it anew.

    Parameters
    ----------
    fn : callable
        It gives an iterator, an iterable or an async generator of dicts, lists of dicts or frames. It is called without
        arguments, or, if it has a parameter ``after``, with the number of its rows that the run already has: 0, or
        more where a run with a checkpoint is resumed, and it has to go on behind them. One without that parameter is
        called anew then, and what it gives is taken as new; one that had ended is not called again.
    schema : pyarrow.Schema, optional
        The columns; default: those of the first that it yields, for which it is called once, and closed again.
    arrival : str, optional
        A column for the time at which each row came, added if ``schema`` does not have it.
    bounded : bool
        Whether it ends by itself.

    Raises
    ------
    SourceError
        If it is no function, or nothing comes that tells the columns.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        schema: pa.Schema | None = None,
        *,
        arrival: str | None = None,
        bounded: bool = False,
    ) -> None:
        if not callable(fn):
            raise SourceError(
                "generator: a function that gives rows is required, so that every run can call it anew",
                got=f"a {type(fn).__name__}",
                hint="give the function itself, without calling it: fl.read.generator(ticks)",
            )
        if not isinstance(bounded, bool):
            raise SourceError("generator: `bounded` must be True or False", got=repr(bounded))
        self._fn = fn
        self.resumes = _takes(fn, "after")
        """Whether it can go on where it was."""
        self.name = getattr(fn, "__name__", None) or type(fn).__name__
        self.label = f"generator {self.name!r}"
        self.bounded = bounded
        schema = self._first_schema() if schema is None else schema
        self._arrival = arrival if arrival is not None and arrival not in schema.names else None
        self.schema: pa.Schema = (
            schema if self._arrival is None else schema.append(pa.field(self._arrival, _ARRIVAL_TYPE))
        )

    def __repr__(self) -> str:
        return self.label

    def open(self, after: int = 0) -> LiveRows:
        """Call the function; what it gives is asked for rows by one thread."""
        made = self._fn(after=after) if self.resumes else self._fn()
        if hasattr(made, "__anext__") or hasattr(made, "__aiter__"):
            return _Awaited(made.__aiter__(), self.label)
        try:
            return _Iterated(iter(made), self.label)
        except TypeError:
            if inspect.iscoroutine(made):
                made.close()
            raise SourceError(
                f"{self.label}: the function must give an iterator of rows",
                got=f"a {type(made).__name__}",
                hint="yield the rows, or give back a list of them",
            ) from None

    def table(self, batches: Sequence[object], arrivals_us: Sequence[int]) -> pa.Table:
        """What came, as rows of the schema; a row that does not fit is an error row."""
        tables: list[pa.Table] = []
        rows: list[dict[str, Any]] = []
        times: list[int] = []
        for batch, at in zip(batches, arrivals_us, strict=True):
            if isinstance(batch, pd.DataFrame):
                if rows:
                    tables.append(self._of_rows(rows, times))
                    rows, times = [], []
                tables.append(self._of_frame(batch, at))
            else:
                assert isinstance(batch, list)
                rows += batch
                times += [at] * len(batch)
        if rows:
            tables.append(self._of_rows(rows, times))
        return concat(tables) if tables else self.schema.empty_table()

    def failed(self, error: Exception) -> Exception:
        """The error of a run whose generator raised: the person's line first."""
        if isinstance(error, FlowerError):
            return error
        frames = [each for each in traceback.extract_tb(error.__traceback__) if not each.filename.startswith(_HERE)]
        where = ""
        if frames:
            last = frames[-1]
            line = linecache.getline(last.filename, last.lineno or 0).strip() or last.line or ""
            where = f" in line {last.lineno} of {last.name}: {line}"
        while error.__traceback__ is not None and error.__traceback__.tb_frame.f_code.co_filename.startswith(_HERE):
            error.__traceback__ = error.__traceback__.tb_next
        made = UserFunctionError(
            f"generator `{self.name}` failed",
            got=f"{type(error).__name__}: {error}{where}",
            hint="catch it in the generator to go on",
        )
        made.__cause__ = error
        return made

    # -- rows as columns

    def _of_frame(self, frame: pd.DataFrame, at: int) -> pa.Table:
        try:
            table = pa.Table.from_batches([columns_of(frame.reset_index(drop=True))])
        except FlowerError:
            return self._of_rows(cast("list[dict[str, Any]]", frame.to_dict("records")), [at] * len(frame))
        return self._checked(table, [at] * len(frame))

    def _of_rows(self, rows: list[dict[str, Any]], times: list[int]) -> pa.Table:
        columns: dict[str, pa.Array] = {}
        errors: list[str | None] = [None] * len(rows)
        for name in dict.fromkeys(str(name) for row in rows for name in row):
            values = [row.get(name) for row in rows]
            field = self.schema.field(name) if name in self.schema.names else None
            columns[name], bad = _column(values, field)
            for row, text in bad.items():
                errors[row] = errors[row] or text
        table = pa.table(columns) if columns else pa.table({self.schema.names[0]: pa.nulls(len(rows))})
        if any(text is not None for text in errors):
            texts = [None if text is None else _json(row) for text, row in zip(errors, rows, strict=True)]
            table = with_errors(table, errors, texts)
        return self._checked(table, times)

    def _checked(self, table: pa.Table, times: list[int]) -> pa.Table:
        if self._arrival is not None:
            if self._arrival in table.schema.names:
                table = table.drop_columns([self._arrival])
            table = table.append_column(self._arrival, pa.array(times, pa.int64()).cast(_ARRIVAL_TYPE))
        added = added_columns(table.schema.names, self.schema)
        return checked(table, self.schema, [added_note(self.label, added)] if added else [])

    def _first_schema(self) -> pa.Schema:
        """The columns of the first rows that come."""
        first = self._first()
        if isinstance(first, pd.DataFrame):
            return columns_of(first).schema
        columns = {}
        for name in dict.fromkeys(str(name) for row in first for name in row):
            array, bad = _column([row.get(name) for row in first], None)
            if bad or pa.types.is_null(array.type):
                raise SourceError(
                    f"{self.label}: the first rows must tell the dtype of column {name!r}",
                    got="missing values only" if not bad else "values of several kinds",
                    hint="declare the columns: schema={'carrier': 'str', 'delay': 'int64'}",
                )
            columns[name] = array.type
        return normal_schema(pa.schema(columns))

    def _first(self) -> pd.DataFrame | list[dict[str, Any]]:
        found: queue.Queue[object] = queue.Queue()
        opened: list[LiveRows] = []

        def ask() -> None:
            try:
                opened.append(self.open())
                try:
                    found.put(next((batch for batch in opened[0] if len(batch)), None))
                finally:
                    opened[0].close()
            except Exception as error:
                found.put(self.failed(error))

        thread = threading.Thread(target=ask, name=f"flower-{self.name}", daemon=True)
        thread.start()
        declare = "declare the columns: schema={'carrier': 'str', 'delay': 'int64'}"
        try:
            first = found.get(timeout=FIRST_ROWS_SECONDS)
        except queue.Empty:
            for rows in opened:
                rows.cancel()
            raise SourceError(
                f"{self.label}: its first rows must tell its columns",
                got=f"nothing within {FIRST_ROWS_SECONDS:g} seconds",
                hint=declare,
            ) from None
        if isinstance(first, Exception):
            raise first
        if first is None:
            raise SourceError(f"{self.label}: its first rows must tell its columns", got="no rows", hint=declare)
        assert isinstance(first, pd.DataFrame | list)
        return first


def _takes(fn: Callable[..., Any], name: str) -> bool:
    try:
        return name in inspect.signature(fn).parameters
    except (TypeError, ValueError):  # a builtin without a signature
        return False


class _Iterated:
    """A generator, or anything else that is iterated."""

    def __init__(self, made: Iterator[object], label: str) -> None:
        self._made, self._label = made, label

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return _batch(next(self._made), self._label)

    def cancel(self) -> None:
        """Nothing: a generator that computes or sleeps cannot be interrupted; it is closed when it yields."""

    def close(self) -> None:
        close = getattr(self._made, "close", None)
        if close is not None:
            close()


class _Awaited:
    """An async generator in an event loop of its own; where it waits, it can be interrupted."""

    def __init__(self, made: AsyncIterator[object], label: str) -> None:
        self._made, self._label = made, label
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = False

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._cancelled:
            raise StopIteration
        self._task = self._loop.create_task(self._next())
        try:
            batch = self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            raise StopIteration from None
        if batch is self:
            raise StopIteration
        return _batch(batch, self._label)

    async def _next(self) -> Any:
        try:
            return await self._made.__anext__()
        except StopAsyncIteration:
            return self

    def cancel(self) -> None:
        """Interrupt it where it waits; any thread may."""
        self._cancelled = True
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(lambda: self._task is not None and self._task.cancel())

    def close(self) -> None:
        try:
            close = getattr(self._made, "aclose", None)
            if close is not None:
                self._loop.run_until_complete(close())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()


def _batch(value: object, label: str) -> pd.DataFrame | list[dict[str, Any]]:
    """What was yielded, as rows."""
    if isinstance(value, pd.DataFrame):
        return value
    rows = [value] if isinstance(value, dict) else value
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        wrong = next(each for each in rows if not isinstance(each, dict)) if isinstance(rows, list) else value
        raise SourceError(
            f"{label} must yield dicts, lists of dicts or DataFrames",
            got=f"a {'list with a ' if isinstance(rows, list) else ''}{type(wrong).__name__}",
            hint="yield {'carrier': 'UA', 'delay': 15}, for example",
        )
    return rows


def _column(values: list[Any], field: pa.Field | None) -> tuple[pa.Array, dict[int, str]]:
    """Values as a column, and those that are none of ``field``, with what is wrong."""
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return _one_by_one(values, field)
    if field is not None and pa.types.is_temporal(field.type) and pa.types.is_string(array.type):
        times, lost = values_of(array.cast(TEXT), field.type)
        return times, {row: no_value(field, values[row]) for row in lost}
    return array, {}


def _one_by_one(values: list[Any], field: pa.Field | None) -> tuple[pa.Array, dict[int, str]]:
    if field is None:
        return pa.nulls(len(values)), {0: "values of several kinds"}
    parts, bad = [], {}
    for row, value in enumerate(values):
        try:
            part, lost = cast_column(pa.array([value], from_pandas=True), field)
            fits = lost is None
        except (pa.ArrowException, DtypeError, TypeError, ValueError, OverflowError):
            fits = False
        if not fits:
            bad[row] = no_value(field, value)
            part = pa.nulls(1, field.type)
        parts.append(part)
    return pa.concat_arrays(parts), bad


def _json(row: dict[str, Any]) -> str:
    return json.dumps({str(name): value for name, value in row.items()}, default=str, ensure_ascii=False)
