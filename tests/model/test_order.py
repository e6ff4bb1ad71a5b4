"""Sorting by packed numbers gives the order that NumPy's stable sorts give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower.model.arrays import order, rising
from flower.model.time import MAX_TIME, MIN_TIME

values = st.one_of(st.integers(-3, 3), st.integers(-(2**40), 2**40), st.sampled_from([MIN_TIME, MAX_TIME]))


@given(st.lists(st.tuples(values, st.one_of(st.integers(-2, 2), values)), max_size=30))
def test_the_order_is_the_stable_one(rows: list[tuple[int, int]]) -> None:
    minor, major = (np.array([row[i] for row in rows], np.int64) for i in (0, 1))
    assert order(minor).tolist() == np.argsort(minor, kind="stable").tolist()
    assert order(minor, major).tolist() == np.lexsort((minor, major)).tolist()


@pytest.mark.parametrize("distinct", [1, 1_000, 2**20])
def test_values_that_differ_in_their_lowest_bits_alone_are_put_right(distinct: int) -> None:
    random = np.random.default_rng(0)
    # Twenty bits tell the places and sixty the values: the lowest sixteen of these do not fit beside.
    minor = random.integers(0, 2**16, 600_000) + (random.integers(0, distinct, 600_000) << 39)
    assert (order(minor) == np.argsort(minor, kind="stable")).all()
    major = random.integers(0, 9, 600_000)
    assert (order(minor, major) == np.lexsort((minor, major))).all()


@pytest.mark.parametrize("kind", ["as they come", "nearly in order", "in order", "backwards"])
def test_the_greatest_value_so_far_is_that_of_all_up_to_there(kind: str) -> None:
    random = np.random.default_rng(0)
    for rows in (0, 1, 63, 255, 256, 319, 1_000, 5_055):
        for least in (-(2**63), 200, 10_000):
            values = random.integers(-500, 500, rows)
            if kind == "nearly in order":
                values += np.arange(rows) * 4
            elif kind != "as they come":
                values = np.sort(values)[:: -1 if kind == "backwards" else 1]
            before = values.copy()
            expected = np.maximum.accumulate(np.maximum(values, least))
            assert rising(values, least).tolist() == expected.tolist()
            assert values.tolist() == before.tolist()
