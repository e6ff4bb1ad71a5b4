import json

import numpy as np
import pyarrow as pa
import pytest

from flower.graph.protocols import ERROR_COLUMN, ROW_COLUMN
from flower.graph.schema import schema_of
from flower.io.conform import checked, concat, conform, notes_of

SCHEMA = schema_of({"k": "str", "n": "int32", "x": "float64"})


def table(**columns):
    return pa.table({"k": ["a", "b"], "n": pa.array([1, 2], pa.int32()), "x": [0.5, 1.5]} | columns)


def test_rows_as_declared_are_passed_on():
    rows, bad, reasons = conform(table(), SCHEMA)
    assert rows.schema == SCHEMA
    assert rows.to_pylist() == table().to_pylist()
    assert (bad, reasons) == (None, [])


def test_columns_stand_in_the_declared_order_and_added_ones_are_left_out():
    rows, bad, _ = conform(table(new=["p", "q"]).select(["new", "x", "n", "k"]), SCHEMA)
    assert rows.schema == SCHEMA
    assert bad is None


def test_a_dropped_column_makes_every_row_an_error():
    rows, bad, reasons = conform(table().drop_columns(["n"]), SCHEMA)
    assert rows.schema == SCHEMA
    assert bad.all()
    assert reasons == ["column 'n' is missing"] * 2


@pytest.mark.parametrize("dtype", [pa.int8(), pa.int64(), pa.uint16(), pa.float32(), pa.float64()])
def test_wider_and_narrower_numbers_are_cast_where_nothing_is_lost(dtype):
    rows, bad, _ = conform(table(n=pa.array([1, 2], dtype)), SCHEMA)
    assert rows.column("n").to_pylist() == [1, 2]
    assert rows.schema == SCHEMA
    assert bad is None


@pytest.mark.parametrize(
    "value, dtype", [(2**31, pa.int64()), (1.5, pa.float64()), (-(2**31) - 1, pa.int64()), (float("inf"), pa.float64())]
)
def test_a_value_that_would_be_lost_makes_its_row_an_error_and_the_others_go_on(value, dtype):
    rows, bad, reasons = conform(table(n=pa.array([value, 2], dtype)), SCHEMA)
    assert bad.tolist() == [True, False]
    assert rows.column("n")[1].as_py() == 2
    assert reasons == [f"column 'n': {value} does not fit int32"]


def test_an_integer_that_no_float_holds_is_an_error_and_never_rounded():
    _, bad, reasons = conform(table(x=pa.array([2**53, 2**53 + 1])), SCHEMA)
    assert bad.tolist() == [False, True]
    assert "9007199254740993 does not fit float64" in reasons[0]


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_value_in_a_column_that_has_none_is_an_error(missing):
    column = pa.array([missing, 2], pa.int32() if missing is None else pa.float64(), from_pandas=False)
    _, bad, reasons = conform(table(n=column), SCHEMA)
    assert bad.tolist() == [True, False]
    assert reasons == ["column 'n' must not be missing: it is int32"]


def test_a_missing_value_in_a_nullable_column_stays_missing():
    schema = schema_of({"k": "str", "n": "Int32", "x": "float64"})
    rows, bad, _ = conform(table(k=pa.array([None, "b"]), n=pa.array([None, 2.0]), x=pa.array([None, 1])), schema)
    assert bad is None
    assert rows.column("k").to_pylist() == [None, "b"]
    assert rows.column("n").to_pylist() == [None, 2]
    assert rows.column("x").null_count == 0
    assert np.isnan(rows.column("x")[0].as_py())


@pytest.mark.parametrize("column", [pa.array(["1", "2"]), pa.array([True, False]), pa.array([1, 2], pa.timestamp("s"))])
def test_a_column_of_another_kind_makes_every_row_an_error(column):
    rows, bad, reasons = conform(table(n=column), SCHEMA)
    assert bad.all()
    assert all(reason.startswith("column 'n' must be int32; got ") for reason in reasons)
    assert rows.schema == SCHEMA


def test_text_of_every_kind_and_categories_become_text():
    for column in (pa.array(["a", "b"], pa.string_view()), pa.array(["a", "b"]).dictionary_encode()):
        rows, bad, _ = conform(table(k=column), SCHEMA)
        assert rows.column("k").to_pylist() == ["a", "b"]
        assert bad is None


def test_a_row_is_told_of_once_by_its_first_fault():
    _, bad, reasons = conform(table(n=pa.array([2**40, 2]), x=pa.array([2**53 + 1, 2**53 + 1])), SCHEMA)
    assert bad.tolist() == [True, True]
    assert ["'n'" in reasons[0], "'x'" in reasons[1]] == [True, True]


def test_checked_rows_carry_their_faults_and_what_they_were():
    given = table(n=pa.array([2**40, 2]))
    result = checked(given, SCHEMA, ["a note"])
    assert result[ERROR_COLUMN].to_pylist() == ["column 'n': 1099511627776 does not fit int32", None]
    assert json.loads(result[ROW_COLUMN][0].as_py()) == {"k": "a", "n": 2**40, "x": 0.5}
    assert notes_of(result) == ("a note",)
    again, bad, reasons = conform(result, SCHEMA)
    assert (again.schema, bad.tolist(), len(reasons)) == (SCHEMA, [True, False], 1)


def test_tables_with_and_without_faults_are_put_together():
    whole = concat([checked(table(), SCHEMA, ["one"]), checked(table(n=pa.array([2**40, 2])), SCHEMA, ["one", "two"])])
    assert whole[ERROR_COLUMN].is_null().to_pylist() == [True, True, False, True]
    assert notes_of(whole) == ("one", "two")


def test_a_schema_without_columns_still_counts_rows():
    rows, bad, _ = conform(table(), pa.schema([]))
    assert (len(rows), bad) == (2, None)
