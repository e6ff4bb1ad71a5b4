"""Rows of which something is required, and pivots: columns that are known before any row."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import flower as fl
from flower.errors import ColumnError, DtypeError, GraphError, RunError

FLIGHTS = fl.read.parquet(fl.datasets.flights, event_time="departure", watermark=fl.BoundedDisorder("12h"))
CARRIERS = ["UA", "AA", "B6"]


def test_a_pivot_of_windows_is_that_of_pandas():
    hourly = FLIGHTS.window(fl.FixedWindows("1h")).groupby("origin")
    wide = hourly.pivot("carrier", "delay", categories=CARRIERS, aggfunc="sum")
    ours = wide.collect()
    rows = FLIGHTS.collect()
    rows = rows[rows["carrier"].isin(CARRIERS)].assign(window_start=lambda f: f["departure"].dt.floor("1h"))
    theirs = rows.pivot_table(
        values="delay", index=["origin", "window_start"], columns="carrier", aggfunc="sum", fill_value=0
    )
    both = ours.set_index(["origin", "window_start"])[CARRIERS].sort_index()
    pd.testing.assert_frame_equal(
        both.astype("float64"), theirs[CARRIERS].sort_index().astype("float64"), check_names=False
    )


def test_rows_of_other_categories_are_errors():
    rows = fl.read.frame(pd.DataFrame({"k": ["a", "b", None, "c"], "v": [1, 2, 3, 4]}))
    wide = rows.assign(one="1").groupby("one").pivot("k", categories=["a", "b"], aggfunc="size")
    assert wide.collect()[["a", "b"]].values.tolist() == [[1, 1]]
    errors = wide.errors.collect()
    assert errors["step"].unique().tolist() == ["require-1"]
    assert errors["reason"].unique().tolist() == ["not as required"]
    assert [("null" in row, '"c"' in row) for row in errors["row"]] == [(True, False), (False, True)]


def test_a_run_that_must_not_fail_fails_for_what_is_not_as_required():
    rows = fl.read.frame(pd.DataFrame({"v": [1, -1]})).require("v > 0")
    with pytest.raises(RunError, match="`v > 0` does not hold"):
        rows.run(on_error="fail").wait()


def test_a_function_may_say_what_is_required_and_fail_by_itself():
    def right(frame: pd.DataFrame) -> Any:
        if (frame["v"] == 3).any():
            raise ValueError("three")
        return frame["v"] > 1

    rows = fl.read.frame(pd.DataFrame({"v": [1, 2, 3]})).require(right)
    assert rows.collect()["v"].tolist() == [2]
    assert rows.errors.collect()["reason"].tolist() == ["function raised", "not as required"]


def test_what_is_required_is_not_moved_or_merged():
    rows = FLIGHTS.require("delay > 0").filter("distance > 100").select("carrier")
    assert "require" in str(rows.explain("optimized"))
    assert len(rows.errors.collect()) > len(FLIGHTS.errors.collect())


def test_a_script_writes_a_pivot_as_its_steps(tmp_path: Any) -> None:
    wide = FLIGHTS.window(fl.FixedWindows("1h")).groupby("origin").pivot("carrier", categories=["UA"], aggfunc="size")
    fl.to_script(tmp_path / "job.py", wide)
    text = " ".join((tmp_path / "job.py").read_text().split())
    assert """.require("carrier in ['UA']")""" in text
    assert '.agg(UA=fl.Only("size", "carrier", "UA"))' in text.replace("'", '"')


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda g: g.pivot("x", "delay", categories=["AA"]), ColumnError, "no column 'x'"),
        (lambda g: g.pivot("carrier", "x", categories=["AA"]), ColumnError, "no column 'x'"),
        (lambda g: g.pivot("carrier", "delay", categories=[]), GraphError, "`categories` must be the values"),
        (lambda g: g.pivot("carrier", "delay", categories="AA"), GraphError, "got 'AA'; write categories="),
        (lambda g: g.pivot("carrier", "delay", categories=["AA", "AA"]), GraphError, "got 'AA' more than once"),
        (lambda g: g.pivot("carrier", "delay", categories=["origin"]), GraphError, "got 'origin' more than once"),
        (lambda g: g.pivot("carrier", "delay", categories=[1]), DtypeError, "carrier"),
        (lambda g: g.pivot("carrier", categories=["AA"]), GraphError, "aggregate 'AA' must have a column"),
        (lambda g: g.agg(x=("delay", fl.Only("sum", "carrier", 1))), DtypeError, "takes a column that can be 1"),
        (lambda g: g.agg(x=("delay", fl.Only("sum", "carrier", 1.5))), GraphError, "a text, an integer or a bool"),
        (lambda g: g.agg(x=("delay", fl.Only("summ", "carrier", "AA"))), GraphError, "did you mean 'sum'"),
    ],
)
def test_what_cannot_be_pivoted_is_refused_by_name(make: Any, error: Any, said: str) -> None:
    with pytest.raises(error) as refused:
        make(FLIGHTS.groupby("origin"))
    assert said in str(refused.value)
