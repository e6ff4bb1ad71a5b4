"""Recordings as a person holds them: made, found again, compared, saved, shared, forgotten."""

import gc
import itertools
import os
import subprocess
import sys
import zipfile

import pandas as pd
import pytest

import flower as fl
from flower.errors import GraphError, RunError, SourceError, UserFunctionError
from flower.io.journal import JournalReader
from flower.testing import TestStream


@pytest.fixture(autouse=True)
def _forget():
    fl.recordings.clear()
    yield
    fl.recordings.clear()


def counter():
    """A live source of which every run gives other rows."""
    numbers = itertools.count()

    def ticks():
        while True:
            yield {"t": "2000-01-01T00:00:00Z", "n": next(numbers)}

    return fl.read.generator(ticks, event_time="t", schema={"t": "str", "n": "int64"})


def test_every_preview_of_a_live_source_is_of_the_same_rows():
    ticks = counter()
    first = ticks.preview(3, within="100ms")["n"].tolist()
    assert ticks.preview(3)["n"].tolist() == first
    doubled = ticks.assign(double="n * 2").filter("double > 0").preview(2)
    assert doubled["double"].tolist() == [n * 2 for n in first if n > 0][:2]
    assert len(fl.recordings) == 1


def test_a_preview_reads_a_recording_that_is_there_and_opens_nothing():
    opened = []

    def ticks():
        opened.append(1)
        yield {"n": 1}
        yield {"n": 2}

    stream = fl.read.generator(ticks, schema={"n": "int64"})
    fl.record(stream, "1min", name="two").wait()
    assert stream.preview(5)["n"].tolist() == [1, 2] and len(opened) == 1


def test_the_same_source_made_again_has_the_same_recording():
    fl.record(fl.read.rate(1000, start="2000-01-01T00:00:00Z"), "1min", rows=3).wait()
    again = fl.read.rate(1000, start="2000-01-01T00:00:00Z")
    assert fl.recordings.of(again.node) is next(iter(fl.recordings))
    assert fl.recordings.of(fl.read.rate(999).node) is None


def test_a_function_that_was_defined_anew_is_another_source():
    one, other = counter(), counter()
    fl.record(one, "1min", rows=3).wait()
    assert fl.recordings.of(other.node) is None
    # asked for by name, a recording stands in for a source that looks the same
    assert len(other.on(fl.recordings["ticks"]).collect()) == 3


def test_a_recording_stands_in_for_its_source_under_any_steps():
    ticks = fl.read.rate(1000, start="2000-01-01T00:00:00Z", keys=2)
    counts = ticks.window(fl.FixedWindows("3ms")).groupby("key").agg(n="count")
    recording = fl.record(ticks, "1min", rows=6).wait()
    panes = counts.on(recording).collect()
    assert panes["n"].tolist() == [2, 1, 1, 2]
    pd.testing.assert_frame_equal(panes, counts.on(recording).collect(executor="reference"))
    pd.testing.assert_frame_equal(
        recording.stream.window(fl.FixedWindows("3ms")).groupby("key").agg(n="count").collect(), panes
    )


def test_two_sources_are_recorded_together():
    both = fl.concat(fl.read.rate(1000).select("value"), counter().select("n").rename(n="value"))
    recording = fl.record(both, "1min", rows=100).wait()
    assert recording.describe()["rows"].sum() == 100
    assert len(both.on(recording).collect()) == 100
    with pytest.raises(GraphError, match="several sources"):
        _ = recording.stream


def test_what_is_on_a_recording_reads_the_rows_there_were_then():
    recording = fl.record(fl.read.rate(1000), "1h", clock=None)
    while not recording.rows:
        recording.over(0.01)
    before = recording.stream
    length = len(before.collect())
    recording.stop()
    assert len(before.collect()) == length <= recording.rows


def test_a_saved_recording_is_the_same_in_another_process(tmp_path):
    path = tmp_path / "ticks.recording"
    ticks = fl.read.rate(1000, start="2000-01-01T00:00:00Z", watermark=fl.BoundedDisorder("1s"))
    fl.record(ticks, "1min", rows=5).wait().save(path)
    code = (
        "import flower as fl, sys; stream = fl.read.recording(sys.argv[1]);"
        "node = stream.node; print(stream.collect()['value'].tolist(), node.event_time, node.watermark)"
    )
    told = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[0, 1, 2, 3, 4] time BoundedDisorder('1s')"


def test_a_loaded_recording_stands_in_for_the_source_it_is_of(tmp_path):
    path = tmp_path / "ticks.recording"
    fl.record(fl.read.rate(1000, start="2000-01-01T00:00:00Z"), "1min", rows=5).wait().save(path)
    fl.recordings.clear()
    recording = fl.recordings.load(path, name="mine")
    assert fl.recordings["mine"] is recording and recording.rows == 5
    assert fl.read.rate(1000).filter("value > 2").on(recording).collect()["value"].tolist() == [3, 4]
    with pytest.raises(GraphError, match=r"must have the rows of rate of 7 .* got 'rate of 1000"):
        fl.read.rate(7).on(recording)


