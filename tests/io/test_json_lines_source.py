import json

import pytest

import flower as fl
from flower.errors import EventTimeError, SchemaError, SourceError
from flower.graph.protocols import ERROR_COLUMN, ROW_COLUMN
from flower.graph.schema import dtype_name, schema_of
from flower.io import lines
from flower.io.json_lines import JsonLinesSource


def write(path, *rows):
    path.write_bytes(b"".join((r if isinstance(r, bytes) else json.dumps(r).encode()) + b"\n" for r in rows))
    return path


def read_all(source):
    return source.read(0, 0, source.latest(0, 0, 10**9, 0))


def dtypes(source):
    return {field.name: dtype_name(field) for field in source.schema}


def told(table):
    """Per row, its values or its error."""
    names = [name for name in table.schema.names if name not in (ERROR_COLUMN, ROW_COLUMN)]
    return [
        row.get(ERROR_COLUMN) or ([row[name] for name in names] if len(names) > 1 else row[names[0]])
        for row in table.to_pylist()
    ]


def test_types_are_those_of_most_values_of_the_first_block(tmp_path):
    path = write(
        tmp_path / "a.jsonl",
        {"i": 1, "x": 1, "b": True, "s": "a", "at": "2024-01-01T12:00:00Z", "local": "2024-01-01T12:00:00", "z": None},
        {"i": 2, "x": 2.5, "b": None, "s": "2024-01-01", "at": "2024-01-01T12:00:00+01:00", "late": 7},
        {"i": "three"},
    )
    assert dtypes(JsonLinesSource(path)) == {
        "i": "Int64",
        "x": "float64",
        "b": "boolean",
        "s": "str",
        "at": "datetime64[us, UTC]",
        "local": "datetime64[us]",
        "z": "str",
        "late": "Int64",
    }


def test_times_keep_their_zone(tmp_path):
    rows = read_all(JsonLinesSource(write(tmp_path / "a.jsonl", {"t": "2024-01-01T12:00:00+05:30"}, {"t": None})))
    assert rows["t"][0].as_py().isoformat() == "2024-01-01T06:30:00+00:00"
    assert rows["t"][1].as_py() is None


def test_a_name_that_an_object_lacks_is_missing(tmp_path):
    rows = read_all(JsonLinesSource(write(tmp_path / "a.jsonl", {"a": 1, "b": "x"}, {"b": "y"}, {})))
    assert rows.to_pylist() == [{"a": 1, "b": "x"}, {"a": None, "b": "y"}, {"a": None, "b": None}]


@pytest.mark.parametrize(
    "line, error",
    [
        (b'{"a": 2', "the line must be JSON: Expecting ',' delimiter"),
        (b"{'a': 2}", "the line must be JSON"),
        (b"[1, 2]", "the line must be a JSON object; got [1, 2]"),
        (b"3", "the line must be a JSON object; got 3"),
        (b'{"a": 2}{"a": 3}', "the line must be JSON: Extra data"),
        (b'{"a": 2, "a": 3}', "the line must be JSON: 'a' is there twice"),
        (b'{"a": "2"}', "column 'a': \"2\" is no Int64"),
        (b'{"a": 2.5}', "column 'a': 2.5 is no Int64"),
        (b'{"a": true}', "column 'a': true is no Int64"),
        (b'{"a": 9223372036854775808}', "column 'a': 9223372036854775808 is no Int64"),
        (b'{"a": {"b": [1]}}', "column 'a': {\"b\": [1]} is no Int64"),
        (b'{"a": "\xff"}', "the line must be UTF-8"),
        (b"[" * 100_000, "the line must be JSON: it is nested too deeply"),
    ],
)
def test_a_broken_line_is_an_error_row_and_the_others_go_on(tmp_path, line, error):
    path = write(tmp_path / "a.jsonl", {"a": 1}, line, {"a": 4})
    table = read_all(JsonLinesSource(path, schema_of({"a": "Int64"})))
    first, broken, last = told(table)
    assert (first, last) == (1, 4)
    assert broken.startswith(error)
    assert table[ROW_COLUMN].is_valid().to_pylist() == [False, True, False]
    json.loads(table[ROW_COLUMN][1].as_py())


