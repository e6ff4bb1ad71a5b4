import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower.errors import ColumnError, EventTimeError
from flower.model.event_time import check_event_time, check_zone, event_time_us
from flower.model.time import MIN_TIME, instant_us


def us(text):
    return instant_us(text, "t")


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_every_unit_becomes_microseconds(unit):
    column = pa.array([dt.datetime(2013, 3, 10, 7, 30), dt.datetime(1969, 12, 31)], pa.timestamp(unit, "UTC"))
    time, bad, reasons = event_time_us(column, tz="UTC")
    assert time.tolist() == [us("2013-03-10T07:30Z"), us("1969-12-31")]
    assert (bad, reasons) == (None, [])


def test_nanoseconds_are_floored_also_before_1970():
    time, bad, _ = event_time_us(pa.array([1_999, -1, -1_000], pa.timestamp("ns", "UTC")), tz="UTC")
    assert time.tolist() == [1, -1, -1]
    assert bad is None


def test_clean_microseconds_are_not_copied():
    column = pa.array(np.arange(10), pa.int64()).cast(pa.timestamp("us", "UTC"))
    time, _, _ = event_time_us(column, tz="UTC")
    assert time.__array_interface__["data"][0] == column.buffers()[1].address


def test_a_slice_begins_where_it_begins():
    column = pa.array([1, 2, 3, 4], pa.timestamp("us", "UTC"))[1:3]
    assert event_time_us(column, tz="UTC")[0].tolist() == [2, 3]
    assert event_time_us(pa.chunked_array([column, column]), tz="UTC")[0].tolist() == [2, 3, 2, 3]


def test_an_instant_of_another_zone_is_the_same_instant():
    column = pa.array([0], pa.timestamp("us", "Asia/Kathmandu"))
    assert event_time_us(column, tz="America/New_York")[0].tolist() == [0]


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_instants_outside_the_years_1_to_9999_are_bad_rows_and_do_not_overflow(unit):
    per_second = {"s": 1, "ms": 1_000, "us": 1_000_000}[unit]
    last = 253_402_300_799 * per_second
    column = pa.array([2**62, -(2**62), last, last + per_second, 0], pa.timestamp(unit, "UTC"))
    time, bad, reasons = event_time_us(column, tz="UTC")
    assert bad.tolist() == [True, True, False, True, False]
    assert reasons == ["event time is outside the years 1 to 9999"] * 3
    assert time[[0, 1, 3]].tolist() == [MIN_TIME] * 3
    assert time[2] == us("9999-12-31T23:59:59Z")


def test_null_event_times_are_bad_rows():
    time, bad, reasons = event_time_us(pa.array([None, 5, None], pa.timestamp("s", "UTC")), tz="UTC")
    assert time.tolist() == [MIN_TIME, 5_000_000, MIN_TIME]
    assert bad.tolist() == [True, False, True]
    assert reasons == ["event time is null"] * 2


def test_naive_times_are_local_times():
    column = pa.array([dt.datetime(2013, 1, 1, 12), dt.datetime(2013, 7, 1, 12)], pa.timestamp("us"))
    time, bad, _ = event_time_us(column, tz="America/New_York")
    assert time.tolist() == [us("2013-01-01T17:00Z"), us("2013-07-01T16:00Z")]
    assert bad is None


def test_local_times_that_the_clock_skips_or_shows_twice_are_bad_rows():
    local = ["2013-03-10 01:59:59", "2013-03-10 02:30:00", "2013-03-10 03:00:00"]
    local += ["2013-11-03 00:59:59", "2013-11-03 01:30:00", "2013-11-03 02:00:00"]
    column = pa.array([*map(dt.datetime.fromisoformat, local), None], pa.timestamp("ms"))
    time, bad, reasons = event_time_us(column, tz="America/New_York")
    assert bad.tolist() == [False, True, False, False, True, False, True]
    assert time[[0, 2, 3, 5]].tolist() == [
        us("2013-03-10T06:59:59Z"),
        us("2013-03-10T07:00:00Z"),
        us("2013-11-03T04:59:59Z"),
        us("2013-11-03T07:00:00Z"),
    ]
    assert reasons == [
        "event time 2013-03-10T02:30:00 does not exist in America/New_York: the clock skips it",
        "event time 2013-11-03T01:30:00 is ambiguous in America/New_York: the clock shows it twice",
        "event time is null",
    ]


def test_a_date_is_its_midnight_in_the_zone():
    for dtype in (pa.date32(), pa.date64()):
        time, bad, _ = event_time_us(pa.array([dt.date(2013, 7, 1)], dtype), tz="Europe/Berlin")
        assert time.tolist() == [us("2013-06-30T22:00Z")]
        assert bad is None


