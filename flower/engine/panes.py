"""Which groups fire, and the panes they give, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from flower.engine.groups import Groups
from flower.engine.keyed import Keyed
from flower.graph.batch import Batch, constant
from flower.model.arrays import Bools
from flower.model.panes import EARLY, LATE, ON_TIME, instants, timings
from flower.model.time import I64, MAX_TIME, MIN_TIME


@dataclass(frozen=True, slots=True)
class Firing:
    """The answer of all triggers at once, one value a group."""

    fired: Bools
    timing: I64
    final: Bools


def ask(groups: Groups, end: I64, step: Keyed, w0: int, w1: int, now: int) -> Firing:
    """Ask every group once, after watermark and clock have moved.

    A window that this move completes fires on time and not early; one that expires with rows that no pane had fires a
    closing pane.
    """
    windowing = step.windowing
    early, late = end > w1, end <= w0
    some = groups.rows > 0
    fired = ~early & ~late
    if windowing.on_time_behavior == "fire_if_non_empty":
        fired &= some
    if windowing.trigger.early is not None:
        fired |= early & windowing.trigger.early.should_fire(groups.rows, groups.since, now)
    if windowing.trigger.late is not None:
        fired |= late & windowing.trigger.late.should_fire(groups.rows, groups.since, now)
    else:
        fired |= late & some
    expired = windowing.expiry(end) <= w1
    fired |= expired & (some | (windowing.closing_behavior == "fire_always"))
    timing = np.where(early, EARLY, np.where(late, LATE, ON_TIME))
    return Firing(fired, timing, fired & expired)


def panes_of(
    groups: Groups, start: I64, end: I64, firing: Firing, step: Keyed, absorbs: pa.Array | None = None
) -> Batch | None:
    """The panes of the groups that fired; None if there is none."""
    chosen = np.flatnonzero(firing.fired)
    n = len(chosen)
    if not n:
        return None
    if n < len(groups):
        groups, start, end = groups.take(chosen), start[chosen], end[chosen]
        absorbs = None if absorbs is None else absorbs.take(pa.array(chosen))
    time = np.where(end == MAX_TIME, MAX_TIME, end - 1)
    if groups.stamp is not None:
        time = np.where(groups.stamp == step.law.no_stamp, time, groups.stamp)
    columns = [
        *(_as_declared(key, step.schema.field(name)) for key, name in zip(groups.keys, step.keys, strict=True)),
        instants(start),
        instants(end),
        *step.law.aggregates.extract(groups.states, start, end),
        timings(firing.timing[chosen].astype(np.int8)),
        pa.array(groups.panes),
        pa.array(firing.final[chosen]),
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
    return Batch(batch.rows, batch.time, batch.met, batch.partition, np.arange(len(batch)))


def hold(stamps: I64, combiner: str, watermark: int) -> int:
    """The output watermark that windows with rows still allow, by the timestamps their panes would carry now."""
    if combiner == "end_of_window" or not len(stamps):
        return watermark
    return min(watermark, int(stamps.min()))
