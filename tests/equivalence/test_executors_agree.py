"""Random pipelines over random disordered input: the embedded executor and the oracle give the same panes and drops."""

from __future__ import annotations

import itertools
from typing import Any

import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from scripted import (
    aggregated,
    agree,
    alone,
    applied,
    canonical,
    counts,
    examples,
    keys,
    parts,
    policies,
    scripted,
    scripts,
    steps,
    triggers,
    ttls,
    waiting,
    windows,
)
from strategies import SCHEMA as ROWS
from strategies import Rows, tables

import flower as fl
from flower.engine.embedded import Driver, Options
from flower.engine.reference import replayed
from flower.graph.nodes import Read


@examples(150)
@given(
    scripts,
    steps,
    windows,
    triggers,
    st.sampled_from(["accumulating", "discarding"]),
    st.sampled_from(["0s", "2s", "unbounded"]),
    st.sampled_from(["end_of_window", "earliest", "latest"]),
    ttls,
    keys,
)
def test_panes_and_drops_are_the_oracles(
    script: Any, before: Any, where: Any, when: Any, how: Any, lateness: Any, stamp: Any, ttl: Any, by: Any
) -> None:
    stream: fl.Stream = scripted(script)
    for step in before:
        stream = step(stream)
    panes = aggregated(
        stream.window(
            where,
            trigger=when,
            allow_finishing=when.finishes,
            accumulation=how,
            allowed_lateness=lateness,
            timestamp_combiner=stamp,
            ttl=ttl,
        ),
        by,
    )
    agree(panes, as_stream=True)
    agree(panes.dropped, as_stream=True)


@examples(60)
@given(scripts, steps, counts, st.sampled_from(["end_of_window", "earliest", "latest"]), keys)
def test_windows_of_rows_are_the_oracles(script: Any, before: Any, where: Any, stamp: Any, by: Any) -> None:
    stream: fl.Stream = scripted(script)
    for step in before:
        stream = step(stream)
    panes = aggregated(stream.window(where, timestamp_combiner=stamp), by)
    agree(panes, as_stream=True)
    agree(panes.dropped, as_stream=True)


@examples(60)
@given(scripts, alone, keys, st.sampled_from(["4s", "7s"]), st.sampled_from(["end_of_window", "earliest", "latest"]))
def test_two_keyed_steps_in_a_row_are_the_oracles(script: Any, where: Any, by: Any, size: str, stamp: Any) -> None:
    if isinstance(where, fl.GlobalWindows):
        where = fl.FixedWindows("3s")
    first = aggregated(scripted(script).window(where, timestamp_combiner=stamp), by)
    again = first.window(fl.FixedWindows(size))
    grouped = again.groupby(by[0]) if by else again
    second = grouped.agg(sum_total=("total", "sum"), mean_total=("total", "mean"))
    agree(second, as_stream=True)
    agree(second.dropped, as_stream=True)


@examples(40)
@given(
    scripts,
    steps,
    windows,
    waiting,
    st.sampled_from(["accumulating", "discarding"]),
    st.sampled_from(["0s", "2s", "unbounded"]),
    ttls,
    keys.filter(bool),
)
def test_what_a_function_gives_for_whole_groups_is_the_oracles(
    script: Any, before: Any, where: Any, when: Any, how: Any, lateness: Any, ttl: Any, by: Any
) -> None:
    stream: fl.Stream = scripted(script)
    for step in before:
        stream = step(stream)
    windowed = stream.window(where, trigger=when, accumulation=how, allowed_lateness=lateness, ttl=ttl)
    for groups in applied(windowed, by):
        agree(groups, as_stream=True)
        agree(groups.errors, as_stream=True)


@examples(60)
@given(scripts, steps, alone, keys)
def test_a_batch_is_the_oracles(script: Any, before: Any, where: Any, by: Any) -> None:
    partitions, epochs, _ = script
    stream: fl.Stream = scripted((partitions, epochs, True))
    for step in before:
        stream = step(stream)
    agree(aggregated(stream.window(where), by), as_stream=False)


class Ticking:
    """A clock that moves a second whenever it is asked."""

    def __init__(self) -> None:
        self.now = 0

    def now_us(self) -> int:
        self.now += 1_000_000
        return self.now


class Slow(Rows):
    """Rows that appear with time, so that a partition may fall silent, be set aside, and come back late."""

    def __init__(self, *tables: pa.Table, pauses: list[int]) -> None:
        super().__init__(*tables)
        self.pauses = pauses

    def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
        waits = [self.pauses[(partition + i) % len(self.pauses)] for i in range(len(self.tables[partition]))]
        there = sum(1 for until in itertools.accumulate(waits) if until * 1_000_000 <= elapsed_us)
        return max(position, min(there, super().latest(partition, position, limit_rows, elapsed_us)))


@examples(100)
@given(
    st.lists(tables(max_size=40), min_size=1, max_size=3),
    st.lists(tables(), max_size=2),
    policies,
    parts,
    st.sampled_from([fl.FixedWindows("4s"), fl.Sessions("2s")]),
    st.integers(1, 7),
    st.lists(st.integers(0, 4), min_size=1, max_size=5),
)
def test_partitions_of_any_length_meet_each_others_watermarks(
    parts_of: Any, more: Any, policy: Any, early: Any, where: Any, epoch_rows: int, pauses: list[int]
) -> None:
    streams = [
        fl.Stream(Read(Slow(*each, pauses=pauses), "t", "UTC", None, policy)) for each in (parts_of, more) if each
    ]
    trigger = fl.AfterWatermark(early=early)
    # What triggers ask for by name is there.
    results = {"rows": "count", "first": ("n", "first"), "total": ("n", "sum"), "mean": ("n", "mean")}
    panes = fl.concat(*streams).window(where, trigger=trigger).groupby("k").agg(**results)
    for stream in (panes, panes.dropped):
        driver = Driver([stream.node], Options.make(epoch_rows=epoch_rows, clock=Ticking(), latency="1ms"))
        driver.drive()
        (ours,) = driver.results.values()
        pd.testing.assert_frame_equal(canonical(ours.panes()), canonical(replayed(driver).panes()))


def rows_at(*seconds: int) -> pa.Table:
    times = [pd.Timestamp(second, unit="s", tz="UTC").as_unit("us") for second in seconds]
    some = {"k": "a", "n": 0, "m": 0, "x": 0.0, "flag": True}
    return pa.Table.from_pylist([{**some, "t": time} for time in times], schema=ROWS)


def test_a_partition_that_was_set_aside_meets_what_was_promised_without_it() -> None:
    class Silent(Rows):
        """The second partition has nothing to say for six seconds."""

        def latest(self, partition: int, position: int, limit_rows: int, elapsed_us: int) -> int:
            silent = partition == 1 and elapsed_us < 6_000_000
            return position if silent else super().latest(partition, position, 1, elapsed_us)

    source = Silent(rows_at(1, 9, *[11] * 10), rows_at(2, 3))
    read = Read(source, "t", "UTC", None, fl.BoundedDisorder("0s", idle="1s"))
    panes = fl.Stream(read).window(fl.FixedWindows("4s")).groupby("k").agg(rows="count")
    driver = Driver([panes.node], Options.make(epoch_rows=2, clock=Ticking(), latency="1ms"))
    driver.drive()
    (results,) = driver.results.values()
    assert results.panes()["rows"].tolist() == [1, 11]
    assert driver.metrics.dropped == 2
    pd.testing.assert_frame_equal(canonical(results.panes()), canonical(replayed(driver).panes()))
