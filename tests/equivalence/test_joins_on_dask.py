"""Random joins on two worker processes give the rows and drops of the embedded executor."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from scripted import asofs, canonical, examples, increments, interval_joins, joined_sides, window_joins

import flower as fl

hasty = {"suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}

pytestmark = pytest.mark.slow


def agree(stream: fl.Stream, client: Any, *, as_stream: bool) -> None:
    ours = stream.collect(as_stream=as_stream)
    theirs = stream.collect(as_stream=as_stream, executor=client)
    pd.testing.assert_series_equal(ours.dtypes, theirs.dtypes)
    pd.testing.assert_frame_equal(canonical(ours), canonical(theirs))


@examples(20, **hasty)
@given(joined_sides(), st.one_of(window_joins, interval_joins, asofs), st.booleans())
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
