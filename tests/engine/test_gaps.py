"""Sessions whose rows tell their gaps: what has none is an error row, and only the columns that are needed are read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scripted import at

import flower as fl
from flower.errors import DtypeError
from flower.graph.nodes import Read, walk
from flower.graph.plan import plan
from flower.testing import TestStream

SCHEMA = {"k": "str", "pause": "timedelta64[s]", "n": "int64"}


def told(*rows: tuple[int, str | None, int]) -> TestStream:
    stream = TestStream(schema=SCHEMA, event_time="t")
    some = [
        {"k": "a", "pause": None if pause is None else pd.Timedelta(pause), "n": n, "t": at(t)} for t, pause, n in rows
    ]
    return stream.add(some).end()


def picky(frame: pd.DataFrame) -> pd.Series:
    if (frame["n"] == 13).any():
        raise ValueError("an unlucky row")
    return frame["pause"]


def test_rows_without_a_positive_gap_are_errors_that_name_step_reason_and_expression(executor: Any) -> None:
    rows = told((0, "2s", 1), (1, None, 2), (2, "0s", 4), (3, "-5s", 8))
    panes = rows.window(fl.Sessions("pause")).groupby("k").agg(total=("n", "sum")).named("visits")
    assert panes.collect(executor=executor)["total"].tolist() == [1]
    errors = panes.errors.collect(executor=executor)
    assert set(errors["step"]) == {"visits"} and set(errors["reason"]) == {"no gap"}
    assert errors["error"].tolist() == [f"the gap is {gap}, in `pause`" for gap in ("missing", "0s", "-5s")]
    assert errors["position"].tolist() == [1, 2, 3]
    assert '"n":2' in errors["row"][0].replace(" ", "")
    oracle = panes.errors.collect(executor="reference")
    pd.testing.assert_frame_equal(errors.drop(columns="source"), oracle.drop(columns="source"))


def test_a_function_gives_gaps_and_rows_for_which_it_raises_are_errors(executor: Any) -> None:
    panes = told((0, "2s", 1), (1, "1s", 13), (9, "3s", 2)).window(fl.Sessions(picky)).agg(total=("n", "sum"))
    got = panes.collect(executor=executor)
    assert got["total"].tolist() == [1, 2]
    assert (got["window_end"] - got["window_start"]).tolist() == [pd.Timedelta("2s"), pd.Timedelta("3s")]
    (error,) = panes.errors.collect(executor=executor)["error"]
    assert error == "ValueError: an unlucky row"


def test_a_gap_may_be_longer_than_time() -> None:
    frame = pd.DataFrame({"t": [at(0)], "pause": np.array([2**62], "m8[s]")})
    panes = fl.read.frame(frame, event_time="t").window(fl.Sessions("pause")).agg(rows="count")
    assert panes.collect()["window_end"].isna().tolist() == [True]


def test_a_pandas_expression_is_the_text() -> None:
    rows = told((0, "2s", 1), (1, "2s", 2), (9, "3s", 4))
    text, column = (rows.window(fl.Sessions(gap)).agg(total=("n", "sum")) for gap in ("pause", pd.col("pause")))
    assert text.node == column.node
    assert text.collect()["total"].tolist() == [3, 4]


def test_the_gaps_columns_are_read_and_no_others() -> None:
    rows = told((0, "2s", 1)).window(fl.Sessions("pause")).agg(rows="count")
    (read,) = (node for node in walk(plan([rows.node]).optimized) if isinstance(node, Read))
    assert set(read.schema.names) == {"pause", "t"}


def test_a_function_that_gives_no_durations_is_refused() -> None:
    with pytest.raises(DtypeError, match=r"the gap of sessions must be a duration; got `.*lambda.*` of int64"):
        told().window(fl.Sessions(lambda frame: frame["n"])).agg(rows="count")


def test_sessions_by_their_rows_show_what_they_were_given() -> None:
    assert repr(fl.Sessions("until - t", merge_touching=True)) == "Sessions('until - t', merge_touching=True)"
    windowed = told().window(fl.Sessions(pd.col("pause") + "5s"))
    assert windowed.node.windowing.source == """Sessions("pause + '5s'")"""
