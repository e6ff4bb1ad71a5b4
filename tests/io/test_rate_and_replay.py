import pandas as pd
import pyarrow.parquet as pq
import pytest

import flower as fl
from flower.errors import DtypeError, EventTimeError, GraphError, SourceError
from flower.io.frames import FrameSource
from flower.io.rate import RateSource
from flower.io.replay import ReplaySource

SECOND = 1_000_000
AT = pd.to_datetime(["2024-01-01 00:00:10", "2024-01-01 00:00:11", None, "2024-01-01 00:00:11", "2024-01-01 00:01:10"])
RECORDING = pd.DataFrame({"seen": AT, "n": range(5)})


def rows_there(source, elapsed, position=0, limit=1000):
    return source.latest(0, position, limit, elapsed)


# -- rate


def test_rows_appear_with_the_elapsed_time():
    source = RateSource(10, start="2024-01-01")
    assert [rows_there(source, e) for e in (0, 99_999, 100_000, SECOND, 1000 * SECOND)] == [0, 0, 1, 10, 1000]
    assert rows_there(source, SECOND, position=12) == 12
    assert (source.bounded, source.ended(0, 10**9)) == (False, False)


def test_time_and_value_follow_from_the_position():
    rows = RateSource(3, start="2024-01-01T00:00:00Z", keys=2).read(0, 2, 5)
    at = [pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(us, "us") for us in (666_666, 1_000_000, 1_333_333)]
    assert rows.to_pydict() == {"time": at, "value": [2, 3, 4], "key": [0, 1, 0]}


def test_times_are_exact_however_many_rows_there_have_been():
    for row in (99, 3 * 10**9):
        at = RateSource(3, start="2024-01-01").read(0, row, row + 1)["time"][0].as_py()
        assert at == pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(row // 3, "s")


def test_a_number_of_rows_makes_it_bounded():
    stream = fl.read.rate(1000, start="2024-01-01", rows=5)
    assert stream.collect()["value"].tolist() == [0, 1, 2, 3, 4]
    source = RateSource(10, rows=5)
    assert (source.bounded, rows_there(source, 10 * SECOND), source.ended(0, 5)) == (True, 5, True)


@pytest.mark.parametrize("wrong", [{"rows_per_second": 0}, {"rows_per_second": "1"}, {"keys": 0}, {"rows": 1.5}])
def test_numbers_that_make_no_rate_are_refused(wrong):
    (name,) = wrong
    with pytest.raises(SourceError, match=f"`{name}` must be a"):
        fl.read.rate(**{"rows_per_second": 1} | wrong)


def test_a_start_that_is_no_time_is_refused():
    with pytest.raises(EventTimeError, match="`start` must be a time"):
        fl.read.rate(1, start="soon")


# -- replay


def test_rows_come_when_they_came_and_those_without_a_time_with_the_row_before():
    source = ReplaySource(FrameSource(RECORDING), "seen", 1)
    assert [rows_there(source, e) for e in (0, SECOND - 1, SECOND, 59 * SECOND, 60 * SECOND)] == [1, 1, 4, 4, 5]


def test_speed_shortens_the_time_between_rows():
    source = ReplaySource(FrameSource(RECORDING), "seen", 60)
    assert [rows_there(source, e) for e in (0, SECOND // 50, SECOND)] == [1, 4, 5]


def test_without_a_speed_all_rows_are_there():
    source = ReplaySource(FrameSource(RECORDING), "seen")
    assert rows_there(source, 0) == 5
    assert rows_there(source, 0, limit=2) == 2


def test_small_ranges_come_at_the_same_times():
    source = ReplaySource(FrameSource(RECORDING), "seen", 1)
    for elapsed, there in ((0, 1), (SECOND, 4), (60 * SECOND, 5)):
        position = 0
        while (end := rows_there(source, elapsed, position, limit=1)) > position:
            assert end == position + 1
            position = end
        assert position == there


def test_rows_out_of_order_end_the_run_with_the_remedy():
    stream = fl.replay(fl.read.frame(RECORDING.iloc[[0, 1, 4, 2, 3]], event_time="seen", arrival="seen"))
    with pytest.raises(SourceError) as caught:
        stream.collect()
    for part in ("in order of 'seen'", "2024-01-01T00:00:11Z at position 4, after 2024-01-01T00:01:10Z", "sort"):
        assert part in str(caught.value)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_order_is_checked_across_ranges(limit):
    source = ReplaySource(FrameSource(RECORDING.iloc[[0, 4, 3]]), "seen")
    with pytest.raises(SourceError, match="in order of 'seen'"):
        [source.latest(0, position, limit, 0) for position in range(3)]


def test_a_frame_is_put_in_order_and_equal_times_stay_in_order():
    mixed = RECORDING.iloc[[4, 1, 2, 3, 0]]
    assert fl.replay(mixed, arrival="seen").collect()["n"].tolist() == [0, 1, 2, 3, 4]


def test_a_stream_is_replayed_with_all_its_steps(tmp_path):
    pq.write_table(FrameSource(RECORDING).read(0, 0, 5), tmp_path / "a.parquet", row_group_size=2)
    stream = fl.read.parquet(tmp_path / "a.parquet", event_time="seen", arrival="seen").filter("n > 0").select("n")
    replayed = fl.replay(stream, 1e6)
    assert replayed.collect()["n"].tolist() == [1, 3, 4]
    assert "replay of parquet 'a.parquet' at 1e+06 times its speed" in str(replayed.graph)
    assert "replay" not in str(stream.graph)


def test_flights_are_in_order_of_observation():
    flights = fl.read.parquet(fl.datasets.flights, event_time="scheduled_departure", arrival="observed")
    assert len(fl.replay(flights).collect()) == 4604


def test_what_cannot_be_replayed_is_refused():
    stream = fl.read.frame(RECORDING)
    with pytest.raises(GraphError, match=r"must know when the rows of frame of 5 rows arrived.*arrival='observed'"):
        fl.replay(stream)
    with pytest.raises(EventTimeError, match="'n' of type int64"):
        fl.replay(stream, arrival="n")
    with pytest.raises(EventTimeError, match="'n' of type int64"):
        fl.replay(RECORDING, arrival="n")
    with pytest.raises(GraphError, match="got 2 sources"):
        fl.replay(fl.concat(stream, fl.read.frame(RECORDING)), arrival="seen")
    with pytest.raises(GraphError, match="takes its event time as it is"):
        fl.replay(stream, arrival="seen", event_time="seen")
    with pytest.raises(DtypeError, match="takes a frame or a stream; got list"):
        fl.replay([1, 2])
    for wrong in (0, -1, "2x", float("nan"), True):
        with pytest.raises(SourceError, match="`speed` must be a number above 0"):
            fl.replay(RECORDING, wrong, arrival="seen")
