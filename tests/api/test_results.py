"""What a stream gives when it is asked: collect, head, preview and run."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from strategies import SCHEMA, Rows, stream_of

import flower as fl
from flower.engine.results import FINE, Results
from flower.errors import GraphError, UserFunctionError


def rows(count: int = 5, *, bounded: bool = True) -> Rows:
    start = pd.Timestamp("2000-01-01", tz="UTC").as_unit("us")
    records = [
        {"k": "ab"[i % 2], "n": i, "m": None, "x": i / 2, "flag": i > 2, "t": start + pd.Timedelta(minutes=i)}
        for i in range(count)
    ]
    return Rows(pa.Table.from_pylist(records, schema=SCHEMA), bounded=bounded)


def test_collect_gives_each_window_once_sorted():
    stream = stream_of(rows()).window(fl.FixedWindows("2min")).groupby("k").agg(total=("n", "sum"))
    frame = stream.collect()
    assert frame["total"].tolist() == [0, 1, 2, 3, 4]
    assert frame["k"].tolist() == ["a", "b", "a", "b", "a"]


def test_collect_gives_all_rows_however_many_a_run_keeps():
    frame = pd.DataFrame({"n": range(1_200_000)})
    assert len(fl.read.frame(frame).filter("n >= 0").collect()) == 1_200_000
    assert len(fl.read.frame(frame).filter("n >= 0").collect(as_stream=True)) == 1_200_000


def test_the_view_of_a_stream_without_end_lets_go_of_its_oldest_windows_and_keeps_the_newest_whole():
    stream = stream_of(rows(1, bounded=False)).window(fl.FixedWindows("2min")).groupby("k").agg(total=("n", "sum"))
    results = Results(stream.node, kept_rows=5)
    panes = stream_of(rows(40)).window(fl.FixedWindows("2min")).groupby("k").agg(total=("n", "sum"))
    made = panes.run().wait(progress=False).panes()
    for start in range(0, 40, 2):
        results.add(pa.RecordBatch.from_pandas(made.iloc[start : start + 2], schema=results.schema))
    view = results.view()
    assert results.windows_let_go + len(view) == 40
    assert 5 <= len(view) <= 20
    assert view["total"].tolist() == list(range(40 - len(view), 40))
    assert len(view) % 2 == 0


def test_a_run_keeps_so_many_of_its_newest_rows():
    run = stream_of(rows(40)).select("n").run(epoch_rows=4, keep_rows=10).wait(progress=False)
    assert run.panes()["n"].tolist() == list(range(32, 40))
    assert run.panes().attrs["let_go"] == 32
    for wrong in (0, None, True, 2.5):
        with pytest.raises(GraphError, match="`keep_rows` must be a whole number, at least 1; got"):
            stream_of(rows()).run(keep_rows=wrong)


def test_epochs_of_few_rows_are_put_together():
    stream = fl.read.frame(pd.DataFrame({"k": ["a"], "v": [1]})).select("v")
    results, seen = Results(stream.node), 0
    rows = [pa.RecordBatch.from_pydict({"v": [number]}, schema=stream.schema) for number in range(3 * FINE)]
    for number, each in enumerate(rows):
        results.add(each)
        assert len(results._log) <= FINE + 20
        if number % 100 == 0:
            fresh, total = results.since(seen)
            assert [v for batch in fresh.rows for v in batch["v"].to_pylist()] == list(range(seen, number + 1))
            seen = total
    assert results.panes()["v"].tolist() == results.view()["v"].tolist() == list(range(3 * FINE))


def test_head_reads_no_further_than_needed():
    source = rows(10_000)
    ends = []
    read = source.read

    def watched(partition, start, end, columns=None):
        ends.append(end)
        return read(partition, start, end, columns)

    source.read = watched
    assert stream_of(source).filter("n > 3").head(2)["n"].tolist() == [4, 5]
    assert max(ends) < 2_000


def test_head_of_fewer_rows_gives_those_there_are():
    assert len(stream_of(rows(3)).head(10)) == 3
    assert len(stream_of(rows(3)).head(0)) == 0


def test_preview_of_a_stream_that_never_ends_gives_the_first_rows():
    frame = stream_of(rows(bounded=False)).preview(2, within="60s")
    assert frame["n"].tolist() == [0, 1]


def test_preview_gives_what_came_within_its_time():
    frame = stream_of(rows(bounded=False)).filter("n > 3").preview(10, within="200ms")
    assert frame["n"].tolist() == [4]


def test_a_preview_that_fails_raises_what_failed():
    source = rows(bounded=False)

    def broken(partition, start, end, columns=None):
        raise OSError("gone")

    source.read = broken
    with pytest.raises(OSError, match="gone"):
        stream_of(source).preview(1, within="60s")


def test_a_run_gives_a_view_for_each_output_by_its_name():
    stream = stream_of(rows())
    run = fl.run(stream.rename(n="v").filter("v > 3").named("large"), stream.filter("n < 2")).wait()
    assert {step: len(frame) for step, frame in run.results.items()} == {"large": 1, "filter-2": 2}
    assert run.results["large"]["v"].tolist() == [4]


def test_a_concat_puts_columns_into_the_order_of_the_first():
    one, two = stream_of(rows(2)).select("k", "n"), stream_of(rows(3)).select("n", "k")
    frame = fl.concat(one, two).filter("n > 0").collect()
    assert list(frame.columns) == ["k", "n"]
    assert sorted(frame["n"]) == [1, 1, 2]


def test_a_concat_of_columns_that_may_and_may_not_miss():
    one, two = stream_of(rows(2)).select("n"), stream_of(rows(2)).select("m").rename(m="n")
    assert str(fl.concat(one, two).collect()["n"].dtype) == "Int64"


def test_dropped_pairs_and_failed_rows_are_streams():
    stream = stream_of(rows()).filter("n // (n - 2) > -10")
    failed = stream.errors.collect()
    assert failed[["step", "position"]].to_numpy().tolist() == [["filter-1", 2]]
    late = stream_of(Rows(rows().tables[0].take([4, 0])))
    dropped = late.window(fl.FixedWindows("1min")).agg(rows="count").dropped.collect(as_stream=True)
    assert dropped["n"].tolist() == [0]


def test_a_function_that_does_not_work_without_rows_needs_a_schema():
    def first_only(frame):
        return frame.assign(first=frame["n"].iloc[0])

    stream = stream_of(rows())
    with pytest.raises(UserFunctionError, match="IndexError"):
        stream.map_frames(first_only)
    declared = stream.select("n").map_frames(first_only, schema={"n": "int64", "first": "int64"})
    assert declared.collect()["first"].tolist() == [0] * 5


def test_plot_is_made_by_what_is_registered_for_it(monkeypatch):
    from flower.api import display

    monkeypatch.setattr(display, "_factories", {})
    display.register("plot", lambda stream: ("charts of", stream))
    stream = stream_of()
    assert stream.plot == ("charts of", stream)


def test_plot_is_looked_for_where_it_is_provided(monkeypatch):
    from flower.api import display

    monkeypatch.setattr(display, "_factories", {})
    monkeypatch.setattr(display, "PROVIDERS", {"plot": "flower.no_such_layer"})
    with pytest.raises(ModuleNotFoundError, match="no_such_layer"):
        stream_of().plot  # noqa: B018
