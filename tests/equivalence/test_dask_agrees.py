"""Random pipelines on two worker processes give the panes and drops of the embedded executor; and so does the year."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from scripted import (
    aggregated,
    agree,
    alone,
    applied,
    canonical,
    examples,
    keys,
    parts,
    policies,
    scripted,
    scripts,
    steps,
    ttls,
    waiting,
    windows,
)
from strategies import Rows, random_pipeline, stream_of, tables

import flower as fl
from flower.datasets.make_flights import flights_of, write

hasty = {"suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@examples(100, **hasty)
@given(
    script=scripts,
    before=steps,
    where=windows,
    early=parts,
    late=parts,
    how=st.sampled_from(["accumulating", "discarding"]),
    lateness=st.sampled_from(["0s", "2s", "unbounded"]),
    stamp=st.sampled_from(["end_of_window", "earliest", "latest"]),
    ttl=ttls,
    by=keys,
)
def test_panes_and_drops_are_those_of_the_embedded_executor(
    client: Any,
    script: Any,
    before: Any,
    where: Any,
    early: Any,
    late: Any,
    how: Any,
    lateness: Any,
    stamp: Any,
    ttl: Any,
    by: Any,
) -> None:
    stream: fl.Stream = scripted(script)
    for step in before:
        stream = step(stream)
    panes = aggregated(
        stream.window(
            where,
            trigger=fl.AfterWatermark(early=early, late=late),
            accumulation=how,
            allowed_lateness=lateness,
            timestamp_combiner=stamp,
            ttl=ttl,
        ),
        by,
    )
    agree(panes, client, as_stream=True)
    agree(panes.dropped, client, as_stream=True)


@examples(60, **hasty)
@given(
    script=scripts,
    where=alone,
    by=keys,
    size=st.sampled_from(["4s", "7s"]),
    stamp=st.sampled_from(["end_of_window", "earliest", "latest"]),
)
def test_two_keyed_steps_in_a_row_are_those_of_the_embedded_executor(
    client: Any, script: Any, where: Any, by: Any, size: str, stamp: Any
) -> None:
    if isinstance(where, fl.GlobalWindows):
        where = fl.FixedWindows("3s")
    first = aggregated(scripted(script).window(where, timestamp_combiner=stamp), by)
    again = first.window(fl.FixedWindows(size))
    grouped = again.groupby(by[0]) if by else again
    second = grouped.agg(sum_total=("total", "sum"), mean_total=("total", "mean"))
    agree(second, client, as_stream=True)
    agree(second.dropped, client, as_stream=True)


@examples(8, **hasty)
@given(
    script=scripts,
    where=windows,
    when=waiting,
    how=st.sampled_from(["accumulating", "discarding"]),
    by=keys.filter(bool),
)
def test_what_a_function_gives_for_whole_groups_is_that_of_the_embedded_executor(
    client: Any, script: Any, where: Any, when: Any, how: Any, by: Any
) -> None:
    windowed = scripted(script).window(where, trigger=when, accumulation=how, allowed_lateness="2s")
    for groups in applied(windowed, by):
        agree(groups, client, as_stream=True)
        agree(groups.errors, client, as_stream=True)


@examples(100, **hasty)
@given(
    data=st.data(),
    parts=st.lists(tables(max_size=30), min_size=1, max_size=3),
    policy=policies,
    as_stream=st.booleans(),
)
def test_pipelines_over_partitions_read_on_the_workers_agree(
    client: Any, data: Any, parts: Any, policy: Any, as_stream: bool
) -> None:
    stream = data.draw(random_pipeline(stream_of(Rows(*parts), watermark=policy)))
    agree(stream, client, as_stream=as_stream)
    agree(stream.errors, client, as_stream=as_stream)


def test_the_flights_of_the_year_are_those_of_the_embedded_executor(client: Any, tmp_path: Path) -> None:
    file = tmp_path / "flights.parquet"
    write(flights_of(), file, row_group_size=50_000)
    delays = (
        fl.read.parquet(file, event_time="departure", watermark=fl.BoundedDisorder("12h"))
        .window(
            fl.SlidingWindows("1h", every="10min"),
            trigger=fl.AfterWatermark(early=fl.AfterCount(20), late=fl.AfterCount(1)),
            allowed_lateness="6h",
        )
        .groupby("carrier")
        .agg(flights=("delay", "count"), mean_delay=("delay", "mean"), places=("destination", "nunique"))
    )
    ours = delays.run(epoch_rows=20_000).wait(progress=False)
    theirs = delays.run(client, epoch_rows=20_000).wait(progress=False)
    assert len(ours.results) > 100_000
    pd.testing.assert_frame_equal(ours.results, theirs.results)
    pd.testing.assert_frame_equal(canonical(ours.panes()), canonical(theirs.panes()))
    for name in ("rows_in", "rows_out", "on_time", "late", "dropped", "watermark", "epochs"):
        assert getattr(ours.metrics, name) == getattr(theirs.metrics, name)
