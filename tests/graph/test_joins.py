"""What a join gives, and which are refused: by name, with what to do instead."""

from __future__ import annotations

import contextlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import flower as fl
from flower.errors import ColumnError, DtypeError, GraphError, SchemaError, UserFunctionError
from flower.graph.schema import dtype_name

HOUR = fl.FixedWindows("1h")
TIMES = pd.to_datetime(["2000-01-01 12:10", "2000-01-01 12:50"], utc=True)


def stream(event_time: str | None = "t", **columns: object) -> fl.Stream:
    return fl.read.frame(pd.DataFrame({"t": TIMES, **columns}), event_time=event_time).drop("t")


def endless() -> fl.Stream:
    return fl.read.rate(10).assign(k="value % 3")


LEFT, RIGHT = stream(k=["a", "b"], v=[1, 2]), stream(k=["a", "c"], v=[3, 4])


def dtypes(joined: fl.Stream) -> dict[str, str]:
    return {field.name: dtype_name(field) for field in joined.schema}


def test_columns_are_those_of_both_sides_with_suffixes_and_the_keys_once():
    assert dtypes(LEFT.join(RIGHT, "k", within=("0s", "1h"))) == {
        "k": "str",
        "v_x": "int64",
        "v_y": "int64",
        "event_time": "datetime64[us, UTC]",
    }
    named = LEFT.join(RIGHT, "k", within=("0s", "1h"), suffixes=("", "_right"))
    assert named.schema.names == ["k", "v", "v_right", "event_time"]


@pytest.mark.parametrize(
    ("how", "left", "right"),
    [("inner", "int64", "int64"), ("left", "int64", "Int64"), ("right", "Int64", "int64"), ("outer", "Int64", "Int64")],
)
def test_columns_that_may_be_missing_are_known_before_any_row(how, left, right):
    joined = LEFT.window(HOUR).join(RIGHT.window(HOUR), "k", how)
    known = dtypes(joined)
    assert (known["v_x"], known["v_y"]) == (left, right)
    frame = joined.collect()
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == known
    expected = pd.merge(LEFT.collect(), RIGHT.collect(), on="k", how=how)
    assert frame.sort_values("k")["k"].tolist() == sorted(expected["k"])
    for column in ("v_x", "v_y"):
        ours = frame.sort_values("k")[column].astype("Int64").tolist()
        assert ours == expected.sort_values("k")[column].astype("Int64").tolist()


def test_a_key_that_is_missing_on_one_side_only_may_be_missing_where_that_side_is_kept():
    maybe = LEFT.assign(n="v").select("n"), stream(n=pd.array([1, None], "Int64"))
    names = {how: dtypes(maybe[0].join(maybe[1], "n", how, within=("0s", "1s")))["n"] for how in ("left", "outer")}
    assert names == {"left": "int64", "outer": "Int64"}


def test_the_columns_of_panes_that_are_joined_get_suffixes():
    panes = LEFT.window(HOUR).groupby("k").agg(total=("v", "sum"))
    joined = panes.window(HOUR).join(RIGHT.window(HOUR), "k")
    assert joined.schema.names[:4] == ["k", "window_start_x", "window_end_x", "total"]
    assert joined.schema.names[-6:] == [
        *("window_start", "window_end", "pane_timing", "pane_index", "pane_final", "event_time")
    ]
    assert joined.collect()[["k", "total", "v", "pane_timing_x"]].values.tolist() == [["a", 1, 3, "on_time"]]


def test_keys_of_different_dtypes_are_refused():
    with pytest.raises(DtypeError, match=r"key 'k' must have one dtype on both sides.*str on the left, int64 on the"):
        LEFT.join(stream(k=[1, 2]), "k", within=("0s", "1s"))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ([1, 2], ["1", "2"]),
        (["1", "2"], [1, 2]),
        ([1, 2], [1.0, 2.0]),
        ([1.0, 2.0], [1, 2]),
        (np.array([1, 2], "int32"), [1, 2]),
        (np.array([1, 2], "uint8"), np.array([1, 2], "int16")),
        (pd.to_datetime(["2000-01-01", "2000-01-02"], utc=True), pd.to_datetime(["2000-01-01", "2000-01-02"])),
        (pd.to_datetime(["2000-01-01", "2000-01-02"]), pd.to_datetime(["2000-01-01", "2000-01-02"], utc=True)),
    ],
)
@pytest.mark.parametrize("name", ["key", "the key"])
def test_the_conversion_that_is_proposed_for_keys_of_different_dtypes_makes_them_one(mine, theirs, name):
    sides = [stream(**{name: mine}), stream(**{name: theirs}, w=[1, 2])]
    with pytest.raises(DtypeError, match="convert one of them before") as refused:
        sides[0].join(sides[1], name, within=("-1h", "1h"))
    call = str(refused.value).split("before: ")[1]
    joined = 0
    for one in (0, 1):
        with contextlib.suppress(DtypeError, UserFunctionError):
            changed = [*sides]
            changed[one] = eval(f"side{call}", {"side": sides[one]})
            joined += len(changed[0].join(changed[1], name, within=("-1h", "1h")).collect()) == 2
    assert joined


