"""Which rows of two sides belong together, beside every pair looked at by itself."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from scripted import examples

from flower.engine.pairing import alike, near, places
from flower.engine.waiting import Held, by_key, by_until, joined, thinned, with_more
from flower.graph.batch import constant
from flower.model.time import MAX_TIME, MIN_TIME

FAR = 2**62
TIMES = st.one_of(st.integers(0, 12), st.sampled_from([MIN_TIME + 1, -FAR, FAR, MAX_TIME - 1]))
ROWS = st.lists(st.tuples(st.integers(-2, 3), TIMES), max_size=12)


def table(rows: list[tuple[int, int]], position: int = 0) -> Held:
    key, time = (np.array(column, np.int64) for column in zip(*rows, strict=True)) if rows else (np.zeros(0, int),) * 2
    n = len(rows)
    columns = pa.record_batch({"k": pa.array(key)})
    zero = constant(0, n)
    return Held(0, columns, time, zero, np.arange(n) + position, time, time + 1, key, zero)


@given(ROWS, ROWS, st.integers(-4, 4), st.integers(0, 5), st.booleans())
@examples(300)
def test_pairs_that_are_near_are_those_of_every_pair(
    left: list[tuple[int, int]], right: list[tuple[int, int]], low: int, width: int, many: bool
) -> None:
    # Of many rows a side is looked up in the other by one number a row, of few by bisection.
    one, two = by_key(table(left * (9 if many else 1))), by_key(table(right))
    mine, theirs = near(one, two, low, low + width, ["k"], exact=True)
    found = sorted(zip(mine.tolist(), theirs.tolist(), strict=True))
    everything = [
        (i, j)
        for i, (a, s) in enumerate(zip(one.hash.tolist(), one.at.tolist(), strict=True))
        for j, (b, t) in enumerate(zip(two.hash.tolist(), two.at.tolist(), strict=True))
        if a == b and low <= t - s <= low + width
    ]
    assert found == everything


@given(ROWS, ROWS, st.booleans())
@examples(300)
def test_places_are_those_before_which_all_are_earlier(
    rows: list[tuple[int, int]], asked: list[tuple[int, int]], several: bool
) -> None:
    there, asking = by_key(table(rows)), by_key(table(asked * (1 if several else 9)))
    begin, end, (first, last) = places(there, asking.hash, (asking.at, False), (asking.at, True))
    for at in range(len(asking)):
        same = np.flatnonzero(there.hash == asking.hash[at])
        times = there.at[same]
        assert end[at] - begin[at] == len(same)
        if len(same):
            assert begin[at] == same[0]
        assert first[at] - begin[at] == np.count_nonzero(times < asking.at[at])
        assert last[at] - begin[at] == np.count_nonzero(times <= asking.at[at])


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=12))
@examples(200)
def test_pairs_of_one_number_come_by_number_left_and_right(left: list[int], right: list[int]) -> None:
    mine, theirs = alike(np.array(left, np.int64), np.array(right, np.int64), 5)
    pairs = [(n, i, j) for i, n in enumerate(left) for j, m in enumerate(right) if n == m]
    assert [(left[i], i, j) for i, j in zip(mine.tolist(), theirs.tolist(), strict=True)] == sorted(pairs)


@given(st.lists(ROWS, min_size=1, max_size=5))
@examples(200)
def test_tables_that_are_merged_stay_in_order(parts: list[list[tuple[int, int]]]) -> None:
    tables: tuple[Held, ...] = ()
    came, before = [], 0
    # Later tables have earlier positions, so that the order of those of one key and time is not how they came.
    for rows in parts:
        before -= len(rows)
        came.append(table(rows, before))
        tables = with_more(tables, came[-1], by_key)
    assert sum(map(len, tables)) == sum(map(len, came))
    assert all(len(one) >= 2 * len(two) for one, two in itertools.pairwise(tables))
    for each in tables:
        rows = list(zip(each.hash.tolist(), each.at.tolist(), each.position.tolist(), strict=True))
        assert rows == sorted(rows)
        assert each.rows.column("k").to_pylist() == each.hash.tolist()
    whole = by_until(joined(came))
    assert (np.diff(whole.until.astype(object)) >= 0).all()


@given(ROWS, TIMES)
@examples(200)
def test_a_table_is_thinned_when_half_of_it_is_over(rows: list[tuple[int, int]], watermark: int) -> None:
    whole = table(rows)
    over = np.count_nonzero(whole.until < watermark)
    left = thinned(whole, watermark)
    if over == len(whole):
        assert left is None
    else:
        assert left is not None
        assert len(left) == (len(whole) - over if 2 * over >= len(whole) else len(whole))


def test_a_constant_column_is_held_as_one() -> None:
    few = table([(1, 5), (1, 6), (2, 7)])
    for each in (few, few.take(np.array([2, 0])), few.cut(1, 3), joined([few, few])):
        assert each.mark.strides == (0,)
        assert each.at is each.time
        # Position, time, until and hash of eight bytes beside the rows.
        assert each.nbytes == each.rows.nbytes + 4 * 8 * len(each)
    assert joined([few, few.marked(np.ones(3, np.int64))]).mark.tolist() == [0, 0, 0, 1, 1, 1]
