"""Frames, Arrow columns and dtype text, and what is lost between them: nothing."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower.errors import ColumnError, DtypeError, SchemaError
from flower.graph.schema import (
    CATEGORY,
    cast_column,
    columns_of,
    dtype_name,
    field_of,
    frame_of,
    normal,
    normal_schema,
    require_columns,
    schema_of,
)

DTYPES = [
    "int8", "int64", "uint64", "Int32", "Int64", "UInt8", "float32", "float64", "str", "bool", "boolean",
    "datetime64[s]", "datetime64[us]", "datetime64[ns, UTC]", "datetime64[us, Europe/Berlin]", "timedelta64[us]",
    "category",
]  # fmt: skip


def every_dtype() -> pd.DataFrame:
    times = pd.to_datetime(pd.Series(["2020-01-01 12:00:00", None, "2021-06-01 00:00:00"]))
    return pd.DataFrame(
        {
            "int8": np.array([1, -2, 3], np.int8),
            "uint64": np.array([1, 2, 2**64 - 1], np.uint64),
            "Int64": pd.array([1, None, 2**60], "Int64"),
            "float": [1.5, np.nan, np.inf],
            "str": pd.Series(["a", None, "ü"], dtype="str"),
            "bool": [True, False, True],
            "boolean": pd.array([True, None, False], "boolean"),
            "naive": times,
            "seconds": times.dt.as_unit("s"),
            "aware": times.dt.tz_localize("Europe/Berlin"),
            "delta": pd.to_timedelta(pd.Series(["1s", None, "-2h"])),
        }
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_text_of_a_dtype_reads_back(dtype):
    assert dtype_name(field_of("c", dtype)) == dtype


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d != "category"])
def test_a_column_of_a_dtype_has_the_field_of_its_text(dtype):
    series = pd.Series([], dtype=dtype)
    assert columns_of(pd.DataFrame({"c": series})).schema.field("c") == field_of("c", dtype)


def test_python_types_and_dtypes_are_dtypes_too():
    assert field_of("c", int) == field_of("c", "int64")
    assert field_of("c", str) == field_of("c", "str")
    assert field_of("c", pd.Int64Dtype()) == field_of("c", "Int64")
    assert field_of("c", np.dtype("M8[us]")) == field_of("c", "datetime64[us]")
    assert field_of("c", pa.string()) == field_of("c", "str")


@pytest.mark.parametrize("dtype", ["object", "complex128", "datetime64", "period[D]", "Int46", "list", None])
def test_an_unknown_dtype_is_refused_with_the_known_ones(dtype):
    with pytest.raises(DtypeError, match=r"'c'.*Dtypes are int64, Int64, float64, str"):
        field_of("c", dtype)


def test_an_unknown_dtype_that_looks_like_a_slip_gets_a_suggestion():
    with pytest.raises(DtypeError, match="did you mean 'Int64'"):
        field_of("c", "Int46")


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(DtypeError, match=r"time zone; got 'Mars/Olympus'"):
        field_of("c", "datetime64[us, Mars/Olympus]")


def test_a_schema_is_declared_as_a_mapping_or_an_arrow_schema():
    declared = schema_of({"n": "int64", "s": "str"})
    assert declared == pa.schema([pa.field("n", pa.int64(), nullable=False), pa.field("s", pa.large_string())])
    assert schema_of(pa.schema({"s": pa.dictionary(pa.int32(), pa.string())})).field("s").type == pa.large_string()
    with pytest.raises(SchemaError, match="a mapping of column names"):
        schema_of(["n"])
    with pytest.raises(SchemaError, match="must be text; got 0"):
        schema_of({0: "int64"})


def test_a_frame_comes_back_from_columns_as_it_was():
    frame = every_dtype()
    pd.testing.assert_frame_equal(frame_of(columns_of(frame)), frame)


def test_a_frame_without_rows_or_columns_comes_back_as_it_was():
    pd.testing.assert_frame_equal(frame_of(columns_of(every_dtype()[:0])), every_dtype()[:0])
    assert frame_of(columns_of(pd.DataFrame(index=range(3)))).shape == (3, 0)


def test_only_integers_and_bools_of_plain_dtype_are_not_nullable():
    schema = columns_of(every_dtype()).schema
    assert {field.name for field in schema if not field.nullable} == {"int8", "uint64", "bool"}


def test_a_frame_may_be_changed_without_changing_its_columns():
    columns = columns_of(every_dtype())
    before = columns.to_pydict()
    frame = frame_of(columns)
    for name in frame:
        frame.loc[0, name] = frame.loc[2, name]
    frame["int8"] += 1
    assert repr(columns.to_pydict()) == repr(before)
    assert frame["str"].tolist()[0] == "ü"


def test_what_somebody_names_the_columns_of_a_frame_is_not_the_next_ones():
    rows = columns_of(every_dtype())
    frame_of(rows).columns.name = "mine"
    assert frame_of(rows).columns.name is None


def test_a_timing_column_is_an_ordered_category():
    timing = pa.DictionaryArray.from_arrays(
        pa.array([2, None, 0], pa.int8()), ["early", "on_time", "late"], ordered=True
    )
    rows = pa.RecordBatch.from_arrays([timing], schema=pa.schema([("timing", CATEGORY)]))
    frame = frame_of(rows)
    assert frame["timing"].cat.ordered
    assert frame["timing"].cat.categories.tolist() == ["early", "on_time", "late"]
    assert columns_of(frame, rows.schema).equals(rows)


def test_lists_of_windows_pass_through_a_frame():
    window = pa.struct({"start": pa.timestamp("us", "UTC"), "end": pa.timestamp("us", "UTC")})
    rows = pa.record_batch({"absorbs": pa.array([[{"start": 0, "end": 1}], []], pa.list_(window))})
    assert columns_of(frame_of(rows), rows.schema).equals(rows)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({0: [1]}), "must be text; got 0"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a' more than once"),
        (pd.DataFrame({"ok": [1], "m": [{}]}, dtype=object), "'m'"),
        (pd.DataFrame({"m": [1, "x"]}), r"'m' \(mixed Python objects\)"),
        (pd.DataFrame({"c": [1j]}), "'c'"),
        (pd.DataFrame({"p": pd.period_range("2020", periods=1, freq="D")}), "'p'"),
    ],
)
def test_a_frame_that_is_no_columns_is_refused_by_name(frame, message):
    with pytest.raises((SchemaError, DtypeError), match=message):
        columns_of(frame)


def test_normal_rows_have_large_strings_nan_and_no_dictionaries():
    table = pa.table(
        {
            "s": pa.chunked_array([["a"], [None]], pa.string()),
            "d": pa.chunked_array([pa.array(["x"]).dictionary_encode(), pa.array(["y"]).dictionary_encode()]),
            "x": pa.array([None, 1.5]),
            "day": pa.array([0, 1], pa.date32()),
            "none": pa.nulls(2),
        }
    )
    rows = normal(table)
    assert rows.schema == normal_schema(table.schema)
    assert rows["s"].type == rows["d"].type == pa.large_string()
    assert rows["d"].to_pylist() == ["x", "y"]
    assert rows["x"].null_count == rows["none"].null_count == 0
    assert np.isnan(rows["x"].to_numpy()[0])
    assert dtype_name(rows.schema.field("day")) == "datetime64[s]"


def test_normal_rows_are_not_copied():
    rows = columns_of(every_dtype())
    for before, after in zip(rows.columns, normal(rows).columns, strict=True):
        assert [b and b.address for b in before.buffers()] == [b and b.address for b in after.buffers()]


def test_all_columns_that_no_batch_can_hold_are_named():
    with pytest.raises(DtypeError, match=r"'l' \(list.*'b' \(binary\)"):
        normal(pa.table({"l": [[1]], "ok": [1], "b": [b"x"]}))


def test_a_missing_column_is_named_with_those_there_are_and_a_close_one():
    schema = pa.schema({"delay": pa.int64(), "carrier": pa.large_string()})
    require_columns(schema, ["delay"])
    with pytest.raises(
        ColumnError, match=r"no column 'dleay'; did you mean 'delay'\? The columns are 'delay', 'carrier'"
    ):
        require_columns(schema, ["dleay"])
    with pytest.raises(ColumnError, match="did you mean 'carrier'"):
        require_columns(schema, ["CARRIER"])
    with pytest.raises(ColumnError, match="step 'late': there are no columns 'x', 'y'"):
        require_columns(schema, ["x", "y"], step="'late'")


INT64_EDGES = [-(2**63), -(2**53) - 1, -129, -1, 0, 1, 127, 255, 2**31, 2**53, 2**53 + 1, 2**63 - 1]


@given(
    st.lists(st.sampled_from(INT64_EDGES) | st.none()),
    st.sampled_from(["int8", "uint8", "int32", "uint64", "float64", "float32", "Int64"]),
)
def test_an_integer_is_cast_exactly_or_marked(values, dtype):
    field = field_of("c", dtype)
    array, bad = cast_column(pa.array(values, pa.int64()), field)
    assert array.type == field.type
    for value, got, lost in zip(
        values, array.to_pylist(), bad if bad is not None else [False] * len(values), strict=True
    ):
        if value is None:
            assert lost == (not field.nullable)
        else:
            info = np.iinfo(field.type.to_pandas_dtype()) if pa.types.is_integer(field.type) else None
            fits = info.min <= value <= info.max if info else int(np.dtype(dtype).type(value)) == value
            assert lost == (not fits)
            assert lost or int(got) == value


@given(
    st.lists(st.floats() | st.sampled_from([float(v) for v in INT64_EDGES])),
    st.sampled_from(["int8", "int64", "Int64", "uint64"]),
)
def test_a_float_becomes_an_integer_exactly_or_is_marked(values, dtype):
    field = field_of("c", dtype)
    info = np.iinfo(field.type.to_pandas_dtype())
    array, bad = cast_column(pa.array(values, pa.float64()), field)
    for value, got, lost in zip(
        values, array.to_pylist(), bad if bad is not None else [False] * len(values), strict=True
    ):
        if np.isnan(value):
            assert lost == (not field.nullable)
        else:
            fits = np.isfinite(value) and value == int(value) and info.min <= int(value) <= info.max
            assert lost == (not fits)
            assert lost or got == value


def test_a_time_changes_its_unit_and_zone_where_nothing_is_lost():
    field = field_of("t", "datetime64[ms, Europe/Berlin]")
    array, bad = cast_column(pa.array([1_000_000, 1, None], pa.timestamp("us", "UTC")), field)
    assert array.type == field.type
    assert bad.tolist() == [False, True, False]
    _, bad = cast_column(pa.array([2**62, 1], pa.timestamp("us")), field_of("t", "datetime64[ns]"))
    assert bad.tolist() == [True, False]


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (pa.array(["1"]), "int64"),
        (pa.array([1]), "str"),
        (pa.array([True]), "int64"),
        (pa.array([1], pa.timestamp("us")), "datetime64[us, UTC]"),
        (pa.array([1], pa.timestamp("us")), "int64"),
        (pa.array([1], pa.duration("us")), "float64"),
    ],
)
def test_another_kind_of_values_is_refused(array, dtype):
    with pytest.raises(DtypeError, match=f"'c' must be {dtype.split('[')[0]}"):
        cast_column(array, field_of("c", dtype))


@pytest.mark.parametrize("dtype", ["Int64", "str", "boolean", "datetime64[us, UTC]", "float64", "timedelta64[us]"])
def test_a_column_without_any_value_fits_every_nullable_dtype(dtype):
    for nothing in (pa.nulls(2), pa.array([np.nan] * 2), pa.array([None] * 2, pa.large_string())):
        array, bad = cast_column(nothing, field_of("c", dtype))
        assert bad is None
        assert array.type == field_of("c", dtype).type


def test_a_declared_schema_orders_casts_and_checks_the_columns():
    frame = pd.DataFrame({"s": ["a", "b"], "n": [1.0, 2.0]})
    columns = columns_of(frame, schema_of({"n": "int64", "s": "str"}))
    assert columns.to_pydict() == {"n": [1, 2], "s": ["a", "b"]}
    with pytest.raises(ColumnError, match="no column 'm'"):
        columns_of(frame, schema_of({"n": "int64", "s": "str", "m": "int64"}))
    with pytest.raises(SchemaError, match="got 's'"):
        columns_of(frame, schema_of({"n": "int64"}))
    with pytest.raises(DtypeError, match=r"'n' must be int64; got .*2\.5.* in row 1"):
        columns_of(frame.assign(n=[1.0, 2.5]), schema_of({"n": "int64", "s": "str"}))


def test_timings_that_a_function_gives_back_keep_the_order_of_time():
    frame = pd.DataFrame({"pane_timing": pd.Categorical(["late", "early", None, "late"], ["late", "early"])})
    column = columns_of(frame, pa.schema([field_of("pane_timing", "category")])).column(0)
    assert column.dictionary.to_pylist() == ["early", "on_time", "late"]
    assert column.to_pylist() == ["late", "early", None, "late"]
