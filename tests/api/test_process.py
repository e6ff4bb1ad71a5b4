"""Code of one's own with state and timers: what it may give, what it is refused, and what becomes of what fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from strategies import SCHEMA, Rows, stream_of

import flower as fl
from flower.engine import calling, reference_calls
from flower.engine.embedded import Driver, Options, collect
from flower.errors import DtypeError, GraphError, SchemaError
from flower.graph.nodes import Dropped
from flower.testing import ManualClock, TestStream, by_epoch

TIMES = pd.to_datetime(["2000-01-01T12:02", "2000-01-01T12:00", "2000-01-01T12:01", "2000-01-01T12:03"], utc=True)
FRAME = pd.DataFrame({"t": TIMES, "k": ["a", "a", "b", None], "v": [1, 2, 3, 4]})
COUNT = {"n": fl.state.Value("int64", default=0)}
EXECUTORS = ["embedded", "reference"]


def rows(**options: Any) -> fl.Stream:
    return fl.read.frame(FRAME, event_time="t", **options)


def processed(code: Any, schema: Any, by: Any = ("k",), **options: Any) -> fl.Stream:
    return rows().groupby(*by).process(code, schema=schema, **options)


def told(stream: fl.Stream, on: str = "embedded") -> list[list[Any]]:
    frame = stream.collect(executor=on)
    return sorted(frame.astype(object).where(frame.notna(), None).to_numpy().tolist(), key=str)


# -- what is given


@pytest.mark.parametrize("on", EXECUTORS)
@pytest.mark.parametrize(
    ("give", "expected"),
    [
        (lambda rows: None, []),
        (lambda rows: {"n": len(rows)}, [[1], [1], [2]]),
        (lambda rows: pd.Series({"n": len(rows)}), [[1], [1], [2]]),
        (lambda rows: len(rows), [[1], [1], [2]]),
        (lambda rows: rows["v"].iloc[-1], [[1], [3], [4]]),
        (lambda rows: rows[["v"]].rename(columns={"v": "n"}), [[1], [2], [3], [4]]),
        (lambda rows: [{"n": v} for v in rows["v"]], [[1], [2], [3], [4]]),
        (lambda rows: ({"n": v} for v in rows["v"]), [[1], [2], [3], [4]]),
        (lambda rows: [], []),
        (lambda rows: ([one.update(n=v), one][1] for one in [{}] for v in rows["v"]), [[1], [2], [3], [4]]),
        (lambda rows: {"n": 2.0}, [[2], [2], [2]]),
    ],
    ids=["nothing", "dict", "Series", "scalar", "NumPy", "frame", "dicts", "generator", "no row", "one dict", "float"],
)
def test_a_call_gives_rows_of_several_kinds(give: Any, expected: Any, on: str) -> None:
    stream = processed(lambda key, rows, state, timers: give(rows), {"n": "int64"})
    assert stream.schema.names == ["k", "n", "event_time"]
    assert sorted(row[1:2] for row in told(stream, on)) == expected
    assert stream.collect()["n"].dtype == "int64"


@pytest.mark.parametrize("on", EXECUTORS)
def test_rows_have_their_keys_and_the_event_time_of_the_newest_row(on: str) -> None:
    stream = processed(lambda key, rows, state, timers: {"key": repr(key), "first": rows["v"].iloc[0]}, SHOWN)
    assert told(stream, on) == [
        ["a", "'a'", 2, pd.Timestamp("2000-01-01T12:02Z")],
        ["b", "'b'", 3, pd.Timestamp("2000-01-01T12:01Z")],
        [None, "None", 4, pd.Timestamp("2000-01-01T12:03Z")],
    ]
    both = processed(
        lambda key, rows, state, timers: {"key": repr(key), "first": list(rows.columns) == ["t"]},
        SHOWN | {"first": "bool"},
        by=("k", "v"),
    )
    assert [row[2] for row in told(both, on)] == ["('a', 1)", "('a', 2)", "('b', 3)", "(None, 4)"]
    assert all(row[3] for row in told(both, on))


@pytest.mark.parametrize("on", EXECUTORS)
def test_a_key_may_be_a_time(on: str) -> None:
    stream = processed(lambda key, rows, state, timers: {"key": repr(key)}, {"key": "str"}, by=("t",))
    assert [row[1] for row in told(stream, on)] == [
        f"Timestamp('2000-01-01 12:0{minute}:00+0000', tz='UTC')" for minute in range(4)
    ]


SHOWN = {"key": "str", "first": "int64"}


@pytest.mark.parametrize("on", EXECUTORS)
def test_rows_may_say_their_event_times(on: str) -> None:
    def shifted(key: Any, rows: pd.DataFrame, state: Any, timers: Any) -> pd.DataFrame:
        return pd.DataFrame({"v": rows["v"], "event_time": rows["t"] + pd.Timedelta("1h")})

    stream = processed(shifted, {"event_time": "datetime64[us, UTC]", "v": "int64"})
    assert stream.schema.names == ["k", "v", "event_time"]
    hours = stream.window(fl.FixedWindows("2min")).agg(total=("v", "sum"))
    assert hours.collect(executor=on)["total"].tolist() == [2 + 3, 1 + 4]
    lacking = processed(lambda key, rows, state, timers: {"event_time": None}, {"event_time": "datetime64[us, UTC]"})
    assert told(lacking, on) == []
    assert lacking.errors.collect(executor=on)["error"].str.contains("says which event times rows have").all()


@pytest.mark.parametrize("on", EXECUTORS)
def test_rows_without_event_time_are_processed_in_the_order_in_which_they_stand(on: str) -> None:
    def values(key: Any, rows: pd.DataFrame, state: Any, timers: Any) -> dict[str, str]:
        state.n += 1
        return {"v": " ".join(map(str, rows["v"])), "n": state.n}

    stream = fl.read.frame(FRAME).groupby("k").process(values, state=COUNT, schema={"v": "str", "n": "int64"})
    assert stream.schema.names == ["k", "v", "n"]
    assert told(stream, on) == [["a", "1 2", 1], ["b", "3", 1], [None, "4", 1]]


def test_code_may_need_nothing_but_keys() -> None:
    keys = fl.read.frame(FRAME[["k"]]).groupby("k")
    assert told(keys.process(lambda key, rows, state, timers: {"n": len(rows)}, schema={"n": "int64"})) == [
        ["a", 2],
        ["b", 1],
        [None, 1],
    ]
    assert told(keys.process(lambda key, rows, state, timers: {}, schema={})) == [["a"], ["b"], [None]]


@pytest.mark.parametrize("on", EXECUTORS)
def test_a_batch_calls_once_for_all_rows_of_a_key_however_they_are_cut(on: str) -> None:
    def count(key: Any, rows: pd.DataFrame, state: Any, timers: Any) -> dict[str, int]:
        state.n += 1
        return {"calls": state.n, "rows": len(rows)}

    stream = processed(count, {"calls": "int64", "rows": "int64"}, state=COUNT)
    for n in (1, 2, None):
        frame = collect(stream.node, as_stream=False, executor=on, epoch_rows=n)
        assert sorted(frame["rows"]) == [1, 1, 2]
        assert set(frame["calls"]) == {1}


# -- state and timers


class Everything:
    def on_rows(self, key: Any, rows: pd.DataFrame, state: Any, timers: Any) -> Iterator[dict[str, str]]:
        yield {"text": f"{state} {timers.due.time}"}
        state.n = 5
        state.seen.add("x")
        del state.n
        timers.due.set("2000-01-01T13:00:00")
        timers.due.set(pd.Timestamp("2000-01-01T14:00+01:00"))
        yield {"text": f"{state.n} {state.seen} {timers.due}"}
        timers.due.after("1min")
        yield {"text": f"{timers.due.time}"}

    def on_timer(self, name: str, key: Any, time: pd.Timestamp, state: Any, timers: Any) -> Iterator[dict[str, str]]:
        yield {"text": f"{name} {time} {timers.due.time} {state.seen}"}


@pytest.mark.parametrize("on", EXECUTORS)
def test_state_and_timers_are_attributes(on: str) -> None:
    stream = processed(
        Everything, {"text": "str"}, state={**COUNT, "seen": fl.state.Set("str")}, timers={"due": "event"}
    ).filter("k == 'b'")
    assert stream.collect(executor=on)["text"].tolist() == [
        "State(n=0, seen=set()) None",
        "0 {'x'} Timer('due', time=2000-01-01 13:00:00+00:00)",
        "2000-01-01 12:02:00+00:00",
        "due 2000-01-01 12:02:00+00:00 None {'x'}",
    ]


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda state, timers: state.m, "no state 'm' is declared; there is 'n'"),
        (lambda state, timers: setattr(state, "m", 1), "no state 'm' is declared"),
        (lambda state, timers: delattr(state, "m"), "no state 'm' is declared"),
        (lambda state, timers: setattr(state, "n", "x"), r"state 'n' must fit Value('int64', default=0); got 'x'"),
        (lambda state, timers: setattr(state, "n", 2.5), "state 'n' must fit"),
        (lambda state, timers: timers.due, "no timer 'due' is declared; there is 'late'"),
        (lambda state, timers: timers.late.set("soon"), "`timer 'late'` must be a time; got 'soon'"),
        (lambda state, timers: timers.late.set(pd.NaT), "must be set for a time; got NaT; write timers.late.set(time)"),
        (lambda state, timers: timers.late.set(None), "timer 'late' must be set for a time; got None"),
        (lambda state, timers: timers.late.set(5), "timer 'late' must be set for a time; got 5"),
        (lambda state, timers: setattr(timers, "late", 5), "timer 'late' is set with timers.late.set(time), not by"),
        (lambda state, timers: setattr(timers, "nope", 5), "no timer 'nope' is declared; there is 'late'"),
        (lambda state, timers: timers.late.after("-1min"), "`timer 'late'` must be at least 0s"),
    ],
)
@pytest.mark.parametrize("on", EXECUTORS)
def test_what_is_not_declared_or_does_not_fit_is_an_error_of_the_call(use: Any, said: str, on: str) -> None:
    class Uses:
        def on_rows(self, key: Any, rows: pd.DataFrame, state: Any, timers: Any) -> Any:
            state.n += 1
            use(state, timers)
            return 7

        def on_timer(self, name: str, key: Any, time: pd.Timestamp, state: Any, timers: Any) -> None: ...

    stream = processed(Uses, {"n": "int64"}, state=COUNT, timers={"late": "event"})
    assert told(stream, on) == []
    errors = stream.errors.collect(executor=on)
    assert len(errors) == 4
    assert errors["error"].map(lambda error: said in error).all()
    assert set(errors["step"]) == {"process-1"}


@pytest.mark.parametrize("on", EXECUTORS)
@pytest.mark.parametrize(
    ("result", "said"),
    [
        (1.5, "column 'n' must be int64"),
        ("many", "column 'n' must be int64"),
        ({"m": 1}, "a row must be a dict of the columns 'n'; got the keys 'm'"),
        ([1], "a row must be a dict of the columns 'n'; got int"),
        ([{"n": 1}, {"n": None}], "column 'n' must be int64; got None"),
        (pd.DataFrame({"m": [1]}), "no column 'n'"),
        (pd.DataFrame({"n": [1], "m": [1]}), "only declared columns may come back; got 'm'"),
        (object(), "must give back"),
    ],
)
def test_what_is_given_and_does_not_fit_is_an_error_of_the_call(result: Any, said: str, on: str) -> None:
    stream = processed(lambda key, rows, state, timers: result if key == "a" else {"n": 7}, {"n": "int64"})
    assert [row[1] for row in told(stream, on)] == [7, 7]
    errors = stream.errors.collect(executor=on)
    assert errors["reason"].tolist() == ["wrong result"] * 2
    assert errors["error"].map(lambda error: said in error).all()
    assert errors["source"].str.contains("frame of 4 rows").all()
    assert sorted(errors["position"]) == [0, 1]


@pytest.mark.parametrize("vectorised", [False, True])
@pytest.mark.parametrize("on", EXECUTORS)
def test_timers_that_set_one_another_without_end_are_stopped(
    on: str, vectorised: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "FIRINGS", 10)
    monkeypatch.setattr(reference_calls, "FIRINGS", 10)

    class Endless:
        def on_rows(self, key: Any, rows: pd.DataFrame, state: Any, timers: Any) -> None:
            timers.next.after("1s")

        def on_timer(self, name: str, key: Any, time: pd.Timestamp, state: Any, timers: Any) -> dict[str, int]:
            state.n += 1
            timers.next.after("1s" if key == "a" or state.n < 10 else "100D")
            if key == "b" and state.n == 10:
                timers.next.clear()
            return {"n": state.n}

    class EndlessForMany:
        def on_rows(self, rows: pd.DataFrame, state: Any, timers: Any) -> None:
            timers["next"] = rows["t"].groupby(level=0, dropna=False).max() + pd.Timedelta("1s")

        def on_timer(self, name: str, time: pd.Series, state: Any, timers: Any) -> pd.DataFrame:
            state["n"] += 1
            timers["next"] = (time + pd.Timedelta("1s")).where((state.index == "a") | (state["n"] < 10))
            return state[["n"]]

    stream = processed(
        EndlessForMany if vectorised else Endless,
        {"n": "int64"},
        state=COUNT,
        timers={"next": "event"},
        vectorised=vectorised,
    ).filter("k == 'a' or k == 'b'")
    assert [row[:2] for row in told(stream, on)] == [[k, n] for k in "ab" for n in sorted(range(1, 11), key=str)]
    errors = stream.errors.collect(executor=on).query("row.str.contains('\"a\"')")
    assert errors["error"].tolist() == ["more than 10 timers in one epoch"]
    assert errors["row"].tolist() == ['{"k": "a", "timer": "next", "time": "2000-01-01 12:02:11+00:00"}']


def test_what_is_left_on_self_is_gone_after_an_epoch() -> None:
    class Forgets:
        n = 0

        def on_rows(self, key: Any, rows: pd.DataFrame, state: Any, timers: Any) -> dict[str, int]:
            self.n += 1
            return {"n": self.n}

    row = {"t": "2000-01-01T12:00:00Z", "k": "a"}
    stream = TestStream({"k": "str"}, "t").add([row]).add([row])
    epochs = by_epoch(stream.groupby("k").process(Forgets, schema={"n": "int64"}))
    assert [epoch["n"].tolist() for epoch in epochs] == [[1], [1]]


class ByTheClock:
    def on_rows(self, key: Any, rows: pd.DataFrame, state: Any, timers: Any) -> None:
        state.n += len(rows)
        timers.due.after("1min")

    def on_timer(self, name: str, key: Any, time: pd.Timestamp, state: Any, timers: Any) -> dict[str, Any]:
        return {"n": state.n, "at": time}


def test_timers_of_processing_time_fire_though_no_row_comes() -> None:
    values = [{"k": k, "n": 0, "m": 0, "x": 0.5, "flag": False, "t": TIMES[0].as_unit("us")} for k in "aab"]
    live = stream_of(Rows(pa.Table.from_pylist(values, schema=SCHEMA), bounded=False)).groupby("k")
    schema = {"n": "int64", "at": "datetime64[us, UTC]"}
    for domain in ("processing", "event"):
        clock = ManualClock(TIMES[0])
        waiting = live.process(ByTheClock, state=COUNT, timers={"due": domain}, schema=schema)
        driver = Driver([waiting.node], Options.make(clock=clock))
        epoch = driver.next_epoch()
        assert epoch is not None
        driver.run(epoch)
        (results,) = driver.results.values()
        clock.advance("1min")
        epoch = driver.next_epoch()
        if domain == "event":
            assert epoch is None
        else:
            assert epoch is not None
            driver.run(epoch)
            at = TIMES[0] + pd.Timedelta("1min")
            assert sorted(results.panes()[["k", "n", "at"]].to_numpy().tolist()) == [["a", 2, at], ["b", 1, at]]
        driver.close()


# -- many keys at once


def test_frames_of_many_keys_have_the_key_as_index_and_the_declared_dtypes() -> None:
    seen: list[Any] = []

    def look(rows: pd.DataFrame, state: pd.DataFrame, timers: pd.DataFrame) -> None:
        seen.append((rows, state, timers))

    class Looks:
        on_rows = staticmethod(look)

        def on_timer(self, name: str, time: pd.Series, state: Any, timers: Any) -> None: ...

    state = {
        "n": fl.state.Value("int64", default=0),
        "maybe": fl.state.Value("int64"),
        "x": fl.state.Value("float64"),
        "at": fl.state.Value("datetime64[us, UTC]"),
        "text": fl.state.Value("str"),
        "seen": fl.state.Set("str"),
    }
    timers = {"due": "event", "also": "processing"}
    processed(Looks, {}, state=state, timers=timers, vectorised=True).collect()
    ((got, known, times),) = seen
    assert got.columns.tolist() == ["t", "v"]
    assert got.index.name == "k"
    assert [got.loc[key, "v"] for key in "b"] == [3]
    assert got.loc["a", "v"].tolist() == [2, 1]
    assert got["v"].tolist().count(4) == 1
    assert known.dtypes.astype(str).to_dict() == {
        "n": "int64",
        "maybe": "Int64",
        "x": "float64",
        "at": "datetime64[us, UTC]",
        "text": "str",
        "seen": "object",
    }
    assert known["seen"].tolist() == [set()] * 3
    assert known.index.is_unique
    assert set(got.index.dropna()) == set(known.index.dropna()) == {"a", "b"}
    assert times.dtypes.astype(str).to_dict() == {"also": "datetime64[us, UTC]", "due": "datetime64[us, UTC]"}
    assert times.index.equals(known.index)


@pytest.mark.parametrize("on", EXECUTORS)
@pytest.mark.parametrize("by", [("k",), ("k", "v"), ("v",), ("t", "k")])
def test_rows_for_many_keys_are_told_apart_by_their_index(by: Any, on: str) -> None:
    def reversed_twice(rows: pd.DataFrame, state: pd.DataFrame, timers: pd.DataFrame) -> pd.DataFrame:
        state["n"] += rows.groupby(level=list(range(rows.index.nlevels)), dropna=False).size().reindex(state.index)
        return pd.concat([state[["n"]].iloc[::-1], state[["n"]]])

    stream = processed(reversed_twice, {"n": "int64"}, by=by, state=COUNT, vectorised=True)
    expected = FRAME.groupby(list(by), dropna=False).size().sort_values().tolist()
    frame = stream.collect(executor=on)
    assert sorted(frame["n"]) == sorted(expected * 2)
    assert frame[list(by)].drop_duplicates().shape[0] == len(expected)


@pytest.mark.parametrize("on", EXECUTORS)
@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda rows, state, timers: 7, "must give a DataFrame whose index is the key, or None; got int"),
        (lambda rows, state, timers: rows.reset_index()[["v"]].rename(columns={"v": "n"}), "have their key as index"),
        (lambda rows, state, timers: [state.pop("n")].clear(), "the frame `state` must keep its columns"),
        (
            lambda rows, state, timers: setattr(state, "index", range(len(state))),
            "the frame `state` must keep its index",
        ),
        (lambda rows, state, timers: timers.set_axis(["x"] * len(timers)) is None, "got bool"),
        (lambda rows, state, timers: timers.insert(0, "m", pd.NaT), "the frame `timers` must keep its columns"),
        (lambda rows, state, timers: timers.__setitem__("due", 7), "column 'due' must be datetime64[us, UTC]"),
        (lambda rows, state, timers: state.__setitem__("n", "x"), "state 'n' must fit Value('int64', default=0)"),
        (lambda rows, state, timers: state.__setitem__("n", 2.5), "must fit Value('int64', default=0); got"),
        (lambda rows, state, timers: state.__setitem__("seen", 1), "state 'seen' must fit Set('str')"),
    ],
)
def test_frames_that_do_not_fit_are_errors_of_the_call(act: Any, said: str, on: str) -> None:
    class Acts:
        def on_rows(self, rows: pd.DataFrame, state: pd.DataFrame, timers: pd.DataFrame) -> Any:
            return act(rows, state, timers) if "a" in state.index else state[["n"]]

        def on_timer(self, name: str, time: pd.Series, state: Any, timers: Any) -> None: ...

    stream = processed(
        Acts,
        {"n": "int64"},
        state={**COUNT, "seen": fl.state.Set("str")},
        timers={"due": "event"},
        vectorised=True,
    ).filter("k != 'b' or n == 0")
    errors = stream.errors.collect(executor=on)
    mine = errors[errors["row"].str.contains('"a"')]
    assert len(mine) == 2
    assert mine["error"].map(lambda error: said in error).all(), mine["error"].tolist()


# -- what is refused


class Fine:
    def on_rows(self, key: Any, rows: pd.DataFrame, state: Any, timers: Any) -> None: ...

    def on_timer(self, name: str, key: Any, time: pd.Timestamp, state: Any, timers: Any) -> None: ...


class NoTimer:
    def on_rows(self, key: Any, rows: pd.DataFrame, state: Any, timers: Any) -> None: ...


class Needs(Fine):
    def __init__(self, model: Any, size: int = 1) -> None: ...


EVENT = {"due": "event"}


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: processed("Fine", {}), GraphError, "takes a class or a function; got 'Fine'"),
        (lambda: processed(lambda *a: None, {}, timers=EVENT), GraphError, "what has timers must be a class"),
        (lambda: processed(NoTimer, {}, timers=EVENT), GraphError, "got NoTimer without on_timer"),
        (lambda: processed(int, {}), GraphError, "got int without on_rows"),
        (lambda: processed(Needs, {}), GraphError, r"made without arguments.*got Needs\(model\)"),
        (lambda: processed(Fine, {}, state={"n": "int64"}), GraphError, "`state` must be a mapping.*got 'int64'"),
        (lambda: processed(Fine, {}, state=["n"]), GraphError, "`state` must be a mapping"),
        (lambda: processed(Fine, {}, state={"my n": COUNT["n"]}), GraphError, "used as attributes; got 'my n'"),
        (lambda: processed(Fine, {}, state={"_n": COUNT["n"]}), GraphError, "used as attributes; got '_n'"),
        (lambda: processed(Fine, {}, timers={"due": "clock"}), GraphError, "'event' or 'processing'; got 'clock'"),
        (lambda: processed(Fine, {"k": "str"}), SchemaError, "other names than the keys; got 'k'"),
        (lambda: processed(Fine, {"n": "int46"}), DtypeError, "did you mean 'int64'"),
        (lambda: processed(Fine, {"event_time": "str"}), DtypeError, "'event_time' says which event times"),
        (
            lambda: fl.read.frame(FRAME).groupby("k").process(Fine, timers=EVENT, schema={}),
            GraphError,
            "need rows that have an event time; got timer 'due' of rows without one",
        ),
        (
            lambda: rows().window(fl.FixedWindows("1h")).groupby("k").process(Fine, schema={}),
            GraphError,
            r"process\(\) has no windows.*call .process\(\) before .window\(\)",
        ),
        (
            lambda: (
                rows()
                .window(fl.FixedWindows("1h"), allowed_lateness="1h")
                .groupby("k")
                .agg(n="count")
                .groupby("k")
                .process(Fine, schema={})
            ),
            GraphError,
            "panes that replace one another cannot be processed",
        ),
        (
            lambda: (
                rows()
                .window(fl.FixedWindows("1h"), accumulation="retracting", allowed_lateness="1h")
                .groupby("k")
                .agg(n="count")
                .groupby("k")
                .process(Fine, schema={})
            ),
            GraphError,
            "rows that are processed cannot be taken back",
        ),
        (lambda: processed(Fine, {}, allowed_lateness=5), ValueError, "`allowed_lateness` must be a duration"),
    ],
)
def test_what_cannot_be_processed_is_refused_when_the_step_is_added(make: Any, error: type, said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        make()
    assert "'process-1' (process)" in str(caught.value)


# -- as a step


def test_it_follows_an_aggregation_and_is_followed_by_one() -> None:
    counts = rows().window(fl.FixedWindows("1min")).groupby("k").agg(n=("v", "sum"))

    def running(key: Any, rows: pd.DataFrame, state: Any, timers: Any) -> Iterator[dict[str, int]]:
        for n in rows["n"]:
            state.n += n
            yield {"so_far": state.n}

    totals = counts.groupby("k").process(running, state=COUNT, schema={"so_far": "int64"})
    for on in EXECUTORS:
        assert sorted(totals.collect(executor=on)["so_far"]) == [2, 3, 3, 4]
        most = totals.window(fl.FixedWindows("1h")).agg(most=("so_far", "max"))
        assert most.collect(executor=on)["most"].tolist() == [4]


def test_the_step_is_told_in_plans() -> None:
    stream = processed(Fine, {"n": "int64"}, state=COUNT, timers=EVENT, allowed_lateness="5min").named("alarm")
    assert "alarm   process by k: Fine, state n=Value('int64', default=0), timer due of event time" in str(stream)
    plan = str(stream.explain())
    assert "alarm processes rows of stage 0, keyed by k" in plan
    assert "read-1 -> alarm, dealt by key" in plan
    assert "rows that are 5min behind the watermark are dropped" in plan
    assert isinstance(stream.dropped.node, Dropped)
    assert stream.dropped.schema.names == ["t", "k", "v", "reason", "watermark"]
    assert "alarm" in str(stream.graph)


def test_a_run_counts_what_is_late_and_what_is_dropped() -> None:
    stream = (
        TestStream({"k": "str"}, "t")
        .watermark("2000-01-01T12:10:00Z")
        .add([{"t": f"2000-01-01T12:{minute}:00Z", "k": "a"} for minute in ("10", "07", "01")])
    )
    run = stream.groupby("k").process(Fine, schema={}, allowed_lateness="5min").run().wait(progress=False)
    (step,) = (each for each in run.metrics.steps if each.step == "process-1")
    assert (step.on_time, step.late, step.dropped) == (1, 1, 1)
