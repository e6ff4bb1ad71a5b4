"""Rows looked up in a table that does not change."""

import threading

import numpy as np
import pandas as pd
import pytest

import flower as fl
from flower.engine.embedded import Driver, Options
from flower.errors import ColumnError, DtypeError, GraphError, RunError, SchemaError
from flower.testing import ManualClock

KINDS = {
    "int64": lambda n: n,
    "str": lambda n: f"key {n}",
    "float64": lambda n: n / 4,
    "bool": lambda n: bool(n % 2),
    "datetime64[us, UTC]": lambda n: pd.Timestamp(n, unit="h", tz="UTC"),
}


def some_keys(rng, kind, n, most, missing):
    values = [KINDS[kind](int(each)) for each in rng.integers(0, most, n)]
    if missing:
        values = [None if rng.random() < 0.1 else each for each in values]
    dtype = {"int64": "Int64", "bool": "boolean", "float64": "Float64"}.get(kind, kind) if missing else kind
    return pd.Series(values, dtype=dtype)


@pytest.mark.parametrize("how", ["left", "inner"])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("kinds", [*[(kind,) for kind in KINDS], ("str", "int64"), ("bool", "float64")])
def test_a_lookup_is_a_merge_of_pandas(kinds, missing, how):
    rng = np.random.default_rng([len(kinds), missing, *map(ord, how)])
    on = [f"k{i}" for i in range(len(kinds))]
    rows = pd.DataFrame({k: some_keys(rng, kind, 300, 40, missing) for k, kind in zip(on, kinds, strict=True)})
    rows["v"] = range(300)
    table = pd.DataFrame({k: some_keys(rng, kind, 60, 30, missing) for k, kind in zip(on, kinds, strict=True)})
    table = table.drop_duplicates(on).reset_index(drop=True)
    table["w"], table["x"] = range(100, 100 + len(table)), table[on[-1]].astype("str")
    expected = rows.merge(table, on=on, how=how)
    found = fl.read.frame(rows).enrich(table, on, how).collect()
    assert len(expected) > 10
    assert found["v"].tolist() == expected["v"].tolist()
    assert found["w"].astype("Float64").fillna(-1).tolist() == expected["w"].astype("Float64").fillna(-1).tolist()
    assert found["x"].fillna("none").tolist() == expected["x"].fillna("none").tolist()


def test_keys_of_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr("flower.engine.keys._hash", lambda column: np.zeros(len(column), np.uint64))
    table = pd.DataFrame({"k": list("abcd"), "w": [1, 2, 3, 4]})
    rows = fl.read.frame(pd.DataFrame({"k": list("dxba")}))
    assert rows.enrich(table, "k").collect()["w"].fillna(0).tolist() == [4, 0, 2, 1]


def test_the_columns_that_are_named_are_added_and_a_row_keeps_its_time_and_windows():
    table = pd.DataFrame({"k": ["a", "b"], "w": [1, 2], "x": [3, 4], "window_start": [5, 6]})
    frame = pd.DataFrame({"t": pd.to_datetime(["2000-01-01", "2000-01-03"], utc=True), "k": ["a", "b"]})
    stream = fl.read.frame(frame, event_time="t").window(fl.FixedWindows("1D"))
    assert stream.enrich(table, "k").schema.names == ["t", "k", "w", "x"]
    assert stream.enrich(table, "k", columns="x").schema.names == ["t", "k", "x"]
    sums = stream.enrich(table, "k", columns=["x"]).agg(x=("x", "sum")).collect()
    assert [each.day for each in sums["window_start"]] == [1, 3]
    assert sums["x"].tolist() == [3, 4]


def test_a_table_may_be_what_a_pipeline_comes_to():
    frame = pd.DataFrame({"k": list("aabbb"), "v": [1, 2, 3, 4, 5]})
    rows = fl.read.frame(frame)
    totals = rows.groupby("k").agg(total=("v", "sum"))
    names = rows.enrich(totals, "k").enrich(pd.DataFrame({"k": ["a"], "name": ["A"]}), "k", "inner")
    assert names.collect()[["v", "total", "name"]].values.tolist() == [[1, 3, "A"], [2, 3, "A"]]
    nested = rows.enrich(totals.enrich(pd.DataFrame({"k": ["b"], "m": [9]}), "k"), "k")
    assert nested.collect()["m"].fillna(0).tolist() == [0, 0, 9, 9, 9]


