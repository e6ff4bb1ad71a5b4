"""What the groups of several runs hold is what they hold when they are put together group by group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scripted import output_watermarks

import flower as fl
from flower.engine.aggregates import Aggregates
from flower.engine.groups import Groups, Law
from flower.engine.holds import held
from flower.engine.runs import Run
from flower.model.time import MAX_TIME, MIN_TIME
from flower.model.triggers import ON_TIME_ONLY, machine_of

NOTHING = {"earliest": MAX_TIME, "latest": MIN_TIME}


def law(stamp: str, *, ttl: bool = False) -> Law:
    return Law(Aggregates((), ()), True, stamp, True, machine_of(ON_TIME_ONLY), False, ttl)


def run_of(stamps: dict[tuple[int, int], int]) -> Run:
    """A run of groups, by the end of their window and their key."""
    places = sorted(stamps)
    ends = sorted({end for end, _ in places})
    offsets = np.searchsorted([end for end, _ in places], [*ends, MAX_TIME])
    n = np.zeros(len(places), np.int64)
    stamp = np.array([stamps[place] for place in places])
    groups = Groups(np.array([key for _, key in places]), (), (), n, n, n, stamp)
    return Run(np.array(ends) - 10, np.array(ends), offsets, groups)


runs = st.lists(
    st.dictionaries(
        st.tuples(st.sampled_from([10, 20, 30]), st.integers(0, 3)),
        st.none() | st.integers(0, 30),
        min_size=1,
        max_size=8,
    ),
    min_size=1,
    max_size=4,
)


@given(runs, st.sampled_from(["earliest", "latest"]), st.booleans())
@example([{(10, 0): 1}, {(10, 0): None}], "latest", True)
@example([{(10, 0): 1}, {(10, 0): None}, {(20, 1): 5}], "earliest", True)
@example([{(10, 0): None}], "latest", True)
@example([{(10, 0): 1}, {(10, 0): 9, (20, 1): 3}], "latest", False)
def test_what_runs_hold_is_what_their_groups_hold(tables: Any, stamp: str, newest_wins: bool) -> None:
    nothing, choose = NOTHING[stamp], min if stamp == "earliest" else max
    filled = [{place: nothing if at is None else at for place, at in table.items()} for table in tables]
    whole: dict[tuple[int, int], int] = {}
    for table in filled:
        for place, at in table.items():
            whole[place] = at if newest_wins else choose(whole.get(place, nothing), at)
    expected = min((at for at in whole.values() if at != nothing), default=MAX_TIME)
    made = [run_of(table) for table in filled]
    assert held(made, law(stamp), newest_wins=newest_wins) == expected
    assert held(made, law(stamp), newest_wins=newest_wins) == expected, (
        "what runs have learnt of themselves is the same"
    )


@pytest.mark.parametrize("stamp", ["earliest", "latest"])
def test_a_run_that_is_cut_off_another_knows_the_least_of_its_own_windows(stamp: str) -> None:
    run = run_of({(10, 0): 7, (20, 0): NOTHING[stamp], (20, 1): 9, (30, 0): NOTHING[stamp]})
    assert run.lows(NOTHING[stamp]).tolist() == [7, 9, MAX_TIME]
    done, rest = run.split(10)
    assert (done.lows(NOTHING[stamp]).tolist(), rest.lows(NOTHING[stamp]).tolist()) == ([7], [9, MAX_TIME])


def test_a_late_row_in_a_window_of_rows_does_not_hold_the_output_watermark() -> None:
    seconds, keys = [20, 21, 5, 30, 31], [1, 1, 2, 1, 1]
    assert output_watermarks(seconds, keys, 2, fl.CountWindows(10), epochs=2) == [21, 30]
