"""Sessions in blocks: what is not touched stays where it is, and what is taken out is gone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scripted import output_watermarks

import flower as fl
from flower.engine.embedded import Driver, Options
from flower.engine.sessions import SessionState
from flower.model.time import MAX_TIME


def held(driver: Driver) -> SessionState:
    (state,) = driver.state.keyed.values()
    assert isinstance(state, SessionState)
    return state


def play(rows: list[tuple[float, int]], epoch_rows: int, **windowing: Any) -> tuple[list[SessionState], list[int]]:
    """The states after each epoch, and how many panes each gave."""
    seconds, keys = zip(*rows, strict=True)
    frame = pd.DataFrame({"t": pd.to_datetime(seconds, unit="s", utc=True), "k": np.array(keys, np.int64)})
    stream = fl.read.frame(frame, event_time="t", watermark=fl.BoundedDisorder("0s"))
    panes = stream.window(fl.Sessions("10s"), **windowing).groupby("k").agg(rows="count")
    driver = Driver([panes.node], Options.make(epoch_rows=epoch_rows))
    states, fired = [], []
    while not driver.over():
        plan = driver.next_epoch()
        assert plan is not None
        result = driver.run(plan)
        states.append(held(driver))
        fired.append(sum(map(len, result.outputs.values())))
    driver.close()
    return states, fired


def test_an_epoch_copies_the_sessions_it_touches_and_no_others() -> None:
    rows = [(0.0, key) for key in range(1_000)] + [(1.0, key) for key in range(0, 1_000, 100)] * 101
    states, _ = play(rows, 1_000)
    (first,) = states[0].blocks
    old, new = states[1].blocks
    assert old.run is first.run
    assert (old.count, new.count) == (990, 10)
    assert np.flatnonzero(~old.there).tolist() == list(range(0, 1_000, 100))
    assert first.there.all()
    assert states[1].groups == 1_000


def test_sessions_leave_when_the_watermark_passes_them() -> None:
    rows = [(second, key) for key, second in enumerate(range(40))]
    states, fired = play(rows, 1)
    assert [state.groups for state in states] == [min(i + 1, 10) for i in range(39)] + [0]
    assert fired == [0] * 10 + [1] * 29 + [11]


def test_sessions_that_admit_late_rows_fire_once_and_stay() -> None:
    rows = [(second, key) for key, second in enumerate(range(40))]
    states, fired = play(rows, 1, allowed_lateness="5s")
    assert [state.groups for state in states] == [min(i + 1, 15) for i in range(39)] + [0]
    assert fired == [0] * 10 + [1] * 29 + [11]


def test_blocks_are_few_and_half_full() -> None:
    random = np.random.default_rng(0)
    rows = [(i / 100, int(key)) for i, key in enumerate(random.integers(0, 500, 4_000))]
    states, _ = play(rows, 20)
    for state in states:
        sizes = [block.count for block in state.blocks]
        assert len(sizes) <= 10
        assert len(sizes) < 2 or sizes[-2] >= 2 * sizes[-1]
        assert all(2 * block.count >= len(block.run) for block in state.blocks)
        assert all((np.diff(block.run.groups.hash) >= 0).all() for block in state.blocks)
        assert state.groups == sum(int(block.there.sum()) for block in state.blocks)


def test_a_session_holds_the_output_watermark_as_it_is_now_and_not_as_it_was() -> None:
    seconds, keys = [20, 21, 21, 21, 21, 25, 26, 26, 26, 26, 27], [1, 2, 3, 4, 5, 1, 1, 1, 1, 1, 1]
    assert output_watermarks(seconds, keys, 5, fl.Sessions("10s"), epochs=2) == [20, 21]


def test_the_least_value_is_found_however_many_stand_before_it() -> None:
    rows = [(0.0, key) for key in range(5_000)]
    (block,) = play(rows, 4_999)[0][0].blocks
    values = np.arange(len(block.run))[::-1].copy()
    for first in (0, 1_023, 1_024, 4_990):
        assert block.run.least("mine", lambda _: values, lambda at, first=first: values[at] >= first) == first
    assert block.run.least("mine", lambda _: values, lambda at: np.zeros(len(at), np.bool_)) == MAX_TIME
