"""Joins beside pandas' own, what they hold and let go, and what a stop leaves of them."""

from __future__ import annotations

import itertools
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import (
    asofs,
    enrichments,
    examples,
    increments,
    interval_joins,
    joined_sides,
    retracting_joins,
    taken_back,
    window_joins,
)

import flower as fl
from flower.engine import keys
from flower.engine.embedded import Driver, Options
from flower.errors import RunError
from flower.testing import ManualClock


def frame(n: int, seed: int, keys: int = 20, name: str = "v") -> pd.DataFrame:
    random = np.random.default_rng(seed)
    seconds = np.arange(n) + random.integers(-4, 1, n)
    key = random.integers(0, keys, n)
    times = pd.to_datetime(seconds, unit="s", utc=True).as_unit("us")
    return pd.DataFrame({"t": times, "k": key, "name": pd.Series(key).astype("str"), name: np.arange(n)})


def stream(rows: pd.DataFrame) -> fl.Stream:
    return fl.read.frame(rows, event_time="t", watermark=fl.BoundedDisorder("5s"))


def panes(joined: fl.Stream, epoch_rows: int = 100) -> pd.DataFrame:
    driver = Driver([joined.node], Options.make(epoch_rows=epoch_rows, clock=ManualClock()))
    driver.drive()
    (results,) = driver.results.values()
    assert driver.metrics.dropped == 0
    return results.panes()


TEN = fl.FixedWindows("10s")
LEFT, RIGHT = frame(2_000, 1), frame(2_000, 2, name="w")


