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
from flower.engine.pairing import alike, numbered
from flower.engine.rowwise import ErrorRows
from flower.engine.waiting import Held, by_until, joined, never, new_of, settled, standing, with_more
from flower.graph.batch import Batch, constant, select
from flower.model.arrays import Bools, distinct, order
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
        new = new_of(fresh, step.sides, side)
        again, over = new.until <= w0, new.until <= w1
        late.append(new.where(again))
        done, rest = _split(state.open[side], w1)
        front.append(joined([new.cut(0, 0), *done, new.where(over & ~again)]))
        open_.append(with_more(rest, new.where(~over), by_until))
        passed.append(state.passed[side])
    panes = []
    if len(late[0]) or len(late[1]):
        panes.append(_again(step, passed, late, gone))
    if len(front[0]) or len(front[1]):
        left, right = (settled(rows, same) for rows, same in zip(front, step.same, strict=True))
        panes.append(_pane(step, left, right, numbered(left, right, step), gone=gone))
    kept, errors = [], ErrorRows(step.name)
    for side in (0, 1):
        ended, still = _split(passed[side], gone)
        same = step.same[side]
        if same is not None:
            # A window that goes is told of whole: only then can no row come that would have been taken back.
            whole = joined([*ended, *(each.where(each.until <= gone) for each in (late[side], front[side]))])
            back = np.zeros(len(whole), np.bool_) if whole.back is None else whole.back
            never([whole.where(standing(whole, same) & back)], same, errors)
        for more in (late[side], front[side].marked(constant(1, len(front[side])))):
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
    left, right, count = numbered(sides[0], sides[1], step)
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
    at_left, at_right = alike(*numbers)
    lone = [
        _without(at, len(side)) if step.kept(n) else None for n, at, side in ((0, at_left, left), (1, at_right, right))
    ]
    if fresh is not None:
        new = fresh[0][at_left] | fresh[1][at_right]
        at_left, at_right = at_left[new], at_right[new]
        lone = [None if alone is None else alone & new for alone, new in zip(lone, fresh, strict=True)]
    number = numbers[0][at_left]
    if step.keeps != "inner":
        left_only, right_only = (np.flatnonzero([] if alone is None else alone) for alone in lone)
        at_left = np.concatenate((at_left, left_only, np.full(len(right_only), -1)))
        at_right = np.concatenate((at_right, np.full(len(left_only), -1), right_only))
        # A view tells the rows of a pane that later ones replace by their standing together.
        number = np.concatenate((number, numbers[0][left_only], numbers[1][right_only]))
        by_number = order(number)
        at_left, at_right, number = at_left[by_number], at_right[by_number], number[by_number]
    start, end = (_of_either(getattr(left, name), at_left, getattr(right, name), at_right) for name in ("at", "until"))
    n = len(end)
    time = end - (end < MAX_TIME)
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


def _without(at: I64, length: int) -> Bools:
    alone: Bools = np.ones(length, np.bool_)
    alone[at] = False
    return alone


def _of_either(left: I64, at_left: I64, right: I64, at_right: I64) -> I64:
    """Values of left rows, and where there is none of right ones."""
    missing = at_left < 0
    if not missing.any():
        return select(left, at_left)
    return np.where(missing, right[at_right], left[at_left] if len(left) else 0)