def test_a_midnight_that_does_not_exist_is_a_bad_row():
    _, bad, reasons = event_time_us(pa.array([dt.date(2018, 11, 4)]), tz="America/Sao_Paulo")
    assert bad.tolist() == [True]
    assert "2018-11-04T00:00:00 does not exist" in reasons[0]


def test_text_of_all_kinds_is_read_row_by_row():
    texts = {
        "2013-07-01T12:00:00Z": us("2013-07-01T12:00Z"),
        "2013-07-01 12:00:00.123456789+02:00": us("2013-07-01T10:00:00.123456Z"),
        "2013-07-01T12:00:00,5-0430": us("2013-07-01T16:30:00.5Z"),
        "2013-07-01T12:00": us("2013-07-01T10:00Z"),
        "2013-07-01": us("2013-06-30T22:00Z"),
        "9999-12-31T23:59:59Z": us("9999-12-31T23:59:59Z"),
    }
    time, bad, _ = event_time_us(pa.array(list(texts), pa.large_string()), tz="Europe/Berlin")
    assert time.tolist() == list(texts.values())
    assert bad is None


@pytest.mark.parametrize("text", ["", "now", "soon", "2013", "20130701", "2013-13-01", "2013-07-01T25:00", "12:00"])
def test_text_that_is_no_iso_8601_time_is_a_bad_row(text):
    time, bad, reasons = event_time_us(pa.array(["2013-07-01T12:00Z", text, None]), tz="UTC")
    assert bad.tolist() == [False, True, True]
    assert reasons == [f"event time {text!r} is not an ISO 8601 time", "event time is null"]
    assert time[0] == us("2013-07-01T12:00Z")


def test_text_of_a_local_time_that_does_not_exist_is_a_bad_row_with_that_reason():
    _, _, reasons = event_time_us(pa.array(["2013-03-10T02:30", "2013-03-10T12:00Z", "x"]), tz="America/New_York")
    assert ["does not exist" in reasons[0], "is not an ISO" in reasons[1]] == [True, True]


@given(st.lists(st.datetimes(dt.datetime(1, 1, 2), dt.datetime(9999, 12, 30)) | st.none()), st.booleans())
def test_text_means_what_the_timestamps_mean(stamps, zoned):
    naive = pa.array(stamps, pa.timestamp("us"))
    texts = [None if stamp is None else stamp.isoformat() + "Z" * zoned for stamp in stamps]
    expected = event_time_us(naive, tz="UTC" if zoned else "Europe/Berlin")
    got = event_time_us(pa.array(texts, pa.large_string()), tz="Europe/Berlin")
    assert got[0].tolist() == expected[0].tolist()
    assert got[2] == expected[2]


def test_numbers_are_refused_with_the_way_to_convert_them():
    schema = pa.schema({"seconds": pa.int64(), "at": pa.timestamp("us"), "day": pa.date32()})
    with pytest.raises(EventTimeError) as caught:
        check_event_time(schema, "seconds", "frame")
    for part in ("frame", "'seconds' of type int64", "'at', 'day'", "pd.to_datetime(frame['seconds'], unit='s'"):
        assert part in str(caught.value)
    with pytest.raises(EventTimeError):
        event_time_us(pa.array([1.0]), tz="UTC")


def test_text_is_a_time_only_where_the_format_has_none_of_its_own():
    schema = pa.schema({"at": pa.large_string()})
    check_event_time(schema, "at", "csv", text=True)
    with pytest.raises(EventTimeError, match=r"no column is a time.*pd.to_datetime\(frame\['at'\], utc=True\)"):
        check_event_time(schema, "at", "frame")


def test_a_column_that_is_not_there_is_refused_and_the_times_listed():
    with pytest.raises(ColumnError) as caught:
        check_event_time(pa.schema({"at": pa.timestamp("us")}), "time", "parquet 'x'")
    assert "'time'" in str(caught.value)
    assert "columns that are times: 'at'" in str(caught.value)


@pytest.mark.parametrize("tz", ["Mars/Olympus", "", "../UTC", None, 1])
def test_a_zone_that_is_none_is_refused(tz):
    with pytest.raises(EventTimeError, match="time zone"):
        check_zone(tz)


def test_no_rows_have_no_times():
    for dtype in (pa.timestamp("us", "UTC"), pa.timestamp("s"), pa.date32(), pa.string()):
        time, bad, _ = event_time_us(pa.array([], dtype), tz="Europe/Berlin")
        assert (time.dtype, len(time), bad) == (np.int64, 0, None)
