"""When a run looks for rows again, and whether it gets its turn."""

import sys
import threading

import pandas as pd
import pytest

import flower as fl
from flower.engine.embedded import Driver, Options
from flower.engine.rhythm import Rhythm
from flower.engine.turns import SECONDS, short_turns
from flower.testing import ManualClock


def test_a_pause_is_three_times_the_epoch_within_parts_of_the_latency():
    rhythm = Rhythm(latency=0.1)
    pauses = [rhythm.pause(1.0, took=took, rows=1, behind=False) for took in (0.0, 0.002, 1.0)]
    assert pauses == [pytest.approx(0.002), pytest.approx(0.006), pytest.approx(0.025)]


def test_there_is_no_pause_under_backlog():
    assert Rhythm(latency=0.1).pause(1.0, took=0.1, rows=10, behind=True) == 0.0


def test_the_longer_no_row_comes_the_longer_are_the_pauses_but_never_beyond_a_quarter_of_the_latency():
    rhythm = Rhythm(latency=0.1)
    rhythm.pause(10.0, took=0.0, rows=1, behind=False)
    pauses = [rhythm.pause(at, took=0.0, rows=0, behind=False) for at in (10.01, 10.32, 99.0)]
    assert pauses == [pytest.approx(0.002), pytest.approx(0.01), pytest.approx(0.025)]


def test_where_a_source_tells_when_its_next_row_is_due_nobody_waits_longer():
    rhythm = Rhythm(latency=0.1)
    pauses = [rhythm.pause(1.0, took=0.01, rows=1, behind=False, due=due) for due in (0.0, 0.0004, 5.0)]
    assert pauses == [0.0, 0.0004, 0.025]


def test_others_have_as_long_as_an_epoch_takes_and_three_times_as_long_where_they_want_it():
    rhythm = Rhythm(latency=0.1)
    rests = [rhythm.rest(took=0.002, passed=passed) for passed in (0.002, 0.003, 0.0031, 5.0)]
    assert rests == [0.002, 0.002, pytest.approx(0.006), pytest.approx(0.006)]
    assert rhythm.rest(took=1.0, passed=1.0) == pytest.approx(0.025)


def driver_of(stream: fl.Stream, **options) -> Driver:
    return Driver([stream.node], Options.make(**options))


def test_a_source_that_keeps_up_is_not_behind_and_one_with_more_rows_than_an_epoch_takes_is():
    clock = ManualClock()
    driver = driver_of(fl.read.rate(1000), clock=clock, epoch_rows=100)
    found = []
    for step in ("20ms", "1s"):
        clock.advance(step)
        epoch = driver.next_epoch()
        driver.run(epoch)
        found.append((sum(wanted.end - wanted.start for wanted in epoch.ranges), driver.behind(epoch)))
    driver.close()
    assert found == [(20, False), (100, True)]


def test_a_file_or_frame_is_behind_until_it_is_read():
    driver = driver_of(fl.read.frame(pd.DataFrame({"v": range(10)})), epoch_rows=4)
    epochs = []
    while not driver.over():
        epochs.append(driver.next_epoch())
        driver.run(epochs[-1])
    assert [driver.behind(epoch) for epoch in epochs] == [True, True, True]
    driver.close()


def test_without_a_tick_the_clock_alone_is_no_reason_for_an_epoch():
    clock = ManualClock()
    trigger = fl.AfterWatermark(early=fl.AfterProcessingTime("1s"))
    driver = driver_of(fl.read.rate(1).window(fl.FixedWindows("1min"), trigger=trigger).agg(n="count"), clock=clock)
    assert driver.next_epoch(tick=False) is None
    assert driver.next_epoch() is not None
    driver.close()


def test_the_interpreter_changes_threads_quickly_until_the_last_run_is_over():
    before = sys.getswitchinterval()
    with short_turns():
        with short_turns():
            pass
        assert sys.getswitchinterval() == pytest.approx(SECONDS)
    assert sys.getswitchinterval() == before
    run = fl.read.rate(10).run().pause()
    assert sys.getswitchinterval() == pytest.approx(SECONDS)
    run.stop()
    assert sys.getswitchinterval() == before


def test_an_interval_that_somebody_sets_during_a_run_stays():
    before = sys.getswitchinterval()
    try:
        with short_turns():
            sys.setswitchinterval(0.004)
        assert sys.getswitchinterval() == pytest.approx(0.004)
    finally:
        sys.setswitchinterval(before)


def test_the_rate_source_tells_when_its_next_row_appears_at_the_speed_of_the_run():
    clock = ManualClock()
    driver = driver_of(fl.read.rate(1000, rows=11), clock=clock)
    assert driver.due() == pytest.approx(0.001)
    clock.advance("10.5ms")
    driver.run(driver.next_epoch())
    assert driver.due() == pytest.approx(0.0005)
    driver.pace.speed = 5.0
    assert driver.due() == pytest.approx(0.0001)
    clock.advance("2ms")
    assert driver.due() == 0.0
    driver.run(driver.next_epoch())
    assert driver.due() is None, "there is no row any more"
    driver.close()


def test_a_replay_tells_when_its_next_row_has_its_turn():
    clock = ManualClock()
    rows = pd.DataFrame({"v": range(3), "t": pd.to_datetime([0, 4, 10], unit="s", utc=True)})
    driver = driver_of(fl.replay(fl.read.frame(rows), arrival="t", speed=2.0), clock=clock)
    driver.run(driver.next_epoch())
    assert driver.due() == pytest.approx(2.0)
    clock.advance("2s")
    driver.run(driver.next_epoch())
    assert driver.due() == pytest.approx(3.0)
    driver.close()


def test_rows_of_a_live_source_wake_its_run():
    more, over = threading.Event(), threading.Event()

    def rows():
        more.wait()
        yield {"v": 1}
        over.wait()

    driver = driver_of(fl.read.generator(rows, schema={"v": "int64"}))
    assert not driver.come()
    with driver.changed:
        more.set()
        assert driver.changed.wait_for(driver.come, timeout=30)
    assert not driver.come(), "it is told once"
    over.set()
    driver.close()
