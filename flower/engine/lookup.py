"""What the state of a keyed step holds of one key: for a person who asks, so it may look at every record once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from flower.engine.aligned import AlignedState
from flower.engine.counted import CountedState
from flower.engine.groups import GONE, Groups
from flower.engine.kept import found
from flower.engine.keyed import Keyed
from flower.engine.keys import Keys, encode, equal
from flower.engine.processed import ProcessedState
from flower.engine.processing import Processing
from flower.engine.sessions import SessionState
from flower.engine.state import KeyedState, KeyedStep
from flower.errors import RunError
from flower.graph.schema import dtype_name
from flower.model import arrays
from flower.model.arrays import Bools
from flower.model.time import I64, MAX_TIME, MIN_TIME, later, later_by


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key of a step, as its state has keys."""

    hash: int
    keys: Keys


NO_KEY = Wanted(0, ())
"""That of a step without keys."""


@dataclass(frozen=True, slots=True)
class Record:
    """A (key, window) that is held.

    Parameters
    ----------
    start, end : int
        The window.
    rows, since : int
        Pairs since the last pane, and the processing time of the first of them (`MAX_TIME`: none).
    panes : int
        Panes so far.
    marks : tuple of int
        What the trigger's machine knows besides.
    last : int or None
        The event time of the newest pair, if a ttl asks for it.
    values : tuple of pyarrow.Array
        What a person's own code remembers of the key, one value each.
    times : tuple of int
        For when its timers are set (`MAX_TIME`: they are not).
    """

    start: int
    end: int
    rows: int
    since: int
    panes: int
    marks: tuple[int, ...] = ()
    last: int | None = None
    values: tuple[pa.Array, ...] = ()
    times: tuple[int, ...] = ()


def exact_of(step: KeyedStep) -> bool:
    """Whether equal hashes of a step's keys mean equal keys."""
    return step.law.exact if isinstance(step, Keyed) else step.exact


def wanted(step: Keyed | Processing, key: object) -> Wanted:
    """The key that a person names: a value, or for several key columns a tuple or a mapping.

    Raises
    ------
    RunError
        If it does not fit the step's keys.
    """
    columns = []
    for name, value in zip(step.keys, _values(step, key), strict=True):
        field = step.schema.field(name)
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        try:
            if isinstance(value, bool) != pa.types.is_boolean(kind) and value is not None:
                raise pa.ArrowTypeError(f"a {type(value).__name__}")
            column = pa.array([value], kind, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, TypeError, ValueError):
            raise RunError(
                f"`key` must fit the column {name!r}, which is {dtype_name(field)}",
                got=f"{value!r}, a {type(value).__name__}",
                hint="give it as it stands in the results",
                step=repr(step.name),
            ) from None
        if exact_of(step) and column.null_count:
            raise RunError(f"no key of column {name!r} is missing", got=repr(value), step=repr(step.name))
        columns.append(column.dictionary_encode().cast(field.type) if kind is not field.type else column)
    encoded = encode(columns, 1, exact=exact_of(step))
    return Wanted(int(encoded.hash[0]), encoded.keys)


def _values(step: Keyed | Processing, key: object) -> tuple[object, ...]:
    names = ", ".join(map(repr, step.keys))
    if not step.keys:
        raise RunError("the step has no keys: ask without `key`", got=repr(key), step=repr(step.name))
    if isinstance(key, Mapping):
        if set(key) != set(step.keys):
            raise RunError(f"`key` must name the key columns {names}", got=repr(dict(key)), step=repr(step.name))
        return tuple(key[name] for name in step.keys)
    values = tuple(key) if isinstance(key, tuple) else (key,)
    if len(values) != len(step.keys):
        raise RunError(
            f"`key` must have a value for each of the key columns {names}",
            got=repr(key),
            hint="give a tuple in their order, or a mapping by their names",
            step=repr(step.name),
        )
    return values


