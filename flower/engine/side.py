"""Rows of one side of a join, admitted against the watermark that they meet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from flower.engine.counts import Counts
from flower.engine.joint import Joint
from flower.engine.lift import EXPIRED, Lifted
from flower.engine.waiting import held
from flower.graph.batch import Batch, constant
from flower.model.arrays import Bools
from flower.model.custom import WindowFn
from flower.model.panes import instants
from flower.model.time import I64, later

LATE = "the row came after the watermark"


def lift_side(batch: Batch, step: Joint, side: int, *, watermark: int, elsewhere: int) -> Lifted:
    """Admit the rows of one partition, and find their windows or how long they are of use.

    Parameters
    ----------
    watermark : int
        The step's watermark at the epoch's start.
    elsewhere : int
        The watermark of the other partitions and inputs at the epoch's start.
    """
    met = np.maximum(np.minimum(batch.met, elsewhere), watermark)
    if step.windowing is None:
        gone = met > batch.time
        late, first, reason = 0, batch.time + 1, LATE
        at, until = batch.time, _until(step, side, batch.time)
    else:
        where, time = step.windowing.windows, batch.time
        assert not isinstance(where, WindowFn), "a join refuses them"
        if side == 0 and step.lookup is not None and step.lookup.mapped is not None:
            _, _, end = step.lookup.mapped.assign(time)
            time = end - 1
        row, at, until = where.assign(time)
        if row is not None:
            batch, met = batch.take(row), met[row]
        expiry = step.windowing.expiry(until)
        gone, late = met >= expiry, int(np.count_nonzero(met >= until))
        first, reason = expiry, EXPIRED
    missed = int(np.count_nonzero(gone))
    counts = Counts(len(gone) - max(late, missed), max(late - missed, 0), missed)
    dropped = Batch.empty(step.dropped_schema)
    if missed:
        counts = Counts(counts.on_time, counts.late, missed, int((met - first)[gone].max()))
        windows = () if step.windowing is None else (at, until)
        dropped = _dropped(batch, step, side, (met, gone), reason, windows)
        kept = np.flatnonzero(~gone)
        batch, at, until = batch.take(kept), at[kept], until[kept]
    if step.windowing is not None and step.lookup is None:
        # Rows of a window are joined whenever they came; their times tell only which of them is taken back.
        nowhere = constant(0, len(batch))
        batch = replace(batch, partition=nowhere, position=nowhere, time=batch.time if step.same[side] else at)
    return Lifted(held(side, batch, step.keys, at, until, exact=step.exact), counts, dropped)


def _until(step: Joint, side: int, time: I64) -> I64:
    """The last event time of a row to come for which each of these is of use."""
    if step.within is None:  # as of any time before
        return time if side == 0 else later(time, 2**63 - 1)
    low, high = step.within
    if step.direction is None:
        ahead = high if side == 0 else -low
        # While the watermark has not passed a row, it may be taken back.
        return time + np.int64(ahead if step.same[side] is None else max(ahead, 0))
    # A left row waits for what is ahead of it; a right one is of use to left rows that wait, or are to come.
    return time + np.int64(high if side == 0 else high - low)


def _dropped(
    batch: Batch, step: Joint, side: int, late: tuple[I64, Bools], reason: str, windows: tuple[I64, ...]
) -> Batch:
    met, gone = late
    rows = batch.take(np.flatnonzero(gone))
    why = [pa.array([reason] * len(rows), pa.large_string()), instants(met[gone])]
    added = [*(instants(each[gone]) for each in windows), *why]
    return Batch(step.gone(side, rows.rows, added), rows.time, met[gone], rows.partition, rows.position)
