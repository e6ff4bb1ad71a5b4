"""One stream feeding many: every row in exactly one branch, and the branches together in one graph."""

from __future__ import annotations

import pandas as pd
import pytest

import flower as fl
from flower.errors import ColumnError, DtypeError, GraphError

ROWS = fl.read.frame(
    pd.DataFrame({"a": pd.array([1, 2, None, -1, 0], "Int64"), "b": [1, 0, 2, 3, 4], "branch": list("vwxyz")})
)


def told(parts: dict[str, fl.Stream]) -> dict[str, str]:
    return {name: "".join(part.collect()["branch"]) for name, part in parts.items()}


def test_a_row_goes_to_the_first_branch_whose_condition_holds():
    parts = ROWS.partition({"one": "a >= 1", "two": pd.col("b") > 2, "three": "a == 2"}, rest="it's the rest")
    assert told(parts) == {"one": "vw", "two": "yz", "three": "", "it's the rest": "x"}
    assert all(part.schema == ROWS.schema for part in parts.values())


def test_a_condition_may_be_a_function_that_does_not_know():
    parts = ROWS.partition({"some": lambda frame: frame["a"] > 0, "others": lambda frame: frame["b"] > 3})
    assert told(parts) == {"some": "vw", "others": "z", "rest": "xy"}


def test_a_row_of_which_a_condition_cannot_be_told_is_in_no_branch_and_once_an_error():
    parts = ROWS.partition({"first": "a == 1", "whole": "10 % b == 0"})
    assert told(parts) == {"first": "v", "whole": "x", "rest": "yz"}
    for stream in (*parts.values(), fl.concat(*parts.values())):
        errors = stream.errors.collect()
        assert len(errors) == 1
        assert '"branch":"w"' in errors["row"][0].replace(" ", "")


def test_branches_are_run_together_and_read_their_source_once():
    flights = fl.read.parquet(fl.datasets.flights, event_time="departure", watermark=fl.BoundedDisorder("12h"))
    parts = flights.partition({"late": "delay > 15", "early": "delay < 0"}, rest="on time")
    run = fl.run(*(part.named(name) for name, part in parts.items())).wait()
    assert run.metrics.rows_out == len(flights.collect())
    assert run.metrics.rows_in == flights.run().wait().metrics.rows_in
    assert (run.results["late"]["delay"] > 15).all()
    hourly = {
        name: parts[name].window(fl.FixedWindows("1h")).groupby("carrier").agg(**{name: "count"})
        for name in ("late", "early")
    }
    settled = [
        panes.filter("pane_final").select("carrier", "window_start", "event_time", name)
        for name, panes in hourly.items()
    ]
    both = settled[0].join(settled[1], ["carrier", "window_start"], "outer", within=("0s", "0s"))
    expected = flights.collect().assign(hour=lambda f: f["departure"].dt.floor("1h"))
    expected = expected[(expected["delay"] > 15) | (expected["delay"] < 0)].groupby(["carrier", "hour"]).size()
    assert len(both.collect()) == len(expected)
    assert both.collect()[["late", "early"]].sum().sum() == expected.sum()


def test_retractions_go_where_what_they_take_back_went():
    times = pd.to_datetime(["2000-01-01 12:10", "2000-01-01 12:20", "2000-01-01 12:30"], utc=True)
    rows = fl.read.frame(pd.DataFrame({"t": times, "k": list("aba")}), event_time="t")
    early = fl.AfterWatermark(early=fl.AfterCount(1))
    counts = rows.window(fl.FixedWindows("1h"), trigger=early, accumulation="retracting").groupby("k").agg(n="count")
    parts = counts.partition({"one": "n == 1"}, rest="more")
    for part, left in ((parts["one"], {"b"}), (parts["more"], {"a"})):
        again = part.groupby("k").agg(rows="count").collect(as_stream=True)
        assert set(again[~again["pane_retraction"]].groupby("k").tail(1).query("rows > 0")["k"]) >= left


def test_there_may_be_many_branches():
    parts = ROWS.partition({str(n): f"b == {n}" for n in range(200)})
    assert len(parts) == 201
    assert told({name: parts[name] for name in ("0", "4", "199", "rest")}) == {
        "0": "w",
        "4": "z",
        "199": "",
        "rest": "",
    }


@pytest.mark.parametrize(
    ("branches", "options", "error", "said"),
    [
        ({}, {}, GraphError, "partition() needs at least one"),
        ("a > 1", {}, GraphError, "a condition for each branch by its name; got 'a > 1'"),
        ({"rest": "a > 1"}, {}, GraphError, "got 'rest' for a condition and for the rest; name the rest"),
        ({"x": "a > 1"}, {"rest": None}, GraphError, "a branch must have a name; got None"),
        ({"x": "c > 1"}, {}, ColumnError, "no column 'c'"),
        ({"x": "a + 1"}, {}, DtypeError, "must say True or False"),
        ({"x": lambda frame: frame["a"] + 1}, {}, DtypeError, "must say True or False"),
    ],
)
def test_what_does_not_part_a_stream_is_refused(branches, options, error, said):
    with pytest.raises(error) as refused:
        ROWS.partition(branches, **options)
    assert said in str(refused.value)