def records_of(state: KeyedState, one: Wanted, exact: bool) -> list[Record]:
    """The records of a key, by window."""
    if isinstance(state, CountedState):
        return _waiting(state, one, exact)
    if isinstance(state, ProcessedState):
        return _remembered(state, one, exact)
    found: dict[tuple[int, int], Record] = {}
    for groups, start, end, adds in tables_of(state, one):
        at = _places(groups, one, exact)
        gone = () if groups.last is None else at[groups.last[at] == GONE]
        columns = (start[at], end[at], groups.rows[at], groups.since[at], groups.panes[at])
        marks = [tuple(int(column[i]) for column in groups.marks) for i in at]
        lasts = [None] * len(at) if groups.last is None else groups.last[at].tolist()
        for first, until, rows, since, *more in zip(*(c.tolist() for c in columns), marks, lasts, strict=True):
            record = Record(first, until, rows, since, *more)
            before = found.get((record.start, record.end))
            if adds and before is not None:
                rows, since = before.rows + rows, min(before.since, since)
                record = replace(record, rows=rows, since=since, panes=before.panes + record.panes)
            found[record.start, record.end] = record
        for i in gone:
            found.pop((int(start[i]), int(end[i])), None)
    return sorted(found.values(), key=lambda record: (record.end, record.start))


def _waiting(state: CountedState, one: Wanted, exact: bool) -> list[Record]:
    """The window of a key that is not full."""
    for run in reversed(state.runs):
        for at in _places(run.groups, one, exact).tolist():
            groups, (early, late) = run.groups, run.groups.marks
            rows, since = int(groups.rows[at]), int(groups.since[at])
            return [Record(int(early[at]), later_by(int(late[at]), 1), rows, since, 0)] if rows else []
    return []


def _remembered(state: ProcessedState, one: Wanted, exact: bool) -> list[Record]:
    """What a person's own code remembers of a key."""
    for table in state.tables:
        at = found(table, np.array([one.hash]), one.keys, exact=exact)[1]
        if len(at):
            known = table.records.take(at)
            times = tuple(int(time[0]) for time in known.times)
            return [Record(MIN_TIME, MAX_TIME, 0, MAX_TIME, 0, values=known.values, times=times)]
    return []


def _places(groups: Groups, one: Wanted, exact: bool) -> I64:
    """Where groups of a key are."""
    at = np.flatnonzero(groups.hash == one.hash)
    if len(at) and not exact:
        alike = pa.array(np.zeros(len(at), np.int64))
        mine = tuple(key.take(alike) for key in one.keys)
        at = at[_same(tuple(arrays.take(key, at) for key in groups.keys), mine)]
    return at


def _same(left: Keys, right: Keys) -> Bools:
    return equal(left, right) if left else np.ones(1, np.bool_)


def tables_of(state: KeyedState, one: Wanted | None = None) -> Iterator[tuple[Groups, I64, I64, bool]]:
    """Groups with their windows, oldest first, and whether those of one (key, window) add up or replace each other.

    ``one``: others than those of this key may be left out.
    """
    if isinstance(state, AlignedState):
        for runs, adds in ((state.blind, True), (state.open.runs, False), (state.passed.runs, False)):
            for run in runs:
                yield run.groups, run.spread(run.start), run.spread(run.end), adds
        for slices in state.slices:
            mine = slices if one is None else slices.where(slices.groups.hash == one.hash)
            at, end = mine.spread(state.watermark, MAX_TIME)
            yield mine.groups.take(at), end - mine.size, end, True
    elif isinstance(state, CountedState):
        for run in state.runs:
            yield run.groups, run.groups.marks[0], later(run.groups.marks[1], 1), False
    elif isinstance(state, SessionState) and state.live is not None:
        yield state.live.groups, state.live.start, state.live.end, False


def holder_of(state: KeyedState, step: Keyed) -> tuple[int, int] | None:
    """The window whose rows hold the output watermark furthest back, as far as the state shows it."""
    nothing, least, window = step.law.no_stamp, MAX_TIME, None
    for groups, start, end, _ in tables_of(state):
        if groups.stamp is None:
            return None
        passed = (
            end <= state.watermark if isinstance(state, AlignedState | SessionState) else np.zeros(len(end), np.bool_)
        )
        stamp = np.where((groups.stamp == nothing) | passed, MAX_TIME, groups.stamp)
        if len(stamp) and int(stamp.min()) < least:
            at = int(stamp.argmin())
            least, window = int(stamp[at]), (int(start[at]), int(end[at]))
    return window
