"""What an epoch costs as the state grows: the same rows into ten thousand and into ten million live keys.

The keys are numbers such as a hash gives: those that follow one another would be found by a subtraction. The seconds
are the median epoch's, the CPU seconds those of all epochs, merges of runs included.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.api import read
from flower.engine.job import job
from flower.engine.keyed import Keyed
from flower.engine.lift import lift
from flower.engine.state import KeyedState, advance, empty
from flower.graph.batch import Batch, constant
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.triggers import AfterCount, AfterWatermark
from flower.model.windows import FixedWindows

if TYPE_CHECKING:
    from flower.bench.child import Columns, Given

ROWS, EPOCHS = 10_000, 100


def _step(early: bool) -> Keyed:
    trigger = AfterWatermark(early=AfterCount(1)) if early else AfterWatermark()
    rows = pd.DataFrame({"key": [0], "value": [0], "time": pd.to_datetime([0], utc=True)})
    panes = read.frame(rows, event_time="time").window(FixedWindows("1h"), trigger=trigger)
    (step,) = job([panes.groupby("key").agg(total=("value", "sum")).node]).keyed.values()
    return step


def _epoch(state: KeyedState, step: Keyed, keys: np.ndarray[Any, Any], now: int) -> tuple[KeyedState, int]:
    n = len(keys)
    spread = (keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)).view(np.int64)
    rows = pa.RecordBatch.from_arrays([pa.array(spread), pa.array(np.ones(n, np.int64))], names=["key", "value"])
    batch = Batch(rows, constant(0, n), constant(MIN_TIME, n), constant(0, n), np.arange(n))
    lifted = lift(batch, step, watermark=MIN_TIME, elsewhere=MAX_TIME, now=now)
    done = advance(state, lifted.pieces, step, MIN_TIME, now)
    return done.state, len(done.panes)


def _measured(given: Given, live: int, early: bool) -> Columns:
    step = _step(early)
    state = empty(step)
    for low in range(0, live, 1_000_000):
        state, _ = _epoch(state, step, np.arange(low, min(low + 1_000_000, live)), 0)
    random = np.random.default_rng(0)
    epochs = [random.integers(0, live, ROWS) for _ in range(EPOCHS)]
    if live == 10_000:
        # As many groups touched an epoch as of ten million keys, so that only the state's size differs.
        epochs = [random.permutation(live) for _ in range(EPOCHS)]
    panes, seconds = 0, []
    for number, keys in enumerate(epochs):
        began = time.perf_counter()
        state, fired = _epoch(state, step, keys, number + 1)
        seconds.append(time.perf_counter() - began)
        panes += fired
    worst = float(np.quantile(seconds, 0.99))
    given.record(seconds=statistics.median(seconds), cpu_seconds=sum(seconds), p99_ms=1000 * worst)
    given.record(state_bytes=state.nbytes / live)
    return {"fired": [panes > 0]}


def few_default(given: Given) -> Columns:
    """Ten thousand live keys, default trigger."""
    return _measured(given, 10_000, early=False)


def many_default(given: Given) -> Columns:
    """Ten million live keys, default trigger."""
    return _measured(given, 10_000_000, early=False)


def few_early(given: Given) -> Columns:
    """Ten thousand live keys, a pane for every group touched."""
    return _measured(given, 10_000, early=True)


def many_early(given: Given) -> Columns:
    """Ten million live keys, a pane for every group touched."""
    return _measured(given, 10_000_000, early=True)
