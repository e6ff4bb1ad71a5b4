"""What a recording holds, with a clock that is moved by hand."""

from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pytest

import flower as fl
from flower.engine.recorder import Bounds, Recorder
from flower.errors import SourceError
from flower.io.recording import Files, RecordingSource
from flower.testing import ManualClock

SECOND = 1_000_000


@pytest.fixture
def recorder():
    every = []

    def make(*streams, **bounds):
        made = record(*streams, **bounds)
        every.append(made[0])
        return made

    yield make
    for made in every:
        made.stop()
        if made.state == "recording":
            made.step()


def record(*streams, us=60 * SECOND, rows=1_000_000, size=2**30):
    clock = ManualClock()
    files = Files()
    made = Recorder([stream.node for stream in streams], files, Bounds(us, rows, size), clock)

    def sources():
        return [RecordingSource(files, i, track, "r", made.began_us) for i, track in enumerate(made.tracks)]

    return made, clock, sources


def values(source, partition=0):
    return source.read(partition, 0, source.latest(partition, 0, 10**9, 0))["value"].to_pylist()


def test_rows_are_kept_as_they_come_and_in_their_order(recorder):
    made, clock, sources = recorder(fl.read.rate(2))
    for _ in range(3):
        clock.advance("1s")
        made.step()
    assert values(sources()[0]) == [0, 1, 2, 3, 4, 5] and made.state == "recording"
    made.stop()
    made.step()
    assert made.state == "done"


def test_a_recording_is_over_when_its_time_is(recorder):
    made, clock, _ = recorder(fl.read.rate(1000), us=2 * SECOND)
    clock.advance("1999ms")
    made.step()
    assert made.state == "recording"
    clock.advance("1ms")
    made.step()
    assert made.state == "done" and made.done.is_set()


def test_a_recording_has_no_more_rows_than_its_bound(recorder):
    made, clock, sources = recorder(fl.read.rate(1000), fl.read.rate(1000), rows=700)
    clock.advance("0.5s")
    made.step()
    assert made.state == "done" and [len(values(source)) for source in sources()] == [500, 200]


def test_a_recording_is_over_when_it_is_large_enough(recorder):
    made, clock, _ = recorder(fl.read.rate(1000), size=1600)
    clock.advance("50ms")
    made.step()
    assert made.state == "recording" and made.bytes == 800
    clock.advance("50ms")
    made.step()
    assert made.state == "done"


def test_a_recording_is_over_when_its_sources_are(recorder):
    made, clock, sources = recorder(fl.read.rate(10, rows=5))
    clock.advance("10s")
    made.step()
    assert made.state == "done" and values(sources()[0]) == [0, 1, 2, 3, 4]


def test_a_source_that_fails_ends_it_and_what_came_is_kept(recorder):
    class Failing:
        label, schema, bounded = "failing", pa.schema([("value", pa.int64())]), False

        def partitions(self):
            return ("0",)

        def initial(self, partition):
            return 0

        def latest(self, partition, position, limit_rows, elapsed_us):
            if position == 2:
                raise OSError("the line is dead")
            return 2

        def read(self, partition, start, end, columns=None):
            return pa.table({"value": [7, 8]}, schema=self.schema)

        def ended(self, partition, position):
            return False

    made, _, sources = recorder(fl.Stream(replace(fl.read.rate(1).node, source=Failing(), event_time=None)))
    made.step()
    made.step()
    assert made.state == "failed" and str(made.error) == "the line is dead"
    assert values(sources()[0]) == [7, 8]


def test_a_replay_gives_rows_when_they_came(recorder):
    made, clock, sources = recorder(fl.read.rate(10))
    for _ in range(4):
        clock.advance("1s")
        made.step()
    source = sources()[0].at(2)
    # ten rows a second, seen at the end of each; twice as fast
    assert [source.latest(0, 0, 1000, elapsed) for elapsed in (0, 499_999, 500_000, 1_999_999, 2_000_000)] == [
        *(0, 0, 10, 30, 40)
    ]
    assert source.latest(0, 12, 1000, 0) == 12
    assert source.recording.latest(0, 0, 1000, 0) == 40


def test_rows_that_are_broken_stay_so():
    def ticks():
        yield [{"value": 1}, {"value": "two"}, {"value": 3}]

    stream = fl.read.generator(ticks, schema={"value": "int64"}, bounded=True)
    recording = fl.record(stream, "1min").wait()
    assert stream.on(recording).collect()["value"].tolist() == [1, 3]
    assert stream.on(recording).errors.collect()["row"].tolist() == ['{"value": "two"}']


@pytest.mark.parametrize("speed", [0, -1, True, "fast"])
def test_a_speed_that_is_none_is_refused(speed):
    recording = fl.record(fl.read.rate(1000), "1min", rows=1).wait()
    with pytest.raises(SourceError, match="speed"):
        fl.replay(recording.stream, speed=speed)


def test_a_replay_follows_a_virtual_clock(recorder):
    made, clock, sources = recorder(fl.read.rate(10, start="2000-01-01T00:00:00Z"))
    for _ in range(3):
        clock.advance("1s")
        made.step()
    stream = fl.Stream(replace(fl.read.rate(10).node, source=sources()[0].at(1), call=None))
    virtual = ManualClock("2020-01-01T00:00:00Z")
    run = stream.run(clock=virtual).pause()
    virtual.advance("2s")
    run.step()
    assert run.metrics.rows_in == 20
    virtual.advance("1s")
    run.step()
    assert run.metrics.rows_in == 30 and run.results["time"].max() == pd.Timestamp("2000-01-01T00:00:02.9Z")
    run.resume().wait(10)
