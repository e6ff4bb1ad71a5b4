"""Joins in windows: both sides wait until the watermark passes the end of a window, and are joined then.

A window that still admits late rows is kept, and fires again once an epoch for the keys that late rows came to. When
accumulating, such a pane has all rows of the key and window; when discarding, those that a late row is part of, and
late rows that nothing joins: what was given stays given. When retracting, the pane before is taken back first.

Rows that take back others are held as they came, beside these: what stands is found when a pane fires, so the pane
before can be made again from the rows that it was made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flower.engine.joint import Joint
from flower.engine.keyed import Advanced, expired
from flower.engine.rowwise import ErrorRows
from flower.engine.waiting import Held, alike, by_until, joined, never, new_of, numbered, settled, standing, with_more
from flower.graph.batch import Batch, constant
from flower.model.arrays import distinct
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
        left, right = (settled(rows, same) for rows, same in zip(front, step.same, strict=True))
        panes.append(_pane(step, left, right, numbered(left, right, step.keys, exact=step.exact), gone=gone))
    kept, errors = [], ErrorRows(step.name)
    for side in (0, 1):
        over, still = _split(passed[side], gone)
        same = step.same[side]
        if same is not None:
            # A window that goes is told of whole: only then can no row come that would have been taken back.
            whole = joined([*over, *(each.where(each.until <= gone) for each in (late[side], front[side]))])
            back = np.zeros(len(whole), np.bool_) if whole.back is None else whole.back
            never([whole.where(standing(whole, same) & back)], same, errors)
        for more in (late[side], front[side].marked(np.ones(len(front[side]), np.int64))):
            still = with_more(still, more.where(more.until > gone), by_until)
        kept.append(still)
    then = JoinedState(w1, (open_[0], open_[1]), (kept[0], kept[1]))
    rows = Batch.concat(panes or [Batch.empty(step.schema)])
    return Advanced(then, replace(rows, position=np.arange(len(rows))), w1, errors=errors.rows())


def _split(tables: Sequence[Held], watermark: int) -> tuple[list[Held], tuple[Held, ...]]:
    """What of tables that are `by_until` is passed, and the rest."""
    at = [int(np.searchsorted(table.until, watermark, side="right")) for table in tables]
    done = [table.cut(0, n) for table, n in zip(tables, at, strict=True) if n]
    return done, tuple(table.cut(n, len(table)) for table, n in zip(tables, at, strict=True) if n < len(table))


def _again(step: Joint, passed: Sequence[tuple[Held, ...]], late: list[Held], gone: int) -> Batch:
    """The panes of the keys and windows that late rows came to; ``late`` gets its marks."""
    assert step.windowing is not None
    ends = distinct(np.concatenate([rows.until for rows in late]))
    hashes = distinct(np.concatenate([rows.hash for rows in late]))
    sides = []
    for side in (0, 1):
        known = [table.where(np.isin(table.until, ends) & np.isin(table.hash, hashes)) for table in passed[side]]
        sides.append(joined([late[side], *known]))
    left, right, count = numbered(sides[0], sides[1], step.keys, exact=step.exact)
    touched, panes, passed_on_time = np.zeros(count, np.bool_), np.zeros(count, np.int64), np.zeros(count, np.bool_)
    for side, number in enumerate((left, right)):
        touched[number[: len(late[side])]] = True
        np.maximum.at(panes, number, np.abs(sides[side].mark))
        passed_on_time[number[sides[side].mark > 0]] = True
    whole, before, fresh = [], [], []
    for side, number in enumerate((left, right)):
        n, rows = len(late[side]), sides[side]
        here = touched[number]
        late[side] = late[side].marked(-panes[number[:n]] - 1)
        whole.append(_Numbered(rows.where(here), number[here]).settled(step.same[side]))
        fresh.append(whole[-1].rows.mark == 0)
        if step.retracts:
            here[:n] = False
            before.append(_Numbered(rows.where(here), number[here]).settled(step.same[side]))
    made = []
    if step.retracts:
        timing = np.where((panes == 1) & passed_on_time, ON_TIME, LATE).astype(np.int8)
        one, other = before
        numbers = (one.number, other.number, count)
        made.append(_pane(step, one.rows, other.rows, numbers, timing=timing, panes=panes - 1, back=True))
    one, other = whole
    timing = np.full(count, LATE, np.int8)
    new = (fresh[0], fresh[1]) if step.windowing.accumulation == "discarding" else None
    numbers = (one.number, other.number, count)
    made.append(_pane(step, one.rows, other.rows, numbers, timing=timing, panes=panes, gone=gone, fresh=new))
    return Batch.concat(made)


@dataclass(frozen=True, slots=True)
class _Numbered:
    """Rows and the numbers of their key and window."""

    rows: Held
    number: I64

    def settled(self, same: Sequence[str] | None) -> _Numbered:
        """Those that stand."""
        back = self.rows.back
        if back is None or same is None:
            return self
        stands = standing(self.rows, same) & ~back
        return _Numbered(replace(self.rows.where(stands), back=None), self.number[stands])


def _pane(
    step: Joint,
    left: Held,
    right: Held,
    numbers: tuple[I64, I64, int],
    *,
    timing: npt.NDArray[np.int8] | None = None,
    panes: I64 | None = None,
    gone: int = MIN_TIME,
    fresh: tuple[np.ndarray, np.ndarray] | None = None,
    back: bool = False,
) -> Batch:
    """Join rows of one number.

    Parameters
    ----------
    timing, panes : ndarray, optional
        Of each number, and how often it had fired; None: on time, and not yet.
    gone : int
        The latest end of windows that are over: their panes are final.
    fresh : pair of ndarray, optional
        Which rows must take part.
    back : bool
        Whether the pane is taken back.
    """
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
    time = np.where(end == MAX_TIME, MAX_TIME, end - 1)
    columns = [
        *step.joined((left.rows, right.rows), (at_left, at_right)),
        instants(start),
        instants(end),
        timings(np.full(n, ON_TIME, np.int8) if timing is None else timing[number]),
        pa.array(constant(0, n) if panes is None else panes[number]),
        pa.array(end <= gone),
        *([pa.array(np.full(n, back))] if step.retracts else []),
        instants(time),
    ]
    rows = pa.RecordBatch.from_arrays(columns, schema=step.schema)
    retraction = np.full(n, back) if step.retracts else None
    return Batch(rows, time, constant(MIN_TIME, n), constant(0, n), constant(0, n), retraction)


def _at(values: I64, indices: I64) -> I64:
    """``values[indices]``; anything where there are no values to take."""
    return values[indices] if len(values) else np.zeros(len(indices), np.int64)
