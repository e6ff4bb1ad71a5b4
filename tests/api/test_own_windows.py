"""Windows of one's own: they place rows as Flower's do, on every executor, and what they give is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import aggregated, at, canonical, examples, keys, scripted, scripts

import flower as fl
from flower.errors import ColumnError, GraphError, UserFunctionError, WindowError
from flower.graph.nodes import Read, walk
from flower.graph.plan import plan


@dataclass(frozen=True)
class Fixed(fl.WindowFn):
    """As FixedWindows, in datetime64."""

    seconds: int

    def assign(self, time: Any, rows: pd.DataFrame) -> Any:
        start = time - (time - np.datetime64(0, "us")) % np.timedelta64(self.seconds, "s")
        return None, start, start + np.timedelta64(self.seconds, "s")


@dataclass(frozen=True)
class Sliding(fl.WindowFn):
    """As SlidingWindows of twice the distance between them, in int64; rows in no order."""

    every: int

    def assign(self, time: Any, rows: pd.DataFrame) -> Any:
        us, every = time.astype(np.int64), self.every * 1_000_000
        start = np.concatenate((us // every * every, us // every * every - every))
        return np.tile(np.arange(len(us)), 2), start, start + 2 * every


@dataclass(frozen=True)
class Gaps(fl.WindowFn):
    """As Sessions whose gap a column tells."""

    merging = True
    columns = ("n",)

    def assign(self, time: Any, rows: pd.DataFrame) -> Any:
        return None, time, time + np.where(rows["n"] > 1, 5, 1).astype("m8[s]")


class Touching(Gaps):
    merge_touching = True


BY_N = "where(n > 1, t - t + '5s', t - t + '1s')"
PAIRS: list[tuple[fl.WindowFn, Any]] = [
    (Fixed(4), fl.FixedWindows("4s")),
    (Sliding(2), fl.SlidingWindows("4s", every="2s")),
    (Gaps(), fl.Sessions(BY_N)),
    (Touching(), fl.Sessions(BY_N, merge_touching=True)),
]


def both(script: Any, pair: Any, by: Any, **how: Any) -> tuple[fl.Stream, fl.Stream]:
    own, known = (aggregated(scripted(script).window(windows, **how), by) for windows in pair)
    return own, known


def agree(own: fl.Stream, known: fl.Stream, **how: Any) -> None:
    left, right = own.collect(as_stream=True, **how), known.collect(as_stream=True)
    pd.testing.assert_frame_equal(canonical(left), canonical(right))


@pytest.mark.slow
@examples(40)
@given(scripts, st.sampled_from(PAIRS), keys, st.sampled_from(["0s", "2s"]), st.none() | st.integers(1, 2))
def test_they_give_the_panes_and_drops_of_flowers_windows(
    script: Any, pair: Any, by: Any, lateness: Any, early: Any
) -> None:
    trigger = fl.AfterWatermark(early=None if early is None else fl.AfterCount(early))
    own, known = both(script, pair, by, allowed_lateness=lateness, trigger=trigger)
    agree(own, known)
    agree(own.dropped, known.dropped)
    agree(own, known, executor="reference")


SCRIPT = (1, [[("add", [{"k": "a", "i": 1, "n": n, "v": 0.5, "t": at(2 * n)} for n in (0, 1, 2, 3)], 0)]], True)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: type(pair[0]).__name__)
def test_they_run_on_every_executor(pair: Any, executor: Any) -> None:
    agree(*both(SCRIPT, pair, ("k",)), executor=executor)


@dataclass(frozen=True, eq=False)
class Says(fl.WindowFn):
    """Gives what it is told."""

    answer: Any

    def assign(self, time: Any, rows: pd.DataFrame) -> Any:
        return self.answer(time.astype(np.int64))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda t: (t, t + 1), "three things: the rows, starts and ends; got tuple"),
        (lambda t: (None, t, t), r"windows that end after they start; got \[2000-01-01T12:00:00"),
        (lambda t: (None, t / 1, t + 1), "starts as int64 microseconds or datetime64; got float64"),
        (lambda t: (None, t, np.full(len(t), np.datetime64("NaT", "us"))), r"ends as .*; got missing times \(NaT\)"),
        (lambda t: (None, t[:1], t + 1), "a start and an end for each row, 4; got 1 starts and 4 ends"),
        (lambda t: (np.array([4]), t[:1], t[:1] + 1), "indices of the 4 rows it was given; got 4 to 4"),
        (lambda t: (np.array([-1]), t[:1], t[:1] + 1), "indices of the 4 rows it was given; got -1 to -1"),
        (lambda t: (np.array([0.5]), t[:1], t[:1] + 1), "the indices of rows as whole numbers, or None; got float64"),
        (lambda t: (np.array([0, 1]), t[:1], t[:1] + 1), "a start and an end for each index, 2"),
    ],
)
def test_what_are_no_windows_is_refused_with_class_and_step(answer: Any, says: str) -> None:
    panes = scripted(SCRIPT).window(Says(answer)).agg(rows="count").named("visits")
    with pytest.raises(WindowError, match=r"step 'visits': Says.assign\(\) must give " + says):
        panes.collect()


def test_a_class_that_raises_is_named() -> None:
    panes = scripted(SCRIPT).window(Says(lambda time: 1 // 0)).agg(rows="count").named("visits")
    with pytest.raises(UserFunctionError, match=r"step 'visits': Says.assign\(\) must place rows .*ZeroDivisionError"):
        panes.collect()


def test_the_columns_that_they_look_at_must_be_there_and_are_read() -> None:
    stream = scripted(SCRIPT)
    panes = stream.window(Gaps()).agg(rows="count")
    (read,) = (node for node in walk(plan([panes.node]).optimized) if isinstance(node, Read))
    assert set(read.schema.names) == {"n", "t"}
    with pytest.raises(ColumnError, match="'n'"):
        stream.drop("n").window(Gaps()).agg(rows="count")


def test_rows_that_may_be_taken_back_are_not_placed_by_them() -> None:
    first = scripted(SCRIPT).window(fl.FixedWindows("1s"), accumulation="retracting").agg(rows="count")
    with pytest.raises(GraphError, match="they may place a retraction elsewhere"):
        first.window(Fixed(4)).agg(total=("rows", "sum"))
    with pytest.raises(GraphError, match="a window that is full has fired"):
        first.window(fl.CountWindows(4)).agg(total=("rows", "sum"))


def test_equal_ones_make_equal_steps() -> None:
    stream = scripted(SCRIPT)
    one, other, third = (stream.window(Fixed(seconds)).agg(rows="count").node for seconds in (4, 4, 5))
    assert one == other != third
