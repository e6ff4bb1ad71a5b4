"""How many rows the next epoch may have, after what one took."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

import flower as fl
from flower.engine.embedded import FIRST_ROWS, LEAST_ROWS, Driver, Options


@pytest.fixture
def driver():
    made = Driver([fl.read.frame(pd.DataFrame({"v": [1]})).node], Options.make(latency="100ms"))
    yield made
    made.close()


def took(driver: Driver, rows: int, seconds: float) -> int:
    result: Any = SimpleNamespace(report=SimpleNamespace(rows_in=rows, bytes_in=8 * rows))
    driver._size(result, seconds)
    return driver._rows


def test_epochs_grow_by_four_while_they_are_quick_and_halve_while_they_are_slow(driver):
    assert took(driver, FIRST_ROWS, 0.001) == 4 * FIRST_ROWS
    assert took(driver, 4 * FIRST_ROWS, 0.101) == pytest.approx(4 * FIRST_ROWS / 1.01, abs=1)
    before = driver._rows
    assert took(driver, before, 10.0) == before // 2
    for _ in range(20):
        took(driver, driver._rows, 10.0)
    assert driver._rows == LEAST_ROWS


def test_an_epoch_of_few_rows_says_nothing_of_larger_ones_unless_it_was_quick(driver):
    assert took(driver, 100, 0.05) == FIRST_ROWS, "200 rows would fit: most of it is what any epoch costs"
    assert took(driver, 0, 0.05) == FIRST_ROWS
    assert took(driver, 1000, 0.002) == 50_000, "a source that gives a share of what it may"
