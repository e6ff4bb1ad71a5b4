"""A person's code called for the rows and timers of keys: one key after the other.

A call is a unit: if it fails, or gives or keeps what does not fit, then nothing of it has been, and an error tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.engine.handles import State, TimersOf, stamp
from flower.engine.kept import NEVER, Remembered
from flower.engine.processing import Processing
from flower.engine.rowwise import RAISED, WRONG, ErrorRows, error_text, fitted
from flower.errors import DtypeError, FlowerError, SchemaError
from flower.graph.applied import rows_of
from flower.graph.batch import Batch, constant
from flower.graph.expressions import FrameFunction
from flower.graph.schema import columns_of, dtype_name, frame_of, names_text
from flower.graph.state import Kind
from flower.model import arrays
from flower.model.panes import EVENT_TIME, INSTANT, instants
from flower.model.time import I64, MIN_TIME

Plain = list[Mapping[str, Any]]
"""Rows whose values are what their columns hold."""

FIRINGS = 100_000
"""How many timers of one key fire in an epoch at most."""


class Calls:
    """The calls of an epoch, for keys that have rows or timers that are due.

    Parameters
    ----------
    step : Processing
        The step.
    known : Remembered
        What is remembered of the keys before.
    now : int
        The clock.
    """

    def __init__(self, step: Processing, known: Remembered, now: int) -> None:
        self.step, self.known, self.now = step, known, now
        self.on_rows, self.on_timer = step.functions()
        self.times = [time.copy() for time in known.times]
        self.holds = [hold.copy() for hold in known.holds]
        self.errors = ErrorRows(step.name)
        self.numbers: list[I64 | list[int]] = []  # of what was given: whose it is, when, and what
        self.given_at: list[I64 | list[int]] = []
        self.given: list[pa.RecordBatch | Plain] = []
        self.begin()

    # -- what differs between the two forms

    def begin(self) -> None:
        """Make what is remembered ready for the code."""
        raise NotImplementedError

    def rows(self, batch: Batch, ends: I64) -> None:
        """The rows of the first keys, by key; those of each end before one of ``ends``."""
        raise NotImplementedError

    def timer(self, number: int, who: I64, time: I64, event: I64) -> None:
        """A timer of some keys fires: for when it was set, and the event times of the calls."""
        raise NotImplementedError

    def values(self) -> tuple[pa.Array, ...]:
        """What is remembered after all calls."""
        raise NotImplementedError

    # -- timers

    def fire(self, limits: list[int]) -> None:
        """Let the timers of each key that are due fire, in order of time and name, until none is left."""
        who, fired = np.arange(len(self.known)), np.zeros(len(self.known), np.int64)
        while len(who) and limits:
            times = np.stack([time[who] for time in self.times])
            waiting = np.where(times <= np.array(limits)[:, None], times, NEVER)
            # Of timers of one time the first is that of the first name.
            first, which = waiting.min(axis=0), waiting.argmin(axis=0)
            due = np.flatnonzero(first != NEVER)
            who, which, first = who[due], which[due], first[due]
            fired[who] += 1
            for number in arrays.distinct(which).tolist():
                mine = which == number
                self._fire(number, who[mine], first[mine], fired)

    def _fire(self, number: int, who: I64, time: I64, fired: I64) -> None:
        domain = self.step.timers[number][1]
        event = time if domain == "event" else self.holds[number][who]
        if not self.step.timed:
            event = np.full(len(who), MIN_TIME)
        self.times[number][who] = self.holds[number][who] = NEVER
        over = fired[who] > FIRINGS
        if over.any():
            self.timers_failed(number, who[over], time[over], RAISED, f"more than {FIRINGS:,} timers in one epoch")
            who, time, event = who[~over], time[~over], event[~over]
        if len(who):
            self.timer(number, who, time, event)

    def hold_of(self, number: int, time: I64, event: I64) -> I64:
        """At which event time a timer holds the output watermark that was set for ``time`` by a call of ``event``."""
        held = time if self.step.timers[number][1] == "event" else event
        return np.where(time == NEVER, NEVER, held) if self.step.timed else np.full(len(time), NEVER)

    # -- what comes of it

    def timers_failed(self, number: int, who: I64, time: I64, reason: str, text: str) -> None:
        """Tell of timers that failed."""
        n, step = len(who), self.step
        fields = [step.before.field(key) for key in step.keys]
        names = [pa.field("timer", pa.large_string()), pa.field("time", INSTANT)]
        columns = [*self.keys_of(who), pa.array([step.timers[number][0]] * n, pa.large_string()), instants(time)]
        rows = pa.RecordBatch.from_arrays(columns, schema=pa.schema([*fields, *names]))
        nowhere = constant(-1, n)
        batch = Batch(rows, time, constant(MIN_TIME, n), nowhere, nowhere)
        self.errors.add(batch, np.arange(n), reason, text)

    def keys_of(self, who: I64) -> list[pa.Array]:
        """The key columns of some keys, as rows have them."""
        pick = pa.array(who)
        made = []
        for column, name in zip(self.known.keys, self.step.keys, strict=True):
            column = column.take(pick)
            nan = pa.types.is_floating(self.step.before.field(name).type) and column.null_count
            made.append(column.fill_null(float("nan")) if nan else column)
        return made

    def give(self, who: I64, event: I64, rows: pa.RecordBatch) -> None:
        """Take what was given: a row's key, the event time of its call, and its columns."""
        if len(rows):
            self.numbers.append(who)
            self.given_at.append(event)
            self.given.append(rows)

    def give_plain(self, who: int, event: int, rows: Plain) -> None:
        """Take rows that were given for one key and need no look at them."""
        if not rows:
            return
        if not self.given or not isinstance(self.given[-1], list):
            self.numbers.append([])
            self.given_at.append([])
            self.given.append([])
        for each in rows:
            self.numbers[-1].append(who)  # type: ignore[union-attr]
            self.given_at[-1].append(event)  # type: ignore[union-attr]
            self.given[-1].append(each)

    def batch(self) -> Batch:
        """All that was given."""
        step = self.step
        if not self.given:
            return Batch.empty(step.schema)
        given = pa.concat_batches([_as_batch(each, step) if isinstance(each, list) else each for each in self.given])
        time = np.concatenate(self.given_at)
        if EVENT_TIME in step.output.names:
            time = arrays.numbers(given.column(EVENT_TIME))
        own = [given.column(name) for name in step.output.names if name != EVENT_TIME]
        columns = [*self.keys_of(np.concatenate(self.numbers)), *own]
        if step.timed:
            columns.append(pa.array(time).view(INSTANT))
        n = len(given)
        rows = pa.RecordBatch.from_arrays(columns, schema=step.schema)
        batch = Batch(rows, time, constant(MIN_TIME, n), constant(0, n), constant(0, n))
        if not (time[1:] >= time[:-1]).all():
            batch = batch.take(np.argsort(time, kind="stable"))
        return replace(batch, position=np.arange(n))

    def remembered(self) -> Remembered:
        """What is remembered of the keys after all calls."""
        return Remembered(self.known.hash, self.known.keys, self.values(), tuple(self.times), tuple(self.holds))


