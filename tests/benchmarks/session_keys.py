"""What an epoch of sessions costs: 100,000 keys, a gap of 10 seconds, few rows an epoch and many.

The seconds are the median epoch's once all keys have a session.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.api import read
from flower.engine.job import job
from flower.engine.lift import lift
from flower.engine.state import advance, empty
from flower.graph.batch import Batch, constant
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.windows import Sessions

KEYS, EPOCHS = 100_000, 60


def _measured(rows: int, rate: int) -> str:
    """``rate`` rows a second of event time, ``rows`` an epoch."""
    frame = pd.DataFrame({"key": [0], "value": [0], "time": pd.to_datetime([0], utc=True)})
    panes = read.frame(frame, event_time="time").window(Sessions("10s")).groupby("key").agg(total=("value", "sum"))
    (step,) = job([panes.node]).keyed.values()
    state, random, now, seconds, fired = empty(step), np.random.default_rng(0), 0, [], 0
    watermark = MIN_TIME
    warm = 4 * KEYS // rows
    for number in range(warm + EPOCHS):
        table = pa.RecordBatch.from_arrays(
            [pa.array(random.integers(0, KEYS, rows)), pa.array(np.ones(rows, np.int64))], names=["key", "value"]
        )
        times = now + np.arange(rows) * 1_000_000 // rate
        batch = Batch(table, times, constant(watermark, rows), constant(0, rows), np.arange(rows))
        now = int(times[-1])
        began = time.perf_counter()
        lifted = lift(batch, step, watermark=watermark, elsewhere=MAX_TIME, now=number)
        done = advance(state, lifted.pieces, step, now - 1_000_000, number)
        seconds.append(time.perf_counter() - began)
        state, watermark = done.state, now - 1_000_000
        fired += len(done.panes)
    took = statistics.median(seconds[warm:])
    return f"{1000 * took:.2f} ms an epoch of {rows:,} rows, {state.groups:,} live sessions"


if __name__ == "__main__":
    for rows in (1_000, 10_000, 100_000):
        print(_measured(rows, 30_000))
