import json
import pickle

import numpy as np
import pandas as pd
import pytest

import flower as fl
from flower.errors import ColumnError, EventTimeError, SourceError
from flower.graph.protocols import ERROR_COLUMN, ROW_COLUMN
from flower.graph.schema import dtype_name, schema_of
from flower.io import lines
from flower.io.csv import CsvSource


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read_all(source):
    return source.read(0, 0, source.latest(0, 0, 10**9, 0))


def dtypes(source):
    return {field.name: dtype_name(field) for field in source.schema}


def good(table):
    if ERROR_COLUMN not in table.schema.names:
        return table.to_pydict()
    kept = table.filter(table[ERROR_COLUMN].is_null())
    return kept.drop_columns([ERROR_COLUMN, ROW_COLUMN]).to_pydict()


def errors(table):
    return [error for error in table[ERROR_COLUMN].to_pylist() if error is not None]


def test_types_are_those_that_every_value_of_the_first_block_fits(tmp_path):
    path = write(
        tmp_path / "a.csv",
        "i,x,b,at,local,day,s,none\n"
        "1,1.5,true,2024-01-01T12:00:00Z,2024-01-01 12:00:00,2024-01-01,a,\n"
        "NA,2,FALSE,2024-01-01T12:00:00.5+01:00,,2024-01-02,NA,\n",
    )
    source = CsvSource(path)
    assert dtypes(source) == {
        "i": "Int64",
        "x": "float64",
        "b": "boolean",
        "at": "datetime64[us, UTC]",
        "local": "datetime64[us]",
        "day": "datetime64[us]",
        "s": "str",
        "none": "str",
    }
    second = read_all(source).to_pylist()[1]
    assert (second["i"], second["b"], second["local"], second["s"], second["none"]) == (None, False, None, "NA", None)
    assert second["at"].isoformat() == "2024-01-01T11:00:00.500000+00:00"


def test_an_empty_text_is_missing(tmp_path):
    source = CsvSource(write(tmp_path / "a.csv", 's,n\na,1\n,2\n"",3\n'))
    assert read_all(source)["s"].to_pylist() == ["a", None, None]


def test_a_value_that_is_none_of_its_column_is_an_error_row_with_its_text(tmp_path):
    path = write(tmp_path / "a.csv", 'n,s\n1,a\nx,"b, ""c"""\n3,d\n')
    table = read_all(CsvSource(path, schema_of({"n": "Int64", "s": "str"})))
    assert good(table) == {"n": [1, 3], "s": ["a", "d"]}
    assert errors(table) == ["column 'n': 'x' is no Int64"]
    assert json.loads(table[ROW_COLUMN][1].as_py()) == 'x,"b, ""c"""'


def test_rows_with_too_many_or_too_few_values_are_errors(tmp_path):
    table = read_all(CsvSource(write(tmp_path / "a.csv", "n,s\n1,a\n2\n3,c,d\n4,e\n")))
    assert good(table) == {"n": [1, 4], "s": ["a", "e"]}
    assert errors(table) == ["the record must have 2 values; got 1", "the record must have 2 values; got 3"]


def test_bytes_that_are_no_utf8_are_errors(tmp_path):
    table = read_all(CsvSource(write(tmp_path / "a.csv", b"n,s\n1,a\n2,\xff\xfe\n3,\xc3\xbc\n")))
    assert good(table) == {"n": [1, 3], "s": ["a", "ü"]}
    assert errors(table) == ["the record must be UTF-8"]
    assert json.loads(table[ROW_COLUMN][1].as_py()) == "2,\\xff\\xfe"


def test_line_breaks_in_quotes_belong_to_the_value(tmp_path):
    source = CsvSource(write(tmp_path / "a.csv", 'n,s\n1,"a\nb\n\nc"\n2,"d ""e"""\n3,"""f\n"""\n4,g\n'))
    assert read_all(source).to_pydict() == {"n": [1, 2, 3, 4], "s": ["a\nb\n\nc", 'd "e"', '"f\n"', "g"]}
    assert source.read(0, 1, 3).to_pydict() == {"n": [2, 3], "s": ['d "e"', '"f\n"']}