def test_what_cannot_be_a_table_is_refused_by_name():
    rows = fl.read.frame(pd.DataFrame({"k": ["a"], "v": [1]}))
    twice = pd.DataFrame({"k": ["a", "b", "a", "a"], "w": [1, 2, 3, 4]})
    with pytest.raises(SchemaError, match=r"'enrich-1'.*one row for each key; got 3 rows of k='a'"):
        rows.enrich(twice, "k")
    with pytest.raises(DtypeError, match=r"key 'k' must have one dtype.*str in the stream, int64 in the table"):
        rows.enrich(pd.DataFrame({"k": [1]}), "k")
    with pytest.raises(ColumnError, match="'k'"):
        rows.enrich(pd.DataFrame({"j": ["a"]}), "k")
    with pytest.raises(SchemaError, match="'v' in both"):
        rows.enrich(pd.DataFrame({"k": ["a"], "v": [2]}), "k")
    with pytest.raises(SchemaError, match="'event_time'"):
        rows.enrich(pd.DataFrame({"k": ["a"], "event_time": [2]}), "k", columns="event_time")
    with pytest.raises(GraphError, match="takes a table"):
        rows.enrich({"k": ["a"]}, "k")
    with pytest.raises(GraphError, match=r"`how` must be 'left' or 'inner'; got 'outer'"):
        rows.enrich(twice, "k", "outer")
    with pytest.raises(GraphError, match="must end"):
        rows.assign(i="v").enrich(fl.read.rate(1).rename(value="i"), "i", static=True)


def test_a_table_of_a_stream_with_a_key_twice_fails_the_run_by_name(tmp_path):
    pd.DataFrame({"k": ["a", "a"], "w": [1, 2]}).to_parquet(tmp_path / "table.parquet")
    rows = fl.read.frame(pd.DataFrame({"k": ["a"]})).enrich(fl.read.parquet(tmp_path / "table.parquet"), "k")
    with pytest.raises(SchemaError, match=r"'enrich-1' \(enrich\): a table must have one row.*2 rows of k='a'"):
        rows.collect()
    with pytest.raises(SchemaError, match="'enrich-1'"):
        rows.run().wait(progress=False)


def test_a_row_of_a_table_that_cannot_be_processed_fails_the_run_by_name():
    table = fl.read.frame(pd.DataFrame({"k": ["a", "b"], "w": [0, 1]})).assign(w="1 // w")
    rows = fl.read.frame(pd.DataFrame({"k": ["a"]})).enrich(table, "k")
    with pytest.raises(RunError, match=r"'enrich-1' \(enrich\): every row of a table.*1 that failed.*'assign-1'"):
        rows.collect()


class Gated:
    """A source of keys that gives its first rows, and the others once it is let."""

    bounded, label, schema = True, "a gated table", fl.read.frame(pd.DataFrame({"k": ["a"]})).schema

    def __init__(self):
        self.open = threading.Event()

    def partitions(self):
        return ("0",)

    def initial(self, partition):
        return 0

    def latest(self, partition, position, limit_rows, elapsed_us):
        return 2 if self.open.is_set() else 1

    def read(self, partition, start, end, columns=None):
        import pyarrow as pa

        return pa.table({"k": ["a", "b"][start:end]}, schema=self.schema)

    def ended(self, partition, position):
        return position >= 2


def gated():
    from flower.api.sourced import stream_of

    source = Gated()
    table = stream_of(source, None, "UTC", None, None).assign(w="1")
    frame = pd.DataFrame({"t": pd.to_datetime(["2000-01-01"] * 3, utc=True), "k": ["a", "b", "c"]})
    rows = fl.read.frame(frame, event_time="t").enrich(table, "k").window(fl.FixedWindows("1D"))
    return source, rows.groupby("k").agg(w=("w", "sum"))


