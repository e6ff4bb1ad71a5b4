"""Which deduplications are refused, and how one is told."""

from __future__ import annotations

import pandas as pd
import pytest

import flower as fl
from flower.errors import ColumnError, DtypeError, DurationError, EventTimeError, GraphError

TIMES = pd.to_datetime(["2000-01-01 12:10", "2000-01-01 12:50"], utc=True)
ROWS = fl.read.frame(pd.DataFrame({"t": TIMES, "k": ["a", "b"], "v": [1, 2], "w": [3, 4]}), event_time="t")


def test_its_plan_says_what_is_held_and_reads_what_is_needed():
    told = str(ROWS.deduplicate("k", within="10min").select("v").explain("physical"))
    assert "columns: t, k, v (3 of 4)" in told
    assert "deduplicate-1, dealt by key" in told
    assert "they are held until the watermark passes the time by 10min" in told


def test_what_it_drops_has_all_columns():
    late = ROWS.deduplicate("k", within="10min").select("v").dropped
    assert late.schema.names == ["t", "k", "v", "w", "reason", "watermark"]
    assert late.collect(as_stream=True).empty


def test_windows_said_before_it_hold_for_the_aggregation_after_it():
    hourly = ROWS.window(fl.FixedWindows("1h")).deduplicate("k", within="10min").agg(rows="count")
    assert hourly.collect()["rows"].tolist() == [2]


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda s: s.deduplicate(within="1s"), GraphError, "at least one; got none; write .deduplicate"),
        (lambda s: s.deduplicate("x", within="1s"), ColumnError, "no column 'x'"),
        (lambda s: s.deduplicate("k", within=10), DurationError, "`within` must be a duration; got 10"),
        (lambda s: s.deduplicate("k", within="-1s"), DurationError, "`within`"),
        (
            lambda s: s.window(fl.FixedWindows("1h")).agg(r=("v", "list")).deduplicate("r", within="1s"),
            DtypeError,
            "a key must be a number",
        ),
        (
            lambda s: s.agg(n="count").deduplicate("n", within="1s"),
            EventTimeError,
            "must have an event time",
        ),
        (
            lambda s: (
                s.window(fl.FixedWindows("1h"), accumulation="retracting")
                .groupby("k")
                .agg(n="count")
                .deduplicate("k", within="1s")
            ),
            GraphError,
            "cannot be taken back",
        ),
        (
            lambda s: (
                s.window(fl.FixedWindows("1h"), allowed_lateness="1h")
                .groupby("k")
                .agg(n="count")
                .deduplicate("k", within="1s")
            ),
            GraphError,
            "panes that replace one another cannot be deduplicated",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(make, error, said):
    with pytest.raises(error) as refused:
        make(ROWS)
    assert said in str(refused.value)