class OneByOne(Calls):
    """Code that is called for each key."""

    def begin(self) -> None:
        """As of `Calls`."""
        step, known = self.step, self.known
        columns = [kind.decoded(column) for (_, kind), column in zip(step.state, known.values, strict=True)]
        names = [name for name, _ in step.state]
        self._values = [dict(zip(names, each, strict=True)) for each in zip(*columns, strict=True)]
        self._values = self._values or [{} for _ in range(len(known))]
        columns = self.keys_of(np.arange(len(known)))
        self._keys = _tuples(frame_of(pa.RecordBatch.from_arrays(columns, names=list(step.keys))))

    def rows(self, batch: Batch, ends: I64) -> None:
        """As of `Calls`."""
        frame = frame_of(batch.rows.select(self.step.rows.names))
        start = 0
        for i, end in enumerate(ends.tolist()):
            rows = frame.iloc[start:end]
            rows.index = pd.RangeIndex(end - start)
            failed = self._call(i, int(batch.time[end - 1]), self.on_rows, self._keys[i], rows)
            if failed is not None:
                self.errors.add(batch, np.arange(start, end), *failed)
            start = end

    def timer(self, number: int, who: I64, time: I64, event: I64) -> None:
        """As of `Calls`."""
        name = self.step.timers[number][0]
        for i, at, of in zip(who.tolist(), time.tolist(), event.tolist(), strict=True):
            failed = self._call(i, of, self.on_timer, name, self._keys[i], stamp(at))
            if failed is not None:
                one = np.array([i])
                self.timers_failed(number, one, np.array([at]), *failed)

    def _call(self, i: int, event: int, function: Any, *arguments: Any) -> tuple[str, str] | None:
        """One call; the reason and the text of its error, None if there is none."""
        step = self.step
        values = {name: kind.copied(self._values[i][name]) for name, kind in step.state}
        names = [name for name, _ in step.timers]
        times = {
            name: int(self.times[number][i]) for number, name in enumerate(names) if self.times[number][i] != NEVER
        }
        try:
            result = function(*arguments, State(step.kinds, values), TimersOf(step.domains, times, event, self.now))
            rows = rows_given(result, step)
            for name, kind in step.state:
                values[name] = normal(name, kind, values[name])
        except Exception as error:  # a person's code may raise anything
            return (WRONG if isinstance(error, FlowerError) else RAISED), error_text(error)
        self._values[i] = values
        for number, name in enumerate(names):
            time = times.get(name, NEVER)
            if time != self.times[number][i]:
                self.times[number][i] = time
                self.holds[number][i] = self.hold_of(number, np.array([time]), np.array([event]))[0]
        if isinstance(rows, list):
            self.give_plain(i, event, rows)
        elif rows is not None:
            self.give(np.full(len(rows), i), np.full(len(rows), event), rows)
        return None

    def values(self) -> tuple[pa.Array, ...]:
        """As of `Calls`."""
        return tuple(kind.encoded([each[name] for each in self._values]) for name, kind in self.step.state)


