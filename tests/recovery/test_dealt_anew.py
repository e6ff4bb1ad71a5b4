"""A step's state may be dealt into shards after any epoch, and those put together again: nothing comes otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from river import linear_model
from scripted import (
    aggregated,
    alone,
    asofs,
    canonical,
    deduplications,
    enrichments,
    examples,
    interval_joins,
    joined_sides,
    keys,
    processes,
    retracting_joins,
    scripted,
    scripts,
    taken_back,
    triggers,
    ttls,
    window_joins,
)

import flower as fl
from flower.engine.embedded import Driver, Options
from flower.engine.job import JobState
from flower.engine.keys import shard_of
from flower.engine.resharding import dealt, together
from flower.errors import GraphError, RunError
from flower.testing import ManualClock

pytestmark = pytest.mark.slow

START = pd.Timestamp("2000-01-01T00:00:00Z")

shards = st.lists(st.integers(1, 4), min_size=1, max_size=3)
"""Into how many the state is dealt, epoch after epoch."""


def panes_of(
    outputs: list[Any], between: Callable[[Driver, JobState], JobState], *, batch: bool = False, epoch_rows: int = 3
) -> list[pd.DataFrame]:
    """What comes out if the state is changed so after every epoch."""
    clock = ManualClock()
    driver = Driver(outputs, Options.make(clock=clock, epoch_rows=epoch_rows), batch=batch)
    try:
        driver.read_tables()
        while not driver.over():
            clock.set(START + pd.Timedelta(driver.state.epoch * (epoch_rows if epoch_rows > 3 else 1), unit="s"))
            plan = driver.next_epoch()
            assert plan is not None
            driver.run(plan)
            driver.state = between(driver, driver.state)
        return [results.panes() for results in driver.results.values()]
    finally:
        driver.close()


def same_however_dealt(outputs: list[Any], deals: list[int], *, batch: bool = False, epoch_rows: int = 3) -> None:
    def anew(driver: Driver, state: JobState) -> JobState:
        n = deals[state.epoch % len(deals)]
        keyed = {
            index: together([dealt(held, shard, n) for shard in range(n)], step)
            for index, step in driver.job.steps.items()
            for held in [state.keyed[index]]
        }
        return replace(state, keyed={i: keyed[i] if driver.job.steps[i].keys else state.keyed[i] for i in keyed})

    how: Any = {"batch": batch, "epoch_rows": epoch_rows}
    whole = panes_of(outputs, lambda driver, state: state, **how)
    assert epoch_rows == 3 or len(whole[0])
    for one, other in zip(whole, panes_of(outputs, anew, **how), strict=True):
        pd.testing.assert_frame_equal(canonical(other), canonical(one))


@examples(15)
@given(
    scripts,
    alone,
    triggers,
    st.sampled_from(["accumulating", "discarding", "retracting"]),
    st.sampled_from(["0s", "2s", "unbounded"]),
    st.sampled_from(["end_of_window", "earliest", "latest"]),
    ttls,
    keys.filter(bool),
    shards,
)
def test_windows_of_every_kind(
    script: Any, where: Any, when: Any, how: Any, lateness: Any, stamp: Any, ttl: Any, by: Any, deals: Any
) -> None:
    options = {"allowed_lateness": lateness, "timestamp_combiner": stamp, "ttl": ttl}
    if where.merging and when.finishes:
        when = fl.Repeatedly(when)
    if isinstance(where, fl.CountWindows):
        options = {"timestamp_combiner": stamp}
    else:
        options |= {"trigger": when, "allow_finishing": when.finishes, "accumulation": how}
    try:
        panes = aggregated(scripted(script).window(where, **options), by)
    except GraphError:
        reject()
    same_however_dealt([panes.node, panes.dropped.node], deals)


@examples(15)
@given(scripts, st.sampled_from([fl.SlidingWindows("6s", every="2s"), fl.SlidingWindows("5s", every="3s")]), shards)
def test_sliding_windows_that_are_put_together_from_slices(script: Any, where: Any, deals: Any) -> None:
    counts = scripted(script).window(where).groupby("k").agg(rows="count", total=("n", "sum"))
    same_however_dealt([counts.node], deals)


@examples(15)
@given(joined_sides(), st.one_of(window_joins, retracting_joins, interval_joins, asofs, enrichments), shards)
def test_joins_and_enrichments(sides: Any, join: Any, deals: Any) -> None:
    try:
        joined = join(*sides)
    except GraphError:
        reject()
    same_however_dealt([joined.node, joined.dropped.node], deals)


@examples(15)
@given(joined_sides(), taken_back, st.one_of(interval_joins, asofs), shards)
def test_joins_of_panes_that_are_taken_back(sides: Any, back: Any, join: Any, deals: Any) -> None:
    try:
        joined = join(back(sides[0]), back(sides[1]))
    except GraphError:
        reject()
    same_however_dealt([joined.node], deals)


@examples(15)
@given(scripts, st.one_of(deduplications, processes), shards, st.booleans())
def test_deduplications_and_code(script: Any, chosen: Any, deals: Any, batch: bool) -> None:
    node = chosen(scripted(script)).node
    if getattr(node, "error", None) is not None:
        reject()  # sketches are not put together
    same_however_dealt([node], deals, batch=batch)


class Remembers:
    """Tells of what it remembers when a key has been quiet."""

    def on_rows(self, key: str, rows: pd.DataFrame, state: Any, timers: Any) -> None:
        state.n += len(rows)
        timers.quiet.set(rows["t"].max() + pd.Timedelta("15s"))

    def on_timer(self, name: str, key: str, time: pd.Timestamp, state: Any, timers: Any) -> Iterator[dict[str, Any]]:
        yield {"n": state.n}


def rows_of(seed: int) -> fl.Stream:
    """Thirty epochs of rows of many keys, some too late; keys come in bouts, and are quiet between."""
    n = 600
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "t": START + pd.to_timedelta(np.arange(n) - random.integers(0, 9, n), unit="s"),
            "k": np.char.add("key ", (random.integers(0, 8, n) + np.arange(n) // 60 % 3 * 5).astype(str)),
            "v": random.integers(0, 50, n),
            "w": random.integers(0, 50, n) / 2,
        }
    )
    return fl.read.frame(frame, event_time="t", watermark=fl.BoundedDisorder("5s"))


def counted(where: Any, **how: Any) -> fl.Stream:
    return rows_of(1).window(where, **how).groupby("k").agg(rows="count", total=("v", "sum"), last=("v", "last"))


def back(seed: int) -> fl.Stream:
    """Panes of a few keys that are taken back, some after the rows that they would be joined to."""
    how = {"trigger": fl.AfterWatermark(early=fl.AfterCount(2)), "allowed_lateness": "20s"}
    windowed = rows_of(seed).window(fl.FixedWindows("20s"), accumulation="retracting", **how)
    return windowed.groupby("k").agg(total=("v", "sum"))


EARLY = fl.AfterWatermark(early=fl.AfterProcessingTime("30s"), late=fl.AfterCount(1))
MANY: dict[str, Callable[[], fl.Stream]] = {
    "blind": lambda: counted(fl.FixedWindows("90s")),
    "slices": lambda: counted(fl.SlidingWindows("90s", every="30s")),
    "timers": lambda: counted(fl.FixedWindows("90s"), trigger=EARLY, accumulation="discarding", allowed_lateness="40s"),
    "records": lambda: counted(
        fl.FixedWindows("90s"), trigger=fl.AfterWatermark(early=fl.AfterCount(2)), accumulation="retracting"
    ),
    "lapsing": lambda: counted(fl.GlobalWindows(), trigger=fl.Repeatedly(fl.AfterCount(4)), ttl="25s"),
    "sessions": lambda: counted(
        fl.Sessions("6s"),
        trigger=fl.AfterWatermark(early=fl.AfterCount(3), late=fl.AfterCount(1)),
        accumulation="discarding",
        allowed_lateness="unbounded",
    ),
    "rows": lambda: counted(fl.CountWindows(7)),
    "join": lambda: (
        rows_of(1)
        .window(fl.FixedWindows("30s"), allowed_lateness="20s")
        .join(rows_of(2).window(fl.FixedWindows("30s"), allowed_lateness="20s"), "k", "outer")
    ),
    "interval": lambda: rows_of(1).join(rows_of(2), "k", "outer", within=("-9s", "20s")),
    "taken back": lambda: back(1).join(back(2), "k", within=("-20s", "20s")),
    "as of": lambda: rows_of(1).join_asof(rows_of(2), "k", direction="backward"),
    "in windows": lambda: rows_of(1).enrich(
        rows_of(2).rename(v="v2", w="w2", t="at").window(fl.FixedWindows("30s")), "k", "left"
    ),
    "distinct": lambda: rows_of(1).deduplicate("k", within="25s"),
    "models": lambda: rows_of(1).groupby("k").learn(linear_model.LinearRegression(), x="v", y="w", checkpoint="pickle"),
    "code": lambda: (
        rows_of(1)
        .groupby("k", "v")
        .process(
            Remembers,
            state={"n": fl.state.Value("int64", default=0)},
            timers={"quiet": "event"},
            schema={"n": "int64"},
        )
    ),
}


@pytest.mark.parametrize("name", MANY)
def test_many_epochs_of_many_keys(name: str) -> None:
    panes = MANY[name]()
    same_however_dealt([panes.node, panes.dropped.node], [2, 3, 1, 4], epoch_rows=20)


@pytest.mark.parametrize("name", ["distinct", "code"])
def test_a_batch_whose_rows_wait_for_its_end(name: str) -> None:
    same_however_dealt([MANY[name]().node], [2, 3, 1, 4], epoch_rows=20, batch=True)


def test_a_shard_has_its_keys_and_no_other_and_all_have_every_key_once() -> None:
    n = 4_000
    frame = pd.DataFrame({"t": START + pd.to_timedelta(np.arange(n) // 8, unit="s"), "k": np.arange(n) * 11 % 371})
    stream = fl.read.frame(frame, event_time="t")
    early = fl.AfterWatermark(early=fl.AfterCount(2))
    steps = [
        stream.window(fl.FixedWindows("1h")).groupby("k").agg(rows="count"),
        stream.window(fl.FixedWindows("1h"), trigger=early).groupby("k").agg(rows="count"),
        stream.window(fl.Sessions("10min")).groupby("k").agg(rows="count"),
        stream.window(fl.CountWindows(1_000)).groupby("k").agg(rows="count"),
        stream.deduplicate("k", within="1h"),
    ]
    driver = Driver([step.node for step in steps], Options.make(epoch_rows=1_000))
    for _ in range(3):
        plan = driver.next_epoch()
        assert plan is not None
        driver.run(plan)
    driver.close()
    for index, step in driver.job.steps.items():
        held = driver.state.keyed[index]
        parts = [dealt(held, shard, 3) for shard in range(3)]
        assert [shard for part, shard in zip(parts, range(3), strict=True) if (hashes_of(part) != shard).any()] == []
        assert sum(part.groups for part in parts) == held.groups >= 371
        assert together(parts, step).groups == held.groups
        assert dealt(held, 0, 1) is held


def hashes_of(state: Any) -> np.ndarray:
    """The shard of each key that a state holds."""
    match type(state).__name__:
        case "AlignedState":
            hashes = [run.groups.hash for run in (*state.blind, *state.open.runs)]
        case "SessionState":
            hashes = [block.run.groups.hash for block in state.blocks]
        case "CountedState":
            hashes = [run.groups.hash for run in state.runs]
        case _:
            hashes = [table.hash for table in state.given]
    return shard_of(np.concatenate(hashes), 3)


def test_a_sketch_is_everybodys_and_several_are_not_put_together() -> None:
    panes = rows_of(1).deduplicate("k", "v", within="25s", error=0.01)
    same_however_dealt([panes.node], [1], epoch_rows=20)
    driver = Driver([panes.node], Options.make(epoch_rows=300))
    plan = driver.next_epoch()
    assert plan is not None
    (held,) = driver.run(plan).state.keyed.values()
    driver.close()
    (step,) = driver.job.steps.values()
    parts = [dealt(held, shard, 2) for shard in range(2)]
    assert [part.groups for part in parts] == [held.groups, held.groups]
    with pytest.raises(RunError, match=r"must go on in as many shards as it was in; got 2 shards"):
        together(parts, step)