def test_one_side_without_windows_is_told_as_a_person_writes_them():
    with pytest.raises(GraphError, match=r"got \.window\(FixedWindows\('1h'\)\) on the left, no window on the right"):
        LEFT.window(HOUR).join(RIGHT, "k")


def test_keys_that_are_not_there_are_refused():
    with pytest.raises(ColumnError, match=r"no column 'v'.*The columns are 'k'"):
        LEFT.join(stream(k=["a", "b"]), ["k", "v"], within=("0s", "1s"))


def test_streams_that_do_not_end_must_be_bounded_in_time():
    with pytest.raises(GraphError, match=r"must be bounded in time; got no window; call \.window.*within="):
        endless().join(endless(), "k")
    with pytest.raises(GraphError, match=r"bounded in time; got GlobalWindows\(\)"):
        endless().window(fl.GlobalWindows()).join(endless().window(fl.GlobalWindows()), "k")
    assert not endless().join(endless(), "k", within=("0s", "1s")).node.bounded
    assert LEFT.join(RIGHT, "k").collect()["v_y"].tolist() == [3]


@pytest.mark.parametrize(
    ("windowing", "got"),
    [
        ({"windows": fl.Sessions("1h")}, "Sessions"),
        ({"windows": fl.CountWindows(3)}, "CountWindows"),
        ({"windows": fl.FixedWindows("1h", time="processing")}, "processing time"),
        ({"windows": HOUR, "trigger": fl.AfterCount(1), "allow_finishing": True}, "AfterCount"),
        ({"windows": HOUR, "timestamp_combiner": "latest"}, "latest"),
        ({"windows": HOUR, "ttl": "1h"}, "ttl"),
    ],
)
def test_windows_that_rows_cannot_be_joined_in_are_refused(windowing, got):
    with pytest.raises(GraphError, match=f"a join needs windows of event time.*{got}.*within="):
        LEFT.window(**windowing).join(RIGHT.window(**windowing), "k")


def test_different_windows_are_refused():
    with pytest.raises(GraphError, match=r"both sides of a join must have the same windowing; got .*no window on"):
        LEFT.window(HOUR).join(RIGHT, "k")


def test_windows_and_an_interval_are_refused():
    with pytest.raises(GraphError, match="in windows or within an interval, not both"):
        LEFT.window(HOUR).join(RIGHT.window(HOUR), "k", within=("0s", "1s"))
    with pytest.raises(GraphError, match="an as-of join has no windows"):
        LEFT.join_asof(RIGHT.window(HOUR), "k")


@pytest.mark.parametrize("within", [("1s", "0s"), "1s", ("1s",), ("0s", "1s", "2s")])
def test_intervals_that_are_none_are_refused(within):
    with pytest.raises(GraphError, match=r"`within` must .*write within=\('-5min', '10min'\)"):
        LEFT.join(RIGHT, "k", within=within)


def test_rows_without_event_time_are_refused_where_it_decides():
    plain = stream(None, k=["a", "b"], w=[1, 2])
    for join in (lambda: LEFT.join(plain, "k", within=("0s", "1s")), lambda: LEFT.join_asof(plain, "k")):
        with pytest.raises(GraphError, match=r"got a right side without event time; .*event_time="):
            join()
    assert plain.join(RIGHT, "k").collect()["w"].tolist() == [1]


def test_names_that_stand_twice_are_refused():
    with pytest.raises(SchemaError, match=r"a name of its own; got 'v' more than once; rename them"):
        LEFT.join(RIGHT, "k", within=("0s", "1s"), suffixes=("", ""))


def test_looking_ahead_needs_a_tolerance():
    with pytest.raises(GraphError, match=r"looks forward must know for how long to wait.*tolerance="):
        LEFT.join_asof(RIGHT, "k", direction="forward")


def totals(how: str, **options: object) -> fl.Stream:
    early = {"trigger": fl.AfterWatermark(early=fl.AfterCount(1)), "accumulation": how, **options}
    return LEFT.window(HOUR, **early).groupby("k").agg(v=("v", "sum"))


def test_panes_that_later_ones_replace_are_refused():
    with pytest.raises(GraphError, match="cannot be joined"):
        totals("accumulating").join(RIGHT, "k", within=("0s", "1s"))
    assert totals("accumulating").filter("pane_final").join(RIGHT, "k", within=("0s", "1s")).collect() is not None


