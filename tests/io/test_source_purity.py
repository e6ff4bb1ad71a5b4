"""`read(a, b)` is the same whatever ranges came before, and however it is cut into parts."""

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower.graph.protocols import ERROR_COLUMN, ROW_COLUMN, Source
from flower.graph.schema import schema_of
from flower.io import lines
from flower.io.conform import concat
from flower.io.csv import CsvSource
from flower.io.frames import FrameSource
from flower.io.json_lines import JsonLinesSource
from flower.io.parquet import ParquetSource
from flower.io.rate import RateSource
from flower.io.replay import ReplaySource

N = 200


def frame():
    at = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(np.arange(N), "s")
    return pd.DataFrame({"at": at, "n": np.arange(N), "s": [f'{i}"\n' * (i % 5) for i in range(N)]})


def parquet(folder):
    pq.write_table(pa.table({"n": range(70), "s": ["x"] * 70}), folder / "a.parquet", row_group_size=30)
    pq.write_table(pa.table({"n": [2**40 + 0.5 * i for i in range(70)], "s": ["y"] * 70}), folder / "b.parquet")
    pq.write_table(pa.table({"s": ["z"] * 60, "new": range(60)}), folder / "c.parquet", row_group_size=7)
    return ParquetSource(folder)


def csv(folder):
    frame().to_csv(folder / "a.csv", index=False)
    with (folder / "a.csv").open("a") as file:
        file.write('2024-01-01T00:00:00Z,x,broken\n\n"open\n1,2\n' + "2024-01-01T00:00:00Z,1, ok \n" * 20)
    (folder / "b.csv").write_text("s,n\r\na,1\r\nb\r\n" + "c,3\r\n" * 20)
    return CsvSource(folder, schema_of({"at": "datetime64[us, UTC]", "n": "Int64", "s": "str"}))


def json_lines(folder):
    rows = [json.dumps({"n": i, "t": f"2024-01-01T00:00:{i % 70:02}Z", "s": "é" * (i % 9)}) for i in range(N)]
    rows[50], rows[51], rows[120] = '{"n": "x"}', "", '{"n": 1, "new": [1]}'
    (folder / "a.jsonl").write_text("\n".join(rows))
    (folder / "b.jsonl").write_text("\n".join(rows[:30]) + "\n")
    return JsonLinesSource(folder, schema_of({"n": "Int64", "t": "datetime64[us, UTC]", "s": "str"}))


MADE = {
    "frame": lambda folder: FrameSource(frame()),
    "parquet": parquet,
    "csv": csv,
    "json_lines": json_lines,
    "rate": lambda folder: RateSource(7.3, start="2024-01-01", keys=3, rows=N),
    "replay": lambda folder: ReplaySource(FrameSource(frame()), "at", 2.0),
}


@pytest.fixture(scope="module", params=list(MADE))
def source(request, tmp_path_factory):
    block, lines.BLOCK = lines.BLOCK, 256  # many blocks
    try:
        yield MADE[request.param](tmp_path_factory.mktemp(request.param))
    finally:
        lines.BLOCK = block


def rows(table):
    return [{ERROR_COLUMN: None, ROW_COLUMN: None} | row for row in table.to_pylist()]


@given(data=st.data())
def test_any_range_is_the_concatenation_of_its_parts(source, data):
    total = source.latest(0, 0, 10**6, 10**12)
    assert total >= N
    cuts = sorted(data.draw(st.lists(st.integers(0, total), min_size=2, max_size=8)))
    whole = source.read(0, cuts[0], cuts[-1])
    parts = [source.read(0, a, b) for a, b in pairwise(cuts)]
    assert whole.num_rows == cuts[-1] - cuts[0]
    assert rows(concat(parts)) == rows(whole)


@given(data=st.data())
def test_a_range_has_the_columns_asked_for_with_the_values_of_the_whole(source, data):
    total = source.latest(0, 0, 10**6, 10**12)
    names = data.draw(st.lists(st.sampled_from(source.schema.names), min_size=1, unique=True))
    start = data.draw(st.integers(0, total))
    end = data.draw(st.integers(start, total))
    part, whole = source.read(0, start, end, tuple(names)), source.read(0, start, end)
    # a row that is bad in a column that is not asked for is good without it
    good = [row for row in rows(whole) if row[ERROR_COLUMN] is None]
    assert {name: part.schema.field(name).type for name in names} == {n: source.schema.field(n).type for n in names}
    kept = [{name: row[name] for name in names} for row in rows(part)]
    assert all({name: row[name] for name in names} in kept for row in good)
    assert part.num_rows == whole.num_rows == end - start


@given(position=st.integers(0, N), limit=st.integers(1, 3 * N), elapsed=st.integers(0, 10**9))
def test_no_range_is_longer_than_allowed_and_none_goes_back(source, position, limit, elapsed):
    assert isinstance(source, Source)
    end = source.latest(0, position, limit, elapsed)
    assert position <= end <= position + limit


def test_the_end_is_reached_and_known(source):
    position = source.initial(0)
    for _ in range(1000):
        if source.ended(0, position):
            break
        position = source.latest(0, position, 17, 10**12)
    assert source.ended(0, position)
    assert position == source.latest(0, 0, 10**6, 10**12)
    assert source.read(0, position, position).num_rows == 0
