"""A person's code called for many keys at once: their state and timers are frames, whose index is the key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.engine.calling import Calls, require_times
from flower.engine.handles import stamp
from flower.engine.isolate import isolate
from flower.engine.kept import NEVER
from flower.engine.processing import Processing
from flower.engine.rowwise import RAISED, WRONG, error_text
from flower.errors import DtypeError, FlowerError, SchemaError
from flower.graph.batch import Batch
from flower.graph.schema import cast_columns, columns_of, frame_of
from flower.graph.state import Value
from flower.model import arrays
from flower.model.panes import INSTANT, instants
from flower.model.time import I64, MIN_TIME


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call makes of some keys.

    Parameters
    ----------
    values : tuple of pyarrow.Array
        What is remembered, a column each.
    times : tuple of ndarray of int64
        When each timer is set for.
    rows : pyarrow.RecordBatch
        What is given.
    whose : ndarray of int64
        Of which of the keys each row is.
    """

    values: tuple[pa.Array, ...]
    times: tuple[I64, ...]
    rows: pa.RecordBatch
    whose: I64


class AllAtOnce(Calls):
    """Code that is called for all keys of an epoch that have rows, and for all of which a timer fires."""

    def begin(self) -> None:
        """As of `Calls`."""
        self._values = list(self.known.values)
        self._index = index_of(self.keys_of(np.arange(len(self.known))), self.step)

    def rows(self, batch: Batch, ends: I64) -> None:
        """As of `Calls`."""
        begins = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
        frame = frame_of(batch.rows.select(self.step.rows.names))
        who = np.arange(len(ends))
        frame.index = self._index.take(np.repeat(who, ends - begins))

        def call(start: int, stop: int) -> Answer:
            mine = frame.iloc[begins[start] : ends[stop - 1]]
            return self._answer(who[start:stop], self.on_rows, mine)

        for start, stop, reason, text in self._called(call, who, batch.time[ends - 1]):
            self.errors.add(batch, np.arange(begins[start], ends[stop - 1]), reason, text)

    def timer(self, number: int, who: I64, time: I64, event: I64) -> None:
        """As of `Calls`."""
        name = self.step.timers[number][0]
        times = times_of([time], [name], self._index.take(who))[name]

        def call(start: int, stop: int) -> Answer:
            return self._answer(who[start:stop], self.on_timer, name, times.iloc[start:stop])

        for start, stop, reason, text in self._called(call, who, event):
            self.timers_failed(number, who[start:stop], time[start:stop], reason, text)

    def _answer(self, who: I64, function: Any, *arguments: Any) -> Answer:
        columns = [arrays.take(column, who) for column in self._values]
        times = [time[who] for time in self.times]
        return answer(function, arguments, columns, times, self._index.take(who), self.now, self.step)

    def _called(self, call: Callable[[int, int], Answer], who: I64, event: I64) -> list[tuple[int, int, str, str]]:
        """Call for ranges of keys; those that failed, and why."""
        done = isolate(call, len(who))
        for start, stop, made in done.results:
            mine, then = who[start:stop], event[start:stop]
            for number, time in enumerate(made.times):
                changed = time != self.times[number][mine]
                at = mine[changed]
                self.times[number][at] = time[changed]
                self.holds[number][at] = self.hold_of(number, time[changed], then[changed])
            for number, column in enumerate(made.values):
                place = np.arange(len(self.known))
                place[mine] = len(place) + np.arange(len(mine))
                self._values[number] = arrays.take(pa.concat_arrays([self._values[number], column]), place)
            self.give(mine[made.whose], then[made.whose], made.rows)
        return [
            (start, stop, WRONG if isinstance(error, FlowerError) else RAISED, error_text(error))
            for start, stop, error in done.failures
        ]

    def values(self) -> tuple[pa.Array, ...]:
        """As of `Calls`."""
        return tuple(self._values)


def index_of(keys: Sequence[pa.Array], step: Processing) -> pd.Index:
    """The index of some keys."""
    frame = frame_of(pa.RecordBatch.from_arrays(keys, schema=pa.schema([step.before.field(key) for key in step.keys])))
    return pd.Index(frame.iloc[:, 0]) if len(step.keys) == 1 else pd.MultiIndex.from_frame(frame)


