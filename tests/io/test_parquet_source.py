import datetime as dt
import os
import pathlib
import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flower as fl
from flower.errors import ColumnError, DtypeError, EventTimeError, FlowerError, SourceError
from flower.graph.schema import dtype_name
from flower.io.ingest import ingest
from flower.io.parquet import ParquetSource

ROWS = pa.table({"n": list(range(10)), "s": [f"row {i}" for i in range(10)]})


def write(path, table=ROWS, **options):
    pq.write_table(table, path, **options)
    return path


def read_all(source, partition=0, **more):
    return source.read(partition, 0, source.latest(partition, 0, 10**9, 0), **more)


def dtypes(source):
    return {field.name: dtype_name(field) for field in source.schema}


@pytest.mark.parametrize("given", ["text", "path", "directory", "pattern", "list"])
def test_files_may_be_named_in_several_ways(tmp_path, given):
    for i in (2, 10, 1):
        write(tmp_path / f"part-{i:02}.parquet", ROWS.slice(i % 3, 1))
    (tmp_path / "_manifest.json").write_text("{}")
    (tmp_path / ".hidden.parquet").write_text("nothing")
    files = sorted(tmp_path.glob("part-*"))
    named = {
        "text": str(files[0]),
        "path": files[0],
        "directory": tmp_path,
        "pattern": tmp_path / "part-*.parquet",
        "list": [str(file) for file in files],
    }[given]
    rows = read_all(ParquetSource(named))["n"].to_pylist()
    assert rows == ([1] if given in ("text", "path") else [1, 2, 1])


def test_only_whole_numbers_that_are_never_missing_in_any_file_are_not_nullable(tmp_path):
    write(tmp_path / "a.parquet", pa.table({"n": [1, 2], "m": [1, 2], "b": [True, False], "x": [1.0, 2.0]}))
    write(tmp_path / "b.parquet", pa.table({"n": [1, 2], "m": [1, None], "b": [True, False], "x": [1.0, 2.0]}))
    assert dtypes(ParquetSource(tmp_path)) == {"n": "int64", "m": "Int64", "b": "bool", "x": "float64"}
    write(tmp_path / "c.parquet", pa.table({"n": [1], "m": [1], "b": [True], "x": [1.0]}), write_statistics=False)
    assert dtypes(ParquetSource(tmp_path)) == {"n": "Int64", "m": "Int64", "b": "boolean", "x": "float64"}


def test_ranges_end_where_a_row_group_ends_unless_that_makes_them_small(tmp_path):
    source = ParquetSource(write(tmp_path / "a.parquet", row_group_size=4))
    assert source.latest(0, 0, 5, 0) == 4
    assert source.latest(0, 0, 9, 0) == 8
    assert source.latest(0, 3, 4, 0) == 7
    assert source.latest(0, 8, 100, 0) == 10
    assert [source.latest(0, p, 1, 0) - p for p in range(11)] == [1] * 10 + [0]


def test_a_row_group_is_decoded_once_for_many_small_ranges(tmp_path, monkeypatch):
    source = ParquetSource(write(tmp_path / "a.parquet", row_group_size=5))
    decoded = []
    real = ParquetSource._decode
    monkeypatch.setattr(ParquetSource, "_decode", lambda *args: decoded.append(args[1].index) or real(*args))
    for start in range(10):
        source.read(0, start, start + 1)
    assert decoded == [0, 1]


def test_only_the_columns_asked_for_are_read(tmp_path):
    source = ParquetSource(write(tmp_path / "a.parquet"))
    assert source.read(0, 2, 4, ("s",)).to_pydict() == {"s": ["row 2", "row 3"]}


def test_files_are_dealt_to_partitions_in_order(tmp_path):
    for i in range(5):
        write(tmp_path / f"{i}.parquet", ROWS.slice(i, 1))
    source = ParquetSource(tmp_path, partitions=2)
    assert [read_all(source, p)["n"].to_pylist() for p in range(2)] == [[0, 1], [2, 3, 4]]
    assert len(ParquetSource(tmp_path, partitions="files").partitions()) == 5
    for wrong in (0, 6, "rows", True):
        with pytest.raises(SourceError, match="`partitions` must be a number from 1"):
            ParquetSource(tmp_path, partitions=wrong)


def test_a_source_travels_to_another_process(tmp_path):
    source = ParquetSource(write(tmp_path / "a.parquet"))
    source.read(0, 0, 1)
    assert read_all(pickle.loads(pickle.dumps(source))).equals(read_all(source))


# -- files that are not what they should be


