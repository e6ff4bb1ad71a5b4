"""A run led by hand: step by step, to the next firing, faster and slower."""

import threading

import pytest

import flower as fl
from flower.errors import RunError
from flower.testing import ManualClock


@pytest.fixture
def paused():
    runs = []

    def start(stream, **options):
        clock = ManualClock()
        run = stream.run(clock=clock, **options).pause()
        runs.append(run)
        return run, clock

    yield start
    for run in runs:
        run.stop()


def counts():
    return fl.read.rate(10, start="2000-01-01T00:00:00Z").window(fl.FixedWindows("1s")).agg(n="count")


def test_a_step_to_the_next_firing_ends_with_the_epoch_that_fires(paused):
    run, clock = paused(counts(), epoch_rows=4)
    clock.advance("3s")
    for firing in (1, 2):
        run.step(until="firing")
        assert len(run.panes()) == firing and run.state == "paused" and not run.stepping
    assert run.metrics.epochs == 6  # the rows 0-23: the row 20 completes the second window


def test_a_step_to_the_next_firing_waits_for_rows_and_can_be_ended(paused):
    run, clock = paused(counts())
    stepper = threading.Thread(target=lambda: run.step(until="firing"))
    stepper.start()
    clock.advance("500ms")
    while not run.metrics.epochs:
        pass
    assert run.stepping and stepper.is_alive()
    run.pause()
    stepper.join(10)
    assert not stepper.is_alive() and run.state == "paused" and len(run.panes()) == 0


def test_a_step_to_the_next_firing_ends_with_the_input(paused):
    run, clock = paused(fl.read.rate(10, rows=3).filter("value > 5"))
    clock.advance("1s")
    run.step(until="firing")
    assert run.wait(10).state == "finished"


@pytest.mark.parametrize("arguments", [{"n": 0}, {"n": True}, {"until": "dawn"}])
def test_steps_that_are_none_are_refused(paused, arguments):
    run, _ = paused(counts())
    with pytest.raises(RunError, match=r"step\(\)"):
        run.step(**arguments)


def test_speed_makes_time_pass_faster_for_sources_from_then_on(paused):
    run, clock = paused(fl.read.rate(10))
    clock.advance("1s")
    assert run.step().metrics.rows_in == 10
    run.speed = 5
    clock.advance("1s")
    assert run.step().metrics.rows_in == 60
    run.speed = 0.5
    clock.advance("1s")
    assert run.step().metrics.rows_in == 65 and run.paced


@pytest.mark.parametrize("speed", [0, -1, True, "fast", float("inf"), float("nan")])
def test_a_speed_that_is_none_is_refused(paused, speed):
    run, _ = paused(counts())
    with pytest.raises(RunError, match="speed"):
        run.speed = speed


def test_the_backlog_is_what_has_come_and_was_not_read(paused):
    run, clock = paused(fl.read.rate(10), epoch_rows=4)
    clock.advance("1s")
    assert run.step().metrics.backlog == 6
    assert ("backlog", "6 rows") in run.metrics.lines()
    assert run.step(2).metrics.backlog == 0


def test_the_steps_of_a_run_have_their_own_numbers(paused):
    run, clock = paused(counts().named("counts"), epoch_rows=15)
    clock.advance("2s")
    read, counted = run.step().metrics.steps
    assert (read.step, read.rows) == ("read-1", 15)
    assert (counted.step, counted.on_time, counted.late, counted.groups) == ("counts", 15, 0, 1)
    assert counted.watermark <= read.watermark


def test_all_runs_are_listed_in_the_order_in_which_they_began(paused):
    one, _ = paused(counts(), name="one")
    other, _ = paused(counts(), name="another")
    assert [run for run in fl.runs() if run in (one, other)] == [one, other]
    assert "another paused" in " ".join(repr(fl.runs()).split())
    other.stop()
    assert "another stopped" in " ".join(repr(fl.runs()).split())
