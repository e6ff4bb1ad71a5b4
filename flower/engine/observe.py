"""What the rows of a range say of their source's watermark."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from flower.engine.evaluate import evaluate
from flower.graph.batch import Batch
from flower.graph.nodes import Read
from flower.graph.protocols import MarkedSource
from flower.graph.punctuations import tree_of
from flower.model import arrays
from flower.model.event_time import event_time_us
from flower.model.time import I64, MIN_TIME
from flower.model.watermarks import Estimate, ManualWatermark, Punctuated, Told, WatermarkPolicy
from flower.model.watermarks.told import running


def observed(
    read: Read, partition: int, start: int, end: int, rows: Batch, estimate: Estimate, now: int
) -> tuple[Batch, Estimate]:
    """The rows of a range with the watermark that each meets in its own partition, and the estimate after them."""
    met, after = read.watermark.observe(estimate, rows.time, now, _told(read, partition, start, end, rows))
    return replace(rows, met=met), after


def estimated(read: Read, partition: int, start: int, end: int, rows: Batch, estimate: Estimate, now: int) -> Estimate:
    """The estimate after the rows of a range alone."""
    return read.watermark.after(estimate, rows.time, now, _told(read, partition, start, end, rows))


def _told(read: Read, partition: int, start: int, end: int, rows: Batch) -> Told:
    told: dict[WatermarkPolicy, tuple[I64, int]] = {}
    for policy in read.watermark.leaves:
        if isinstance(policy, Punctuated):
            told[policy] = running(punctuations(policy, rows, read.tz))
        elif isinstance(policy, ManualWatermark) and isinstance(read.source, MarkedSource):
            marks, after = read.source.marks(partition, start, end)
            told[policy] = marks[rows.position - start], after
    return told


def punctuations(policy: Punctuated, rows: Batch, tz: str) -> I64:
    """What each row says, `MIN_TIME` where it says nothing."""
    column, codes = evaluate(tree_of(policy), rows.rows)
    if pa.types.is_boolean(column.type):
        said = arrays.numbers(column) & ~_none(column)
        marks = rows.time
    else:
        marks, missing, _ = event_time_us(column, tz=tz)
        said = np.ones(len(rows), np.bool_) if missing is None else ~missing
    if codes is not None:
        said = said & (codes == 0)
    return np.where(said, marks, MIN_TIME)


def _none(column: pa.Array) -> arrays.Bools:
    missing = arrays.missing(column)
    return np.zeros(len(column), np.bool_) if missing is None else missing
