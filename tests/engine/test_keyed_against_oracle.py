"""Keyed steps, epoch by epoch, against the oracle: random rows on a coarse grid of times, so that they land on the
edges of windows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import examples

from flower.engine import keys
from flower.engine.aggregates import Aggregates
from flower.engine.counts import Counts
from flower.engine.groups import Law
from flower.engine.keyed import Keyed
from flower.engine.lift import lift
from flower.engine.state import advance, empty
from flower.graph.batch import Batch
from flower.model.combiners import combiner_of
from flower.model.panes import pane_schema
from flower.model.reference import KeyedOracle, Row
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.triggers import AfterCount, AfterProcessingTime, AfterWatermark, machine_of
from flower.model.windowing import Windowing
from flower.model.windows import FixedWindows, GlobalWindows, Sessions, SlidingWindows

SCHEMA = pa.schema(
    [
        pa.field("k", pa.large_string()),
        pa.field("i", pa.int64()),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("v", pa.float64()),
        pa.field("s", pa.large_string()),
    ]
)
AGGREGATES = {
    "rows": (None, "count"),
    "total": ("n", "sum"),
    "sum_i": ("i", "sum"),
    "count_v": ("v", "count"),
    "mean_v": ("v", "mean"),
    "std_v": ("v", "std"),
    "min_i": ("i", "min"),
    "max_s": ("s", "max"),
    "min_v": ("v", "min"),
    "first_s": ("s", "first"),
    "last_v": ("v", "last"),
    "distinct_s": ("s", "nunique"),
    "distinct_n": ("n", "nunique"),
}

windows = st.sampled_from(
    [
        FixedWindows("4us"),
        FixedWindows("4us", offset="1us"),
        SlidingWindows("6us", every="2us"),
        SlidingWindows("5us", every="2us", offset="1us"),
        Sessions("3us"),
        Sessions("2us"),
        Sessions("2us", merge_touching=True),
        GlobalWindows(),
    ]
)
parts = st.none() | st.integers(1, 3).map(AfterCount) | st.sampled_from(["0us", "1us", "3us"]).map(AfterProcessingTime)
windowings = st.builds(
    lambda w, early, late, accumulation, lateness, combiner, on_time, closing: Windowing.make(
        w,
        trigger=AfterWatermark(early=early, late=late),
        accumulation=accumulation,
        allowed_lateness=lateness,
        timestamp_combiner=combiner,
        on_time_behavior=on_time,
        closing_behavior=closing,
    ),
    windows,
    parts,
    parts,
    st.sampled_from(["accumulating", "discarding"]),
    st.sampled_from(["0s", "2us", "5us", "unbounded"]),
    st.sampled_from(["end_of_window", "earliest", "latest"]),
    st.sampled_from(["fire_always", "fire_if_non_empty"]),
    st.sampled_from(["fire_if_non_empty", "fire_always"]),
)
rows = st.builds(
    lambda k, i, n, v, s, t: ({"k": k, "i": i, "n": n, "v": v, "s": s}, t),
    st.sampled_from([None, "a", "b", "c"]),
    st.none() | st.integers(0, 2),
    st.integers(-3, 3),
    st.none() | st.sampled_from([0.5, -1.25, 3.0]),
    st.none() | st.sampled_from(["x", "y", "zz"]),
    st.integers(-6, 14),
)
epochs = st.lists(
    st.tuples(st.lists(rows, max_size=6), st.integers(0, 4), st.integers(0, 2), st.integers(0, 4)),
    min_size=1,
    max_size=6,
)


def keyed(windowing: Windowing, by: tuple[str, ...]) -> Keyed:
    aggregates = Aggregates(
        tuple((name, combiner_of(how), column) for name, (column, how) in AGGREGATES.items()),
        tuple(None if column is None else SCHEMA.field(column) for column, _ in AGGREGATES.values()),
    )
    fields = [
        law.schema(field).with_name(name)
        for (name, law, _), field in zip(aggregates.parts, aggregates.inputs, strict=True)
    ]
    stamp = None if windowing.timestamp_combiner == "end_of_window" else windowing.timestamp_combiner
    by_fields = [SCHEMA.field(name) for name in by]
    exact = keys.exact([field.type for field in by_fields], [field.nullable for field in by_fields])
    machine = machine_of(windowing.trigger)
    law = Law(aggregates, exact, stamp, windowing.accumulation == "discarding", machine, bool(machine.initial))
    instant = pa.timestamp("us", "UTC")
    added = [("window_start", instant), ("window_end", instant), ("reason", pa.large_string()), ("watermark", instant)]
    dropped = pa.schema([*SCHEMA, *(pa.field(*each) for each in added)])
    return Keyed("agg-1", by, windowing, law, pane_schema(by_fields, fields, windowing), dropped)


def batch_of(some: list[tuple[dict[str, Any], int]], met: list[int], position: int) -> Batch:
    table = pa.RecordBatch.from_pylist([values for values, _ in some], SCHEMA)
    n = len(some)
    v = table.column("v").fill_null(float("nan"))
    table = table.set_column(3, SCHEMA.field("v"), v)
    time = np.array([t for _, t in some], np.int64)
    return Batch(table, time, np.array(met, np.int64), np.zeros(n, np.int64), position + np.arange(n))


def plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 9)
    return value


def pane_rows(batch: Batch) -> list[dict[str, Any]]:
    table = batch.rows
    for name in ("window_start", "window_end", "event_time"):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, table.column(name).view(pa.int64()))
    out = table.to_pylist()
    for row in out:
        for window in row.get("pane_absorbs", ()):
            for end in ("start", "end"):
                window[end] = int(window[end].timestamp() * 1e6 + (0.5 if window[end].timestamp() >= 0 else -0.5))
    return out


def canonical(panes: list[dict[str, Any]]) -> list[str]:
    return sorted(str({name: plain(value) for name, value in sorted(pane.items())}) for pane in panes)


def check(windowing: Windowing, script: Any, by: tuple[str, ...]) -> None:
    step = keyed(windowing, by)
    state = empty(step)
    oracle = KeyedOracle(windowing, by, AGGREGATES)
    w0, now, newest, position = MIN_TIME, 100, -20, 0
    for number, (some, bound, tick, jump) in enumerate([*script, ([], 0, 1, 0)]):
        met = []
        for _, t in some:
            met.append(w0 if newest == -20 else max(w0, newest - bound))
            newest = max(newest, t)
        last = number == len(script)
        w1 = MAX_TIME if last else max(w0, newest - bound + jump if newest > -20 else MIN_TIME)
        now += tick
        batch = batch_of(some, met, position)
        lifted = lift(batch, step, watermark=w0, elsewhere=MAX_TIME, now=now)
        done = advance(state, lifted.pieces, step, w1, now)
        state, panes, out = done.state, done.panes, done.watermark
        given_rows = [Row(v, t, m, 0, position + i) for i, ((v, t), m) in enumerate(zip(some, met, strict=True))]
        expected, dropped, counts = oracle.epoch(given_rows, w0, w1, now)
        assert canonical(pane_rows(panes)) == canonical(expected), f"epoch {number}: {w0} -> {w1}, now {now}"
        got = lifted.counts + done.counts
        assert (got.on_time, got.late, got.dropped) == (counts["on_time"], counts["late"], counts["dropped"])
        assert len(lifted.dropped) + (0 if done.dropped is None else len(done.dropped)) == len(dropped)
        if windowing.timestamp_combiner == "end_of_window":
            assert max(out, w0) == oracle.watermark
        w0, position = w1, position + len(some)


@examples(250)
@given(windowings, epochs, st.sampled_from([(), ("k",), ("n",), ("i",), ("k", "i"), ("v",)]))
def test_panes_equal_the_oracles(windowing: Windowing, script: Any, by: tuple[str, ...]) -> None:
    check(windowing, script, by)


@examples(100)
@given(windowings, epochs)
def test_keys_whose_hashes_collide_are_told_apart(windowing: Windowing, script: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_hash", lambda column: np.zeros(len(column), np.uint64))
        check(windowing, script, ("k", "i"))


def test_counts_add_up() -> None:
    assert Counts(1, 2, 3, 7) + Counts(1, 1, 1, -1) == Counts(2, 3, 4, 7)
