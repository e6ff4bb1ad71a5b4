import numpy as np
import pandas as pd
import pytest

import flower as fl
from flower.errors import ColumnError, DtypeError, EventTimeError, WatermarkError
from flower.io.frames import FrameSource


def test_a_later_change_of_the_frame_is_not_seen():
    frame = pd.DataFrame({"n": [1, 2, 3], "s": ["a", "b", "c"]})
    source = FrameSource(frame)
    frame.loc[0, "n"] = 99
    frame.loc[:, "s"] = "z"
    frame["n"] += 1
    assert source.read(0, 0, 3).to_pydict() == {"n": [1, 2, 3], "s": ["a", "b", "c"]}


def test_no_range_has_more_rows_than_allowed():
    source = FrameSource(pd.DataFrame({"n": range(10)}))
    assert [source.latest(0, p, 4, 0) for p in (0, 4, 8, 10)] == [4, 8, 10, 10]
    assert [source.ended(0, p) for p in (9, 10)] == [False, True]


def test_an_empty_frame_has_ended_and_gives_no_rows():
    stream = fl.read.frame(pd.DataFrame({"t": pd.to_datetime([]), "v": np.array([], "int64")}), event_time="t")
    assert len(stream.collect()) == 0
    assert len(stream.window(fl.FixedWindows("1h")).agg(v=("v", "sum")).collect()) == 0
    assert FrameSource(pd.DataFrame()).ended(0, 0)


def test_a_column_of_mixed_objects_is_refused_by_name():
    with pytest.raises(DtypeError, match=r"frame of 2 rows.*'odd' \(mixed Python objects\)"):
        fl.read.frame(pd.DataFrame({"v": [1, 2], "odd": [1, "x"]}))


@pytest.mark.parametrize("given", [[1, 2], {"v": [1]}, np.zeros(3), None])
def test_what_is_no_frame_is_refused(given):
    with pytest.raises(DtypeError, match="a pandas DataFrame is required"):
        fl.read.frame(given)


def test_a_declared_schema_selects_orders_and_casts():
    frame = pd.DataFrame({"a": [1, 2], "b": [1.0, 2.0], "c": ["x", "y"]})
    stream = fl.read.frame(frame, schema={"b": "int64", "a": "float64"})
    assert stream.collect().dtypes.astype(str).to_dict() == {"b": "int64", "a": "float64"}
    with pytest.raises(DtypeError, match="'b' must be int64"):
        fl.read.frame(pd.DataFrame({"b": [1.5]}), schema={"b": "int64"})
    with pytest.raises(ColumnError, match=r"frame of 2 rows.*'d'"):
        fl.read.frame(frame, schema={"d": "int64"})


def test_an_event_time_that_is_the_index_is_refused_with_the_remedy():
    frame = pd.DataFrame({"v": [1]}, index=pd.DatetimeIndex(["2024-01-01"], name="t"))
    with pytest.raises(EventTimeError, match=r"the frame's index; give frame.reset_index\(\)"):
        fl.read.frame(frame, event_time="t")


def test_an_event_time_that_is_not_there_is_refused_with_the_columns_there_are():
    with pytest.raises(ColumnError, match="did you mean 'time'"):
        fl.read.frame(pd.DataFrame({"time": pd.to_datetime(["2024-01-01"])}), event_time="tme")


def test_an_event_time_that_is_a_number_or_text_is_refused_before_any_row():
    frame = pd.DataFrame({"t": ["2024-01-01"], "n": [1]})
    for column in ("t", "n"):
        with pytest.raises(EventTimeError, match=f"got column '{column}'.*no column is a time.*pd.to_datetime"):
            fl.read.frame(frame, event_time=column)


def test_other_arguments_are_checked_too():
    frame = pd.DataFrame({"t": pd.to_datetime(["2024-01-01"])})
    with pytest.raises(WatermarkError, match="must be a watermark policy; got '1h'"):
        fl.read.frame(frame, event_time="t", watermark="1h")
    with pytest.raises(EventTimeError, match="time zone"):
        fl.read.frame(frame, event_time="t", tz="Nowhere")
    with pytest.raises(ColumnError, match="'seen'"):
        fl.read.frame(frame, event_time="t", arrival="seen")


def test_local_times_of_a_frame_are_read_in_the_zone():
    frame = pd.DataFrame({"t": pd.to_datetime(["2013-03-10 01:30", "2013-03-10 02:30", "2013-03-10 03:30"])})
    stream = fl.read.frame(frame, event_time="t", tz="America/New_York")
    counts = stream.window(fl.FixedWindows("1h")).agg(rows="count").collect()
    assert counts["window_start"].astype(str).tolist() == ["2013-03-10 06:00:00+00:00", "2013-03-10 07:00:00+00:00"]
    assert "does not exist in America/New_York" in stream.errors.collect()["error"][0]
