"""Joins in windows: both sides wait until the watermark passes the end of a window, and are joined then.

A window that still admits late rows is kept, and fires again once an epoch for the keys that late rows came to. When
accumulating, such a pane has all rows of the key and window; when discarding, those that a late row is part of, and
late rows that nothing joins: what was given stays given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flower.engine.joint import Joint
from flower.engine.keyed import Advanced, expired
from flower.engine.waiting import Held, alike, by_until, joined, new_of, numbered, with_more
from flower.graph.batch import Batch, constant
from flower.model.panes import LATE, ON_TIME, instants, timings
from flower.model.time import I64, MAX_TIME, MIN_TIME

Both = tuple[tuple[Held, ...], tuple[Held, ...]]


@dataclass(frozen=True, slots=True)
class JoinedState:
    """The rows of windows that are not passed, and of those that are and admit late rows; each table by window end."""

    watermark: int = MIN_TIME
    open: Both = ((), ())
    passed: Both = ((), ())

    def _tables(self) -> list[Held]:
        return [table for both in (self.open, self.passed) for side in both for table in side]

    @property
    def groups(self) -> int:
        """How many rows are held."""
        return sum(map(len, self._tables()))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(table.nbytes for table in self._tables())


def advance(state: JoinedState, fresh: Sequence[Held], step: Joint, w1: int) -> Advanced[JoinedState]:
    """One epoch."""
    assert step.windowing is not None
    w0, gone = state.watermark, expired(step.windowing, w1)
    late, front, open_, passed = [], [], [], []
    for side in (0, 1):
        new = by_until(new_of(fresh, step.sides, side))
        after, until = (int(np.searchsorted(new.until, mark, side="right")) for mark in (w0, w1))
        late.append(new.cut(0, after))
        done, rest = _split(state.open[side], w1)
        front.append(joined([*done, new.cut(after, until)]))
        open_.append(with_more(rest, new.cut(until, len(new)), by_until))
        passed.append(state.passed[side])
    panes = []
    if len(late[0]) or len(late[1]):
        panes.append(_again(step, passed, late, gone))
    if len(front[0]) or len(front[1]):
        panes.append(_fired(step, front[0], front[1], ON_TIME, None, gone))
    kept = []
    for side in (0, 1):
        left = _split(passed[side], gone)[1]
        for more in (late[side], front[side].marked(np.ones(len(front[side]), np.int64))):
            left = with_more(left, more.where(more.until > gone), by_until)
        kept.append(left)
    then = JoinedState(w1, (open_[0], open_[1]), (kept[0], kept[1]))
    rows = Batch.concat(panes or [Batch.empty(step.schema)])
    return Advanced(then, Batch(rows.rows, rows.time, rows.met, rows.partition, np.arange(len(rows))), w1)


def _split(tables: Sequence[Held], watermark: int) -> tuple[list[Held], tuple[Held, ...]]:
    """What of tables that are `by_until` is passed, and the rest."""
    at = [int(np.searchsorted(table.until, watermark, side="right")) for table in tables]
    done = [table.cut(0, n) for table, n in zip(tables, at, strict=True) if n]
    return done, tuple(table.cut(n, len(table)) for table, n in zip(tables, at, strict=True) if n < len(table))


def _again(step: Joint, passed: Sequence[tuple[Held, ...]], late: list[Held], gone: int) -> Batch:
    """The panes of the keys and windows that late rows came to; ``late`` gets its marks."""
    assert step.windowing is not None
    ends = np.unique(np.concatenate([rows.until for rows in late]))
    hashes = np.unique(np.concatenate([rows.hash for rows in late]))
    sides = []
    for side in (0, 1):
        known = [table.where(np.isin(table.until, ends) & np.isin(table.hash, hashes)) for table in passed[side]]
        sides.append(joined([late[side], *known]))
    left, right, count = numbered(sides[0], sides[1], step.keys, exact=step.exact)
    touched, panes = np.zeros(count, np.bool_), np.zeros(count, np.int64)
    for side, number in enumerate((left, right)):
        touched[number[: len(late[side])]] = True
        np.maximum.at(panes, number, sides[side].mark)
    fresh = []
    for side, number in enumerate((left, right)):
        n = len(late[side])
        here = touched[number]
        sides[side] = sides[side].where(here)
        fresh.append((np.arange(len(number)) < n)[here])
        late[side] = late[side].marked(panes[number[:n]] + 1)
        if side == 0:
            left = number[here]
        else:
            right = number[here]
    new = None if step.windowing.accumulation == "accumulating" else (fresh[0], fresh[1])
    return _pane(step, sides[0], sides[1], (left, right, count), LATE, panes, gone, new)


def _fired(step: Joint, left: Held, right: Held, timing: int, panes: I64 | None, gone: int) -> Batch:
    numbers = numbered(left, right, step.keys, exact=step.exact)
    return _pane(step, left, right, numbers, timing, panes, gone, None)


def _pane(
    step: Joint,
    left: Held,
    right: Held,
    numbers: tuple[I64, I64, int],
    timing: int,
    panes: I64 | None,
    gone: int,
    fresh: tuple[np.ndarray, np.ndarray] | None,
) -> Batch:
    """Join rows of one number; ``panes`` is how often each had fired, ``fresh`` which rows must take part."""
    mine, theirs = alike(*numbers)
    lone = [np.ones(len(left), np.bool_), np.ones(len(right), np.bool_)]
    lone[0][mine] = lone[1][theirs] = False
    if fresh is not None:
        new = fresh[0][mine] | fresh[1][theirs]
        mine, theirs = mine[new], theirs[new]
        lone = [alone & new for alone, new in zip(lone, fresh, strict=True)]
    left_only = np.flatnonzero(lone[0]) if step.kept(0) else mine[:0]
    right_only = np.flatnonzero(lone[1]) if step.kept(1) else mine[:0]
    at_left = np.concatenate((mine, left_only, np.full(len(right_only), -1)))
    at_right = np.concatenate((theirs, np.full(len(left_only), -1), right_only))
    end = np.where(at_left < 0, _at(right.until, at_right), _at(left.until, at_left))
    number = np.where(at_left < 0, _at(numbers[1], at_right), _at(numbers[0], at_left))
    again = step.windowing is not None and step.windowing.allowed_lateness_us > 0
    if again or (len(end) and (end != end[0]).any()):
        # A view tells the rows of a pane that later ones replace by their standing together.
        order = np.lexsort((number, end)) if again else np.argsort(end, kind="stable")
        at_left, at_right, end, number = at_left[order], at_right[order], end[order], number[order]
    start = np.where(at_left < 0, _at(right.at, at_right), _at(left.at, at_left))
    n = len(end)
    index = constant(0, n)
    if panes is not None:
        index = panes[number]
    time = np.where(end == MAX_TIME, MAX_TIME, end - 1)
    columns = [
        *step.joined((left.rows, right.rows), (at_left, at_right)),
        instants(start),
        instants(end),
        timings(np.full(n, timing, np.int8)),
        pa.array(index),
        pa.array(end <= gone),
        instants(time),
    ]
    rows = pa.RecordBatch.from_arrays(columns, schema=step.schema)
    return Batch(rows, time, constant(MIN_TIME, n), constant(0, n), constant(0, n))


def _at(values: I64, indices: I64) -> I64:
    """``values[indices]``; anything where there are no values to take."""
    return values[indices] if len(values) else np.zeros(len(indices), np.int64)