def seen(run, what):
    with run._driver.changed:
        assert run._driver.changed.wait_for(lambda: what() or run.error, 30)
        assert run.error is None


def test_the_rows_wait_for_the_whole_table_and_the_run_says_so():
    source, counts = gated()
    run = counts.run()
    seen(run, lambda: run._driver.reads_table is not None)
    assert run.metrics.rows_in == 0
    assert "reads the table of 'enrich-1' before the first row: 1 rows so far" in str(run)
    assert "The table of 'enrich-1' is read whole before the first row: 1 rows so far." in str(run.why("a"))
    source.open.set()
    assert run.wait(progress=False).results["w"].fillna(0).tolist() == [1, 1, 0]
    assert "table" not in str(run)
    assert "table" not in str(run.why("a"))


def test_a_run_that_waits_for_a_table_can_be_paused_and_stopped():
    _, counts = gated()
    run = counts.run()
    seen(run, lambda: run._driver.reads_table is not None)
    assert run.pause().state == "paused"
    assert run.stop().state == "stopped"
    assert run.metrics.rows_in == 0


def test_a_run_that_goes_on_reads_its_table_again_and_refuses_another_one(tmp_path):
    path = str(tmp_path / "checkpoint")
    frame = pd.DataFrame({"k": [1, 2, 3] * 100})

    def pipeline(w):
        return fl.read.frame(frame).enrich(pd.DataFrame({"k": [1, 2], "w": w}), "k")

    options = Options.make(checkpoint=path, clock=ManualClock(), epoch_rows=100)
    driver = Driver([pipeline([5, 6]).node], options)
    driver.open()
    driver.read_tables()
    driver.run(driver.next_epoch())
    driver.save()
    driver.close()
    with pytest.raises(RunError, match=r"step 'enrich-1': read-2 of the table, its rows was sha256"):
        pipeline([5, 7]).run(checkpoint=path)
    run = pipeline([5, 6]).run(checkpoint=path).wait(progress=False)
    assert run.panes()["w"].fillna(0).tolist() == [5, 6, 0] * 100


def test_a_plan_says_that_a_table_is_read_first_and_prunes_what_nobody_needs():
    rows = fl.read.frame(pd.DataFrame({"k": ["a"], "v": [1], "u": [1]}))
    table = pd.DataFrame({"k": ["a"], "w": [1], "x": [1]})
    plan = rows.enrich(table, "k", "inner", columns="w").select("k", "w").explain()
    assert "enrich on k, how='inner', columns=['w']  <- read-1, read-2" in plan
    assert "before the first row, the table of enrich-1, read whole:" in plan
    assert "read-1    read frame of 1 rows, columns k\n" in plan
    assert "read-2    read frame of 1 rows, columns k, w\n" in plan


def test_the_script_of_an_enriched_stream_is_the_call(tmp_path):
    pd.DataFrame({"k": ["a"], "w": [1], "x": [2]}).to_parquet(tmp_path / "table.parquet")
    pd.DataFrame({"k": ["a", "b"]}).to_parquet(tmp_path / "rows.parquet")
    rows, table = fl.read.parquet(tmp_path / "rows.parquet"), fl.read.parquet(tmp_path / "table.parquet")
    rows.enrich(table, "k", "inner", columns=["x"]).to_script(tmp_path / "script.py")
    assert 'rows.enrich(table, "k", how="inner", columns=["x"])' in (tmp_path / "script.py").read_text()
    rows.enrich(table, "k").to_script(tmp_path / "script.py")
    assert 'rows.enrich(table, "k")' in (tmp_path / "script.py").read_text()


# -- tables that change


def timed(n, seed, name):
    rng = np.random.default_rng(seed)
    times = pd.to_datetime(np.arange(n) + rng.integers(-4, 1, n), unit="s", utc=True).as_unit("us")
    return pd.DataFrame({"t": times, "k": rng.integers(0, 20, n), name: np.arange(n)})


def stream(frame):
    return fl.read.frame(frame, event_time="t", watermark=fl.BoundedDisorder("5s")).drop("t")