def test_text_that_is_no_time_is_an_error_where_times_are_expected(tmp_path):
    path = write(tmp_path / "a.jsonl", {"t": "2024-01-01T12:00:00Z"}, {"t": "soon"}, {"t": ""}, {"t": 5}, {"t": None})
    table = read_all(JsonLinesSource(path, schema_of({"t": "datetime64[us, UTC]"})))
    assert [None if not isinstance(x, str) else x for x in told(table)] == [
        None,
        "column 't': \"soon\" is no datetime64[us, UTC]",
        "column 't': \"\" is no datetime64[us, UTC]",
        "column 't': 5 is no datetime64[us, UTC]",
        None,
    ]


def test_a_missing_value_in_a_column_that_has_none_is_an_error(tmp_path):
    path = write(tmp_path / "a.jsonl", {"a": 1}, {"b": 2}, {"a": None})
    stream = fl.read.json_lines(path, schema={"a": "int64"})
    assert stream.collect()["a"].tolist() == [1]
    assert stream.errors.collect()["error"].tolist() == ["column 'a' must not be missing: it is int64"] * 2


@pytest.mark.parametrize("new", [5, "x", {"deep": [1]}])
def test_new_names_are_left_out_and_noted(tmp_path, monkeypatch, new):
    monkeypatch.setattr(lines, "BLOCK", 64)
    stream = fl.read.json_lines(write(tmp_path / "a.jsonl", *[{"a": 1}] * 20, {"a": 2, "new": new}))
    run = stream.run()
    assert run.wait().results["a"].tolist() == [*[1] * 20, 2]
    (note,) = run.metrics.notes
    assert "left out 'new'" in note


def test_new_names_of_mixed_types_harm_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK", 64)
    path = write(tmp_path / "a.jsonl", *[{"a": 1}] * 20, {"a": 2, "new": 1}, {"a": 3, "new": "x"})
    assert read_all(JsonLinesSource(path))["a"].to_pylist() == [*[1] * 20, 2, 3]


def test_lists_and_objects_are_no_columns_but_may_be_left_out(tmp_path):
    path = write(tmp_path / "a.jsonl", {"a": 1, "tags": ["x"]})
    with pytest.raises(SchemaError, match=r"json_lines 'a\.jsonl'.*'tags'.*got lists.*`schema`"):
        fl.read.json_lines(path)
    assert fl.read.json_lines(path, schema={"a": "int64"}).collect()["a"].tolist() == [1]


@pytest.mark.parametrize(
    "content, error",
    [(b"", "at least one line"), (b"[{}]\n", "a JSON object a line"), (b"PAR1", "use fl.read.parquet")],
)
def test_a_file_that_has_no_objects_is_refused_by_name(tmp_path, content, error):
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(SourceError) as caught:
        fl.read.json_lines(tmp_path / "a.jsonl")
    assert "a.jsonl" in str(caught.value)
    assert error in str(caught.value)


def test_an_empty_file_with_a_schema_is_an_empty_stream(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"")
    assert len(fl.read.json_lines(tmp_path / "a.jsonl", schema={"a": "int64"}).collect()) == 0


def test_text_is_an_event_time_only_if_it_says_times(tmp_path):
    path = write(tmp_path / "a.jsonl", {"at": "2024-01-01T12:00", "k": "a"}, {"at": "2024-01-01T12:00Z", "k": "b"})
    assert len(fl.read.json_lines(path, event_time="at").collect()) == 2
    with pytest.raises(EventTimeError, match="'a' is not an ISO 8601 time"):
        fl.read.json_lines(path, event_time="k")


def test_numbers_beyond_a_float_are_infinite_and_whole_ones_are_read_exactly(tmp_path):
    path = write(
        tmp_path / "a.jsonl", b'{"x": 1.5, "n": 9007199254740993}', b'{"x": 1e999, "n": 1}', b'{"x": 2, "n": 2}'
    )
    rows = read_all(JsonLinesSource(path))
    assert rows["x"].to_pylist() == [1.5, float("inf"), 2.0]
    assert rows["n"].to_pylist() == [9007199254740993, 1, 2]
