"""What somebody who waits is shown, and when."""

import threading

import pandas as pd
import pytest

import flower as fl
from flower.engine import progress
from flower.engine.embedded import Driver
from flower.engine.metrics import Metrics
from flower.engine.progress import Progress
from flower.testing import ManualClock


class Paper:
    """A display that keeps what it is shown."""

    def __init__(self):
        self.shown, self.closed = [], 0

    def show(self, name, metrics):
        self.shown.append((name, metrics))

    def close(self):
        self.closed += 1


@pytest.fixture
def paper():
    made = Paper()
    progress.use(lambda: made)
    yield made
    progress.use(None)


def test_what_takes_no_time_shows_nothing(paper):
    now = [0.0]
    waited = Progress("job", Metrics, lambda: now[0])
    waited.tick()
    now[0] = 0.49
    waited.tick()
    waited.close()
    assert paper.shown == [] and paper.closed == 0


def test_what_takes_long_is_shown_ten_times_a_second_and_taken_away(paper):
    now = [0.0]
    waited = Progress("job", Metrics, lambda: now[0])
    for hundredth in range(100):
        now[0] = hundredth / 100
        waited.tick()
    assert 4 <= len(paper.shown) <= 5 and paper.shown[0][0] == "job"
    waited.close()
    waited.close()
    assert paper.closed == 1


def test_collect_and_wait_show_how_far_they_are(paper, monkeypatch):
    monkeypatch.setattr(progress, "FIRST", 0.0)
    monkeypatch.setattr(progress, "REFRESH", 0.0)
    rows = fl.read.frame(pd.DataFrame({"v": range(100_000)}))
    assert len(rows.collect()) == 100_000
    shares = [metrics.share for _, metrics in paper.shown if metrics.epochs]
    assert shares and all(0 < share < 1 for share in shares) and paper.closed == 1


def test_a_wait_that_is_interrupted_takes_its_display_away(paper):
    waited = Progress("job", Metrics)
    waited.tick = lambda: (_ for _ in ()).throw(KeyboardInterrupt)
    closed = []
    waited.close = lambda: closed.append(1)
    with pytest.raises(KeyboardInterrupt):
        progress.wait(threading.Event(), None, waited)
    assert closed == [1]


def test_a_collect_that_is_interrupted_takes_its_display_away_and_leaves_no_thread(paper, monkeypatch):
    monkeypatch.setattr(progress, "FIRST", 0.0)
    closed = []
    monkeypatch.setattr(Driver, "_let_go", lambda driver: closed.append(driver))

    def interrupted(*_):
        raise KeyboardInterrupt  # as Ctrl-C and a notebook's stop button do, in the thread that waits

    paper.show = interrupted
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        fl.read.rate(10, rows=1_000).collect()
    assert paper.closed == 1 and len(closed) == 1
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(
    "stream, share",
    [
        (lambda: fl.read.rate(10, rows=20), 0.5),
        (lambda: fl.read.rate(10), None),
        (lambda: fl.concat(fl.read.rate(10, rows=20), fl.read.rate(10)), None),
    ],
)
def test_the_share_is_known_where_every_source_tells_its_rows(stream, share):
    clock = ManualClock()
    run = stream().run(clock=clock).pause()
    clock.advance("1s")
    assert run.step().metrics.share == share
    run.stop()
