"""Rows chosen of random disordered input: the embedded executor, the oracle and Dask give the same rows and drops."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from scripted import (
    agree,
    deduplications,
    examples,
    joined_sides,
    scripted,
    scripts,
    steps,
    watermarks_agree,
    windows,
)

import flower as fl


@examples(150)
@given(scripts, steps, deduplications, st.booleans())
def test_first_rows_and_dropped_ones_are_the_oracles(script: Any, before: Any, chosen: Any, as_stream: bool) -> None:
    stream: fl.Stream = scripted(script)
    for step in before:
        stream = step(stream)
    agree(chosen(stream), as_stream=as_stream)
    agree(chosen(stream).dropped, as_stream=True)


@examples(60)
@given(joined_sides(), deduplications, st.sampled_from(["first", "last", "count"]))
def test_aggregates_of_first_rows_of_two_streams_are_the_oracles(sides: Any, chosen: Any, how: str) -> None:
    windowed = chosen(fl.concat(*sides)).window(fl.FixedWindows("4s"), allowed_lateness="2s")
    counts = windowed.groupby("k").agg(rows=("n", how))
    agree(counts, as_stream=True)
    agree(counts.dropped, as_stream=True)


@examples(60)
@given(scripts, deduplications, deduplications)
def test_output_watermarks_of_deduplications_are_the_oracles(script: Any, one: Any, other: Any) -> None:
    watermarks_agree(other(one(scripted(script))))


@examples(60)
@given(scripts, steps, st.booleans())
def test_every_row_is_in_exactly_one_branch(script: Any, before: Any, as_stream: bool) -> None:
    stream: fl.Stream = scripted(script)
    for step in before:
        stream = step(stream)
    parts = stream.partition({"some": "v > 0", "ones": lambda frame: frame["i"] == 1, "more": "n // i > 0"})
    whole, apart, bad = (
        each.collect(as_stream=as_stream) for each in (stream, fl.concat(*parts.values()), parts["rest"].errors)
    )
    assert len(whole) == len(apart) + len(bad)
    agree(parts["some"].join(parts["rest"], "k", "outer", within=("-2s", "2s")), as_stream=as_stream)


@examples(60)
@given(scripts, steps, st.sampled_from([("k",), ("i",), ("k", "i"), ()]), st.booleans(), st.booleans())
def test_the_latest_rows_are_the_oracles(script: Any, before: Any, by: Any, windowed: bool, as_stream: bool) -> None:
    stream: fl.Stream = scripted(script)
    for step in before:
        stream = step(stream)
    if windowed:
        stream = stream.window(fl.SlidingWindows("4s", every="2s"), allowed_lateness="2s")
    agree(stream.latest(*by), as_stream=as_stream)


@examples(40)
@given(scripts, windows, st.sampled_from(["accumulating", "discarding", "retracting"]), st.booleans())
def test_how_long_a_group_lasted_is_the_oracles(script: Any, where: Any, how: str, as_stream: bool) -> None:
    early = fl.AfterWatermark(early=fl.AfterCount(2))
    windowed = scripted(script).window(where, trigger=early, accumulation=how, allowed_lateness="2s")
    agree(windowed.groupby("k").agg(length=fl.Duration(), last=("v", fl.Latest())), as_stream=as_stream)


@examples(40)
@given(scripts, windows, st.sampled_from(["sum", "mean", "nunique", "size", "list"]), st.booleans())
def test_a_pivot_is_the_oracles(script: Any, where: Any, how: Any, as_stream: bool) -> None:
    wide = scripted(script).window(where, allowed_lateness="2s").groupby("k")
    wide = wide.pivot("i", "n", categories=[0, 2], aggfunc=how).rename(**{"0": "zero"})
    if how == "list":
        wide = wide.filter("window_end > window_start").drop("zero", "2")
    agree(wide, as_stream=as_stream)


hasty = {"suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@pytest.mark.slow
@examples(20, **hasty)
@given(scripts, deduplications, st.booleans())
def test_first_rows_on_two_workers_are_those_of_the_embedded_executor(
    client: Any, script: Any, chosen: Any, as_stream: bool
) -> None:
    first = chosen(scripted(script))
    agree(first, client, as_stream=as_stream)
    agree(first.dropped, client, as_stream=True)
    agree(first.window(fl.FixedWindows("4s")).agg(rows=("n", "first")), client, as_stream=True)