def test_rows_that_may_be_retracted_say_so_after_a_join_unless_they_wait_for_it():
    back = totals("retracting")
    within = back.join(RIGHT, "k", within=("0s", "1h"))
    assert within.schema.names[-2:] == ["pane_retraction", "event_time"]
    assert within.schema.names.count("pane_retraction") == 1
    once, again = (back.window(HOUR, allowed_lateness=late) for late in ("0s", "1h"))
    assert "pane_retraction" not in once.join(RIGHT.window(HOUR), "k").schema.names
    assert "pane_retraction" in again.join(RIGHT.window(HOUR, allowed_lateness="1h"), "k").schema.names
    named = back.rename(pane_retraction="gone")
    assert "gone" not in named.join(RIGHT, "k", within=("0s", "1h")).schema.names
    for settled in (back.join_asof(RIGHT, "k"), RIGHT.join_asof(back, "k"), back.enrich(RIGHT.rename(v="w"), "k")):
        assert not settled.node.retracting
        assert "pane_retraction" not in settled.schema.names


def test_rows_that_cannot_be_taken_back_are_refused_by_name():
    back = totals("retracting")
    within = {"within": ("0s", "1h")}
    late = {"allowed_lateness": "1h", "accumulation": "discarding"}
    with pytest.raises(GraphError, match="cannot be discarding; got an increment"):
        back.window(HOUR, **late).join(RIGHT.window(HOUR, **late), "k")
    with pytest.raises(
        GraphError, match=r"left side that may be retracted must keep their event time.*'earliest'.*agg-1"
    ):
        totals("retracting", timestamp_combiner="earliest").join(RIGHT, "k", **within)
    windowed = LEFT.window(HOUR, accumulation="retracting", trigger=fl.AfterWatermark(early=fl.AfterCount(1)))
    with pytest.raises(GraphError, match=r"right side that may be retracted must have plain columns.*'every': lists"):
        RIGHT.join(windowed.groupby("k").agg(every=("v", "list")), "k", **within)
    with pytest.raises(GraphError, match=r"'map_frames-1'.*must treat each row and its retraction alike"):
        back.map_frames(lambda frame: frame).join(RIGHT, "k", **within)
    signs = RIGHT.assign(pane_retraction="v == 1")
    with pytest.raises(GraphError, match="the key 'pane_retraction', which tells them apart"):
        back.join(signs, ["k", "pane_retraction"], **within)


def test_joined_panes_that_replace_one_another_are_not_aggregated():
    late = {"windows": HOUR, "allowed_lateness": "1h"}
    joined = LEFT.window(**late).join(RIGHT.window(**late), "k")
    with pytest.raises(GraphError, match=r"cannot be aggregated.*use accumulation='retracting' or 'discarding'"):
        joined.window(HOUR).agg(rows="count")
    late["accumulation"] = "retracting"
    joined = LEFT.window(**late).join(RIGHT.window(**late), "k")
    assert joined.window(HOUR).agg(rows="count").schema is not None


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [({"how": "cross"}, "`how` must be 'inner'"), ({"suffixes": ("_x",)}, "`suffixes` must be two texts")],
)
def test_arguments_that_are_none_are_refused(arguments, wrong):
    with pytest.raises(GraphError, match=f"step 'join-1' \\(join\\): {wrong}"):
        LEFT.join(RIGHT, "k", **arguments)


def test_what_is_no_stream_is_refused():
    with pytest.raises(GraphError, match=r"join\(\) takes another stream; got DataFrame"):
        LEFT.join(pd.DataFrame({"k": ["a"]}), "k")


def test_unneeded_columns_are_not_read_and_suffixes_stay():
    left, right = (stream(k=["a", "b"], v=[1, 2], w=[1, 2], x=[1, 2]) for _ in range(2))
    joined = left.join(right.rename(x="y"), "k", within=("0s", "1h")).select("w_y", "y")
    # `v` is on both sides: without it on one, that of the other would have no suffix.
    assert "read frame of 2 rows, columns t, k, v, w," in str(joined.explain("optimized"))
    assert joined.collect().values.tolist() == [[1, 1], [2, 2]]


def test_the_plan_tells_what_is_held_and_until_when():
    text = str(LEFT.join(RIGHT, "k", "left", within=("-5min", "10min")).explain())
    assert "join on k, how='left', within=('-5min', '10min')  <- select-1, select-2" in text
    assert "a left row is held until the watermark passes its time by 10min, a right row by 5min" in text
    assert "join-1, its right side, dealt by key" in text


def test_dropped_rows_have_the_columns_of_both_sides():
    assert LEFT.join(RIGHT, "k", within=("0s", "1h")).dropped.schema.names == [
        *("k", "v_x", "v_y", "side", "reason", "watermark")
    ]
    windowed = LEFT.window(HOUR).join(RIGHT.window(HOUR), "k").dropped
    assert windowed.schema.names[-5:] == ["side", "window_start", "window_end", "reason", "watermark"]
    assert all(field.nullable for field in windowed.schema if field.type == pa.int64())
