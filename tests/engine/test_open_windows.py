"""Which windows of a step are open, asked where its state is: here, or on the workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from scripted import at
from strategies import SCHEMA, Rows, stream_of

import flower as fl
from flower.engine.open_windows import OpenWindow, together
from flower.engine.run import Run
from flower.model.time import MAX_TIME
from flower.testing import ManualClock


def row(key: str | None, seconds: int) -> dict[str, Any]:
    return {"k": key, "n": 1, "m": 0, "x": 0.5, "flag": False, "t": at(seconds).as_unit("us")}


# The last row of each epoch moves the watermark: to second 4, to 12, and not at all.
ROWS = [row("a", 1), row("b", 3), row("a", 4), row("a", 15), row(None, 14), row("b", 12), row("b", 31), row("b", 15)]
SOURCE = Rows(pa.Table.from_pylist(ROWS, schema=SCHEMA), bounded=False)


@pytest.fixture
def asked(executor: Any) -> Iterator[Any]:
    """The open windows of a stream when all rows are in: seconds of start and end, keys, rows, key and its rows."""
    runs: list[Run] = []

    def play(stream: fl.Stream, n: int = 8) -> list[tuple[Any, ...]]:
        run = stream.run(executor, clock=ManualClock(at(101)), epoch_rows=3).pause()
        runs.append(run)
        while run.metrics.rows_in < len(ROWS):
            run.step()
        [index] = run._driver.job.keyed
        found = run._driver.open_windows(index, n)
        assert found is not None
        return [(_seconds(w.start), _seconds(w.end), w.keys, w.rows, w.key, w.most) for w in found]

    yield play
    for run in runs:
        run.stop()


def _seconds(us: int) -> float | None:
    return None if us == MAX_TIME else (us - at(0).value // 1000) / 1e6


def counted(windows: Any, bound: str = "20s", by: tuple[str, ...] = ("k",), **how: Any) -> fl.Stream:
    rows = stream_of(SOURCE, watermark=fl.BoundedDisorder(bound)).window(windows, **how)
    return rows.groupby(*by).agg(rows="count") if by else rows.agg(rows="count")


def test_those_that_end_first_are_told_with_their_keys_rows_and_largest_key(asked: Any) -> None:
    # The watermark is at second 11: the first window has fired.
    told = asked(counted(fl.FixedWindows("10s")))
    assert told == [(10, 20, 3, 4, ("b",), 2), (30, 40, 1, 1, ("b",), 1)]


def test_no_more_are_told_than_are_asked_for(asked: Any) -> None:
    assert asked(counted(fl.FixedWindows("10s"), "40s"), n=1) == [(0, 10, 2, 3, ("a",), 2)]


def test_records_of_an_early_trigger_replace_those_before_them(asked: Any) -> None:
    early = fl.AfterWatermark(early=fl.AfterCount(2))
    told = asked(counted(fl.FixedWindows("10s"), "40s", trigger=early))
    # a's two rows of the first window, and b's of the second, have had a pane.
    assert [each[:4] for each in told] == [(0, 10, 2, 1), (10, 20, 3, 2), (30, 40, 1, 1)]
    assert told[0][4:] == (("b",), 1)


def test_sessions_have_windows_of_their_own(asked: Any) -> None:
    told = asked(counted(fl.Sessions("5s"), "40s"))
    assert [each[:4] for each in told] == [
        (3, 8, 1, 1), (1, 9, 1, 2), (14, 19, 1, 1), (12, 20, 1, 2), (15, 20, 1, 1), (31, 36, 1, 1),
    ]  # fmt: skip


def test_a_step_without_keys_has_none_and_the_window_of_all_time_no_end(asked: Any) -> None:
    told = asked(counted(fl.GlobalWindows(), by=(), trigger=fl.AfterWatermark(early=fl.AfterCount(20))))
    assert [each[1:] for each in told] == [(None, 1, 8, None, 8)]


def test_a_window_of_rows_is_open_until_it_is_full(asked: Any) -> None:
    told = asked(counted(fl.CountWindows(3)))
    # The three of a have fired, and three of b.
    assert {each[4]: each[3] for each in told} == {("b",): 1, (None,): 1}


def test_a_window_that_several_shards_have_is_one() -> None:
    one, other = OpenWindow(0, 5, 2, 7, ("a",), 4), OpenWindow(0, 5, 1, 6, ("b",), 6)
    later = OpenWindow(5, 10, 1, 1, ("c",), 1)
    assert together([[later, one], [other]], 8) == [OpenWindow(0, 5, 3, 13, ("b",), 6), later]
    assert together([[later, one], [other]], 1) == [OpenWindow(0, 5, 3, 13, ("b",), 6)]


def test_the_windows_of_slices_are_those_of_a_trigger_that_has_none(asked: Any) -> None:
    sliding = fl.SlidingWindows("10s", every="5s")
    told = asked(counted(sliding, bound="40s"))
    assert len(told) > 4
    assert told == asked(counted(sliding, bound="40s", trigger=fl.Never()))
