"""Any pipeline can be stopped after any epoch: what it remembers is whole, whatever its windows and triggers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import fsspec
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import (
    aggregated,
    deduplications,
    examples,
    keys,
    policies,
    processes,
    scripted,
    scripts,
    steps,
    triggers,
    ttls,
    windows,
)
from strategies import Rows, tables

import flower as fl
from flower.engine import parts
from flower.engine.embedded import Driver, Options
from flower.graph.nodes import Read
from flower.testing import ManualClock

START = pd.Timestamp("2000-01-01T00:00:00Z")

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True, scope="module")
def every_part_in_a_file() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "SMALL", 0)
        yield


numbers = itertools.count()


def all_panes(outputs: list[Any], often: int, **options: Any) -> list[pd.DataFrame]:
    """What comes out if the run is stopped, and gone on with by another, after every ``often``-th epoch; 0: never."""
    path = f"memory://any-{next(numbers)}" if often else None
    try:
        while True:
            clock = ManualClock()
            driver = Driver(outputs, Options.make(checkpoint=path, clock=clock, **options))
            try:
                driver.open()
                for _ in range(often or 10**9):
                    if driver.over():
                        return [results.panes() for results in driver.results.values()]
                    clock.set(START + pd.Timedelta(driver.state.epoch, unit="s"))
                    plan = driver.next_epoch()
                    assert plan is not None
                    driver.run(plan)
                driver.save()
            finally:
                driver.close()
    finally:
        if path is not None and fsspec.filesystem("memory").exists(path):
            fsspec.filesystem("memory").rm(path, recursive=True)


def same_however_often_stopped(outputs: list[Any], often: int, **options: Any) -> None:
    for whole, stopped in zip(all_panes(outputs, 0, **options), all_panes(outputs, often, **options), strict=True):
        pd.testing.assert_frame_equal(stopped, whole)


@examples(60)
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
    st.integers(1, 3),
)
def test_a_run_may_be_stopped_after_any_epoch(
    script: Any,
    before: Any,
    where: Any,
    when: Any,
    how: Any,
    lateness: Any,
    stamp: Any,
    ttl: Any,
    by: Any,
    often: int,
) -> None:
    stream: fl.Stream = scripted(script)
    for step in before:
        stream = step(stream)
    if where.merging and when.finishes:
        when = fl.Repeatedly(when)
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
    same_however_often_stopped([panes.node, panes.dropped.node], often)


@examples(25)
@given(tables(max_size=30), policies, st.integers(1, 4), st.integers(1, 3))
def test_watermarks_go_on_where_they_were(table: Any, policy: Any, epoch_rows: int, often: int) -> None:
    read = Read(Rows(table), "t", "UTC", None, policy)
    panes = fl.Stream(read).window(fl.FixedWindows("2s")).groupby("k").agg(rows="count", middle=("n", "median"))
    same_however_often_stopped([panes.node, panes.dropped.node], often, epoch_rows=epoch_rows)


@examples(40)
@given(scripts, keys, st.sampled_from(["earliest", "latest"]), st.integers(1, 2))
def test_steps_behind_others_go_on_with_the_watermarks_they_had(script: Any, by: Any, stamp: Any, often: int) -> None:
    """Late panes of the first step are late for the second, or dropped, as they would have been."""
    late = fl.AfterWatermark(late=fl.AfterCount(1))
    first = aggregated(
        scripted(script).window(
            fl.FixedWindows("2s"),
            trigger=late,
            accumulation="discarding",
            allowed_lateness="unbounded",
            timestamp_combiner=stamp,
        ),
        by,
    )
    second = first.window(fl.FixedWindows("4s")).agg(sum_total=("total", "sum"), panes="count")
    same_however_often_stopped([second.node, second.dropped.node, first.dropped.node], often)


@examples(40)
@given(scripts, steps, deduplications, st.integers(1, 3))
def test_a_deduplication_remembers_what_it_gave(script: Any, before: Any, chosen: Any, often: int) -> None:
    stream: fl.Stream = scripted(script)
    for step in before:
        stream = step(stream)
    first = chosen(stream)
    same_however_often_stopped([first.node, first.dropped.node], often)


@examples(40)
@given(scripts, processes, st.integers(1, 3))
def test_code_with_state_and_timers_goes_on_as_if_nothing_had_been(script: Any, process: Any, often: int) -> None:
    processed = process(scripted(script))
    same_however_often_stopped([processed.node, processed.dropped.node, processed.errors.node], often)