def as_run(node, epoch_rows=100):
    driver = Driver([node], Options.make(epoch_rows=epoch_rows, clock=ManualClock()))
    driver.drive()
    (results,) = driver.results.values()
    assert driver.metrics.dropped == 0
    return results.panes()


ROWS, VERSIONS = timed(2_000, 1, "v"), timed(500, 2, "w")


@pytest.mark.parametrize("ttl", [None, "10s"])
@pytest.mark.parametrize("how", ["left", "inner"])
def test_versions_are_what_merge_asof_of_pandas_gives(how, ttl):
    ours = as_run(stream(ROWS).enrich(stream(VERSIONS), "k", how, ttl=ttl).node)
    sides = (each.sort_values("t", kind="stable") for each in (ROWS, VERSIONS))
    expected = pd.merge_asof(*sides, on="t", by="k", tolerance=None if ttl is None else pd.Timedelta(ttl))
    expected = expected if how == "left" else expected.dropna()
    assert list(ours) == ["k", "v", "w"]
    ours, expected = (each[["v", "w"]].astype("Int64").sort_values("v", ignore_index=True) for each in (ours, expected))
    assert ours["w"].notna().sum() > 0
    pd.testing.assert_frame_equal(ours, expected)


@pytest.mark.parametrize("how", ["left", "inner"])
def test_a_batch_looks_up_the_newest_row_of_each_window_as_a_merge_of_pandas(how):
    minute = fl.FixedWindows("1min")
    ours = stream(ROWS).enrich(stream(VERSIONS).window(minute), "k", how).collect()
    rows, table = (each.assign(minute=each["t"].dt.floor("1min")) for each in (ROWS, VERSIONS))
    table = table.sort_values("t", kind="stable").drop_duplicates(["k", "minute"], keep="last")
    expected = rows.merge(table, on=["k", "minute"], how=how)
    ours, expected = (each[["v", "w"]].astype("Int64").sort_values("v", ignore_index=True) for each in (ours, expected))
    pd.testing.assert_frame_equal(ours, expected)


def test_windows_of_the_rows_stay_and_say_which_window_of_the_table_is_meant():
    frame = pd.DataFrame(
        {"t": pd.to_datetime(["2000-01-01 12:10", "2000-01-01 13:10"], utc=True), "k": "a", "v": [1, 2]}
    )
    table = pd.DataFrame(
        {
            "t": pd.to_datetime(["2000-01-01 12:20", "2000-01-01 12:50", "2000-01-01 13:55"], utc=True),
            "k": "a",
            "w": [3, 4, 5],
        }
    )
    hour, half = fl.FixedWindows("1h"), fl.FixedWindows("30min")
    rows, table = stream(frame).window(hour), stream(table)
    named = rows.enrich(table.window(half), "k")
    assert named.collect()["w"].tolist() == [4, 5]
    assert [each.hour for each in named.agg(w=("w", "sum")).collect()["window_start"]] == [12, 13]
    versions = rows.enrich(table, "k").agg(w=("w", "max")).collect()
    assert versions["w"].fillna(0).tolist() == [0, 4]