def _tuples(keys: pd.DataFrame) -> list[Any]:
    """Keys as a person's code gets them: a value, a tuple of several; what is missing is None."""
    columns = [keys[name].astype(object).where(keys[name].notna(), None).tolist() for name in keys.columns]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def normal(name: str, kind: Kind, value: Any) -> Any:
    """A value of state as it comes back when it has been kept.

    Raises
    ------
    DtypeError
        If it does not fit.
    """
    try:
        return kind.normal(value)
    except FlowerError:
        raise DtypeError(f"state {name!r} must fit {kind!r}", got=f"{value!r}"[:80]) from None


def rows_given(result: object, step: Processing) -> pa.RecordBatch | Plain | None:
    """The rows that a call gives, with the declared columns; None: it gives none.

    Raises
    ------
    FlowerError
        If they do not fit.
    """
    if result is None:
        return None
    if isinstance(result, Mapping):
        return _records([result], step)
    if isinstance(result, Iterable) and not isinstance(result, str | bytes | pd.DataFrame | pd.Series | np.generic):
        return _records(result, step)
    rows = columns_of(rows_of(result, FrameFunction(step.code), step.output.names), step.output)
    require_times(rows)
    return rows


def require_times(rows: pa.RecordBatch) -> None:
    """See whether rows that say their event times have them."""
    if EVENT_TIME in rows.schema.names and rows.column(EVENT_TIME).null_count:
        raise DtypeError(f"column {EVENT_TIME!r} says which event times rows have", got="a missing one")


def _records(given: Iterable[object], step: Processing) -> pa.RecordBatch | Plain:
    names, records = set(step.output.names), []
    plain = True
    for each in given:
        if not isinstance(each, Mapping) or each.keys() != names:
            got = f"the keys {names_text(map(str, each))}" if isinstance(each, Mapping) else type(each).__name__
            raise SchemaError(f"a row must be a dict of the columns {names_text(step.output.names)}", got=got)
        plain = plain and all(is_plain(each[name]) for name, is_plain in step.plain)
        records.append(dict(each))  # the code may go on with it
    if plain:
        return records
    columns = []
    for field in step.output:
        values = [each[field.name] for each in records]
        column, bad = fitted(values, field)
        if bad is not None and bad.any():
            got = repr(values[int(np.argmax(bad))])[:80]
            raise DtypeError(f"column {field.name!r} must be {dtype_name(field)}", got=got)
        columns.append(column)
    rows = pa.RecordBatch.from_arrays(columns, schema=step.output)
    require_times(rows)
    return rows


def _as_batch(rows: Plain, step: Processing) -> pa.RecordBatch:
    if not len(step.output):
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(rows), pa.struct([])))
    columns = [pa.array([each[field.name] for each in rows], field.type) for field in step.output]
    return pa.RecordBatch.from_arrays(columns, schema=step.output)