def times_of(times: Sequence[I64], names: Sequence[str], index: pd.Index) -> pd.DataFrame:
    """Times of timers as a frame of their names."""
    columns = {
        name: frame_of(pa.record_batch({name: instants(time)}))[name] for name, time in zip(names, times, strict=True)
    }
    frame = pd.DataFrame(columns, index=pd.RangeIndex(len(index)))
    frame.index = index
    return frame


def state_of(columns: Sequence[pa.Array], index: pd.Index, step: Processing) -> pd.DataFrame:
    """What is remembered of some keys as a frame."""
    made = {}
    for (name, kind), column in zip(step.state, columns, strict=True):
        if isinstance(kind, Value):
            made[name] = frame_of(kind.shown(name, column))[name]
        else:
            values = np.empty(len(column), object)
            values[:] = kind.decoded(column)
            made[name] = pd.Series(values, dtype=object)
    frame = pd.DataFrame(made, index=pd.RangeIndex(len(index)))
    frame.index = index
    return frame


def answer(
    function: Any,
    arguments: Sequence[Any],
    columns: Sequence[pa.Array],
    times: Sequence[I64],
    index: pd.Index,
    now: int,
    step: Processing,
) -> Answer:
    """Call a person's code for some keys, and look at what it made of their state and timers.

    Raises
    ------
    Exception
        What it raises; a `FlowerError` if something does not fit.
    """
    names = [name for name, _ in step.timers]
    state, timers = state_of(columns, index, step), times_of(times, names, index)
    timers.attrs["now"] = pd.NaT if now == MIN_TIME else stamp(now)
    result = function(*arguments, state, timers)
    _require_same("state", state, step.kinds, index)
    _require_same("timers", timers, names, index)
    values = tuple(_column(name, state, step) for name, _ in step.state)
    schema = pa.schema([(name, INSTANT) for name in names])
    told, lost = cast_columns(timers.reset_index(drop=True), schema)
    if lost:
        raise DtypeError(f"timer {next(iter(lost))!r} must be set for times", got="something else")
    after = tuple(arrays.numbers(column.cast(INSTANT).fill_null(pa.scalar(NEVER).cast(INSTANT))) for column in told)
    rows, whose = _rows(result, index, step)
    return Answer(values, after, rows, whose)


def _require_same(what: str, frame: pd.DataFrame, names: Any, index: pd.Index) -> None:
    if list(frame.columns) != list(names):
        raise SchemaError(
            f"the frame `{what}` must keep its columns", got=", ".join(map(repr, frame.columns)), hint="change values"
        )
    if frame.index is not index and not frame.index.equals(index):
        raise SchemaError(f"the frame `{what}` must keep its index, the keys", got=f"{frame.index!r}"[:80])


def _column(name: str, state: pd.DataFrame, step: Processing) -> pa.Array:
    kind = step.kinds[name]
    try:
        if not isinstance(kind, Value):
            return kind.encoded(state[name].tolist())
        field = kind.fields[0].with_name(name)
        columns, lost = cast_columns(state[[name]].reset_index(drop=True), pa.schema([field]))
    except FlowerError as error:
        raise DtypeError(f"state {name!r} must fit {kind!r}", got=error.got) from None
    if name in lost:
        got = f"{state[name].iloc[int(np.argmax(lost[name]))]!r}"[:80]
        raise DtypeError(f"state {name!r} must fit {kind!r}", got=got)
    return kind.kept(columns.column(0))


def _rows(result: object, index: pd.Index, step: Processing) -> tuple[pa.RecordBatch, I64]:
    if result is None:
        return pa.RecordBatch.from_pylist([], schema=step.output), np.zeros(0, np.int64)
    if not isinstance(result, pd.DataFrame):
        raise SchemaError(
            "a vectorised call must give a DataFrame whose index is the key, or None",
            got=type(result).__name__,
            hint="put the columns into a frame with the index of `state`",
        )
    rows = columns_of(result, step.output)
    require_times(rows)
    if result.index is index or result.index.equals(index):
        return rows, np.arange(len(index))
    whose = np.asarray(index.get_indexer(result.index), np.int64)
    if (whose < 0).any():
        raise SchemaError(
            "rows that are given must have their key as index",
            got=f"{result.index[int(np.argmin(whose))]!r}"[:80],
            hint="keep the index of `rows` or `state`; columns of keys go into it with set_index",
        )
    return rows, whose
