"""Directories in which files appear while a run goes on; the clock is moved by hand."""

import json
import os

import pandas as pd
import pytest

import flower as fl
from flower.errors import SourceError
from flower.io import watched
from flower.testing import ManualClock

SCHEMA = {"v": "int64"}


@pytest.fixture
def watch(tmp_path):
    """A run of what appears in a directory: `arrive(name, values)` and `after(time)` to look what has come."""
    runs = []
    clock = ManualClock()

    def start(stream=None, **options):
        stream = fl.read.json_lines(tmp_path, schema=SCHEMA, watch=True) if stream is None else stream
        run = stream.run(clock=clock, **options).pause()
        runs.append(run)

        def after(time):
            clock.advance(time)
            return run.step(3).results["v"].tolist()

        return run, after

    yield start
    for run in runs:
        run.stop()


def put(path, *values):
    path.write_text("".join(json.dumps({"v": v}) + "\n" for v in values))


def test_files_are_read_as_they_come_each_once(tmp_path, watch):
    put(tmp_path / "b.jsonl", 1, 2)
    _, after = watch()
    assert after("1s") == [1, 2]
    put(tmp_path / "a.jsonl", 3)
    after("1s")  # seen for the first time
    assert after("1s") == [1, 2, 3]
    assert after("10s") == [1, 2, 3]


def test_a_file_that_grows_is_taken_once_it_rests(tmp_path, watch):
    put(tmp_path / "a.jsonl", 1)
    run, after = watch()
    after("1s")
    put(tmp_path / "b.jsonl", 2)
    assert after("1s") == [1]
    put(tmp_path / "b.jsonl", 2, 3)
    assert after("1s") == [1]
    assert after("1s") == [1, 2, 3] and run.metrics.errors == 0


def test_the_directory_is_not_looked_at_more_often_than_needed(tmp_path, watch, monkeypatch):
    put(tmp_path / "a.jsonl", 1)
    looks = []
    listed = watched.listed
    monkeypatch.setattr(watched, "listed", lambda *given: looks.append(1) or listed(*given))
    _, after = watch(fl.read.json_lines(tmp_path, watch="10s"))
    before = len(looks)
    for _ in range(9):
        after("1s")
    assert len(looks) - before <= 1
    after("1s")
    assert len(looks) - before <= 2


def test_files_with_names_that_are_not_meant_are_left_alone(tmp_path, watch):
    put(tmp_path / "a.jsonl", 1)
    put(tmp_path / "_half.jsonl", 9)
    put(tmp_path / ".hidden.jsonl", 9)
    put(tmp_path / "readme.md", 9)
    _, after = watch()
    assert after("1s") == [1]
    os.rename(tmp_path / "_half.jsonl", tmp_path / "half.jsonl")
    after("1s")
    assert after("1s") == [1, 9]


def test_a_file_that_cannot_be_read_is_one_error_and_the_others_go_on(tmp_path, watch):
    pd.DataFrame({"v": [1]}).to_parquet(tmp_path / "a.parquet")
    stream = fl.read.parquet(tmp_path, watch=True)
    run, after = watch(stream)
    after("1s")
    (tmp_path / "b.parquet").write_bytes(b"no parquet")
    after("1s")
    pd.DataFrame({"v": [3]}).to_parquet(tmp_path / "c.parquet")
    after("1s")
    assert after("1s") == [1, 3]
    assert run.metrics.errors == 1 and "b.parquet" in run.metrics.first_error


def test_nothing_is_there_yet_but_the_columns_are_known(tmp_path, watch):
    with pytest.raises(SourceError, match="yet to come must be known"):
        fl.read.csv(tmp_path, watch=True)
    _, after = watch(fl.read.csv(tmp_path / "*.csv", schema=SCHEMA, watch=True))
    assert after("1s") == []
    (tmp_path / "a.csv").write_text("v\n5\n")
    after("1s")
    assert after("1s") == [5]


def test_windows_go_on_over_files(tmp_path, watch):
    stream = fl.read.json_lines(tmp_path, schema={"t": "datetime64[us, UTC]", "v": "int64"}, event_time="t", watch=True)
    run, after = watch(stream.window(fl.FixedWindows("1min")).agg(v=("v", "sum")))
    for name, second, v in (("a", "00:00:10", 1), ("b", "00:00:50", 2), ("c", "00:01:10", 4)):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"t": f"2000-01-01T{second}Z", "v": v}))
        after("1s")
        after("1s")
    assert run.results["v"].tolist() == [3]


def test_a_directory_that_is_not_there_cannot_be_watched(tmp_path):
    with pytest.raises(SourceError, match="must be a directory"):
        fl.read.csv(tmp_path / "nowhere", schema=SCHEMA, watch=True)
    put(tmp_path / "a.jsonl", 1)
    with pytest.raises(SourceError, match="must be a directory"):
        fl.read.json_lines(tmp_path / "a.jsonl", watch=True)
    with pytest.raises(SourceError, match="one partition"):
        fl.read.parquet(tmp_path, schema=SCHEMA, partitions=2, watch=True)


def test_what_is_read_is_the_same_for_every_cut_of_the_range(tmp_path):
    for name, values in (("a", [1, 2, 3]), ("b", [4]), ("c", [5, 6])):
        put(tmp_path / f"{name}.jsonl", *values)
    source = fl.read.json_lines(tmp_path, watch=True).node.source
    end = 0
    while (after := source.latest(0, end, 2, 0)) > end:
        end = after
    assert end == 6
    for start in range(6):
        for stop in range(start, 7):
            rows = source.read(0, start, stop)["v"].to_pylist()
            assert rows == [1, 2, 3, 4, 5, 6][start:stop]


def test_files_come_in_the_order_in_which_they_were_put_there(tmp_path):
    first, second = tmp_path / "z.jsonl", tmp_path / "a.jsonl"
    put(first, 1)
    put(second, 2)
    while second.stat().st_ctime_ns <= first.stat().st_ctime_ns:  # the file system's clock is coarse
        put(second, 2)
    source = fl.read.json_lines(tmp_path, watch=True).node.source
    assert [source.latest(0, at, 9, 0) for at in (0, 1)] == [1, 2]
    assert source.read(0, 0, 2)["v"].to_pylist() == [1, 2]
