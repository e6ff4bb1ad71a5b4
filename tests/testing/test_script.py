"""A `TestStream` and the source that it scripts."""

import numpy as np
import pandas as pd
import pytest

from flower.api.stream import Stream
from flower.errors import ColumnError, DtypeError, GraphError, WatermarkError
from flower.graph.protocols import EpochedSource, MarkedSource
from flower.model.time import MAX_TIME, MIN_TIME, instant_us
from flower.model.windows import FixedWindows
from flower.testing import TestStream

NOON = "2000-01-01T12:00:00Z"
LATER = "2000-01-01T12:02:00Z"
START = instant_us("2000-01-01T00:00:00Z", "start")


def stream(**options):
    return TestStream(schema={"v": "int64"}, event_time="t", **options)


def row(v: int, t: str = NOON) -> dict:
    return {"v": v, "t": t}


def test_it_is_a_stream_of_the_schema_and_the_event_time():
    assert isinstance(stream(), Stream)
    assert stream().schema.names == ["v", "t"]
    assert TestStream(schema={"t": "datetime64[ms]", "v": "int64"}, event_time="t").schema.names == ["t", "v"]


def test_its_source_is_marked_and_epoched():
    assert isinstance(stream().source, MarkedSource)
    assert isinstance(stream().source, EpochedSource)


def test_a_call_gives_a_longer_stream_and_leaves_the_old_one():
    short = stream().add([row(1)])
    long = short.add([row(2)])
    assert (len(short.source.epochs()), len(long.source.epochs())) == (1, 2)


def test_each_call_is_an_epoch_unless_grouped():
    apart = stream().add([row(1)]).watermark(NOON).clock(NOON)
    grouped = stream().epoch(lambda s: s.add([row(1)]).watermark(NOON).clock(NOON))
    noon = instant_us(NOON, "noon")
    assert apart.source.epochs() == [((1,), START), ((2,), START), ((2,), noon)]
    assert grouped.source.epochs() == [((2,), noon)]


def test_rows_and_watermarks_have_positions_so_every_range_can_be_read_again():
    source = stream().add([row(1), row(2)]).watermark(NOON).add([row(3)]).watermark(LATER).source
    noon, later = instant_us(NOON, "noon"), instant_us(LATER, "later")
    assert source.read(0, 0, 5).column("v").to_pylist() == [1, 2, 3]
    assert source.read(0, 1, 4, ("v",)).to_pydict() == {"v": [2, 3]}
    ranges = [(0, 2), (2, 3), (3, 4), (4, 5), (1, 5), (2, 2)]
    marks = [(before.tolist(), after) for before, after in (source.marks(0, *each) for each in ranges)]
    assert marks == [
        ([MIN_TIME, MIN_TIME], MIN_TIME),
        ([], noon),
        ([noon], noon),
        ([], later),
        ([MIN_TIME, noon], later),
        ([], MIN_TIME),
    ]


def test_partitions_have_logs_of_their_own():
    source = stream(partitions=2).add([row(1)]).add([row(2), row(3)], partition=1).watermark(NOON, partition=1).source
    assert source.partitions() == ("0", "1")
    assert [ends for ends, _ in source.epochs()] == [(1, 0), (1, 2), (1, 3)]
    assert source.read(1, 0, 3).column("v").to_pylist() == [2, 3]
    assert source.marks(0, 0, 1)[1] == MIN_TIME


def test_the_end_is_an_epoch_in_which_the_watermark_goes_to_infinity():
    source = stream(partitions=2).add([row(1)]).end().source
    assert [ends for ends, _ in source.epochs()] == [(1, 0), (2, 1)]
    assert [source.ended(0, 1), source.ended(0, 2), source.ended(1, 0), source.ended(1, 1)] == [
        False,
        True,
        False,
        True,
    ]
    assert source.marks(1, 0, 1)[1] == MAX_TIME


def test_without_an_end_no_partition_ends():
    assert not stream().add([row(1)]).source.ended(0, 1)


