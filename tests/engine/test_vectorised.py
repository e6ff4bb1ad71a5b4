"""The engine takes as many steps of Python for many rows and keys as for few: nothing loops over them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
import pytest

import flower as fl
from flower.engine.embedded import Driver, Options
from flower.testing import ManualClock

HERE = str(Path(fl.__file__).parent)
FEW, MANY = 400, 40_000
"""Rows, each with a key of its own."""

WINDOWS = [fl.FixedWindows("10s"), fl.SlidingWindows("20s", every="10s"), fl.Sessions("5s"), fl.GlobalWindows()]
TRIGGERS = [
    fl.AfterWatermark(),
    fl.AfterWatermark(early=fl.AfterProcessingTime("1s"), late=fl.AfterCount(1)),
    fl.Repeatedly(fl.AfterEach(fl.AfterCount(1), fl.AfterAny(fl.When("total > 3"), fl.AfterCount(2)))),
    fl.OrFinally(fl.Always(), fl.AfterCount(3)),
]
AGGREGATES = {"total": ("v", "sum"), "mean": ("v", "mean"), "first": ("v", "first"), "kinds": ("v", "nunique")}


def rows(n: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    seconds = np.sort(random.integers(0, 100, n)) - random.integers(0, 12, n)
    return pd.DataFrame(
        {
            "k": random.permutation(n) // 2,
            "name": pd.Series(random.permutation(n) // 2).astype("str"),
            "v": random.integers(0, 5, n),
            "t": pd.to_datetime(seconds, unit="s", utc=True),
        }
    )


def lines(pipeline: Callable[[fl.Stream], fl.Stream], n: int) -> int:
    """How many lines of Flower run while a driver runs its epochs, as many of them for any ``n``."""
    source = fl.read.frame(rows(n), event_time="t", watermark=fl.BoundedDisorder("3s"))
    clock = ManualClock()
    driver = Driver([pipeline(source).node], Options.make(epoch_rows=n // 4, clock=clock))
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(HERE):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        while not driver.over():
            clock.advance("2s")
            epoch = driver.next_epoch()
            assert epoch is not None
            driver.run(epoch)
    finally:
        sys.settrace(before)
        driver.close()
    assert driver.metrics.epochs in (4, 5)
    return count


def require_equal(pipeline: Callable[[fl.Stream], fl.Stream]) -> None:
    few, many = lines(pipeline, FEW), lines(pipeline, MANY)
    # Runs are merged as sizes tell, and gathered by distinct times: a few lines more or less.
    assert many < 1.5 * few


@pytest.mark.parametrize("windows", WINDOWS, ids=repr)
@pytest.mark.parametrize("trigger", TRIGGERS, ids=repr)
def test_lines_do_not_grow_with_rows_and_keys(windows: Any, trigger: fl.Trigger) -> None:
    if trigger.finishes and windows.merging:
        trigger = fl.Repeatedly(trigger)

    def pipeline(stream: fl.Stream) -> fl.Stream:
        windowed = stream.window(
            windows, trigger=trigger, allowed_lateness="5s", allow_finishing=trigger.finishes, accumulation="discarding"
        )
        return windowed.groupby("k", "name").agg(**AGGREGATES)

    require_equal(pipeline)


def test_lines_do_not_grow_in_two_steps_and_in_what_was_dropped() -> None:
    def panes(stream: fl.Stream) -> fl.Stream:
        return stream.window(fl.FixedWindows("10s")).groupby("k").agg(total=("v", "sum"))

    require_equal(lambda stream: panes(stream).window(fl.FixedWindows("20s")).groupby("total").agg(n="count"))
    require_equal(lambda stream: panes(stream).dropped)


@pytest.mark.parametrize("windows", [fl.FixedWindows("10s"), fl.GlobalWindows(), fl.Sessions("5s")], ids=repr)
@pytest.mark.parametrize("stamp", ["earliest", "latest"])
def test_lines_do_not_grow_with_rows_and_keys_that_are_let_go_and_hold_the_watermark(windows: Any, stamp: Any) -> None:
    def pipeline(stream: fl.Stream) -> fl.Stream:
        trigger = fl.AfterWatermark(early=fl.AfterCount(2))
        windowed = stream.window(
            windows, trigger=trigger, ttl="8s", timestamp_combiner=stamp, accumulation="discarding"
        )
        return windowed.groupby("k").agg(total=("v", "sum"))

    require_equal(pipeline)


def _in_windows(how: Any) -> Callable[[fl.Stream], fl.Stream]:
    def pipeline(stream: fl.Stream) -> fl.Stream:
        one, other = (
            each.window(fl.FixedWindows("10s"), allowed_lateness="5s") for each in (stream, stream.filter("v > 1"))
        )
        return one.join(other, ["k", "name"], how)

    return pipeline


@pytest.mark.parametrize("how", ["inner", "outer"])
def test_lines_do_not_grow_with_rows_that_are_joined(how: Any) -> None:
    require_equal(_in_windows(how))
    require_equal(lambda stream: _in_windows(how)(stream).dropped)
    require_equal(lambda stream: stream.join(stream.filter("v > 1"), "name", how, within=("-5s", "10s")))
    require_equal(lambda stream: stream.join_asof(stream.filter("v > 1"), "name"))
    require_equal(lambda stream: stream.join_asof(stream.filter("v > 1"), "k", direction="nearest", tolerance="5s"))


def test_a_loop_over_rows_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from flower.engine import lift

    whole = lift._aggregated

    def slow(batch: Any, *rest: Any) -> Any:
        for position in batch.position:
            lift.arrays.group_starts(np.array([position]))
        return whole(batch, *rest)

    monkeypatch.setattr(lift, "_aggregated", slow)
    with pytest.raises(AssertionError):
        require_equal(lambda stream: stream.window(fl.FixedWindows("10s")).groupby("k").agg(total=("v", "sum")))
