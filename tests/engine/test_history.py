"""A run's history: its epochs run again give what the run gave, and what fills between its panes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flower as fl
from flower.engine import history
from flower.engine.history import History, of_run, of_stream
from flower.errors import RunError
from flower.graph.schema import frame_of
from flower.testing import ManualClock, TestStream

TRIGGERS = (
    fl.AfterWatermark(),
    fl.AfterWatermark(early=fl.AfterCount(3), late=fl.AfterCount(1)),
    fl.Repeatedly(fl.AfterCount(2)),
)
WINDOWS = (
    fl.FixedWindows("10s"),
    fl.SlidingWindows("10s", every="5s"),
    fl.Sessions("5s"),
    fl.GlobalWindows(),
)


def rate():
    rows = fl.read.rate(4, keys=2, start="2000-01-01T00:00:00Z")
    return rows.window(fl.FixedWindows("3s")).groupby("key").agg(total=("value", "sum"))


def paused(stream=None):
    clock = ManualClock()
    run = (rate() if stream is None else stream).run(clock=clock).pause()

    def step():
        clock.advance("2s")
        run.step()

    return run, step


def panes_of(told):
    parts = [frame_of(moment.panes) for moment in told.moments if moment.panes is not None and len(moment.panes)]
    return pd.concat(parts, ignore_index=True)


@given(
    data=st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 30), st.integers(1, 9), st.booleans()), min_size=1, max_size=12
    ),
    trigger=st.sampled_from(TRIGGERS),
    windows=st.sampled_from(WINDOWS),
)
def test_a_window_that_fills_holds_what_no_pane_had(data, trigger, windows):
    stream = TestStream({"k": "str", "v": "int64"}, event_time="t")
    high = 0
    for key, second, v, marks in data:
        row = {"k": key, "v": v, "t": f"2000-01-01T00:00:{second:02}Z"}
        high = max(high, second)
        mark = f"2000-01-01T00:00:{high:02}Z"
        stream = stream.epoch(
            lambda s, row=row, mark=mark, marks=marks: s.add([row]).watermark(mark) if marks else s.add([row])
        )
    panes = stream.window(windows, trigger=trigger, accumulation="discarding", allowed_lateness="unbounded")
    told = of_stream(panes.groupby("k").agg(total=("v", "sum"), n="count").node)
    rows = [moment.rows.rows for moment in told.moments]
    seen = emitted = dropped = 0
    for at, moment in enumerate(told.moments):
        held, counts = told.held(moment)
        filling = frame_of(held)
        # Discarding: every pair is in one pane, or fills.
        pairs = windows.assign(moment.rows.time)[1] if not isinstance(windows, fl.GlobalWindows) else moment.rows.time
        seen += len(pairs)
        emitted += 0 if moment.panes is None else sum(moment.panes.column("n").to_pylist())
        dropped += 0 if moment.dropped is None else len(moment.dropped)
        assert seen == emitted + int(filling["n"].sum()) + dropped, at
        assert counts.tolist() == filling["n"].tolist()
    assert sum(len(each) for each in rows) == len(data)


def test_a_run_that_is_followed_gives_its_panes():
    run, step = paused()
    told = of_run(run._driver)
    for _ in range(3):
        step()
        assert told.follow(run._driver)
    assert not told.follow(run._driver)
    run.stop()
    pd.testing.assert_frame_equal(panes_of(told), run.panes(), check_dtype=False)
    assert [moment.now for moment in told.moments] == sorted({moment.now for moment in told.moments})


def test_only_the_newest_epochs_are_kept_and_their_state_goes_on(monkeypatch):
    monkeypatch.setattr(history, "MOMENTS", 2)
    run, step = paused()
    for _ in range(5):
        step()
    told = of_run(run._driver)
    run.stop()
    assert len(told.moments) == 2 and told.let_go == 3
    panes = run.panes()
    pd.testing.assert_frame_equal(
        panes_of(told), panes.tail(len(panes_of(told))).reset_index(drop=True), check_dtype=False
    )


def test_a_run_that_has_forgotten_its_first_epochs_says_so():
    run, step = paused()
    step()
    step()
    run._driver.log.popleft()
    with pytest.raises(RunError, match="from the first on; got a run that remembers those from 1"):
        of_run(run._driver)
    run.stop()


def test_of_several_outputs_the_step_that_is_named_is_meant():
    rows = fl.read.rate(4, keys=2, start="2000-01-01T00:00:00Z").window(fl.FixedWindows("3s"))
    clock = ManualClock()
    run = fl.run(
        rows.agg(n="count").named("all"), rows.groupby("key").agg(n="count").named("each"), clock=clock
    ).pause()
    clock.advance("2s")
    run.step()
    assert [of_run(run._driver, step).keyed.keys for step in ("all", "each")] == [(), ("key",)]
    run.stop()


def test_portions_come_by_a_clock_that_never_goes_back():
    rows = fl.read.parquet(fl.datasets.flights, event_time="departure", arrival="observed")
    told = of_stream(rows.window(fl.FixedWindows("6h")).agg(n="count").node, epochs=30)
    now = np.array([moment.now for moment in told.moments])
    assert (np.diff(now) >= 0).all() and 30 <= len(now) <= 32
    newest = pd.read_parquet(fl.datasets.flights)["observed"].max()
    assert pd.Timestamp(int(now[-1]), unit="us", tz="UTC") == newest
    assert isinstance(told, History)


def test_without_arrivals_the_clock_is_at_the_newest_event_time_so_far():
    times = pd.to_datetime(["2000-01-01 00:00:05", "2000-01-01 00:00:03", "2000-01-01 00:00:09"], utc=True)
    told = of_stream(fl.read.frame(pd.DataFrame({"t": times}), event_time="t").node, epochs=3)
    assert [moment.now % 60_000_000 // 1_000_000 for moment in told.moments] == [5, 5, 9]


def test_a_run_on_either_executor_is_drawn(executor):
    rows = fl.read.parquet(fl.datasets.flights, event_time="departure", arrival="observed")
    counts = rows.window(fl.FixedWindows("6h"), allowed_lateness="12h").groupby("origin").agg(n="count")
    run = counts.run(executor).wait(progress=False)
    panes = run.panes()
    shown = run.time_diagram(key="JFK").timeline.panes
    assert shown["value"].tolist() == panes[panes["origin"] == "JFK"]["n"].tolist() != []
