"""How many rows the next epoch may have, after what the ones before took."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import flower as fl
from flower.engine.embedded import FIRST_ROWS, LEAST_ROWS, MOST_ROWS, Driver, Options
from flower.engine.sizing import Sizing


@pytest.fixture
def driver():
    made = Driver([fl.read.frame(pd.DataFrame({"v": [1]})).node], Options.make(latency="100ms"))
    yield made
    made.close()


def took(driver: Driver, rows: int, seconds: float, width: int = 8) -> int:
    result: Any = SimpleNamespace(report=SimpleNamespace(rows_in=rows, bytes_in=width * rows))
    driver._size(result, seconds)
    return driver._rows


def settled(cost: Callable[[int], float], epochs: int = 60) -> Sizing:
    """The size after some epochs under backlog, each of which takes what ``cost`` says of its rows."""
    sizing = Sizing(0.1, FIRST_ROWS, least=LEAST_ROWS, most=MOST_ROWS)
    for _ in range(epochs):
        sizing.after(sizing.rows, cost(sizing.rows))
    return sizing


def test_epochs_grow_by_four_while_they_are_quick_and_halve_while_they_are_slow(driver):
    assert took(driver, FIRST_ROWS, 0.001) == 4 * FIRST_ROWS
    assert took(driver, 4 * FIRST_ROWS, 0.101) == pytest.approx(4 * FIRST_ROWS / 1.01, abs=1)
    before = driver._rows
    assert took(driver, before, 10.0) == before // 2
    for _ in range(20):
        took(driver, driver._rows, driver._rows / 1000)
    assert driver._rows == LEAST_ROWS


def test_rows_that_are_wide_make_small_epochs(driver):
    assert took(driver, FIRST_ROWS, 0.001, width=2**14) == FIRST_ROWS


def test_an_epoch_of_few_rows_says_nothing_of_larger_ones_unless_it_was_quick(driver):
    assert took(driver, 100, 0.05) == FIRST_ROWS, "200 rows would fit: most of it is what any epoch costs"
    assert took(driver, 0, 0.05) == FIRST_ROWS
    assert took(driver, 1000, 0.002) == 50_000, "a source that gives a share of what it may"


def test_an_epoch_takes_the_latency_where_it_costs_little_by_itself():
    sizing = settled(lambda rows: 0.001 + rows * 1e-6)
    assert 0.09 < 0.001 + sizing.rows * 1e-6 < 0.11


def test_rows_take_three_times_what_an_epoch_costs_by_itself_within_four_times_the_latency():
    sizing = settled(lambda rows: 0.05 + rows * 1e-6)
    assert sizing.rows * 1e-6 == pytest.approx(0.15, rel=0.1)
    sizing = settled(lambda rows: 0.15 + rows * 1e-6)
    assert 0.15 + sizing.rows * 1e-6 == pytest.approx(0.4, rel=0.1)


def test_epochs_whose_cost_is_not_of_their_rows_do_not_shrink_until_they_do_little_else():
    sizing = settled(lambda rows: 0.5 + rows * 1e-6)
    assert sizing.rows * 1e-6 == pytest.approx(0.5, rel=0.1), "half of the time is the rows'"
    assert settled(lambda rows: 10.0).rows == MOST_ROWS


def test_a_backlog_is_worked_off_although_an_epoch_costs_more_than_the_latency_by_itself():
    sizing, waits, seconds = Sizing(0.1, FIRST_ROWS, least=LEAST_ROWS, most=MOST_ROWS), 1_000_000.0, 0.0
    while waits > sizing.rows:
        spent = 0.3 + sizing.rows * 1e-6
        waits += 300_000 * spent - sizing.rows
        seconds += spent
        sizing.after(sizing.rows, spent)
        assert seconds < 60, f"{waits:,.0f} rows wait after a minute of 300,000 rows a second"


def test_one_epoch_that_others_hold_up_changes_the_size_for_a_moment():
    sizing = settled(lambda rows: 0.001 + rows * 1e-6)
    before = sizing.rows
    assert sizing.after(before, 5.0) == before // 2
    for _ in range(5):
        sizing.after(sizing.rows, 0.001 + sizing.rows * 1e-6)
    assert sizing.rows == pytest.approx(before, rel=0.2)
