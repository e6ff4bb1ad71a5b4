"""A person's code as the oracle calls it: for one key, with the rows, state and timers that it is told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.engine.calling import FIRINGS, normal, rows_given
from flower.engine.handles import State, TimersOf, stamp
from flower.engine.joint import Joint
from flower.engine.kept import NEVER as UNSET
from flower.engine.keyed import Keyed
from flower.engine.learning import Learning, fit, missing_text, raised_text
from flower.engine.panes import SURPLUS
from flower.engine.processing import Processing
from flower.engine.rowwise import NEVER, NO_VALUE, RAISED, WRONG, ErrorRows, error_text
from flower.engine.vectorised import answer, index_of, times_of
from flower.engine.waiting import never_text
from flower.errors import FlowerError
from flower.graph.batch import Batch
from flower.graph.models import read
from flower.graph.schema import frame_of
from flower.model import arrays
from flower.model.panes import EVENT_TIME, INSTANT, WINDOW_END, WINDOW_START, instants
from flower.model.reference import Row
from flower.model.reference.aggregates import missing
from flower.model.reference.learning import LearningOracle
from flower.model.reference.processes import Failure, Given, Key, ProcessOracle
from flower.model.reference.rows import Window


def process_oracle(step: Processing) -> ProcessOracle:
    """The oracle of a step."""
    lateness = step.allowed_lateness_us if step.timed else None
    calls = _OneKey(step) if step.vectorised else _OneByOne(step)
    code = (calls.begin, calls.on_rows, calls.on_timer)
    return ProcessOracle(step.keys, step.domains, lateness, *code, FIRINGS, at_end=step.batch)


class _OneByOne:
    """Code that is called for each key."""

    def __init__(self, step: Processing) -> None:
        self.step = step

    def begin(self) -> dict[str, Any]:
        """What is remembered at first."""
        return {name: kind.default for name, kind in self.step.state}

    def on_rows(
        self, key: Key, rows: Sequence[Row], state: dict[str, Any], times: dict[str, int], event: int, now: int
    ) -> Given:
        """The code, for rows."""
        frame = frame_of(_columns(rows, self.step).select(self.step.rows.names))
        return self._called(0, (_shown(key), frame), state, times, event, now)

    def on_timer(
        self, name: str, key: Key, time: int, state: dict[str, Any], times: dict[str, int], event: int, now: int
    ) -> Given:
        """The code, for a timer."""
        return self._called(1, (name, _shown(key), stamp(time)), state, times, event, now)

    def _called(
        self, which: int, what: tuple[Any, ...], state: dict[str, Any], times: dict[str, int], event: int, now: int
    ) -> Given:
        function = self.step.functions()[which]
        handles = State(self.step.kinds, state), TimersOf(self.step.domains, times, event, now)
        rows = rows_given(function(*what, *handles), self.step)
        for name, kind in self.step.state:
            state[name] = normal(name, kind, state[name])
        if rows is None or isinstance(rows, list):
            return [dict(row) for row in rows or ()]
        return _plain(rows)


class _OneKey(_OneByOne):
    """Code that is called for many keys, called for one: keys do not depend on one another."""

    def on_rows(
        self, key: Key, rows: Sequence[Row], state: dict[str, Any], times: dict[str, int], event: int, now: int
    ) -> Given:
        """The code, for rows."""
        frame = frame_of(_columns(rows, self.step).select(self.step.rows.names))
        frame.index = self._index([key] * len(frame))
        return self._answered(0, key, (frame,), state, times, now)

    def on_timer(
        self, name: str, key: Key, time: int, state: dict[str, Any], times: dict[str, int], event: int, now: int
    ) -> Given:
        """The code, for a timer."""
        when = times_of([np.array([time])], [name], self._index([key]))[name]
        return self._answered(1, key, (name, when), state, times, now)

    def _index(self, keys: list[Key]) -> pd.Index:
        fields = [self.step.before.field(name) for name in self.step.keys]
        values = zip(*keys, strict=True)
        columns = [pa.array(each, field.type, from_pandas=True) for each, field in zip(values, fields, strict=True)]
        nan = [pa.types.is_floating(column.type) and column.null_count for column in columns]
        return index_of(
            [c.fill_null(float("nan")) if gone else c for c, gone in zip(columns, nan, strict=True)], self.step
        )

    def _answered(
        self, which: int, key: Key, what: tuple[Any, ...], state: dict[str, Any], times: dict[str, int], now: int
    ) -> Given:
        step = self.step
        columns = [kind.encoded([state[name]]) for name, kind in step.state]
        before = [np.array([times.get(name, UNSET)]) for name, _ in step.timers]
        made = answer(step.functions()[which], what, columns, before, self._index([key]), now, step)
        for (name, kind), column in zip(step.state, made.values, strict=True):
            state[name] = kind.decoded(column)[0]
        for (name, _), time in zip(step.timers, made.times, strict=True):
            times[name] = int(time[0])
            if times[name] == UNSET:
                del times[name]
        return _plain(made.rows)


def _plain(rows: pa.RecordBatch) -> Given:
    """Rows as the oracle has them, whose times are microseconds."""
    plain: Given = rows.to_pylist()
    if EVENT_TIME in rows.schema.names:
        for row, time in zip(plain, arrays.numbers(rows.column(EVENT_TIME)).tolist(), strict=True):
            row[EVENT_TIME] = time
    return plain


def _shown(key: Key) -> Any:
    values = tuple(
        pd.Timestamp(each)
        if isinstance(each, dt.datetime)
        else pd.Timedelta(each)
        if isinstance(each, dt.timedelta)
        else each
        for each in key
    )
    return values[0] if len(values) == 1 else values


def _columns(rows: Sequence[Row], step: Processing) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([dict(row.values) for row in rows], schema=step.before)


def failed_calls(failures: Sequence[Failure], step: Processing) -> Iterator[tuple[int | None, pa.RecordBatch]]:
    """The rows and timers of calls that failed, in the words of the engine, each with the stage that it comes from."""
    for failure in failures:
        error = failure.error
        reason = WRONG if isinstance(error, FlowerError) else RAISED
        text = f"more than {FIRINGS:,} timers in one epoch" if error is None else error_text(error)
        for row in failure.rows:
            yield row.stage, _told([dict(row.values)], step.before, row.partition, row.position, reason, text, step)
        if failure.timer:
            fields = [step.before.field(name) for name in step.keys]
            schema = pa.schema([*fields, pa.field("timer", pa.large_string()), pa.field("time", INSTANT)])
            values = dict(zip(step.keys, failure.key, strict=True))
            values |= {"timer": failure.timer, "time": stamp(failure.time)}
            yield None, _told([values], schema, -1, -1, reason, text, step)


def _told(
    values: list[dict[str, Any]],
    schema: pa.Schema,
    partition: int,
    position: int,
    reason: str,
    text: str,
    step: Processing,
) -> pa.RecordBatch:
    errors = ErrorRows(step.name)
    none, at = np.zeros(1, np.int64), (np.array([partition]), np.array([position]))
    errors.add(Batch(pa.RecordBatch.from_pylist(values, schema=schema), none, none, *at), none, reason, text)
    return errors.rows()


def learning_oracle(step: Learning) -> LearningOracle:
    """The oracle of a step of models."""

    def ask(model: Any, values: Mapping[str, Any]) -> Any:
        x = {name: None if missing(values[name]) else values[name] for name in step.x}
        for name, value in x.items():
            if value is None and step.missing == "error":
                raise NoFeature(missing_text(name))
        if step.missing == "omit":
            x = {name: value for name, value in x.items() if value is not None}
        if step.y is None:
            said = fit(model.score_one(x) if step.model.task == "anomaly" else model.predict_one(x), step)
            model.learn_one(x)
            return said
        y = None if missing(values[step.y]) else values[step.y]
        said = fit(model.score_one(x, y) if step.model.task == "anomaly" else model.predict_one(x), step)
        if y is not None:
            model.learn_one(x, y)
        return said

    def together(model: Any, rows: list[Mapping[str, Any]]) -> list[Any]:
        frame = frame_of(pa.RecordBatch.from_pylist([dict(values) for values in rows], schema=step.before))
        if step.missing == "error" and frame[list(step.x)].isna().any(axis=None):
            raise NoFeature
        told = list(model.predict_many(frame[list(step.x)]))
        told = [fit(each, step) for each in told] if len(told) == len(rows) else [None] * len(rows)
        labelled = frame if step.y is None else frame[frame[step.y].notna()]
        if step.y is None:
            model.learn_many(labelled[list(step.x)])
        elif len(labelled):
            model.learn_many(labelled[list(step.x)], labelled[step.y])
        return told

    many = together if step.mini_batch else None
    return LearningOracle(step.keys, lambda: read(step.model.data), ask, many, waits=step.waits, at_end=step.batch)


class NoFeature(Exception):
    """A row lacks a feature."""


def failed_rows(failures: Sequence[tuple[Row, Exception]], step: Learning) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows on which models raised, in the words of the engine, each with the stage that it comes from."""
    for row, error in failures:
        lacks = isinstance(error, NoFeature)
        text = str(error) if lacks else raised_text(error, step)
        errors, none = ErrorRows(step.name), np.zeros(1, np.int64)
        rows = pa.RecordBatch.from_pylist([dict(row.values)], schema=step.before)
        at = (np.array([row.partition]), np.array([row.position]))
        errors.add(Batch(rows, none, none, *at), none, NO_VALUE if lacks else RAISED, text)
        yield row.stage, errors.rows()