@pytest.mark.parametrize(
    "content, got",
    [
        (b"carrier,delay\nAA,3\n", "begins with b'carr'"),
        (b"", "an empty file"),
        (b"PAR1 and then nothing of the kind", "begin as Parquet and lack its end"),
    ],
)
def test_a_file_that_is_not_parquet_is_refused_by_name(tmp_path, content, got):
    write(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(content)
    with pytest.raises(SourceError) as caught:
        fl.read.parquet(tmp_path)
    assert "b.parquet" in str(caught.value)
    assert "must be a Parquet file" in str(caught.value)
    assert got in str(caught.value)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused_before_any_row(tmp_path, kept):
    whole = write(tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(SourceError, match=r"a\.parquet.*it was cut off"):
        fl.read.parquet(tmp_path / "a.parquet")


def test_a_path_that_is_not_there_is_told_with_what_is(tmp_path):
    write(tmp_path / "flights.parquet")
    with pytest.raises(SourceError, match=r"there is no file.*did you mean '.*flights\.parquet'"):
        fl.read.parquet(tmp_path / "flight.parquet")
    with pytest.raises(SourceError, match="there is no directory"):
        fl.read.parquet(tmp_path / "no" / "such.parquet")
    with pytest.raises(SourceError, match=r"no file matches.*there are 'flights\.parquet'"):
        fl.read.parquet(tmp_path / "*.pq")


def test_directories_without_files_lists_of_none_and_addresses_are_refused(tmp_path):
    with pytest.raises(SourceError, match=r"must hold files ending in \.parquet.*an empty directory"):
        fl.read.parquet(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match="1 other files"):
        fl.read.parquet(tmp_path)
    for wrong, told in (([], "an empty list"), (7, "a path is required"), ("s3://bucket/x", "a local file")):
        with pytest.raises(SourceError, match=told):
            fl.read.parquet(wrong)


def test_columns_that_a_batch_cannot_hold_are_named_and_may_be_left_out(tmp_path):
    path = write(tmp_path / "a.parquet", pa.table({"n": [1], "tags": [["x"]]}))
    with pytest.raises(DtypeError, match=r"parquet 'a\.parquet'.*'tags' \(list.*name the columns to read in `schema`"):
        fl.read.parquet(path)
    assert fl.read.parquet(path, schema={"n": "int64"}).collect()["n"].tolist() == [1]
    with pytest.raises(ColumnError, match=r"a\.parquet.*'m'.*the columns are 'n', 'tags'"):
        fl.read.parquet(path, schema={"m": "int64"})


def test_an_event_time_that_is_no_time_is_refused_before_any_row():
    with pytest.raises(EventTimeError, match=r"flights\.parquet.*'delay' of type int64.*'scheduled_departure'"):
        fl.read.parquet(fl.datasets.flights, event_time="delay")


def test_an_empty_file_of_parquet_is_an_empty_stream(tmp_path):
    stream = fl.read.parquet(write(tmp_path / "a.parquet", ROWS.slice(0, 0)))
    assert stream.collect().columns.tolist() == ["n", "s"]
    assert len(stream.collect()) == 0


def test_null_event_times_of_a_file_are_errors_and_the_others_go_on():
    stream = fl.read.parquet(fl.datasets.flights, event_time="departure", watermark=fl.BoundedDisorder("12h"))
    errors = stream.errors.collect()
    cancelled = pd.read_parquet(fl.datasets.flights)["departure"].isna()
    assert len(errors) == cancelled.sum() == 472
    assert errors["position"].tolist() == np.flatnonzero(cancelled).tolist()
    assert set(errors["error"]) == {"event time is null"}
    assert len(stream.collect()) == 4604 - 472


# -- files that differ, and files that change


def outcome(directory):
    """The good rows, the errors and the notes of a run."""
    stream = fl.read.parquet(directory)
    run = fl.run(stream, stream.errors)
    results = run.wait().results
    rows, errors = results.values()
    return rows, errors["error"].tolist(), list(run.metrics.notes)


def test_a_column_that_a_later_file_adds_is_left_out_and_noted_once(tmp_path):
    write(tmp_path / "a.parquet")
    write(tmp_path / "b.parquet", ROWS.append_column("new", pa.array(range(10))), row_group_size=2)
    rows, errors, notes = outcome(tmp_path)
    assert rows.columns.tolist() == ["n", "s"]
    assert (len(rows), errors) == (20, [])
    assert len(notes) == 1
    assert "b.parquet" in notes[0]
    assert "'new'" in notes[0]


def test_a_column_that_a_later_file_drops_makes_its_rows_errors(tmp_path):
    write(tmp_path / "a.parquet")
    write(tmp_path / "b.parquet", ROWS.select(["s"]))
    write(tmp_path / "c.parquet", ROWS)
    rows, errors, _ = outcome(tmp_path)
    assert rows["n"].tolist() == [*range(10), *range(10)]
    assert errors == ["column 'n' is missing"] * 10


def test_a_file_with_none_of_the_columns_still_counts_its_rows(tmp_path):
    write(tmp_path / "a.parquet")
    write(tmp_path / "b.parquet", pa.table({"other": [1, 2, 3]}))
    rows, errors, _ = outcome(tmp_path)
    assert (len(rows), len(errors)) == (10, 3)


def test_narrower_and_wider_types_are_cast_where_nothing_is_lost(tmp_path):
    write(tmp_path / "a.parquet", pa.table({"n": pa.array([1], pa.int32()), "x": pa.array([1.5], pa.float32())}))
    write(tmp_path / "b.parquet", pa.table({"n": [2, 2**31], "x": [0.5, 0.25]}))
    write(tmp_path / "c.parquet", pa.table({"n": [3.0, 3.5], "x": [1, 2**24 + 1]}))
    rows, errors, _ = outcome(tmp_path)
    assert rows["n"].tolist() == [1, 2, 3]
    assert rows["x"].tolist() == [1.5, 0.5, 1.0]
    assert rows.dtypes.astype(str).to_dict() == {"n": "int32", "x": "float32"}
    assert errors == ["column 'n': 2147483648 does not fit int32", "column 'n': 3.5 does not fit int32"]


def test_a_type_of_another_kind_makes_the_rows_of_its_file_errors(tmp_path):
    write(tmp_path / "a.parquet")
    write(tmp_path / "b.parquet", pa.table({"n": ["1", "2"], "s": ["x", "y"]}))
    rows, errors, _ = outcome(tmp_path)
    assert len(rows) == 10
    assert errors == ["column 'n' must be int64; got str"] * 2


def test_times_of_other_units_and_zones_are_the_same_instants(tmp_path):
    at = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)
    for name, dtype in (("a", pa.timestamp("us", "UTC")), ("b", pa.timestamp("ns", "Asia/Tokyo"))):
        write(tmp_path / f"{name}.parquet", pa.table({"t": pa.array([at], dtype)}))
    write(tmp_path / "c.parquet", pa.table({"t": pa.array([at.replace(tzinfo=None)], pa.timestamp("us"))}))
    rows, errors, _ = outcome(tmp_path)
    assert rows["t"].tolist() == [pd.Timestamp(at)] * 2
    assert errors == ["column 't' must be datetime64[us, UTC]; got datetime64[us]"]


@pytest.mark.parametrize("change", ["append", "replace", "remove", "truncate"])
def test_a_file_that_changes_while_it_is_read_ends_the_run_by_name(tmp_path, change):
    path = write(tmp_path / "a.parquet", row_group_size=5)
    source = ParquetSource(path)
    source.read(0, 0, 5)
    if change == "append":
        path.write_bytes(path.read_bytes() + b"more")
    elif change == "replace":
        write(path)
        os.utime(path, ns=(1, 1))
    elif change == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:100])
    for start in (0, 5):  # also rows that are still in memory
        with pytest.raises(SourceError, match=r"a\.parquet"):
            source.read(0, start, start + 5)


