"""Keys as numbers: every way of numbering a batch's keys gives the same, and a run finds what it has."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from flower.engine import keys
from flower.engine.groups import Groups
from flower.engine.keys import encode
from flower.engine.runs import Run, find


@pytest.mark.parametrize("rows", [0, 1, 1_000, 70_000])
@pytest.mark.parametrize("distinct", [1, 40, 200, 50_000])
@pytest.mark.parametrize("span", [2_000, 2**62])
def test_integers_are_numbered_in_their_order(rows: int, distinct: int, span: int) -> None:
    random = np.random.default_rng(0)
    values = random.integers(-span, span, distinct)[random.integers(0, distinct, rows)]
    found = encode([pa.array(values)], rows, exact=True)
    assert (found.hash[found.codes] == values).all()
    assert (np.diff(found.hash) > 0).all()
    assert np.asarray(found.keys[0]).tolist() == found.hash.tolist()
    if span > 2_000:
        assert len(found.hash) == len(np.unique(values))


def test_few_keys_are_told_from_many_by_the_first_rows() -> None:
    # The first rows have one key, the others as many as there are: numbered all the same.
    values = np.concatenate([np.zeros(keys.SAMPLE, np.int64), np.arange(100_000) * 1_000_003])
    found = encode([pa.array(values)], len(values), exact=True)
    assert (found.hash[found.codes] == values).all()


def run(start: list[int], hashes: list[list[int]]) -> Run:
    every = np.array([h for window in hashes for h in window], np.int64)
    none = np.zeros(len(every), np.int64)
    groups = Groups(every, (pa.array(every),), (), none, none, none, None)
    offsets = np.cumsum([0, *map(len, hashes)])
    return Run(np.array(start), np.array(start) + 10, offsets, groups)


@pytest.mark.parametrize("exact", [True, False])
def test_groups_are_found_in_their_windows_whether_keys_are_dense_or_not(exact: bool) -> None:
    least, most = -(2**63), 2**63 - 1
    held = run([0, 10, 20], [[5, 6, 7, 8], [5, 9, 10], [most]])
    wanted = run([-10, 0, 10, 20], [[5], [least, 4, 5, 8, 9, most], [6, 9], [least, most]])
    assert find(held, wanted, exact).tolist() == [-1, -1, -1, 0, 3, -1, -1, -1, 5, -1, 7]