def lost_rows(lost: Sequence[tuple[int, Row]], step: Joint) -> Iterator[pa.RecordBatch]:
    """The rows of a join that take back rows that never came, in the words of the engine."""
    for side, row in lost:
        same = step.same[side]
        assert same is not None
        rows = pa.RecordBatch.from_pylist([dict(row.values)], schema=step.sides[side])
        yield _nowhere(rows, NEVER, never_text(side, same), step.name)


def owing_groups(owing: Sequence[tuple[Key, Window]], step: Keyed) -> Iterator[pa.RecordBatch]:
    """The groups of which more rows have been taken back than came, in the words of the engine."""
    schema = pa.schema([step.schema.field(name) for name in (*step.keys, WINDOW_START, WINDOW_END)])
    for key, (start, end) in owing:
        values = dict(zip(step.keys, key, strict=True))
        ends = {WINDOW_START: instants(np.array([start]))[0], WINDOW_END: instants(np.array([end]))[0]}
        rows = pa.RecordBatch.from_pylist([values | {name: end.as_py() for name, end in ends.items()}], schema=schema)
        yield _nowhere(rows, NEVER, SURPLUS, step.name)


def _nowhere(rows: pa.RecordBatch, reason: str, text: str, step: str) -> pa.RecordBatch:
    """The one row as an error that comes from no place."""
    errors, nowhere = ErrorRows(step), np.array([-1])
    errors.add(Batch(rows, nowhere, nowhere, nowhere, nowhere), np.zeros(1, np.int64), reason, text)
    return errors.rows()
