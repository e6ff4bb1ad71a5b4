"""Which groups fire, and the panes they give, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from flower.engine.groups import Groups
from flower.engine.holding import holds
from flower.engine.keyed import Keyed
from flower.engine.rowwise import NEVER, ErrorRows
from flower.engine.standing import retractions, times
from flower.graph.batch import Batch, constant
from flower.model import arrays
from flower.model.arrays import Bools
from flower.model.panes import (
    EARLY,
    EVENT_TIME,
    LATE,
    ON_TIME,
    RETRACTION,
    WINDOW_END,
    WINDOW_START,
    instants,
    so_far,
    timings,
)
from flower.model.time import I64, MAX_TIME, MIN_TIME
from flower.model.triggers import Asked, Finishing, Marks

SURPLUS = "more rows of the group are taken back than came"


@dataclass(frozen=True, slots=True)
class Firing:
    """The answer of all triggers at once, one value a group; ``marks`` are those after it."""

    fired: Bools
    timing: I64
    final: Bools
    marks: Marks
    lapsed: Bools | None = None
    """Which are let go by their newest row; None: none can be."""


def ask(groups: Groups, end: I64, step: Keyed, w0: int, w1: int, now: int) -> Firing:
    """Ask every group once, after watermark and clock have moved.

    A window that this move completes fires on time and not early; one that expires, or lapses, with rows that no pane
    had fires a closing pane. A trigger that fires for a window without rows since the last pane goes on, but gives no
    pane, unless this is the on-time one.
    """
    windowing, machine, marks = step.windowing, step.law.machine, groups.marks
    asked = _asked(groups, end, step, w0, w1, now)
    early, late = asked.early, asked.late
    passing, expired = ~early & ~late, windowing.expiry(end) <= w1
    if groups.fresh is not None:
        marks = machine.on_rows(marks, groups.fresh, now)
    due = machine.due(marks, asked)
    moved = due <= now
    if groups.fresh is not None:
        moved &= (groups.fresh > 0) | passing | expired | (due > MIN_TIME)
    marks, finished = machine.on_fire(marks, moved, asked)
    some = groups.rows > 0
    fired = moved & (some | passing) if windowing.on_time_behavior == "fire_always" else moved & some
    lapsed = None if groups.last is None else windowing.lapse(groups.last) <= w1
    closing = expired if lapsed is None else expired | lapsed
    if windowing.closing_behavior != "fire_always":
        closing = closing & some
    if isinstance(machine, Finishing):
        closing = closing & ~machine.finished(marks)
    timing = np.where(early, EARLY, np.where(late, LATE, ON_TIME))
    fired = fired | closing
    return Firing(fired, timing, fired & (expired | finished), marks, lapsed)


def due(groups: Groups, end: I64, step: Keyed, w0: int, w1: int, now: int) -> I64:
    """The processing time at which each group is to be asked again though nothing else happens."""
    return step.law.machine.due(groups.marks, _asked(groups, end, step, w0, w1, now))


def fire(
    groups: Groups,
    start: I64,
    end: I64,
    firing: Firing,
    step: Keyed,
    absorbs: pa.Array | None = None,
    by: I64 | None = None,
) -> tuple[Batch | None, Groups]:
    """What groups that have been asked emit, and what stays of them; ``by`` as for `panes_of`.

    Retractions come first: of all panes that still stand of a window that fires, if the step takes panes back; else of
    those of a group whose rows have all been taken back. Such a group has no pane.
    """
    if groups.standing is None:
        return panes_of(groups, start, end, firing, step, absorbs, by), _after(groups, firing, step)
    emptied = np.zeros(len(groups), np.bool_) if groups.net is None else firing.fired & (groups.net <= 0)
    emitted = firing.fired & ~emptied
    panes = panes_of(groups, start, end, replace(firing, fired=emitted), step, absorbs)
    kept = _after(groups, firing, step)
    if not firing.fired.any():
        return None, kept
    taken = firing.fired if step.law.retracting else emptied
    flat, counts = groups.standing.flat()
    owner = np.repeat(np.arange(len(groups)), counts)
    back = np.flatnonzero(taken[owner])
    none = Batch.empty(step.schema)
    new = none if panes is None else panes
    standing = groups.standing.replaced(firing.fired, emitted, new.rows, new.time, step.keys)
    kept = replace(kept, panes=groups.panes + emitted, standing=standing)
    together = standing.together()
    new = replace(new, retraction=np.zeros(len(new), np.bool_), oldest=together[emitted])
    if not len(back):
        return new, kept
    keys = [
        _as_declared(arrays.take(key, owner[back]), step.schema.field(name))
        for key, name in zip(groups.keys, step.keys, strict=True)
    ]
    rows = retractions(flat.take(pa.array(back)), keys, step.schema)
    n = len(rows)
    old = Batch(
        rows,
        times(rows, EVENT_TIME),
        constant(MIN_TIME, n),
        constant(0, n),
        constant(0, n),
        np.ones(n, np.bool_),
        together[owner[back]],
    )
    return Batch.concat([old, new]), kept


def owing(groups: Groups, start: I64, end: I64, firing: Firing, step: Keyed, errors: ErrorRows) -> None:
    """Tell of the groups that fire and of which more rows have been taken back than came: they have no pane."""
    if groups.net is None:
        return
    at = np.flatnonzero(firing.fired & (groups.net < 0))
    if not len(at):
        return
    names = [*step.keys, WINDOW_START, WINDOW_END]
    keys = [
        _as_declared(arrays.take(key, at), step.schema.field(name))
        for key, name in zip(groups.keys, step.keys, strict=True)
    ]
    schema = pa.schema([step.schema.field(name) for name in names])
    rows = pa.RecordBatch.from_arrays([*keys, instants(start[at]), instants(end[at])], schema=schema)
    nowhere, n = constant(-1, len(at)), np.arange(len(at))
    errors.add(Batch(rows, end[at], constant(MIN_TIME, len(at)), nowhere, nowhere), n, NEVER, SURPLUS)


def _after(groups: Groups, firing: Firing, step: Keyed) -> Groups:
    """What stays of groups that have been asked."""
    kept = step.law.after_pane(groups, firing.fired)
    if kept.fresh is None:
        return kept
    return replace(kept, marks=firing.marks, fresh=np.zeros(len(kept), np.int64))


def _asked(groups: Groups, end: I64, step: Keyed, w0: int, w1: int, now: int) -> Asked:
    return Asked(groups.rows, groups.since, end, w0, w1, now, lambda predicate: _holds(predicate, groups, step))


def _holds(predicate: object, groups: Groups, step: Keyed) -> Bools:
    """For which groups a data-driven trigger's predicate holds."""
    schema = so_far(step.schema, step.keys)
    keys = [_as_declared(key, schema.field(name)) for key, name in zip(groups.keys, step.keys, strict=True)]
    rows = pa.RecordBatch.from_arrays([*keys, *step.law.aggregates.extract(groups.states)], schema=schema)
    return holds(predicate, rows, step.name)


