"""The latest row of each key as a view, and what is refused."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import flower as fl
from flower.errors import ColumnError, EventTimeError, GraphError
from flower.testing import TestStream

FLIGHTS = fl.read.parquet(fl.datasets.flights, event_time="departure", watermark=fl.BoundedDisorder("12h"))


def test_the_view_of_a_run_is_what_pandas_gives_of_sorted_rows():
    planes = FLIGHTS.select("carrier", "origin", "departure", "delay").latest("carrier", "origin")
    run = planes.run().wait()
    rows = FLIGHTS.collect().sort_values("departure", kind="stable")
    expected = rows.groupby(["carrier", "origin"]).tail(1).sort_values(["carrier", "origin"])
    view = run.results.sort_values(["carrier", "origin"])
    assert view["departure"].tolist() == expected["departure"].tolist() == view["event_time"].tolist()
    assert planes.collect().sort_values(["carrier", "origin"])["departure"].tolist() == view["departure"].tolist()


def test_a_key_that_fell_silent_is_let_go():
    stream = TestStream(schema={"k": "str", "v": "int64"}, event_time="t")
    stream = stream.add([{"k": "a", "v": 1, "t": "2000-01-01T12:00:00Z"}]).watermark("2000-01-01T13:00:01Z")
    stream = stream.add([{"k": "a", "v": 2, "t": "2000-01-01T11:00:00Z"}]).end()
    indexes = {ttl: stream.latest("k", ttl=ttl).collect(as_stream=True)["pane_index"].tolist() for ttl in (None, "1h")}
    assert indexes[None][:2] == [0, 1]
    assert indexes["1h"][:1] == [0]
    assert 1 not in indexes["1h"]


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda s: s.latest("x"), ColumnError, "no column 'x'"),
        (lambda s: s.select("carrier").latest("carrier"), GraphError, "a column besides the keys; got only 'carrier'"),
        (lambda s: s.window(fl.FixedWindows("1h")).latest("carrier", ttl="1h"), GraphError, "without windows"),
        (lambda s: s.groupby("carrier").agg(n="count").latest("carrier"), EventTimeError, "an event time"),
        (
            lambda s: s.groupby("carrier").agg(n="count").agg(x=fl.Duration()),
            EventTimeError,
            "aggregate 'x' needs rows with an event time; got Duration() of rows without one",
        ),
        (
            lambda s: (
                s.window(fl.FixedWindows("1h"), accumulation="retracting")
                .groupby("carrier")
                .agg(n="count")
                .latest("carrier")
            ),
            GraphError,
            "must be able to take back rows",
        ),
    ],
)
def test_what_has_no_latest_row_is_refused(make: Any, error: Any, said: str) -> None:
    with pytest.raises(error) as refused:
        make(FLIGHTS)
    assert said in str(refused.value)


def test_what_is_latest_is_written_as_its_aggregation(tmp_path: Any) -> None:
    fl.to_script(tmp_path / "job.py", FLIGHTS.select("carrier", "delay").latest("carrier", ttl="2h"))
    text = " ".join((tmp_path / "job.py").read_text().split())
    assert "fl.GlobalWindows()" in text
    assert 'ttl="2h"' in text
    assert 'agg(delay=("delay", fl.Latest()))' in text


def test_steps_may_follow_each_other() -> None:
    frame = pd.DataFrame({"t": pd.to_datetime(["2000-01-01 12:00", "2000-01-01 12:30"], utc=True), "v": [1, 2]})
    rows = fl.read.frame(frame, event_time="t").join_asof(fl.read.frame(frame, event_time="t"), "v")
    assert rows.latest().collect()["v"].tolist() == [2]
