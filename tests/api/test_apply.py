"""Functions of whole groups: what they get, what they may give, which groups fail, and the same on every executor."""

from __future__ import annotations

import json
import sys
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from strategies import Rows, stream_of

import flower as fl
from flower.errors import DtypeError, GraphError, SchemaError, UserFunctionError
from flower.graph.nodes import ROWS, Apply, Dropped
from flower.testing import TestStream, by_epoch

FRAME = pd.DataFrame({"k": ["b", "a", "b", "a", "b"], "v": [5, 1, 3, 2, 4], "s": ["x", "y", None, "z", "x"]})
EXECUTORS = ["embedded", "reference", pytest.param("dask", marks=pytest.mark.slow)]


def executor_of(on: str, request: pytest.FixtureRequest) -> Any:
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    return request.getfixturevalue("client") if on == "dask" else on


def grouped(frame: pd.DataFrame = FRAME) -> Any:
    return fl.read.frame(frame).groupby("k")


def shape(rows: pd.DataFrame) -> dict[str, Any]:
    """What tells one group from another."""
    return {"n": len(rows), "total": int(rows["v"].sum()), "texts": "".join(rows["s"].dropna())}


@pytest.mark.parametrize("on", EXECUTORS)
def test_a_function_is_called_once_a_group_with_its_rows_in_order_and_without_the_keys(
    on: str, request: pytest.FixtureRequest
) -> None:
    result = grouped().apply(lambda rows: rows).collect(executor=executor_of(on, request))
    assert result.columns.tolist()[:5] == ["k", "window_start", "window_end", "v", "s"]
    assert result["k"].tolist() == ["a", "a", "b", "b", "b"]
    assert result["v"].tolist() == [1, 2, 5, 3, 4]
    assert result["s"].fillna("-").tolist() == ["y", "z", "x", "-", "x"]
    assert result["v"].dtype == "int64"


@pytest.mark.parametrize("on", EXECUTORS)
@pytest.mark.parametrize("how", ["accumulating", "discarding"])
def test_each_pane_gets_the_rows_of_its_mode(on: str, how: Any, request: pytest.FixtureRequest) -> None:
    stream = (
        TestStream({"k": "str", "v": "int64", "s": "str"}, "t")
        .epoch(lambda s: s.add([{"t": "2000-01-01T12:00:30Z", "k": "a", "v": 1, "s": "p"}]))
        .epoch(lambda s: s.add([{"t": "2000-01-01T12:00:10Z", "k": "a", "v": 2, "s": "q"}]))
        .epoch(lambda s: s.end())
    )
    panes = (
        stream.window(fl.FixedWindows("1min"), trigger=fl.AfterWatermark(early=fl.AfterCount(1)), accumulation=how)
        .groupby("k")
        .apply(shape)
    )
    told = by_epoch(panes, executor_of(on, request))
    got = [
        each[["n", "total", "texts", "pane_timing", "pane_index", "pane_final"]].to_numpy().tolist() for each in told
    ]
    second, last = ([2, 3, "qp"], [2, 3, "qp"]) if how == "accumulating" else ([1, 2, "q"], [0, 0, ""])
    assert got == [
        [[1, 1, "p", "early", 0, False]],
        [[*second, "early", 1, False]],
        [[*last, "on_time", 2, True]],
    ]


def test_the_view_has_all_rows_of_the_last_pane_of_a_window() -> None:
    row = {"t": "2000-01-01T12:00:30Z", "k": "a"}
    stream = TestStream({"k": "str", "v": "int64"}, "t")
    for v in (1, 2, 3):
        stream = stream.epoch(lambda s, v=v: s.add([{**row, "v": v}]))
    windowed = stream.window(fl.GlobalWindows(), trigger=fl.Repeatedly(fl.AfterCount(1)))
    run = windowed.groupby("k").apply(lambda rows: rows[["v"]]).run()
    run.wait(progress=False)
    assert run.results["v"].tolist() == [1, 2, 3]
    assert run.panes()["v"].tolist() == [1, 1, 2, 1, 2, 3]


@pytest.mark.parametrize(
    ("fn", "schema", "expected"),
    [
        (lambda rows: rows.nlargest(2, "v")[["v"]], None, [[2], [1], [5], [4]]),
        (lambda rows: rows[["v"]].iloc[:0], None, []),
        (lambda rows: pd.Series({"low": rows["v"].min(), "n": len(rows)}, dtype="float64"), None, [[1, 2], [3, 3]]),
        (lambda rows: {"n": len(rows)}, None, [[2], [3]]),
        (len, None, [[2], [3]]),
        (lambda rows: rows["v"].iloc[-1], {"last": "int64"}, [[2], [4]]),
        (lambda rows: rows["s"].iloc[0], {"first": "str"}, [["y"], ["x"]]),
        (lambda rows: pd.Timestamp("2000-01-01", tz="UTC"), None, [[pd.Timestamp("2000-01-01", tz="UTC")]] * 2),
        (lambda rows: None if len(rows) > 2 else {"v": 7}, {"v": "int64"}, [[7]]),
    ],
    ids=["frame", "no rows", "Series", "dict", "scalar", "named scalar", "text", "time", "one fails"],
)
def test_a_function_may_give_a_frame_a_series_a_dict_or_a_scalar(fn: Any, schema: Any, expected: Any) -> None:
    stream = grouped().apply(fn, schema)
    result = stream.collect()
    assert pa.schema(stream.schema).names == result.columns.tolist()
    own = [name for name in result.columns if name not in ("k", "event_time") and "_" not in name]
    assert result[own].to_numpy().tolist() == expected
    assert stream.collect(executor="reference").equals(result)