def test_what_cannot_be_a_table_that_changes_is_refused_by_name():
    rows, table = stream(ROWS), stream(VERSIONS)
    hour = fl.FixedWindows("1h")
    early = {"trigger": fl.AfterWatermark(early=fl.AfterCount(1))}
    with pytest.raises(GraphError, match=r"'enrich-1'.*must have event times, and so must the table; got a stream"):
        fl.read.frame(ROWS).enrich(table, "k")
    with pytest.raises(SchemaError, match="'v' in both"):
        rows.enrich(table.rename(w="v"), "k")
    with pytest.raises(DtypeError, match="str in the table"):
        rows.enrich(table.assign(k="'a'"), "k")
    with pytest.raises(GraphError, match=r"`ttl` is for a table that changes"):
        rows.enrich(VERSIONS.drop_duplicates("k"), "k", columns="w", ttl="1h")
    with pytest.raises(GraphError, match="has no ttl"):
        rows.enrich(table.window(hour), "k", ttl="1h")
    for windows in (fl.Sessions("1min"), fl.SlidingWindows("2h", every="1h"), fl.FixedWindows("1h", time="processing")):
        with pytest.raises(GraphError, match="a table in windows needs"):
            rows.enrich(table.window(windows), "k")
        with pytest.raises(GraphError, match="must be in one window"):
            rows.window(windows).enrich(table.window(hour), "k")
    with pytest.raises(GraphError, match="a table in windows needs"):
        rows.enrich(table.window(hour, **early), "k")
    with pytest.raises(GraphError, match="panes that replace one another cannot be versions of a table"):
        rows.enrich(table.window(hour, **early).groupby("k").agg(w=("w", "sum")), "k")
    with pytest.raises(GraphError, match="panes that replace one another cannot be enriched"):
        rows.window(hour, **early).groupby("k").agg(v=("v", "sum")).enrich(table, "k")
    back = rows.window(hour, accumulation="retracting", **early).groupby("k").agg(v=("v", "sum"))
    with pytest.raises(GraphError, match="no row can be taken back; got a stream that may be retracted"):
        back.enrich(table.window(hour), "k")


def test_a_row_of_the_table_that_comes_too_late_is_dropped_with_its_key():
    table = timed(2_000, 3, "w").assign(k=7)
    named = stream(ROWS).enrich(stream(pd.concat([table, table[:1]])), "k")
    driver = Driver([named.dropped.node], Options.make(epoch_rows=100, clock=ManualClock()))
    driver.drive()
    (gone,) = driver.results.values()
    assert gone.panes()[["k", "w", "side"]].values.tolist() == [[7, 0, "right"]]


class Silent:
    """A table of versions of which nothing ever comes."""

    bounded, label = False, "a silent table"
    schema = fl.read.frame(pd.DataFrame({"t": pd.to_datetime(["2000-01-01"], utc=True), "k": [1], "w": [1]})).schema

    def partitions(self):
        return ("0",)

    def initial(self, partition):
        return 0

    def latest(self, partition, position, limit_rows, elapsed_us):
        return 0

    def read(self, partition, start, end, columns=None):
        return self.schema.empty_table()

    def ended(self, partition, position):
        return False


@pytest.mark.parametrize("windows", [None, fl.FixedWindows("1min"), fl.GlobalWindows()])
@pytest.mark.parametrize("how", ["left", "inner"])
def test_rows_wait_for_a_table_that_never_comes_and_are_given_by_drain(how, windows):
    from flower.api.sourced import stream_of

    table = stream_of(Silent(), "t", "UTC", None, None).drop("t")
    named = stream(ROWS).enrich(table if windows is None else table.window(windows), "k", how)
    run = named.run()
    seen(run, lambda: run.metrics.rows_in == 2_000)
    told = run.why()
    assert told.step == "enrich-1"
    assert "2,000 rows wait" in str(told)
    assert told.held_by == "a silent table, partition '0'"
    assert "it has had no row yet" in str(told)
    assert "watermark of its rows is inf, of its table is -inf" in str(told)
    assert len(run.results) == 0
    run.drain()
    assert len(run.results) == (2_000 if how == "left" else 0)
    with pytest.raises(RunError, match="takes no key"):
        run.why("a")


def test_the_scripts_of_tables_that_change_are_the_calls(tmp_path):
    ROWS.to_parquet(tmp_path / "rows.parquet")
    VERSIONS.to_parquet(tmp_path / "table.parquet")
    rows, table = (
        fl.read.parquet(tmp_path / f"{name}.parquet", event_time="t").drop("t") for name in ("rows", "table")
    )
    for named, call in (
        (rows.enrich(table, "k", ttl="1min"), '"k", ttl="1min")'),
        (rows.enrich(table.window(fl.FixedWindows("1h")), "k", "inner"), '"k", how="inner")'),
        (rows.enrich(table.filter("w == 3"), "k", static=True), '"k", static=True)'),
    ):
        named.to_script(tmp_path / "script.py")
        assert call in (tmp_path / "script.py").read_text()
        assert "fires" in str(named.explain("physical")) or "read whole" in str(named.explain("physical"))
