"""Streams of generators: rows as they come, checked, journalled, in order, and closed in every case."""

import asyncio
import gc
import os
import tempfile
import threading

import pandas as pd
import pytest

import flower as fl
from flower.errors import EventTimeError, GraphError, SourceError, UserFunctionError
from flower.io import generator, live

WAIT = 20


def numbers(n=5):
    for i in range(n):
        yield {"v": i}


def read(fn, **options):
    return fl.read.generator(fn, **{"schema": {"v": "int64"}, "bounded": True, **options})


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    """Journals are made here, and none is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    gc.collect()
    assert [name for name in os.listdir(tmp_path) if name.startswith("flower-journal")] == []


def test_dicts_lists_and_frames_come_in_order():
    def mixed():
        yield {"v": 0}
        yield [{"v": 1}, {"v": 2}]
        yield []
        yield pd.DataFrame({"v": [3, 4]}, index=[7, 7])
        yield {"v": 5}

    assert read(mixed).collect()["v"].tolist() == [0, 1, 2, 3, 4, 5]


def test_an_iterable_is_read():
    assert read(lambda: [{"v": 1}, {"v": 2}]).collect()["v"].tolist() == [1, 2]


def test_an_async_generator_is_read():
    async def later():
        for i in range(3):
            await asyncio.sleep(0)
            yield {"v": i}

    assert read(later).collect()["v"].tolist() == [0, 1, 2]


def test_many_rows_come_through_a_small_buffer(monkeypatch):
    monkeypatch.setattr(live, "BUFFER_ROWS", 7)
    monkeypatch.setattr(live, "APPEND_ROWS", 3)
    assert read(lambda: numbers(100)).collect()["v"].tolist() == list(range(100))


def test_the_generator_waits_when_the_run_is_behind(monkeypatch):
    monkeypatch.setattr(live, "BUFFER_ROWS", 10)
    yielded, waits = [], threading.Event()
    wait_for = threading.Condition.wait_for

    def noted(self, predicate, timeout=None):
        if threading.current_thread().name.startswith("flower-generator") and not predicate():
            waits.set()
        return wait_for(self, predicate, timeout)

    def endless():
        while True:
            yielded.append(1)
            yield {"v": 1}

    monkeypatch.setattr(threading.Condition, "wait_for", noted)
    run = live.LiveRun(read(endless, bounded=False).node.source)
    assert waits.wait(WAIT)
    assert len(yielded) == 10
    run.close()
    assert not run._thread.is_alive()


def test_columns_and_dtypes_come_from_the_first_rows():
    stream = fl.read.generator(lambda: [[{"v": 1, "s": "a"}, {"v": 2, "w": 0.5}]])
    assert [(f.name, str(f.type)) for f in stream.schema] == [
        ("v", "int64"),
        ("s", "large_string"),
        ("w", "double"),
    ]


def test_the_generator_that_told_the_columns_is_closed():
    closed = threading.Event()

    def ticks():
        try:
            while True:
                yield {"v": 1}
        finally:
            closed.set()

    fl.read.generator(ticks)
    assert closed.wait(WAIT)


def test_nothing_is_called_before_a_run_if_the_columns_are_declared():
    def never():
        raise AssertionError("called")
        yield

    assert read(never).schema.names == ["v"]


def test_rows_that_do_not_fit_are_errors_and_the_others_go_on():
    def rows():
        yield {"v": 1}
        yield {"v": "two"}
        yield [{"v": None}, {"v": 2**70}, {"v": 3.0}, {"v": 3.5}, {}]
        yield pd.DataFrame({"v": [4.0, 4.5]})
        yield {"v": 5, "extra": []}

    stream = read(rows)
    assert stream.collect()["v"].tolist() == [1, 3, 4, 5]
    errors = stream.errors.collect()
    assert errors["position"].tolist() == [1, 2, 3, 5, 6, 8]
    assert errors["error"][0] == "column 'v': 'two' is no int64"
    assert errors["row"][0] == '{"v": "two"}'


def test_a_column_that_nobody_declared_is_noted():
    run = read(lambda: [{"v": 1, "extra": 2}]).run().wait(WAIT)
    assert any("extra" in note for note in run.metrics.notes)


def test_event_times_may_be_text():
    rows = [{"at": "2024-01-01T12:00:00Z", "v": 1}, {"at": "soon", "v": 2}]
    stream = fl.read.generator(
        lambda: rows, event_time="at", schema={"at": "datetime64[us, UTC]", "v": "int64"}, bounded=True
    )
    panes = stream.window(fl.FixedWindows("1h")).agg(v=("v", "sum")).collect()
    assert panes["v"].tolist() == [1]
    assert stream.errors.collect()["error"].tolist() == ["column 'at': 'soon' is no datetime64[us, UTC]"]


def test_an_event_time_that_is_no_time_is_refused():
    with pytest.raises(EventTimeError, match="event time"):
        read(numbers, event_time="v")


def test_the_time_of_arrival_is_added():
    before = pd.Timestamp.now("UTC").floor("us")
    seen = read(numbers, arrival="seen").collect()["seen"]
    assert seen.is_monotonic_increasing
    assert before <= seen.min() <= seen.max() <= pd.Timestamp.now("UTC")


def test_an_error_of_the_generator_fails_the_run_and_names_the_line():
    def ticks():
        yield {"v": 1}
        yield {"v": 1 / 0}

    run = read(ticks).run()
    with pytest.raises(UserFunctionError, match=r"generator `ticks` failed; got ZeroDivisionError: .*line \d+") as told:
        run.wait(WAIT)
    assert "1 / 0" in str(told.value)
    assert run.state == "failed"
    assert run.results["v"].tolist() == [1]
    assert told.value.__cause__.__traceback__.tb_frame.f_code.co_name == "ticks"


def test_an_error_before_the_first_row_is_told_where_the_stream_is_made():
    def ticks():
        raise OSError("no network")
        yield

    with pytest.raises(UserFunctionError, match="OSError: no network"):
        fl.read.generator(ticks)


@pytest.mark.parametrize("value, got", [(3, "a int"), ([{"v": 1}, 2], "a list with a int"), ("v", "a str")])
def test_what_is_no_row_fails_the_run(value, got):
    with pytest.raises(SourceError, match=f"must yield dicts, lists of dicts or DataFrames; got {got}"):
        read(lambda: [value]).collect()


@pytest.mark.parametrize("fn, got", [(numbers(), "a generator"), ([{"v": 1}], "a list")])
def test_what_is_no_function_is_refused(fn, got):
    with pytest.raises(SourceError, match=f"got {got}; give the function itself"):
        fl.read.generator(fn)


def test_a_function_that_gives_no_rows_is_refused():
    with pytest.raises(SourceError, match="must give an iterator of rows; got a NoneType"):
        read(lambda: None).collect()
    with pytest.raises(SourceError, match="got no rows"):
        fl.read.generator(lambda: [])


def test_silence_does_not_hang(monkeypatch):
    monkeypatch.setattr(generator, "FIRST_ROWS_SECONDS", 0.05)
    over = threading.Event()

    def silent():
        over.wait(WAIT)
        yield {"v": 1}

    with pytest.raises(SourceError, match=r"nothing within 0.05 seconds; declare the columns"):
        fl.read.generator(silent)
    over.set()


def test_every_run_calls_the_function_anew():
    calls = []

    def ticks():
        calls.append(1)
        yield {"v": len(calls)}

    stream = read(ticks)
    assert [stream.collect()["v"].tolist() for _ in range(2)] == [[1], [2]]


def test_two_outputs_of_a_run_share_one_generator():
    calls = []

    def ticks():
        calls.append(1)
        yield from ({"v": i} for i in range(4))

    stream = read(ticks)
    run = fl.run(stream.filter("v > 1").named("large"), stream.filter("v < 2").named("small")).wait(WAIT)
    assert {step: rows["v"].tolist() for step, rows in run.results.items()} == {"large": [2, 3], "small": [0, 1]}
    assert calls == [1]


@pytest.mark.parametrize("how", ["stop", "drain"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_stop_and_drain_close_the_generator(how, kind):
    closed = threading.Event()

    def ticks():
        try:
            while True:
                yield {"v": 1}
        finally:
            closed.set()

    async def waits():
        try:
            yield {"v": 1}
            await asyncio.Event().wait()  # for ever, unless it is interrupted
        finally:
            closed.set()

    run = read(ticks if kind == "sync" else waits, bounded=False).run()
    with run._driver.changed:
        assert run._driver.changed.wait_for(lambda: run.metrics.rows_out > 0, WAIT)
    getattr(run, how)()
    assert closed.is_set()
    assert run.state == ("stopped" if how == "stop" else "finished")


def test_ctrl_c_closes_the_generator(monkeypatch):
    closed = threading.Event()

    def ticks():
        try:
            while True:
                yield {"v": 1}
        finally:
            closed.set()

    def interrupted(*arguments):
        raise KeyboardInterrupt

    run = read(ticks, bounded=False).run()
    monkeypatch.setattr("flower.engine.run.wait_for", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.wait()
    assert closed.is_set()


def test_preview_of_an_endless_generator_ends():
    def ticks():
        while True:
            yield {"v": 1}

    assert len(read(ticks, bounded=False).preview(3)) == 3


def test_an_endless_generator_cannot_be_collected():
    with pytest.raises(GraphError, match="unbounded"):
        read(numbers, bounded=False).collect()


def test_a_run_that_cannot_be_planned_leaves_no_journal():
    stream = read(numbers)
    with pytest.raises(GraphError, match="two"):
        fl.run(stream.filter("v > 1").named("same"), stream.filter("v > 2").named("same"))