def test_a_quote_inside_a_value_is_only_a_quote(tmp_path):
    source = CsvSource(write(tmp_path / "a.csv", 'n,s\n1,5" pipe\n2,b\n3,4"\n4,c\n'))
    assert read_all(source)["s"].to_pylist() == ['5" pipe', "b", '4"', "c"]


def test_a_quotation_that_never_ends_costs_its_own_line_only(tmp_path):
    table = read_all(CsvSource(write(tmp_path / "a.csv", 'n,s\n1,a\n2,"open\n' + "3,b\n" * 100)))
    assert good(table)["n"] == [1, *[3] * 100]
    assert len(errors(table)) == 1


@pytest.mark.parametrize("block", [256, 2**20])
def test_a_quotation_that_would_end_too_far_away_costs_its_own_line_only(tmp_path, monkeypatch, block):
    monkeypatch.setattr(lines, "QUOTED", 64)
    monkeypatch.setattr(lines, "BLOCK", block)
    table = read_all(CsvSource(write(tmp_path / "a.csv", 'n,s\n2,"open\n' + "3,b\n" * 100 + '4,"c"\n5,"d\ne"\n')))
    assert good(table)["n"] == [*[3] * 100, 4, 5]
    assert len(errors(table)) == 1


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_ends_empty_lines_and_byte_order_marks_make_no_rows(tmp_path, end, last, mark):
    text = end.join(["n,s", "", "1,a", "", "", "2,b", "3,c"]) + end * last
    source = CsvSource(write(tmp_path / "a.csv", mark + text.encode()))
    assert read_all(source).to_pydict() == {"n": [1, 2, 3], "s": ["a", "b", "c"]}
    assert [source.ended(0, p) for p in (2, 3)] == [False, True]


def test_a_file_of_many_blocks_is_read_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK", 64)
    rows = pd.DataFrame({"n": range(500), "s": ["x" * (i % 90) + "\n" * (i % 7 == 0) + "," for i in range(500)]})
    rows.to_csv(tmp_path / "a.csv", index=False)
    source = CsvSource(tmp_path / "a.csv")
    assert read_all(source).to_pandas().equals(rows)
    for start, end in ((0, 1), (499, 500), (120, 377), (10, 10)):
        assert source.read(0, start, end)["s"].to_pylist() == rows["s"][start:end].tolist()
    fresh = pickle.loads(pickle.dumps(CsvSource(tmp_path / "a.csv")))
    assert fresh.read(0, 300, 302)["n"].to_pylist() == [300, 301]


def test_the_index_grows_only_as_far_as_it_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK", 64)
    source = CsvSource(write(tmp_path / "a.csv", "n\n" + "1\n" * 10_000))
    assert source.latest(0, 0, 10, 0) == 10
    assert len(source._lines._first) < 5
    assert source.latest(0, 9_990, 100, 0) == 10_000


def test_another_separator(tmp_path):
    assert read_all(CsvSource(write(tmp_path / "a.csv", "a;b\n1;2,5\n"), sep=";")).to_pydict() == {
        "a": [1],
        "b": ["2,5"],
    }
    for wrong in ("", ",,", '"', "\n", None):
        with pytest.raises(SourceError, match="`sep` must be one character"):
            fl.read.csv(tmp_path / "a.csv", sep=wrong)


def test_files_may_have_other_columns_in_another_order(tmp_path):
    write(tmp_path / "a.csv", "n,s\n1,a\n")
    write(tmp_path / "b.csv", "s,new,n\nb,x,2\n")
    write(tmp_path / "c.csv", "s\nc\n")
    stream = fl.read.csv(tmp_path)
    run = fl.run(stream, stream.errors)
    rows, failed = run.wait().results.values()
    assert rows["n"].tolist() == [1, 2]
    assert failed["error"].tolist() == ["column 'n' is missing"]
    (note,) = run.metrics.notes
    assert "b.csv" in note
    assert "'new'" in note


