import json
import os
import pathlib
import threading

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import flower as fl
from flower.errors import SchemaError, SinkError, UserFunctionError
from flower.graph.protocols import Sink
from flower.io import disk
from flower.io.foreach import ForeachSink
from flower.io.json_sink import JsonLinesSink, json_lines
from flower.io.parquet_sink import ParquetSink

SCHEMA = pa.schema([pa.field("n", pa.int64(), nullable=False), pa.field("s", pa.large_string())])


def rows(*numbers):
    return pa.RecordBatch.from_pylist([{"n": n, "s": f"{n}"} for n in numbers], schema=SCHEMA)


def read_back(kind, path):
    if kind is ParquetSink:
        return pd.read_parquet(path)["n"].tolist()
    files = sorted(path.rglob("[!.]*.jsonl"))
    return [json.loads(line)["n"] for file in files for line in file.read_text().splitlines()]


def visible(path):
    return sorted(name for name in os.listdir(path) if not name.startswith((".", "_")))


@pytest.fixture(params=[ParquetSink, JsonLinesSink])
def kind(request):
    return request.param


@pytest.fixture
def opened(kind, tmp_path):
    sink = kind(tmp_path / "out")
    sink.open(SCHEMA)
    return sink


def test_rows_are_visible_after_the_commit_and_not_before(kind, opened, tmp_path):
    assert isinstance(opened, Sink)
    token = opened.stage(0, 0, 0, rows(1, 2))
    assert visible(tmp_path / "out") == []
    opened.commit(0, [token])
    assert read_back(kind, tmp_path / "out") == [1, 2]


def test_tokens_are_json(opened):
    token = opened.stage(0, 0, 0, rows(1))
    assert json.loads(json.dumps(token)) == token


def test_committing_again_changes_nothing(kind, opened, tmp_path):
    token = opened.stage(0, 0, 0, rows(1))
    opened.commit(0, [token])
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    opened.commit(0, [token])
    again = opened.stage(0, 1, 0, rows(1))  # another attempt at the same epoch
    opened.commit(0, [again])
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before
    assert read_back(kind, tmp_path / "out") == [1]


def test_rows_of_several_workers_become_visible_at_once(kind, opened, tmp_path):
    tokens = [opened.stage(3, 0, partition, rows(partition)) for partition in range(3)]
    opened.commit(3, tokens)
    opened.commit(3, tokens)
    assert visible(tmp_path / "out") == ["run-0001-epoch-00000003"]
    assert read_back(kind, tmp_path / "out") == [0, 1, 2]


@pytest.mark.parametrize("died_after", [0, 1, 2, 3])
def test_a_commit_that_died_anywhere_is_finished_by_the_next(kind, opened, tmp_path, monkeypatch, died_after):
    tokens = [opened.stage(3, 0, partition, rows(partition)) for partition in range(3)]
    real, done = os.rename, []

    def dying(source, target):
        if len(done) == died_after:
            raise KeyboardInterrupt
        done.append(target)
        real(source, target)

    monkeypatch.setattr(disk, "rename", dying)
    with pytest.raises(KeyboardInterrupt):
        opened.commit(3, tokens)
    assert visible(tmp_path / "out") == []
    monkeypatch.setattr(disk, "rename", real)
    opened.commit(3, tokens)
    assert read_back(kind, tmp_path / "out") == [0, 1, 2]


def test_aborted_rows_are_gone(opened, tmp_path):
    tokens = [opened.stage(0, 0, p, rows(p)) for p in range(2)]
    opened.abort(tokens)
    opened.abort(tokens)
    assert os.listdir(tmp_path / "out") == ["_run-0001.json"]


def test_what_a_dead_process_staged_is_never_seen(kind, opened, tmp_path):
    opened.stage(0, 0, 0, rows(666))
    again = kind(tmp_path / "out", if_exists="append")
    again.open(SCHEMA)
    again.commit(0, [again.stage(0, 0, 0, rows(1))])
    assert read_back(kind, tmp_path / "out") == [1]
    assert fl.read.json_lines(tmp_path / "out").collect()["n"].tolist() == [1] if kind is JsonLinesSink else True


