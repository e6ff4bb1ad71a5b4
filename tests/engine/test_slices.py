"""Sliding windows put together from slices give what windows that keep each row by themselves give."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import aggregated, at, examples, keys, leaves, scripted, scripts

import flower as fl
from flower.engine import slices
from flower.engine.aligned import AlignedState
from flower.engine.embedded import Driver, Options
from flower.engine.epoch import EpochResult
from flower.engine.held import held_rows
from flower.engine.keyed import Keyed
from flower.engine.lookup import records_of, wanted
from flower.engine.slices import cut
from flower.model.time import MAX_TIME, MIN_TIME
from flower.testing import TestStream

sliding = st.builds(
    lambda size, every, offset, time: fl.SlidingWindows(
        f"{max(size, every)}s", every=f"{every}s", offset=f"{offset}s", time=time
    ),
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(-1, 4),
    st.sampled_from(["event", "event", "processing"]),
)
late_triggers = st.builds(lambda late: fl.AfterWatermark(late=late), st.none() | leaves)


def played(stream: fl.Stream) -> tuple[Driver, list[EpochResult]]:
    driver = Driver([stream.node, stream.dropped.node], Options.make())
    results = []
    while not driver.over():
        plan = driver.next_epoch()
        assert plan is not None
        results.append(driver.run(plan))
    driver.close()
    return driver, results


def told(results: list[EpochResult]) -> list[Any]:
    """What each epoch gave, in order, and what it counted."""
    return [
        ([(port, batch.rows.to_pydict(), batch.time.tolist()) for port, batch in sorted(done.outputs.items())], counts)
        for done in results
        for counts in [(done.report.counts, done.state.watermarks)]
    ]


@pytest.mark.slow
@examples(100)
@given(
    scripts,
    sliding,
    late_triggers,
    st.sampled_from(["accumulating", "discarding", "retracting"]),
    st.sampled_from(["0s", "2s", "unbounded"]),
    st.sampled_from(["fire_always", "fire_if_non_empty"]),
    keys,
    st.sampled_from([1, 7, slices.AT_ONCE]),
)
def test_panes_drops_and_counts_are_those_of_windows_by_themselves(
    script: Any, where: Any, when: Any, how: Any, late: str, closing: Any, by: Any, at_once: int
) -> None:
    panes = aggregated(
        scripted(script).window(where, trigger=when, accumulation=how, allowed_lateness=late, closing_behavior=closing),
        by,
    )
    with mock.patch.object(slices, "AT_ONCE", at_once):
        driver, by_slices = played(panes)
    with mock.patch.object(Keyed, "sliced", False):
        _, by_windows = played(panes)
    assert str(told(by_slices)) == str(told(by_windows))
    (step,) = driver.job.keyed.values()
    for ours, theirs in zip(by_slices, by_windows, strict=True):
        (mine,), (yours,) = ours.state.keyed.values(), theirs.state.keyed.values()
        rows, counts = held_rows(mine, step)
        expected, expected_counts = held_rows(yours, step)
        assert str(rows.to_pydict()) == str(expected.to_pydict())
        assert counts.tolist() == expected_counts.tolist()
        for name in [(), ("a",)] if by == ("k",) else []:
            if name:
                one = wanted(step, *name)
                assert records_of(mine, one, step.law.exact) == records_of(yours, one, step.law.exact)
    assert step.sliced == (where.every_us < where.size_us)


def test_a_row_is_kept_once_and_let_go_with_its_last_window() -> None:
    stream = TestStream(schema={"k": "int64"}, event_time="t")
    rows = [{"k": i, "t": at(i)} for i in range(10)]
    stream = stream.epoch(lambda s: s.add(rows).watermark(at(0))).epoch(lambda s: s.watermark(at(17)))
    stream = stream.epoch(lambda s: s.watermark(at(19)))
    panes = stream.window(fl.SlidingWindows("10s", every="2s")).groupby("k").agg(rows="count")
    _, results = played(panes)
    held = []
    for done in results:
        (state,) = done.state.keyed.values()
        assert isinstance(state, AlignedState)
        held.append(state.groups)
    # The last window of 6 and 7 ends at 16, of 8 and 9 at 18; each had been there once, not five times.
    assert held == [10, 2, 0]
    assert [sum(len(batch) for batch in done.outputs.values()) for done in results] == [0, 48, 2]


def test_near_the_ends_of_time_rows_go_into_each_window_by_themselves() -> None:
    windows = fl.SlidingWindows("10s", every="3s")
    assert cut(windows, np.array([0, MAX_TIME - 15_000_000])) is None
    assert cut(windows, np.array([MIN_TIME + 15_000_000, 0])) is None
    assert cut(windows, np.array([MIN_TIME + 16_000_000, MAX_TIME - 16_000_000])) is not None


@pytest.mark.parametrize(("size", "every"), [("60s", "10s"), ("7s", "2s")])
def test_a_slice_is_in_the_windows_of_its_rows(size: str, every: str) -> None:
    windows = fl.SlidingWindows(size, every=every, offset="1s")
    time = np.random.default_rng(0).integers(-100_000_000, 100_000_000, 500)
    found = cut(windows, time)
    assert found is not None
    start, end = found.start[found.code], found.end[found.code]
    assert ((start <= time) & (time < end)).all()
    row, _, ends = windows.assign(time)
    assert (np.diff(found.first) >= 0).all()
    assert found.first[found.code].tolist() == pd.Series(ends).groupby(row).min().tolist()
    edges = set(ends.tolist()) | set((ends - windows.size_us).tolist())
    parts = set(zip(start.tolist(), end.tolist(), strict=True))
    assert not any(low < edge < high for low, high in parts for edge in edges)


def test_the_plan_says_where_windows_are_put_together_from_slices() -> None:
    frame = fl.read.frame(pd.DataFrame({"t": pd.to_datetime([0], utc=True)}), event_time="t")
    windows = fl.SlidingWindows("1min", every="10s")
    said = "in slices of which windows are put together"
    early = fl.AfterWatermark(early=fl.AfterCount(1))
    assert said in frame.window(windows).agg(rows="count").explain("physical")
    for by_themselves in (
        frame.window(windows, trigger=early),
        frame.window(windows, timestamp_combiner="latest"),
        frame.window(windows, ttl="1h"),
        frame.window(fl.FixedWindows("1min")),
    ):
        assert said not in by_themselves.agg(rows="count").explain("physical")


@pytest.mark.parametrize("windows", [fl.FixedWindows("10us"), fl.SlidingWindows("7us", every="2us", offset="1us")])
def test_whether_a_row_is_late_is_told_of_all_at_once_as_of_each(windows: fl.FixedWindows | fl.SlidingWindows) -> None:
    random = np.random.default_rng(0)
    told = set()
    for number in range(400):
        rows, disorder = int(random.integers(1, 40)), int(random.integers(0, 30))
        time = np.arange(rows) * int(random.integers(0, 4)) - random.integers(0, disorder + 1, rows)
        met = np.maximum.accumulate(time) - int(random.integers(0, 30))
        if number % 4 == 0:
            met = random.permutation(met)
        if number % 4 == 1:
            met = np.broadcast_to(met[0], rows)
        found = cut(windows, time)
        assert found is not None
        row, _, ends = windows.assign(time)
        first = ends if row is None else pd.Series(ends).groupby(row).min().to_numpy()
        late = bool((met >= first).any())
        assert found.some_late(met) == late
        told.add((number % 4, late))
    assert len(told) == 8, "of each kind there were some and none"