def test_a_file_with_a_header_only_is_an_empty_stream(tmp_path):
    stream = fl.read.csv(write(tmp_path / "a.csv", "n,s\n"))
    assert stream.collect().columns.tolist() == ["n", "s"]
    assert len(stream.collect()) == 0


@pytest.mark.parametrize(
    "content, told",
    [
        ("", "an empty file"),
        ("a,a\n1,2\n", "a name of its own"),
        ("a,,c\n1,2,3\n", "a name of its own"),
        (b"\x1f\x8b\x08\x00 and so on", "a gzip file; decompress it"),
        (b"PAR1", "use fl.read.parquet"),
        ("a,b\n1,2\n".encode("utf-16"), "save it as UTF-8"),
        (b"\xff,b\n1,2\n", "in UTF-8"),
    ],
)
def test_a_file_that_is_no_csv_is_refused_by_name(tmp_path, content, told):
    with pytest.raises(SourceError) as caught:
        fl.read.csv(write(tmp_path / "a.csv", content))
    assert "a.csv" in str(caught.value)
    assert told in str(caught.value)


def test_a_line_without_end_is_no_text(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK", 64)
    monkeypatch.setattr(lines, "LONGEST", 1024)
    source = CsvSource(write(tmp_path / "a.csv", "a\n1\n" + "x" * 10_000))
    with pytest.raises(SourceError, match=r"a\.csv.*must be lines of text.*no line break"):
        source.latest(0, 0, 10, 0)


def test_a_schema_names_columns_of_the_file(tmp_path):
    path = write(tmp_path / "a.csv", "zip,n\n00123,1\n")
    assert fl.read.csv(path, schema={"zip": "str"}).collect().to_dict("list") == {"zip": ["00123"]}
    with pytest.raises(ColumnError, match=r"a\.csv.*'m'.*the columns are 'zip', 'n'"):
        fl.read.csv(path, schema={"m": "str"})


def test_text_may_be_the_event_time_if_it_says_times(tmp_path):
    path = write(tmp_path / "a.csv", "at,k\n2024-01-01T12:00:00Z,a\n2024-01-01 13:00,b\nsoon,c\n,d\n")
    stream = fl.read.csv(path, event_time="at", tz="Europe/Berlin")
    got = stream.window(fl.FixedWindows("1D")).groupby("k").agg(rows="count").collect()
    assert got["k"].tolist() == ["a", "b"]
    assert stream.errors.collect()["error"].tolist() == [
        "event time 'soon' is not an ISO 8601 time",
        "event time is null",
    ]
    with pytest.raises(EventTimeError, match=r"csv 'a\.csv'.*'a' is not an ISO 8601 time, nor is any other"):
        fl.read.csv(path, event_time="k")


def test_a_file_that_grows_while_it_is_read_ends_the_run_by_name(tmp_path):
    path = write(tmp_path / "a.csv", "n\n1\n2\n")
    source = CsvSource(path)
    with path.open("a") as file:
        file.write("3\n")
    with pytest.raises(SourceError, match=r"a\.csv.*must stay as it is"):
        source.read(0, 0, 2)


def test_many_bad_values_do_not_take_long(tmp_path):
    text = "n,s\n" + "".join(f"{'x' if i % 2 else i},a\n" for i in range(4_000))
    table = read_all(CsvSource(write(tmp_path / "a.csv", text), schema_of({"n": "Int64", "s": "str"})))
    assert good(table)["n"] == list(range(0, 4_000, 2))
    assert len(errors(table)) == 2_000


def test_floats_come_back_as_they_were(tmp_path):
    values = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.arange(-300, 300, 0.6)
    pd.DataFrame({"x": values}).to_csv(tmp_path / "a.csv", index=False)
    assert read_all(CsvSource(tmp_path / "a.csv"))["x"].to_pylist() == values.tolist()
