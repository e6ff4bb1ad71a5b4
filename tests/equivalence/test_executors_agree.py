"""Random pipelines over random disordered input: the embedded executor and the oracle give the same panes and drops."""

from __future__ import annotations

from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import aggregated, canonical, keys, parts, scripted, scripts, steps, windows

import flower as fl


def agree(stream: fl.Stream, *, as_stream: bool) -> None:
    ours = stream.collect(as_stream=as_stream)
    oracle = stream.collect(as_stream=as_stream, executor="reference")
    pd.testing.assert_series_equal(ours.dtypes, oracle.dtypes)
    pd.testing.assert_frame_equal(canonical(ours), canonical(oracle))


@settings(max_examples=150, deadline=None)
@given(
    scripts,
    steps,
    windows,
    parts,
    parts,
    st.sampled_from(["accumulating", "discarding"]),
    st.sampled_from(["0s", "2s", "unbounded"]),
    st.sampled_from(["end_of_window", "earliest", "latest"]),
    keys,
)
def test_panes_and_drops_are_the_oracles(
    script: Any, before: Any, where: Any, early: Any, late: Any, how: Any, lateness: Any, stamp: Any, by: Any
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
        ),
        by,
    )
    agree(panes, as_stream=True)
    agree(panes.dropped, as_stream=True)


@settings(max_examples=60, deadline=None)
@given(scripts, windows, keys, st.sampled_from(["4s", "7s"]), st.sampled_from(["end_of_window", "earliest", "latest"]))
def test_two_keyed_steps_in_a_row_are_the_oracles(script: Any, where: Any, by: Any, size: str, stamp: Any) -> None:
    if isinstance(where, fl.GlobalWindows):
        where = fl.FixedWindows("3s")
    first = aggregated(scripted(script).window(where, timestamp_combiner=stamp), by)
    again = first.window(fl.FixedWindows(size))
    grouped = again.groupby(by[0]) if by else again
    second = grouped.agg(sum_total=("total", "sum"), mean_total=("total", "mean"))
    agree(second, as_stream=True)
    agree(second.dropped, as_stream=True)


@settings(max_examples=60, deadline=None)
@given(scripts, steps, windows, keys)
def test_a_batch_is_the_oracles(script: Any, before: Any, where: Any, by: Any) -> None:
    partitions, epochs, _ = script
    stream: fl.Stream = scripted((partitions, epochs, True))
    for step in before:
        stream = step(stream)
    agree(aggregated(stream.window(where), by), as_stream=False)
