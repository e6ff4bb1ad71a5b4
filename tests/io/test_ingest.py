import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import flower as fl
from flower.graph.nodes import Read
from flower.graph.protocols import ERROR_COLUMN, ERROR_SCHEMA, ROW_COLUMN
from flower.io.conform import with_errors
from flower.io.frames import FrameSource
from flower.io.ingest import NO_EVENT_TIME, NOT_AS_DECLARED, ingest
from flower.model.time import MIN_TIME, instant_us

ROWS = pd.DataFrame({"t": pd.to_datetime(["2024-01-01", None, "2024-01-03", "2024-01-04"]), "v": [1, 2, 3, 4]})


class Given:
    """A source that gives the table it was given, whatever it has declared."""

    label, bounded = "given", True

    def __init__(self, table, schema):
        self.table, self.schema = table, schema

    def read(self, partition, start, end, columns=None):
        return self.table.slice(start, end - start)


def read_of(source, event_time="t", columns=None):
    return Read(source, event_time, "UTC", None, fl.BoundedDisorder("0s"), columns)


def test_good_rows_carry_their_time_partition_and_position_and_bad_ones_are_errors():
    got = ingest(read_of(FrameSource(ROWS)), 3, 1, 4, "read-1")
    assert got.rows_read == 3
    assert got.batch.rows.to_pylist() == FrameSource(ROWS).read(0, 2, 4).to_pylist()
    assert got.batch.time.tolist() == [instant_us("2024-01-03", ""), instant_us("2024-01-04", "")]
    assert got.batch.position.tolist() == [2, 3]
    assert got.batch.partition.tolist() == [3, 3]
    assert got.batch.met.tolist() == [MIN_TIME, MIN_TIME]
    assert got.errors.schema == ERROR_SCHEMA
    (error,) = got.errors.to_pylist()
    assert json.loads(error.pop("row")) == {"t": None, "v": 2}
    assert error == {
        "step": "read-1",
        "reason": NO_EVENT_TIME,
        "error": "event time is null",
        "source": "frame of 4 rows",
        "partition": 3,
        "position": 1,
    }


def test_clean_rows_give_no_errors_and_share_the_memory_of_the_source():
    source = FrameSource(ROWS)
    got = ingest(read_of(source), 0, 2, 4, "read-1")
    assert (len(got.errors), got.notes) == (0, ())
    shared = source.read(0, 0, 4)["v"].chunk(0).buffers()[1]
    assert got.batch.rows.column("v").buffers()[1].address == shared.address


def test_without_an_event_time_rows_are_before_all_time():
    got = ingest(read_of(FrameSource(ROWS), None), 0, 0, 4, "read-1")
    assert got.batch.time.tolist() == [MIN_TIME] * 4
    assert len(got.errors) == 0


def test_the_event_time_is_read_though_nobody_asked_for_its_column():
    got = ingest(read_of(FrameSource(ROWS), columns=("v",)), 0, 2, 4, "read-1")
    assert got.batch.rows.schema.names == ["v"]
    assert got.batch.time.tolist() == [instant_us("2024-01-03", ""), instant_us("2024-01-04", "")]


def test_rows_of_all_faults_are_told_of_once_in_order():
    table = pa.table({"t": pa.array([None, None, 1, 2, 3], pa.timestamp("s")), "v": [1, 2**40, 2**40, 4, None]})
    table = with_errors(table, [None, None, None, "line is broken", None], [None, None, None, '"raw"', None])
    schema = pa.schema([pa.field("t", pa.timestamp("s")), pa.field("v", pa.int32(), nullable=False)])
    got = ingest(read_of(Given(table, schema)), 0, 0, 5, "read-1")
    assert got.errors["position"].to_pylist() == [0, 1, 2, 3, 4]
    assert got.errors["reason"].to_pylist() == [NO_EVENT_TIME, *[NOT_AS_DECLARED] * 4]
    assert got.errors["error"].to_pylist() == [
        "event time is null",
        "column 'v': 1099511627776 does not fit int32",
        "column 'v': 1099511627776 does not fit int32",
        "line is broken",
        "column 'v' must not be missing: it is int32",
    ]
    assert got.errors["row"][3].as_py() == '"raw"'
    assert (len(got.batch), got.rows_read) == (0, 5)


def test_rows_lost_with_one_before_are_left_out_without_an_error_of_their_own():
    table = pa.table({"v": [1, 2, 3], ERROR_COLUMN: ["2 rows are lost", "", None], ROW_COLUMN: ["null", "null", None]})
    got = ingest(read_of(Given(table, pa.schema({"v": pa.int64()})), None), 0, 0, 3, "read-1")
    assert got.errors["error"].to_pylist() == ["2 rows are lost"]
    assert got.batch.rows["v"].to_pylist() == [3]
    assert got.batch.position.tolist() == [2]


def test_added_columns_are_noted():
    table = pa.table({"v": [1], "new": [2]})
    got = ingest(read_of(Given(table, pa.schema({"v": pa.int64()})), None), 0, 0, 1, "read-1")
    assert got.notes == ("given: left out 'new', which the declared columns do not have",)


def test_values_that_json_lacks_are_still_shown():
    table = pa.table(
        {
            "t": pa.array([None], pa.timestamp("us", "UTC")),
            "x": [float("nan")],
            "d": pa.array([5], pa.duration("s")),
            "s": ['quo"te ü'],
        }
    )
    got = ingest(read_of(FrameSource(table.to_pandas())), 0, 0, 1, "read-1")
    assert json.loads(got.errors["row"][0].as_py()) == {"t": None, "x": None, "d": "0:00:05", "s": 'quo"te ü'}


def test_an_empty_range_is_empty():
    got = ingest(read_of(FrameSource(ROWS)), 0, 2, 2, "read-1")
    assert (len(got.batch), len(got.errors), got.rows_read) == (0, 0, 0)


@pytest.mark.parametrize("epoch_rows", [1, 3, 1000])
def test_errors_and_rows_of_a_run_do_not_depend_on_epochs(epoch_rows):
    stream = fl.read.frame(ROWS, event_time="t")
    assert stream.run(epoch_rows=epoch_rows).wait().results["v"].tolist() == [1, 3, 4]
    assert stream.errors.run(epoch_rows=epoch_rows).wait().results["position"].tolist() == [1]


def test_errors_of_a_stream_are_those_of_all_its_columns(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n3,x\n")
    stream = fl.read.csv(path, schema={"a": "Int64", "b": "Int64"})
    assert np.array_equal(stream.errors.collect()["position"], [1])
    assert stream.filter("a > 0").errors.collect()["error"].tolist() == ["column 'b': 'x' is no Int64"]