def test_a_pipeline_on_a_saved_recording_is_exported(tmp_path):
    path = tmp_path / "ticks.recording"
    ticks = fl.read.rate(1000, start="2000-01-01T00:00:00Z")
    recording = fl.record(ticks, "1min", rows=5).wait()
    with pytest.raises(GraphError, match=r"recording.save\(path\)"):
        ticks.on(recording).to_script(tmp_path / "not.py")
    recording.save(path)
    script = fl.replay(ticks.on(recording), speed=100).filter("value > 2").to_script(tmp_path / "late.py")
    text = "".join((tmp_path / "late.py").read_text().split()).replace(",)", ")")
    assert f'fl.replay(fl.read.recording("{path}"),speed=100' in text, script


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"no zip"),
        lambda path: path.write_bytes(path.read_bytes()[:-30]),
        lambda path: add(path, "../outside.journal"),
        lambda path: add(path, "0-0/../../outside.journal"),
        lambda path: change(path, '"version": 1', '"version": 2'),
        lambda path: change(path, "Monotonic()", "__import__('os').getcwd()"),
        lambda path: change(path, '"event_time": "time"', '"event_time": "value"'),
    ],
)
def test_a_file_that_is_no_recording_is_refused_by_name(tmp_path, spoil):
    path = tmp_path / "ticks.recording"
    fl.record(fl.read.rate(1000), "1min", rows=5).wait().save(path)
    spoil(path)
    with pytest.raises(SourceError, match=r"ticks.recording.* must be a recording"):
        fl.read.recording(path)
    assert os.listdir(tmp_path) == ["ticks.recording"]


def test_rows_that_were_changed_are_refused(tmp_path):
    path = tmp_path / "ticks.recording"
    recording = fl.record(fl.read.rate(1000), "1min", rows=5).wait().save(path)
    [directory] = [at for at, below, _ in os.walk(recording._files.directory) if not below]
    [name] = os.listdir(directory)
    with zipfile.ZipFile(path) as file:
        data = bytearray(file.read(f"0-0/{name}"))
    data[-20] ^= 1
    change(path, None, bytes(data), f"0-0/{name}")
    with pytest.raises(SourceError, match="a damaged entry"):
        fl.read.recording(path).collect()


def add(path, name):
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(name, "x")


def change(path, old, new, member="recording.json"):
    with zipfile.ZipFile(path) as file:
        members = {each: file.read(each) for each in file.namelist()}
    if old is None:
        members[member] = new
    else:
        text = members[member].decode()
        assert old in text
        members[member] = text.replace(old, new).encode()
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)


def test_a_recording_that_goes_on_cannot_be_saved(tmp_path):
    recording = fl.record(fl.read.rate(10), "1h")
    with pytest.raises(RunError, match="once it is over"):
        recording.save(tmp_path / "x")
    assert "going on" in repr(recording)


def test_clearing_deletes_the_rows_once_nobody_reads_them():
    recording = fl.record(fl.read.rate(1000), "1min", rows=5, name="r").wait()
    stream, directory = recording.stream, recording._files.directory
    del recording
    fl.recordings.clear("r")
    assert len(stream.collect()) == 5 and "r" not in fl.recordings
    del stream
    gc.collect()
    assert not os.path.exists(directory)


def test_recording_again_under_a_name_replaces_it():
    fl.record(fl.read.rate(1000), "1min", rows=5, name="r").wait()
    fl.record(fl.read.rate(1000), "1min", rows=7, name="r").wait()
    assert [each.rows for each in fl.recordings] == [7]
    described = fl.recordings.describe().iloc[0]
    assert described["name"] == "r" and described["rows"] == 7 and described["bytes"] > 0
    assert repr(fl.recordings).startswith("Recording 'r': 7 rows in ")


def test_what_can_be_read_again_needs_no_recording():
    with pytest.raises(GraphError, match="the same every time"):
        fl.record(fl.read.frame(pd.DataFrame({"v": [1]})), "1s")
    with pytest.raises(GraphError, match="the same every time"):
        fl.record(TestStream(schema={"k": "str"}, event_time="t").add([]), "1s")


def test_a_recording_that_is_not_there_is_an_error_that_says_which_are():
    fl.record(fl.read.rate(1000), "1min", rows=1, name="ticks").wait()
    with pytest.raises(GraphError, match=r"no recording 'tocks'.*ticks"):
        fl.recordings["tocks"]


@pytest.mark.parametrize(
    "arguments", [{"duration": "0s"}, {"rows": 0}, {"rows": True}, {"bytes": "many"}, {"bytes": None}, {"name": " "}]
)
def test_bounds_that_are_none_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        fl.record(fl.read.rate(10), **{"duration": "1s", **arguments})
    assert len(fl.recordings) == 0


def test_a_source_that_fails_at_once_fails_its_preview():
    def broken():
        raise ZeroDivisionError("no ticks today")
        yield {}

    stream = fl.read.generator(broken, schema={"n": "int64"})
    with pytest.raises(UserFunctionError, match="no ticks today"):
        stream.preview(1)
    assert len(fl.recordings) == 0


def test_an_entry_of_the_journal_says_when_its_rows_came():
    recording = fl.record(fl.read.rate(1000), "1min", rows=5).wait()
    entries = JournalReader(recording._files.partition(0, 0), "r").arrivals()
    about = recording._about
    assert about.began_us <= entries[0].arrival_us <= entries[-1].arrival_us <= about.ended_us