def test_a_limit_of_rows_is_kept():
    source = stream().add([row(1), row(2), row(3)]).source
    assert [source.latest(0, 0, 2, 0), source.latest(0, 2, 2, 0)] == [2, 3]


def test_rows_may_be_a_frame_and_times_stamps():
    frame = pd.DataFrame({"v": [1], "t": [pd.Timestamp(NOON)]})
    dicts = [{"v": 1, "t": pd.Timestamp("2000-01-01T13:00", tz="Europe/Berlin")}]
    assert stream().add(frame).source.read(0, 0, 1).equals(stream().add(dicts).source.read(0, 0, 1))


def test_what_a_row_lacks_is_missing_where_it_may_be():
    wide = TestStream(schema={"n": "Int64", "f": "float64", "s": "str"}, event_time="t").add([{"t": NOON}])
    read = wide.source.read(0, 0, 1).to_pylist()[0]
    assert read["n"] is None
    assert np.isnan(read["f"])
    assert read["s"] is None
    with pytest.raises(DtypeError, match="column 'v' must be int64, which cannot be missing; got no value in row 1"):
        stream().add([row(1), {"t": NOON}])


def test_what_does_not_fit_the_schema_is_refused():
    with pytest.raises(ColumnError, match="there is no column 'w'"):
        stream().add([{**row(1), "w": 2}])
    with pytest.raises(DtypeError, match="column 'v' must be int64"):
        stream().add([row("one")])


def test_neither_watermark_nor_clock_go_back():
    with pytest.raises(WatermarkError, match=r"cannot go back; got 2000-01-01T12:00:00Z after 2000-01-01T12:02:00Z"):
        stream().watermark(LATER).watermark(NOON)
    with pytest.raises(GraphError, match=r"cannot go back; got 2000-01-01T12:00:00Z after 2000-01-01T12:02:00Z"):
        stream().clock(LATER).clock(NOON)
    with pytest.raises(GraphError, match="shows 2000-01-01T00:00:00Z until it is set"):
        stream().clock("1999-12-31T23:00:00Z")
    assert len(stream(partitions=2).watermark(LATER).watermark(NOON, partition=1).source.epochs()) == 2


def test_nothing_follows_the_end():
    with pytest.raises(GraphError, match=r"call \.end\(\) last"):
        stream().end().add([row(1)])


def test_a_partition_that_is_not_there_is_refused():
    with pytest.raises(GraphError, match="`partition` must be below 1; got 1"):
        stream().add([row(1)], partition=1)
    with pytest.raises(GraphError, match="`partition` must be below 1; got -1"):
        stream().watermark(NOON, partition=-1)


@pytest.mark.parametrize("fn", [lambda s: s, lambda s: stream().add([row(1)])])
def test_an_epoch_must_add_to_its_stream(fn):
    with pytest.raises(GraphError, match="must add to the stream"):
        stream().add([row(0)]).epoch(fn)


def test_a_name_stays_when_the_stream_grows():
    named = stream().named("clicks").add([row(1)])
    assert isinstance(named, TestStream)
    assert named.node.name == "clicks"


@pytest.mark.parametrize("executor", ["reference", "embedded"])
def test_its_panes_are_collected_like_those_of_any_stream(executor):
    script = stream().add([row(1), row(2)]).watermark(LATER).add([row(4)])
    panes = script.window(FixedWindows("2min")).agg(total=("v", "sum"))
    frame = panes.collect(as_stream=True, executor=executor)
    assert frame["total"].tolist() == [3]
    assert frame["window_end"].tolist() == [pd.Timestamp(LATER)]
    assert panes.dropped.collect(as_stream=True, executor=executor)["v"].tolist() == [4]


def test_collected_as_a_batch_nothing_is_late():
    script = stream().add([row(1)]).watermark(LATER).add([row(4)]).end()
    assert script.window(FixedWindows("2min")).agg(total=("v", "sum")).collect()["total"].tolist() == [5]