def test_a_write_that_fails_leaves_nothing_behind_and_names_the_path(opened, tmp_path, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk, "flush", full)
    with pytest.raises(SinkError) as caught:
        opened.stage(0, 0, 0, rows(1))
    for part in (opened.label, "No space left on device", "free space"):
        assert part in str(caught.value)
    assert os.listdir(tmp_path / "out") == ["_run-0001.json"]


def test_an_epoch_without_rows_writes_nothing(opened, tmp_path):
    opened.commit(0, [])
    assert visible(tmp_path / "out") == []


def test_a_directory_of_an_earlier_run_is_refused_unless_told_what_to_do(kind, opened, tmp_path):
    opened.commit(0, [opened.stage(0, 0, 0, rows(1))])
    with pytest.raises(SinkError, match=r"must be empty; got 2 files of earlier runs.*if_exists='append'"):
        kind(tmp_path / "out").open(SCHEMA)
    more = kind(tmp_path / "out", if_exists="append")
    more.open(SCHEMA)
    more.commit(0, [more.stage(0, 0, 0, rows(2))])
    assert read_back(kind, tmp_path / "out") == [1, 2]
    fresh = kind(tmp_path / "out", if_exists="replace")
    fresh.open(SCHEMA)
    assert read_back(JsonLinesSink, tmp_path / "out") == []
    fresh.commit(5, [fresh.stage(5, 0, 0, rows(3))])
    assert read_back(kind, tmp_path / "out") == [3]


@pytest.mark.parametrize("if_exists", ["error", "append", "replace"])
def test_files_of_others_are_never_touched(kind, tmp_path, if_exists):
    (tmp_path / "thesis.txt").write_text("three years of work")
    with pytest.raises(SinkError, match=r"'thesis\.txt'; write into another directory"):
        kind(tmp_path, if_exists=if_exists).open(SCHEMA)
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_other_columns_are_not_added_to_what_is_there(kind, opened, tmp_path):
    with pytest.raises(SchemaError, match="must have the columns of what is there"):
        kind(tmp_path / "out", if_exists="append").open(SCHEMA.append(pa.field("new", pa.int64())))
    other = JsonLinesSink if kind is ParquetSink else ParquetSink
    with pytest.raises(SchemaError, match="must have the columns"):
        other(tmp_path / "out", if_exists="append").open(SCHEMA)


def test_runs_that_begin_at_once_write_under_names_of_their_own(kind, tmp_path):
    sinks = [kind(tmp_path / "out", if_exists="append") for _ in range(8)]
    barrier = threading.Barrier(8)

    def work(number):
        barrier.wait()
        sinks[number].open(SCHEMA)
        sinks[number].commit(0, [sinks[number].stage(0, 0, 0, rows(number))])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(read_back(kind, tmp_path / "out")) == list(range(8))


