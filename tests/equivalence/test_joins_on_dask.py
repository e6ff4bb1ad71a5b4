"""Random joins on two worker processes give the rows and drops of the embedded executor."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from scripted import (
    agree,
    asofs,
    canonical,
    cogroups,
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

hasty = {"suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}

pytestmark = pytest.mark.slow


@examples(20, **hasty)
@given(joined_sides(), st.one_of(window_joins, interval_joins, asofs, enrichments, cogroups), st.booleans())
def test_joined_and_dropped_rows_are_those_of_the_embedded_executor(
    client: Any, sides: Any, join: Any, as_stream: bool
) -> None:
    joined = join(*sides)
    agree(joined, client, as_stream=as_stream)
    agree(joined.dropped, client, as_stream=True)


@examples(10, **hasty)
@given(joined_sides(), st.one_of(increments, interval_joins, asofs))
def test_aggregates_of_joined_rows_are_those_of_the_embedded_executor(client: Any, sides: Any, join: Any) -> None:
    left, right = (side.assign(m="n", j="i") for side in sides)
    windowed = join(left, right).window(fl.FixedWindows("3s"), allowed_lateness="2s")
    agree(windowed.groupby("j_y").agg(rows="count", total=("m_y", "sum")), client, as_stream=True)


@pytest.mark.parametrize("how", ["left", "inner"])
def test_rows_are_looked_up_on_workers_as_in_this_process(client: Any, tmp_path: Any, how: Any) -> None:
    frame = pd.DataFrame({"k": [n % 7 for n in range(1000)], "v": range(1000)})
    frame.to_parquet(tmp_path / "rows.parquet")
    frame[:5].drop(columns="v").assign(w="w").to_parquet(tmp_path / "table.parquet")
    rows = fl.read.parquet(tmp_path / "rows.parquet")
    named = rows.enrich(fl.read.parquet(tmp_path / "table.parquet"), "k", how)
    agree(named, client, as_stream=True)
    counts = named.enrich(pd.DataFrame({"k": [1, 2], "x": [3.5, 4]}), "k").groupby("w").agg(n="count", x=("x", "sum"))
    agree(counts, client, as_stream=False)
    ran = named.run(client).wait(progress=False)
    pd.testing.assert_frame_equal(canonical(ran.panes()), canonical(named.collect()))


def test_a_function_of_a_frame_a_stream_is_called_on_workers_as_in_this_process(client: Any) -> None:
    frame = pd.DataFrame({"k": [n % 7 for n in range(500)], "v": range(500)})
    sides = {"one": fl.read.frame(frame), "other": fl.read.frame(frame[:50].assign(w=0.5))}
    most = fl.cogroup(sides, "k").apply(lambda one, other: {"n": len(one), "w": float(other["w"].sum())})
    agree(most, client, as_stream=False)


@examples(10, **hasty)
@given(joined_sides(), taken_back, st.one_of(retracting_joins, interval_joins, asofs))
def test_rows_that_are_taken_back_are_joined_no_more_on_workers(client: Any, sides: Any, back: Any, join: Any) -> None:
    agree(join(back(sides[0]), sides[1]), client, as_stream=True)
