"""What an epoch of a join costs as more rows are held: the same rows, and as many joined ones, with ten thousand held
and with a million.

The seconds are the median epoch's, the CPU seconds those of all epochs, merges of tables included.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.api import read
from flower.engine.job import job
from flower.engine.joint import Joint
from flower.engine.side import lift_side
from flower.engine.state import KeyedState, advance, empty
from flower.graph.batch import Batch, constant
from flower.model.time import MAX_TIME, MIN_TIME

if TYPE_CHECKING:
    from flower.bench.child import Columns, Given

ROWS, EPOCHS = 10_000, 100
"""An epoch is a second of event time; half of its rows are of each side."""
SECOND = 1_000_000


def _step(kind: Literal["inner", "outer", "asof"], seconds: int) -> Joint:
    rows = pd.DataFrame({"key": [0], "value": [0], "time": pd.to_datetime([0], utc=True)})
    left, right = (read.frame(rows.rename(columns={"value": name}), event_time="time") for name in ("value", "other"))
    right = right.select("key", "other")
    if kind == "asof":
        joined = left.join_asof(right, "key", tolerance=f"{seconds}s")
    else:
        joined = left.join(right, "key", within=(f"-{seconds}s", f"{seconds}s"), how=kind)
    (step,) = job([joined.node]).joins.values()
    return step


def _epoch(
    state: KeyedState, step: Joint, random: np.random.Generator, span: tuple[int, int], keys: int
) -> tuple[KeyedState, int, float]:
    """Rows of so many seconds into a state: the next one, how many are given, and how long that took."""
    first, last = (second * SECOND for second in span)
    n = ROWS // 2 * (span[1] - span[0])
    sides = []
    for schema in step.sides:
        when = np.sort(random.integers(first, last, n))
        key, value = random.integers(0, keys, n), np.arange(n)
        columns = {"key": key, "value": value, "other": value, "time": when}
        arrays = [pa.array(columns[field.name]).cast(field.type) for field in schema]
        rows = pa.RecordBatch.from_arrays(arrays, schema=schema)
        sides.append(Batch(rows, when, constant(MIN_TIME, n), constant(0, n), np.arange(n) + first))
    began = time.perf_counter()
    pieces = [
        lift_side(rows, step, side, watermark=first, elsewhere=MAX_TIME).groups for side, rows in enumerate(sides)
    ]
    done = advance(state, [piece for piece in pieces if piece is not None], step, last, 0)
    return done.state, len(done.panes), time.perf_counter() - began


def _measured(given: Given, held: int, kind: Literal["inner", "outer", "asof"]) -> Columns:
    # A left row that waits for nothing is held by no as-of join.
    seconds = held // ROWS * (2 if kind == "asof" else 1)
    step, random = _step(kind, seconds), np.random.default_rng(0)
    # A row is joined to one other on the average, however long it is held.
    keys = ROWS * seconds // (2 if kind == "asof" else 1)
    state, now = empty(step), 0
    while now < 2 * seconds:
        ahead = min(25, 2 * seconds - now)
        state, _, _ = _epoch(state, step, random, (now, now + ahead), keys)
        now += ahead
    taken, given_rows, most = [], 0, 0
    for epoch in range(now, now + EPOCHS):
        state, rows, took = _epoch(state, step, random, (epoch, epoch + 1), keys)
        taken.append(took)
        given_rows, most = given_rows + rows, max(most, state.groups)
    given.record(seconds=statistics.median(taken), cpu_seconds=sum(taken))
    given.record(p99_ms=1000 * float(np.quantile(taken, 0.99)), state_bytes=state.nbytes / state.groups)
    return {"held": [held <= most <= 4 * held + 2 * ROWS], "given": [round(2 * given_rows / EPOCHS / ROWS)]}


def few(given: Given) -> Columns:
    """An interval join that holds ten thousand rows."""
    return _measured(given, 10_000, "inner")


def many(given: Given) -> Columns:
    """One that holds a million."""
    return _measured(given, 1_000_000, "inner")


def few_outer(given: Given) -> Columns:
    """An outer one that holds ten thousand."""
    return _measured(given, 10_000, "outer")


def many_outer(given: Given) -> Columns:
    """An outer one that holds a million."""
    return _measured(given, 1_000_000, "outer")


def few_asof(given: Given) -> Columns:
    """An as-of join that holds ten thousand."""
    return _measured(given, 10_000, "asof")


def many_asof(given: Given) -> Columns:
    """An as-of join that holds a million."""
    return _measured(given, 1_000_000, "asof")