def test_a_scalar_is_called_value_and_a_declared_column_by_its_name() -> None:
    assert "value" in grouped().apply(len).schema.names
    assert "rows" in grouped().apply(len, {"rows": "int64"}).schema.names


def fails(rows: pd.DataFrame) -> dict[str, Any]:
    if len(rows) == 3:
        raise ValueError("three are too many")
    return {"n": len(rows)}


@pytest.mark.parametrize("on", EXECUTORS)
def test_a_group_that_fails_is_an_error_with_key_and_window_and_the_others_go_on(
    on: str, request: pytest.FixtureRequest
) -> None:
    executor = executor_of(on, request)
    frame = FRAME.assign(t=pd.Timestamp("2000-01-01T12:00", tz="UTC"))
    stream = fl.read.frame(frame, event_time="t").window(fl.FixedWindows("1h")).groupby("k").apply(fails)
    assert stream.collect(executor=executor)[["k", "n"]].to_numpy().tolist() == [["a", 2]]
    (error,) = stream.errors.collect(executor=executor).to_dict("records")
    assert (error["step"], error["reason"], error["error"]) == (
        "apply-1",
        "function raised",
        "ValueError: three are too many",
    )
    told = json.loads(error["row"])
    assert told.pop("k") == "b"
    assert {name: pd.Timestamp(value) for name, value in told.items()} == {
        "window_start": pd.Timestamp("2000-01-01T12:00", tz="UTC"),
        "window_end": pd.Timestamp("2000-01-01T13:00", tz="UTC"),
    }


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ([1], "must give back a DataFrame, a Series, a dict or a scalar for each group; got list"),
        (None, "must give back a DataFrame, a Series, a dict or a scalar for each group; got NoneType"),
        ({"m": 1}, "no column 'n'"),
        ({"n": 1, "m": 1}, "only declared columns may come back; got 'm'"),
        ({"n": 1.5}, "column 'n' must be int64; got np.float64(1.5)"),
        ({"n": None}, "column 'n' must be int64"),
        (pd.Series([1, 2]), "its names are those of columns; got the name 0"),
    ],
)
def test_what_does_not_fit_is_an_error_of_the_group(result: Any, said: str) -> None:
    stream = grouped().apply(lambda rows: result, {"n": "int64"})
    assert stream.collect().empty
    errors = stream.errors.collect()
    assert errors["reason"].tolist() == ["wrong result"] * 2
    assert all(said in error for error in errors["error"])


@pytest.mark.parametrize(
    ("fn", "error", "said"),
    [
        (lambda rows: rows["v"].iloc[0], UserFunctionError, "must work on a group without rows.*declare the columns"),
        (lambda rows: {"n": None}, DtypeError, "no dtype in 'n'.*declare the columns"),
        (lambda rows: {"n": pd.NaT}, DtypeError, "no dtype in 'n'"),
        (lambda rows: rows["v"].cumsum(), SchemaError, "must tell its columns.*give back a frame"),
        (lambda rows: [1], SchemaError, "must give back a DataFrame, a Series, a dict or a scalar"),
        (lambda rows: {"k": "x"}, GraphError, "columns of other names than the keys and those of panes; got 'k'"),
        (lambda rows: {"pane_index": 1}, GraphError, "other names than the keys.*; got 'pane_index'"),
        ("len", GraphError, "`fn` must be a function"),
    ],
)
def test_what_tells_no_columns_is_refused_when_the_step_is_added(fn: Any, error: type, said: str) -> None:
    with pytest.raises(error, match=said):
        grouped().apply(fn)


def test_a_stream_that_never_ends_and_a_stream_of_keys_only_are_refused() -> None:
    with pytest.raises(GraphError, match="must be told when to give results"):
        stream_of(Rows(bounded=False)).groupby("k").apply(len)
    with pytest.raises(GraphError, match=r"needs a column besides the keys; got only 'k'"):
        grouped(FRAME[["k"]]).apply(len)