def panes_of(
    groups: Groups,
    start: I64,
    end: I64,
    firing: Firing,
    step: Keyed,
    absorbs: pa.Array | None = None,
    by: I64 | None = None,
) -> Batch | None:
    """The panes of the groups that fired; None if there is none. ``by``: their places, in another order."""
    chosen = np.flatnonzero(firing.fired) if by is None else by
    n = len(chosen)
    if not n:
        return None
    if n < len(groups) or by is not None:
        groups, start, end = groups.take(chosen), start[chosen], end[chosen]
        absorbs = None if absorbs is None else absorbs.take(pa.array(chosen))
    time = np.where(end == MAX_TIME, MAX_TIME, end - 1)
    if groups.stamp is not None:
        time = np.where(groups.stamp == step.law.no_stamp, time, groups.stamp)
    columns = [
        *(_as_declared(key, step.schema.field(name)) for key, name in zip(groups.keys, step.keys, strict=True)),
        instants(start),
        instants(end),
        *step.law.aggregates.extract(groups.states, (start, end)),
        timings(firing.timing[chosen].astype(np.int8)),
        arrays.arrow(groups.panes, pa.int64()),
        pa.array(firing.final[chosen]),
        *((pa.repeat(pa.scalar(False), n),) if RETRACTION in step.schema.names else ()),
        *(() if absorbs is None else (absorbs,)),
        instants(time),
    ]
    rows = pa.RecordBatch.from_arrays(columns, schema=step.schema)
    return Batch(rows, time, constant(MIN_TIME, n), constant(0, n), constant(0, n))


def _as_declared(key: pa.Array, field: pa.Field) -> pa.Array:
    """A key column as it came: a missing float is NaN."""
    return key.fill_null(float("nan")) if pa.types.is_floating(field.type) and key.null_count else key


def together(parts: Sequence[Batch | None], schema: pa.Schema) -> Batch:
    """All panes of an epoch, numbered by position."""
    batch = Batch.concat([part for part in parts if part is not None] or [Batch.empty(schema)])
    return replace(batch, position=np.arange(len(batch)))
