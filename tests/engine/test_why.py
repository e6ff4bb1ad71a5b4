"""``run.why()`` tells what is held of a key, what its trigger waits for, and who holds the watermark.

The state is asked where it is: here, or on the workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from scripted import at
from strategies import SCHEMA, Rows, stream_of

import flower as fl
from flower.engine.run import Run
from flower.errors import RunError
from flower.testing import ManualClock


def row(key: str, seconds: int, n: int = 1, x: float | None = 0.5) -> dict[str, Any]:
    return {"k": key, "n": n, "m": 0, "x": x, "flag": False, "t": at(seconds).as_unit("us")}


PARTS = (
    [row("a", 1), row("b", 3, n=2, x=None), row("c", 4)],
    [row("a", 5), row("a", 7), row("a", 14)],
)
"""A row of each in every epoch; the first holds the watermark at second 4."""

SOURCE = Rows(*(pa.Table.from_pylist(rows, schema=SCHEMA) for rows in PARTS), bounded=False)
ROWS = stream_of(SOURCE, watermark=fl.Monotonic())


@pytest.fixture
def asked(executor: Any) -> Iterator[Any]:
    """Runs a stream until all rows are in, and holds it there."""
    runs: list[Run] = []

    def play(stream: fl.Stream, on: Any = executor) -> Run:
        run = stream.run(on, clock=ManualClock(at(101)), epoch_rows=2).pause()
        runs.append(run)
        while run.metrics.rows_in < 6:
            run.step()
        return run

    yield play
    for run in runs:
        run.stop()


def counted(by: Any = "k", windows: Any = fl.FixedWindows("10s"), **how: Any) -> fl.Stream:  # noqa: B008
    return ROWS.window(windows, **how).groupby(*(by if isinstance(by, tuple) else (by,))).agg(rows="count")


def test_an_open_window_tells_its_rows_how_far_event_time_has_to_go_and_who_holds_it(asked: Any) -> None:
    told = asked(counted()).why("a", at(10))
    assert (told.status, told.rows, told.panes) == ("open", 3, 0)
    assert (told.start, told.end, told.to_go) == (at(0), at(10), pd.Timedelta("6s"))
    assert told.watermark == at(4)
    assert told.held_by == "rows, partition 'part 0'"
    assert "6s from now in event time" in str(told)
    assert (
        "holds the watermark at 2000-01-01T12:00:04Z (Monotonic(); its newest row is of 2000-01-01T12:00:04Z)"
        in str(told)
    )
    assert pd.isna(told.due)


def test_without_a_window_the_first_open_one_of_the_key_is_meant(asked: Any) -> None:
    run = asked(counted())
    assert (run.why("a").end, run.why("b").end, run.why("b").rows) == (at(10), at(10), 1)


def test_a_count_tells_how_many_rows_are_missing(asked: Any) -> None:
    trigger = fl.AfterWatermark(early=fl.AfterCount(5))
    told = asked(counted(trigger=trigger)).why("a", at(10))
    assert (told.status, told.rows, told.panes) == ("open", 3, 0)
    assert "AfterCount(5) fires an early pane at 5 rows: 2 more" in str(told)


def test_a_count_that_has_fired_counts_anew(asked: Any) -> None:
    told = asked(counted(trigger=fl.AfterWatermark(early=fl.AfterCount(2)))).why("a", at(10))
    assert (told.rows, told.panes) == (1, 1)
    assert "1 rows since the last pane" in str(told)


def test_a_delay_tells_when_it_is_due(asked: Any) -> None:
    trigger = fl.AfterWatermark(early=fl.AfterProcessingTime("1min"))
    told = asked(counted(trigger=trigger)).why("a", (at(0), at(10)))
    assert told.due == at(161)
    assert "2000-01-01T12:02:41Z of processing time, 1min after the last epoch, if nothing does before" in str(told)


def test_a_trigger_of_several_tells_what_the_clock_will_do(asked: Any) -> None:
    either = fl.AfterAny(fl.AfterCount(9), fl.AfterProcessingTime("1min"))
    told = asked(counted(trigger=fl.Repeatedly(either)), "embedded").why("a", at(10))
    assert told.due == at(161)
    both = fl.AfterAll(fl.AfterCount(9), fl.AfterProcessingTime("1min"))
    told = asked(counted(trigger=fl.Repeatedly(both)), "embedded").why("a", at(10))
    assert pd.isna(told.due)
    assert "fires a pane when rows have come that make it; the clock alone does not" in str(told)


def test_a_ttl_tells_when_the_key_is_let_go_and_one_that_was_is_not_held(asked: Any) -> None:
    run = asked(counted(windows=fl.GlobalWindows(), ttl="1s"))
    assert "let go when the watermark reaches 2000-01-01T12:00:05Z without a newer row (ttl)" in str(run.why("c"))
    assert run.why("a").rows == 4
    assert "No row of key 'b' is held." in str(run.why("b"))


def test_a_trigger_that_has_finished_says_so(asked: Any) -> None:
    told = asked(counted(trigger=fl.AfterCount(2), allow_finishing=True)).why("a", at(10))
    assert (told.status, told.panes) == ("open", 1)
    assert "AfterCount(2) has finished: rows for the window are dropped." in str(told)


def test_a_window_that_was_never_opened_names_the_nearest_of_the_key(asked: Any) -> None:
    told = asked(counted()).why("a", at(40))
    assert (told.status, told.rows) == ("never opened", None)
    assert told.windows == ((at(10), at(20)), (at(0), at(10)))
    assert "[2000-01-01T12:00:10Z, 2000-01-01T12:00:20Z) (1 new rows)" in str(told)


def test_a_key_without_rows_is_told(asked: Any) -> None:
    run = asked(counted())
    assert "No row of key 'z' is held." in str(run.why("z"))
    assert run.why("z", at(10)).status == "never opened"


def test_an_end_that_no_window_has_is_told(asked: Any) -> None:
    told = asked(counted()).why("a", at(9))
    assert told.status == "no window"
    assert "No window of FixedWindows('10s') ends at 2000-01-01T12:00:09Z." in str(told)


def test_a_passed_window_admits_late_rows_and_an_expired_one_does_not(asked: Any) -> None:
    run = asked(counted(windows=fl.FixedWindows("2s"), allowed_lateness="1s"))
    told = run.why("b", at(4))
    assert (told.status, told.rows, told.panes) == ("passed", 0, 1)
    assert "it admits late rows until the watermark reaches 2000-01-01T12:00:05Z" in str(told)
    assert "fires again when late rows come" in str(told)
    assert run.why("a", at(2)).status == "expired"


def test_sessions_are_found_by_their_end(asked: Any) -> None:
    run = asked(counted(windows=fl.Sessions("3s")))
    told = run.why("a", at(10))
    assert (told.status, told.start, told.rows) == ("open", at(5), 2)


def test_the_global_window_waits_for_the_end_of_the_stream(asked: Any) -> None:
    told = asked(counted(windows=fl.GlobalWindows(), trigger=fl.AfterWatermark(early=fl.AfterCount(9)))).why("a")
    assert (told.status, told.rows) == ("open", 4)
    assert "The global window, key 'a', fires on time when the watermark reaches its end, when the stream ends" in str(
        told
    )


def test_several_keys_are_a_tuple_or_a_mapping_and_missing_ones_are_keys(asked: Any) -> None:
    run = asked(counted(by=("k", "x")))
    assert run.why(("b", None), at(10)).rows == 1
    assert run.why({"x": 0.5, "k": "a"}, at(10)).rows == 3
    assert run.why(("b", 0.5), at(10)).status == "never opened"


def test_integer_keys_are_found(asked: Any) -> None:
    run = asked(counted(by="n"))
    assert (run.why(1, at(10)).rows, run.why(2, at(10)).rows) == (4, 1)


def test_a_step_without_keys_is_asked_without(asked: Any) -> None:
    run = asked(ROWS.window(fl.FixedWindows("10s")).agg(rows="count"))
    assert run.why(window=at(10)).rows == 5
    with pytest.raises(RunError, match="the step has no keys: ask without `key`"):
        run.why("a")


def test_keys_that_do_not_fit_are_refused_by_name(asked: Any) -> None:
    run = asked(counted(by=("k", "n")))
    with pytest.raises(RunError, match="a value for each of the key columns 'k', 'n'; got 'a'"):
        run.why("a")
    with pytest.raises(RunError, match="`key` must name the key columns 'k', 'n'"):
        run.why({"k": "a"})
    with pytest.raises(RunError, match="`key` must fit the column 'n', which is int64; got '1', a str"):
        run.why(("a", "1"))
    with pytest.raises(RunError, match="`key` must fit the column 'n'"):
        run.why(("a", True))
    with pytest.raises(RunError, match="no key of column 'n' is missing; got nan"):
        asked(counted(by="n")).why(float("nan"))


def test_a_step_before_that_holds_the_watermark_is_named(asked: Any) -> None:
    first = ROWS.window(fl.FixedWindows("10s"), timestamp_combiner="earliest").groupby("k").agg(rows="count")
    second = first.named("first").window(fl.FixedWindows("20s")).agg(total=("rows", "sum")).named("second")
    run = asked(second)
    told = run.why(window=at(20))
    assert (told.step, told.watermark, told.held_by) == ("second", at(1), "step 'first'")
    assert "step 'first' holds the watermark at 2000-01-01T12:00:01Z" in str(told)
    assert run.why("a", at(10), step="first").rows == 3
    with pytest.raises(RunError, match="`step` must be a keyed step of the run; got 'third'; there is first, second"):
        run.why(step="third")


def test_the_window_that_holds_the_watermark_is_named_here(asked: Any) -> None:
    first = ROWS.window(fl.FixedWindows("10s"), timestamp_combiner="earliest").groupby("k").agg(rows="count")
    run = asked(first.window(fl.FixedWindows("20s")).agg(total=("rows", "sum")), "embedded")
    assert "its window [2000-01-01T12:00:00Z, 2000-01-01T12:00:10Z) will give a pane" in str(run.why())


def test_the_answer_is_escaped_where_it_is_shown(asked: Any) -> None:
    told = asked(counted()).why("<b>")
    assert "<b>" in str(told)
    assert "&lt;b&gt;" in told._repr_html_()
    assert "<b>" not in told._repr_html_()


def test_idle_partitions_and_learnt_disorder_are_told() -> None:
    many = pa.Table.from_pylist([row("a", second) for second in range(40)], schema=SCHEMA)
    source = Rows(many, many.slice(0, 3), bounded=False)
    clock = ManualClock(at(0))
    counts = stream_of(source, watermark=fl.Percentile(0.9, idle="1s")).window(fl.FixedWindows("1h")).agg(n="count")
    run = counts.run(epoch_rows=80, clock=clock).pause()
    run.step()
    assert "partition 'part 1' holds" in str(run.why())
    assert "no disorder learnt yet" in str(run.why())
    clock.advance("1s")
    run.step()
    assert "disorder learnt: 0s" in str(run.why())
    assert "idle: 'part 0', 'part 1'; the furthest of them counts" in str(run.why())
    run.stop()


def test_a_window_of_rows_says_how_many_it_waits_for(asked: Any) -> None:
    run = asked(counted(windows=fl.CountWindows(5)))
    told = run.why("a")
    assert (told.status, told.rows, told.start, told.end) == ("open", 4, at(1), at(14) + pd.Timedelta("1us"))
    assert "The open window of key 'a' has 4 rows; it fires at 5: 1 more, or when the stream ends." in str(told)
    assert run.why("zz").status == "never opened"


class Waits:
    def on_rows(self, key: Any, rows: pd.DataFrame, state: Any, timers: Any) -> None:
        state.n += len(rows)
        timers.quiet.set(rows["t"].max() + pd.Timedelta("1min"))
        timers.due.after("1h")

    def on_timer(self, name: str, key: Any, time: pd.Timestamp, state: Any, timers: Any) -> Any:
        timers.due.clear()
        return {"n": state.n}


def waiting() -> fl.Stream:
    return ROWS.groupby("k").process(
        Waits,
        state={"n": fl.state.Value("int64", default=0)},
        timers={"quiet": "event", "due": "processing", "never": "event"},
        schema={"n": "int64"},
    )


def test_code_of_ones_own_tells_what_it_remembers_and_what_its_timers_wait_for(asked: Any) -> None:
    told = asked(waiting()).why("a")
    assert told.step == "process-1"
    assert told.reasons[1:5] == (
        "Of key 'a' it remembers n=4.",
        "Timer 'due' fires when the clock comes to 2000-01-01T13:01:41Z, which has 1h to go.",
        "Timer 'never' is not set.",
        "Timer 'quiet' fires when the watermark comes to 2000-01-01T12:01:14Z, which has 1min 10s to go.",
    )
    assert (told.to_go, told.due) == (pd.Timedelta("70s"), at(101) + pd.Timedelta("1h"))
    assert told.held_by is not None
    assert "partition" in told.held_by


def test_a_key_of_which_nothing_is_remembered_is_told(asked: Any) -> None:
    run = asked(waiting())
    assert run.why("z").reasons[1] == "Nothing is remembered of key 'z', and no timer of it is set."
    with pytest.raises(RunError, match="a step of your own code has no windows"):
        run.why("a", at(10))


def test_a_timer_that_holds_the_watermark_of_windows_is_told(asked: Any) -> None:
    windowed = waiting().window(fl.FixedWindows("10s")).groupby("k").agg(n=("n", "sum"))
    told = asked(windowed).why("a", at(80), step="agg-1")
    assert told.held_by == "step 'process-1'"
    assert any("a timer that is set will give rows of that event time" in reason for reason in told.reasons)