def test_panes_that_replace_one_another_are_refused() -> None:
    timed = fl.read.frame(FRAME.assign(t=pd.Timestamp("2000-01-01", tz="UTC")), event_time="t")
    again = timed.window(fl.FixedWindows("1h"), allowed_lateness="1h").groupby("k").agg(n="count")
    with pytest.raises(GraphError, match="panes that replace one another"):
        again.window(fl.FixedWindows("1h")).groupby("k").apply(len)
    applied = timed.window(fl.FixedWindows("1h"), allowed_lateness="1h").groupby("k").apply(len)
    with pytest.raises(GraphError, match="panes that replace one another"):
        applied.window(fl.FixedWindows("1h")).agg(n="count")


def test_the_error_of_a_group_comes_from_no_row() -> None:
    (error,) = grouped().apply(fails).errors.collect().to_dict("records")
    assert pd.isna([error["partition"], error["position"], error["source"]]).all()


def test_rows_of_one_origin_are_in_the_order_of_their_values() -> None:
    several = fl.read.frame(FRAME).flat_map_rows(lambda row: [{**row, "v": v} for v in (row["v"] + 10, row["v"])])
    result = several.groupby("k").apply(lambda rows: rows[["v"]]).collect()
    assert result["v"].tolist() == [1, 11, 2, 12, 5, 15, 3, 13, 4, 14]


def test_after_a_retracting_step_it_is_refused_by_name() -> None:
    timed = fl.read.frame(FRAME.assign(t=pd.Timestamp("2000-01-01", tz="UTC")), event_time="t")
    windowed = timed.window(fl.FixedWindows("1h"), accumulation="retracting", allowed_lateness="1h")
    counts = windowed.groupby("k").agg(n="count").window(fl.FixedWindows("1h"))
    with pytest.raises(GraphError, match=r"must be able to take back rows.* got apply\(\), which cannot"):
        counts.groupby("k").apply(len)


@pytest.mark.parametrize("on", EXECUTORS)
def test_rows_that_it_retracts_are_those_that_it_gave(on: str, request: pytest.FixtureRequest) -> None:
    row = {"t": "2000-01-01T12:00:30Z", "k": "a"}
    stream = TestStream({"k": "str", "v": "int64"}, "t")
    for v in (1, 2):
        stream = stream.epoch(lambda s, v=v: s.add([{**row, "v": v}]))
    windowed = stream.epoch(lambda s: s.end()).window(
        fl.FixedWindows("1min"), trigger=fl.AfterWatermark(early=fl.AfterCount(1)), accumulation="retracting"
    )
    panes = windowed.groupby("k").apply(lambda rows: rows[["v"]])
    executor = executor_of(on, request)
    told = by_epoch(panes, executor)
    assert [each[["v", "pane_retraction"]].to_numpy().tolist() for each in told[:2]] == [
        [[1, False]],
        [[1, True], [1, False], [2, False]],
    ]
    total = panes.window(fl.FixedWindows("1h")).agg(total=("v", "sum"), rows="count")
    assert by_epoch(total, executor)[-1][["total", "rows"]].to_numpy().tolist() == [[3, 2]]


@pytest.mark.parametrize("on", EXECUTORS)
def test_it_follows_an_aggregation_and_is_followed_by_one(on: str, request: pytest.FixtureRequest) -> None:
    executor = executor_of(on, request)
    times = pd.to_datetime(["2000-01-01T12:00", "2000-01-01T12:01", "2000-01-01T12:02"], utc=True)
    frame = pd.DataFrame({"t": times, "k": ["a", "b", "a"], "v": [1, 2, 4]})
    counts = fl.read.frame(frame, event_time="t").window(fl.FixedWindows("1min")).groupby("k").agg(v=("v", "sum"))
    top = (
        counts.window(fl.Sessions("2min"))
        .groupby("k")
        .apply(lambda rows: pd.DataFrame({"v": rows["v"].iloc[::-1], "was": rows["pane_timing"].astype("str")}))
    )
    both = top.filter("v > 0").window(fl.FixedWindows("1h")).agg(total=("v", "sum"), rows="count")
    assert sorted(top.collect(executor=executor)[["k", "v", "was"]].to_numpy().tolist()) == [
        ["a", 1, "on_time"],
        ["a", 4, "on_time"],
        ["b", 2, "on_time"],
    ]
    assert both.collect(executor=executor)[["total", "rows"]].to_numpy().tolist() == [[7, 3]]


def test_the_step_is_one_step_that_keeps_state_under_its_name() -> None:
    stream = grouped().apply(len).named("sizes")
    assert "sizes   apply by k: len" in str(stream)
    assert ROWS not in stream.schema.names
    assert isinstance(stream.node, Apply)
    assert isinstance(stream.dropped.node, Dropped)
    assert stream.dropped.schema.names[:3] == ["k", "v", "s"]
    assert "sizes gathers rows of stage 0, keyed by k" in str(stream.explain())


def test_only_the_columns_that_reach_it_are_read() -> None:
    columns = fl.read.frame(FRAME).select("k", "v").groupby("k").apply(len).explain("optimized")
    assert "columns k, v" in str(columns)
