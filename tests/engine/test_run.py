"""What a run can be told, and what it says; time is a manual clock, so every epoch is known."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from typing import Any

import pandas as pd
import pytest

import flower as fl
from flower.errors import GraphError, RunError
from flower.testing import ManualClock


def ticking() -> fl.Stream:
    """Ten rows a second, counted in windows of a second."""
    rows = fl.read.rate(10, start="2000-01-01T00:00:00Z")
    return rows.window(fl.FixedWindows("1s")).agg(rows="count")


def paused(stream: fl.Stream, clock: ManualClock, executor: Any, **options: object) -> fl.Run:
    return stream.run(executor, clock=clock, **options).pause()


def test_a_paused_run_steps_epoch_by_epoch_and_stops_with_windows_open(executor: Any) -> None:
    clock = ManualClock()
    run = paused(ticking(), clock, executor)
    clock.advance("2500ms")
    run.step()
    assert run.state == "paused"
    assert run.results["rows"].tolist() == [10, 10]
    run.step(2)
    assert run.metrics.rows_in == 25
    run.stop()
    assert run.state == "stopped"
    assert run.results["rows"].tolist() == [10, 10]
    assert run.metrics.groups == 1


def test_draining_fires_the_windows_that_are_open(executor: Any) -> None:
    clock = ManualClock()
    run = paused(ticking(), clock, executor)
    clock.advance("2500ms")
    run.step()
    run.drain()
    assert run.state == "finished"
    assert run.results["rows"].tolist() == [10, 10, 5]


def test_a_resumed_run_goes_on_to_its_end(executor: Any) -> None:
    clock = ManualClock()
    frame = pd.DataFrame({"t": pd.date_range("2000-01-01", periods=100, freq="1s", tz="UTC"), "v": range(100)})
    run = paused(fl.read.frame(frame, event_time="t").filter("v >= 0"), clock, executor, epoch_rows=10)
    run.resume().wait()
    assert run.state == "finished"
    assert len(run.results) == 100
    assert run.metrics.epochs == 10


def test_stepping_a_run_that_is_not_paused_is_refused(executor: Any) -> None:
    run = fl.read.frame(pd.DataFrame({"v": [1]})).run(executor).wait()
    with pytest.raises(RunError, match=r"step\(\) needs a paused run; got finished; call .pause\(\) first"):
        run.step()


def test_two_outputs_are_shown_by_step_name(executor: Any) -> None:
    rows = fl.read.frame(pd.DataFrame({"v": [1, 2, 3]}))
    results = (
        fl.run(rows.filter("v > 1").named("large"), rows.filter("v < 2").named("small"), executor=executor)
        .wait()
        .results
    )
    assert {name: frame["v"].tolist() for name, frame in results.items()} == {"large": [2, 3], "small": [1]}


def boom(frame: pd.DataFrame) -> pd.DataFrame:
    if (frame["v"] == 666).any():
        raise ValueError("the beast")
    return frame


def test_rows_on_which_a_function_raises_are_counted_and_the_others_go_on(executor: Any) -> None:
    stream = fl.read.frame(pd.DataFrame({"v": range(1000)})).map_frames(boom)
    run = fl.run(stream.named("good"), stream.errors.named("bad"), executor=executor).wait()
    assert len(run.results["good"]) == 999
    assert run.results["bad"]["row"].tolist() == ['{"v": 666}']
    assert run.results["bad"]["source"].tolist() == ["frame of 1,000 rows"]
    assert run.metrics.errors == 1
    assert "the beast" in run.metrics.first_error


@pytest.mark.parametrize("options", [{"on_error": "fail"}, {"max_errors": 0}])
def test_a_run_fails_on_the_first_bad_row_when_asked_to(executor: Any, options: dict[str, object]) -> None:
    run = fl.read.frame(pd.DataFrame({"v": range(1000)})).map_frames(boom).run(executor, **options)
    with pytest.raises(RunError, match="the beast"):
        run.wait()
    assert run.state == "failed"
    assert isinstance(run.error, RunError)


def test_options_out_of_range_are_refused() -> None:
    stream = fl.read.frame(pd.DataFrame({"v": [1]}))
    with pytest.raises(GraphError, match="`epoch_rows` must be a whole number, at least 1; got 0"):
        stream.run(epoch_rows=0)
    with pytest.raises(GraphError, match="`on_error` must be 'collect' or 'fail'; got 'ignore'"):
        stream.run(on_error="ignore")


def test_why_a_window_waits_is_told_in_words_and_numbers(executor: Any) -> None:
    clock = ManualClock()
    run = paused(ticking(), clock, executor)
    clock.advance("2500ms")
    run.step()
    told = str(run.why(window="2000-01-01T00:00:03Z"))
    run.stop()
    assert "its watermark is 2000-01-01T00:00:02.4Z" in told
    assert "fires on time when the watermark reaches its end, 600ms from now in event time" in told
    assert "holds the watermark" in told


def test_early_panes_fire_by_the_clock_without_new_rows(executor: Any) -> None:
    clock = ManualClock()
    rows = fl.read.rate(10, start="2000-01-01T00:00:00Z", rows=5)
    trigger = fl.AfterWatermark(early=fl.AfterProcessingTime("10s"))
    endless = fl.concat(rows, fl.read.rate(0.001, start="2000-01-01T00:00:00Z").filter("value < 0"))
    run = paused(endless.window(fl.FixedWindows("1h"), trigger=trigger).agg(rows="count"), clock, executor)
    clock.advance("1s")
    run.step()
    assert len(run.results) == 0
    clock.advance("10s")
    run.step()
    run.stop()
    assert run.results[["rows", "pane_timing"]].to_numpy().tolist() == [[5, "early"]]


def test_the_clock_alone_completes_windows_of_processing_time(executor: Any) -> None:
    clock = ManualClock()
    rows = fl.read.rate(10, start="2000-01-01T00:00:00Z", rows=5)
    endless = fl.concat(rows, fl.read.rate(0.001, start="2000-01-01T00:00:00Z").filter("value < 0"))
    minutes = fl.FixedWindows("1min", time="processing")
    run = paused(endless.window(minutes).agg(rows="count"), clock, executor)
    clock.advance("1s")
    run.step()
    assert len(run.results) == 0
    told = str(run.why(window=pd.Timestamp(clock.now_us(), unit="us", tz="UTC").ceil("min")))
    assert "its watermark is the clock" in told
    assert "from now in processing time" in told
    assert "holds the watermark" not in told
    clock.advance("1min")
    run.step()
    run.stop()
    assert run.results[["rows", "pane_timing"]].to_numpy().tolist() == [[5, "on_time"]]


def test_rows_without_event_time_have_windows_of_processing_time(executor: Any) -> None:
    counts = fl.read.frame(pd.DataFrame({"v": [1, 2]})).window(fl.FixedWindows("1h", time="processing")).agg(n="count")
    run = counts.run(executor, clock=ManualClock()).wait()
    assert run.results[["n", "pane_timing", "pane_final"]].to_numpy().tolist() == [[2, "on_time", True]]
    assert counts.node.timed


def test_ctrl_c_stops_a_run_cleanly() -> None:
    script = textwrap.dedent(
        """
        import flower as fl
        import flower.engine.run as running

        def ready(*args, shown=running.wait_for):
            print("ready", flush=True)  # from within wait(), where the signal is to land
            return shown(*args)

        running.wait_for = ready
        run = fl.read.rate(1000).window(fl.FixedWindows("1s")).agg(rows="count").run()
        try:
            run.wait()
        except KeyboardInterrupt:
            print(run.state, run.metrics.errors)
        """
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert (out, err, child.returncode) == ("stopped 0\n", "", 0)