def ordered(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[["v", "w"]].astype("Int64").sort_values(["v", "w"], ignore_index=True)


@pytest.mark.parametrize("on", ["k", ["k"], ["name"], ["k", "name"]])
@pytest.mark.parametrize("how", ["inner", "left", "right", "outer"])
def test_windows_and_intervals_give_what_a_merge_of_pandas_gives(on: Any, how: Any) -> None:
    left, right = (rows.assign(at=rows["t"]) for rows in (LEFT, RIGHT))
    one, other = stream(left), stream(right)
    window = fl.FixedWindows("1min")
    ours = panes(one.window(window).join(other.window(window), on, how))
    minutes = [rows.assign(minute=rows["t"].dt.floor("1min")) for rows in (left, right)]
    both = [on] if isinstance(on, str) else on
    expected = pd.merge(*minutes, on=[*both, "minute"], how=how)
    pd.testing.assert_frame_equal(ordered(ours), ordered(expected))

    ours = panes(one.join(other, on, how, within=("-7s", "30s")))
    pairs = pd.merge(left, right, on=both)
    apart = pairs["at_y"] - pairs["at_x"]
    pairs = pairs[(apart >= pd.Timedelta("-7s")) & (apart <= pd.Timedelta("30s"))]
    alone = [
        rows[~rows[name].isin(pairs[name])]
        for rows, name, kept in ((left, "v", ("left", "outer")), (right, "w", ("right", "outer")))
        if how in kept
    ]
    pd.testing.assert_frame_equal(ordered(ours), ordered(pd.concat([pairs, *alone])))


@pytest.mark.parametrize("by", ["k", "name"])
@pytest.mark.parametrize("tolerance", ["5s", "1min", None])
@pytest.mark.parametrize("direction", ["backward", "forward", "nearest"])
def test_as_of_joins_give_what_merge_asof_of_pandas_gives(by: str, direction: Any, tolerance: Any) -> None:
    if tolerance is None and direction != "backward":
        tolerance = "10s"
    left, right = (rows.sort_values("t", kind="stable") for rows in (LEFT, RIGHT))
    # A few rows an epoch beside the many of a minute: these are in several tables.
    few = 8 if tolerance == "1min" else 100
    ours = panes(stream(LEFT).join_asof(stream(RIGHT), by, direction=direction, tolerance=tolerance), few)
    bound = None if tolerance is None else pd.Timedelta(tolerance)
    expected = pd.merge_asof(left, right, on="t", by=by, direction=direction, tolerance=bound)
    pd.testing.assert_frame_equal(ordered(ours), ordered(expected))


@pytest.mark.parametrize(
    "join",
    [
        lambda left, right: left.window(fl.FixedWindows("10s")).join(
            right.window(fl.FixedWindows("10s")), "k", "outer"
        ),
        lambda left, right: left.join(right, "k", "outer", within=("-5s", "5s")),
        lambda left, right: left.join_asof(right, "k"),
        lambda left, right: left.enrich(right, "k", "inner", columns="w"),
        lambda left, right: left.enrich(right, "k", columns="w", ttl="3s"),
        lambda left, right: left.enrich(right.window(fl.FixedWindows("10s")), "k", columns="w"),
        lambda left, right: left.join_asof(right, "k", direction="nearest", tolerance="5s"),
    ],
)
def test_what_is_held_does_not_grow_with_the_stream(join: Any) -> None:
    joined = join(stream(frame(20_000, 1)), stream(frame(20_000, 2, name="w")))
    driver = Driver([joined.node], Options.make(epoch_rows=200, clock=ManualClock()))
    most = 0
    while not driver.over():
        plan = driver.next_epoch()
        assert plan is not None
        driver.run(plan)
        most = max(most, driver.metrics.groups)
    driver.close()
    assert 0 < most < 600
    assert driver.metrics.groups == 0


def test_keys_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    window = fl.FixedWindows("1min")
    joins = [
        lambda left, right: left.window(window).join(right.window(window), "name", "outer"),
        lambda left, right: left.join(right, "name", "outer", within=("-7s", "30s")),
        lambda left, right: left.join_asof(right, "name"),
    ]
    expected = [ordered(panes(join(stream(LEFT), stream(RIGHT)))) for join in joins]
    whole = keys._hash
    monkeypatch.setattr(keys, "_hash", lambda column: whole(column) % np.uint64(3))
    for join, rows in zip(joins, expected, strict=True):
        pd.testing.assert_frame_equal(ordered(panes(join(stream(LEFT), stream(RIGHT)))), rows)


def test_the_view_of_late_panes_is_what_a_batch_gives() -> None:
    random = np.random.default_rng(3)
    late = [rows.assign(t=rows["t"] - pd.to_timedelta(random.integers(0, 60, 2_000), "s")) for rows in (LEFT, RIGHT)]
    for how in ("left", "outer"):
        one, other = (fl.read.frame(rows, event_time="t").window(TEN, allowed_lateness="1h") for rows in late)
        joined = one.join(other, "k", how)
        driver = Driver([joined.node], Options.make(epoch_rows=100, clock=ManualClock()))
        driver.drive()
        (results,) = driver.results.values()
        assert driver.metrics.late > 100
        assert len(results.panes()) > len(results.view())
        columns = ["window_end", "v", "w"]
        frames = (results.view(), joined.collect())
        view, batch = (rows[columns].sort_values(columns, ignore_index=True) for rows in frames)
        pd.testing.assert_frame_equal(view, batch)


numbers = itertools.count()


def all_rows(outputs: list[Any], often: int) -> list[pd.DataFrame]:
    """What comes out if the run is stopped, and gone on with by another, after every ``often``-th epoch; 0: never."""
    path = f"memory://joins-{next(numbers)}" if often else None
    try:
        while True:
            driver = Driver(outputs, Options.make(checkpoint=path, clock=ManualClock()))
            try:
                driver.open()
                for _ in range(often or 10**9):
                    if driver.over():
                        return [results.panes() for results in driver.results.values()]
                    plan = driver.next_epoch()
                    assert plan is not None
                    driver.run(plan)
                driver.save()
            finally:
                driver.close()
    finally:
        if path is not None and fsspec.filesystem("memory").exists(path):
            fsspec.filesystem("memory").rm(path, recursive=True)


@examples(40)
@given(joined_sides(), st.one_of(window_joins, increments, interval_joins, asofs, enrichments), st.integers(1, 3))
def test_a_join_may_be_stopped_after_any_epoch(sides: Any, join: Any, often: int) -> None:
    joined = join(*sides)
    outputs = [joined.node, joined.dropped.node]
    for whole, stopped in zip(all_rows(outputs, 0), all_rows(outputs, often), strict=True):
        pd.testing.assert_frame_equal(stopped, whole)


@examples(30)
@given(joined_sides(), taken_back, st.one_of(retracting_joins, interval_joins, asofs), st.integers(1, 3))
def test_a_join_of_what_is_taken_back_may_be_stopped_after_any_epoch(
    sides: Any, back: Any, join: Any, often: int
) -> None:
    joined = join(back(sides[0]), sides[1])
    for whole, stopped in zip(all_rows([joined.node], 0), all_rows([joined.node], often), strict=True):
        pd.testing.assert_frame_equal(stopped, whole)


def test_a_join_that_has_changed_does_not_go_on_from_its_checkpoint() -> None:
    path = f"memory://joins-{next(numbers)}"
    one, other = stream(LEFT), stream(RIGHT)

    def driver(high: str) -> Driver:
        joined = one.join(other, "k", within=("0s", high))
        return Driver([joined.node], Options.make(checkpoint=path, clock=ManualClock(), epoch_rows=100))

    first = driver("1s")
    first.open()
    plan = first.next_epoch()
    assert plan is not None
    first.run(plan)
    first.save()
    first.close()
    with pytest.raises(RunError, match="step 'join-1': within was 0s to 1s, and is 0s to 2s"):
        driver("2s")