def test_a_row_group_that_cannot_be_decoded_is_one_error_and_the_rest_goes_on(tmp_path):
    table = pa.table({"n": np.arange(3000), "x": np.random.default_rng(0).normal(size=3000)})
    path = write(tmp_path / "a.parquet", table, row_group_size=1000, use_dictionary=False, compression="zstd")
    column = pq.read_metadata(path).row_group(1).column(1)
    data = bytearray(path.read_bytes())
    a = column.data_page_offset
    data[a : a + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(data)
    rows, errors, _ = outcome(path)
    assert rows["n"].tolist() == [*range(1000), *range(2000, 3000)]
    assert len(errors) == 1
    for part in ("1,000 rows are lost", "1,000 to 1,999", "row group 1", "a.parquet"):
        assert part in errors[0]
    node = fl.read.parquet(path).node
    halves = [ingest(node, 0, a, a + 500, "read-1") for a in range(0, 3000, 500)]
    assert [len(half.errors) for half in halves] == [0, 0, 1, 0, 0, 0]
    assert [half.rows_read for half in halves] == [500] * 6


def test_errors_are_of_the_builtin_kind_that_fits():
    with pytest.raises(OSError, match="there is no file"):
        fl.read.parquet(pathlib.Path("no such file"))
    assert issubclass(SourceError, FlowerError)