def test_what_is_no_directory_is_refused(kind, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(SinkError, match=r"sink '.*file'.*must be writable"):
        kind(tmp_path / "file").open(SCHEMA)
    for wrong in (None, "", 3):
        with pytest.raises(SinkError, match="a path is required"):
            kind(wrong)
    with pytest.raises(SinkError, match="a local directory"):
        kind("s3://bucket")
    with pytest.raises(SinkError, match="`if_exists` must be"):
        kind("out", if_exists="maybe")


def test_errors_of_a_sink_name_the_step():
    with pytest.raises(SinkError, match=r"step 'write-1' \(write\)"):
        fl.read.frame(pd.DataFrame({"v": [1]})).write.parquet("")


@pytest.mark.parametrize("epoch_rows", [1, 7, 1000])
def test_a_run_writes_every_row_once(tmp_path, epoch_rows):
    frame = pd.DataFrame({"v": range(30)})
    stream = fl.read.frame(frame)
    fl.run(stream.write.parquet(tmp_path / "p"), stream.write.json_lines(tmp_path / "j"), epoch_rows=epoch_rows).wait()
    assert pd.read_parquet(tmp_path / "p").equals(frame)
    assert fl.read.json_lines(tmp_path / "j").collect()["v"].tolist() == list(range(30))
    assert fl.read.parquet(tmp_path / "p").collect().equals(frame)


def test_panes_of_every_kind_are_written(tmp_path):
    at = pd.date_range("2024-01-01", periods=5, freq="1min", tz="UTC")
    panes = fl.read.frame(pd.DataFrame({"t": at}), event_time="t").window(fl.Sessions("10min")).agg(rows="count")
    fl.run(panes.write.parquet(tmp_path / "p"), panes.write.json_lines(tmp_path / "j")).wait()
    written = pd.read_parquet(tmp_path / "p")
    assert written["rows"].tolist()[-1] == 5
    assert written["pane_timing"].astype(str).tolist()[-1] == "on_time"
    line = json.loads(next(pathlib.Path(tmp_path, "j").glob("*.jsonl")).read_text().splitlines()[-1])
    assert line["window_start"] == "2024-01-01T00:00:00.000000Z"
    assert line["pane_timing"] == "on_time"


def test_json_is_what_the_json_module_makes_of_it():
    batch = pa.record_batch(
        {
            "i": pa.array([1, None, -(2**63)]),
            "x": pa.array([0.1 + 0.2, float("nan"), 5e-324]),
            "b": pa.array([True, None, False]),
            "s": pa.array(['quo"te \\ \n \x01 é \u2028', None, ""], pa.large_string()),
            "d": pa.array([1, None, -1], pa.duration("us")),
            "l": pa.array([[1], None, []]),
            'odd "name"': pa.array(["x", "y", "z"]).dictionary_encode(),
        }
    )
    lines = [json.loads(line) for line in json_lines(batch).decode().split("\n")[:-1]]
    expected = batch.to_pylist()
    for row in expected:
        row["x"] = None if np.isnan(row["x"]) else row["x"]
        row["d"] = None if row["d"] is None else row["d"] // pd.Timedelta(1, "us")
    assert lines == expected


def test_infinite_floats_and_times_come_back():
    at = pd.Timestamp("2024-01-01 12:00:00.5", tz="Europe/Berlin")
    batch = pa.record_batch(
        {
            "x": pa.array([float("inf"), float("-inf")]),
            "t": pa.array([at, None], pa.timestamp("us", "Europe/Berlin")),
            "naive": pa.array([at.tz_localize(None)] * 2, pa.timestamp("ms")),
        }
    )
    first, second = (json.loads(line) for line in json_lines(batch).splitlines())
    assert first == {"x": float("inf"), "t": "2024-01-01T11:00:00.500000Z", "naive": "2024-01-01T12:00:00.500"}
    assert (second["x"], second["t"]) == (float("-inf"), None)


def test_a_slice_of_rows_is_written_as_it_is():
    assert json_lines(rows(1, 2, 3).slice(1, 1)) == b'{"n": 2, "s": "2"}\n'
    assert json_lines(rows()) == b""


# -- functions


def test_a_function_gets_every_epoch_once_in_order():
    seen = []
    stream = fl.read.frame(pd.DataFrame({"v": range(5)}))
    stream.write.foreach(lambda frame: seen.append(frame["v"].tolist())).run(epoch_rows=2).wait()
    assert seen == [[0, 1], [2, 3], [4]]


def test_a_function_is_not_called_again_for_an_epoch_that_is_done():
    seen = []
    sink = ForeachSink(lambda frame: seen.append(frame["n"].tolist()))
    sink.open(SCHEMA)
    token = sink.stage(0, 0, 0, rows(1))
    sink.commit(0, [token])
    sink.commit(0, [token])
    sink.commit(0, [sink.stage(0, 1, 0, rows(1))])
    sink.commit(1, [sink.stage(1, 0, 0, rows(2)), sink.stage(1, 0, 1, rows(3))])
    assert seen == [[1], [2, 3]]


def test_a_function_that_raises_fails_the_run_and_is_named():
    def refuse(frame):
        raise ValueError("not today")

    with pytest.raises(UserFunctionError, match=r"foreach refuse failed on the 1 rows of epoch 0; got ValueError: not"):
        fl.read.frame(pd.DataFrame({"v": [1]})).write.foreach(refuse).run().wait()
    with pytest.raises(SinkError, match="a function of a frame is required"):
        fl.read.frame(pd.DataFrame({"v": [1]})).write.foreach("print")
