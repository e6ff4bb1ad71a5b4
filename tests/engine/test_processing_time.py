"""Windows of processing time make epochs of the clock alone."""

import pandas as pd

import flower as fl
from flower.engine.embedded import Driver, Options
from flower.testing import ManualClock


def planned(windows: fl.FixedWindows) -> bool:
    """Whether an epoch is planned when only the clock has moved."""
    clock = ManualClock()
    stream = fl.read.rate(1, start="2000-01-01T00:00:00Z")
    driver = Driver([stream.window(windows).agg(n="count").node], Options.make(clock=clock))
    try:
        clock.advance("1ms")
        return driver.next_epoch() is not None
    finally:
        driver.close()


def test_an_epoch_comes_of_the_clock_alone_where_it_completes_windows() -> None:
    assert planned(fl.FixedWindows("1s", time="processing"))
    assert not planned(fl.FixedWindows("1s"))


def windows_of(stream: fl.Stream, now: str) -> list[str]:
    """The windows of a run whose clock stands still."""
    panes = stream.window(fl.FixedWindows("1min", time="processing")).agg(n="count")
    run = panes.run(clock=ManualClock(now), epoch_rows=1).wait(progress=False)
    return [str(start) for start in run.results["window_start"]]


def test_a_replay_is_placed_by_the_clock_of_its_run_not_by_when_its_rows_came() -> None:
    seen = pd.to_datetime(["2000-01-01 12:00:10", "2000-01-01 12:05:20"], utc=True)
    recorded = fl.replay(pd.DataFrame({"seen": seen, "v": [1, 2]}), arrival="seen")
    assert windows_of(recorded, "2024-05-06T07:08:09Z") == ["2024-05-06 07:08:00+00:00"]
    assert windows_of(recorded, "2024-05-06T09:10:11Z") == ["2024-05-06 09:10:00+00:00"]


def test_collect_places_rows_by_when_they_are_read() -> None:
    before = pd.Timestamp.now("UTC")
    old = pd.DataFrame({"t": pd.to_datetime(["2000-01-01"], utc=True)})
    panes = fl.read.frame(old, event_time="t").window(fl.FixedWindows("1h", time="processing")).agg(n="count")
    (end,) = panes.collect()["window_end"]
    assert before < end <= pd.Timestamp.now("UTC") + pd.Timedelta("1h")
