"""The greatest rows by another column, and samples, beside pandas; in whatever parts the rows come."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import flower as fl
from flower.errors import ColumnError, DtypeError, GraphError
from flower.model.arrays import size_of
from flower.model.combiners import Chosen, Order, Sample, State, Top

PAIR = pa.field("v", pa.struct([pa.field("v", pa.large_string()), pa.field("w", pa.float64())]), nullable=False)
rows = st.lists(
    st.tuples(st.none() | st.sampled_from("abc"), st.none() | st.sampled_from([0.5, 1.0, -2.0]), st.integers(0, 2)),
    max_size=20,
)


def in_parts(law: Chosen, field: pa.Field, column: pa.Array, codes: Any, order: Order, cuts: list[int]) -> State:
    state = law.create(3, field)
    bounds = sorted({0, len(column), *(cut % (len(column) + 1) for cut in cuts)})
    for low, high in itertools.pairwise(bounds):
        place = Order(*(getattr(order, name)[low:high] for name in ("time", "partition", "position")))
        part = law.add(law.create(3, field), codes[low:high], column.slice(low, high - low), place)
        state = law.merge(state, part, np.arange(3))
    return state


@given(rows, st.integers(1, 3), st.booleans(), st.lists(st.integers(0, 20), max_size=3))
def test_the_top_by_another_column_are_those_of_a_sorted_frame(
    values: Any, n: int, ascending: bool, cuts: list[int]
) -> None:
    law = Top(n, ascending=ascending, by="w")
    frame = pd.DataFrame(values, columns=["v", "w", "code"]).astype({"v": "str", "w": "float64", "code": "int64"})
    frame["time"] = np.arange(len(frame)) % 2
    column = pa.StructArray.from_arrays(
        [pa.array(frame["v"], pa.large_string()), pa.array(frame["w"])], fields=list(PAIR.type)
    )
    nothing = np.zeros(len(frame), np.int64)
    order = Order(frame["time"].to_numpy(), nothing, nothing)
    state = in_parts(law, PAIR, column, frame["code"].to_numpy(), order, cuts)
    assert all(len(lists) <= n for lists in state[0].to_pylist())
    got = law.extract(state, PAIR)
    ordered = frame.dropna(subset="w").sort_values(
        ["w", "time", "v"], ascending=[ascending, True, True], na_position="first"
    )
    for code in range(3):
        mine = ordered.loc[ordered["code"] == code, "v"].head(n)
        assert got[code].as_py() == [None if pd.isna(each) else each for each in mine]


def test_of_rows_that_stand_in_one_place_the_lesser_value_is_first_wherever_it_came() -> None:
    law, order = Top(1, by="w"), Order(*(np.zeros(3, np.int64),) * 3)
    column = pa.StructArray.from_arrays(
        [pa.array(list("cab"), pa.large_string()), pa.array([1.0, 1.0, 1.0])], fields=list(PAIR.type)
    )
    state = law.add(law.create(1, PAIR), np.zeros(3, np.int64), column, order)
    assert law.extract(state, PAIR).to_pylist() == [["a"]]


@given(st.lists(st.integers(0, 2), max_size=30), st.integers(1, 4), st.lists(st.integers(0, 30), max_size=3))
def test_a_sample_does_not_depend_on_parts(codes: list[int], n: int, cuts: list[int]) -> None:
    law, field = Sample(n), pa.field("v", pa.int64())
    place, code = np.arange(len(codes)), np.array(codes, np.int64)
    order = Order(place // 4, place % 2, place)
    column = pa.array(place)
    whole, parts = (law.extract(in_parts(law, field, column, code, order, cut), field) for cut in ([], cuts))
    assert whole == parts
    for group, values in enumerate(whole.to_pylist()):
        assert len(values) == min(n, codes.count(group))
        assert set(values) <= set(place[code == group].tolist())
        assert values == sorted(set(values), key=lambda row: (row // 4, row % 2, row))


def test_every_row_is_as_likely_to_be_drawn_as_any_other() -> None:
    rows = 200
    column, place = pa.array(np.arange(rows)), np.arange(rows)
    order, field = Order(place // 10, np.zeros(rows, np.int64), place), pa.field("v", pa.int64())
    drawn = np.zeros(rows, np.int64)
    for seed in range(400):
        law = Sample(20, seed=seed)
        state = law.add(law.create(1, field), np.zeros(rows, np.int64), column, order)
        np.add.at(drawn, law.extract(state, field)[0].as_py(), 1)
    # 400 draws of a tenth of the rows each: 40 a row, give or take four standard deviations
    assert drawn.sum() == 8000
    assert drawn.min() >= 40 - 24 and drawn.max() <= 40 + 24


def test_a_state_holds_no_more_than_may_be_given() -> None:
    rows = 50_000
    column, place = pa.array(np.random.default_rng(1).normal(size=rows)), np.arange(rows)
    field, order = pa.field("v", pa.float64()), Order(place, np.zeros(rows, np.int64), place)
    for law in (Top(3), Sample(3)):
        state = law.add(law.create(10, field), place % 10, column, order)
        assert sum(map(size_of, state)) < 3_000


FRAME = pd.DataFrame({"k": list("aab"), "v": [1, 2, 3], "w": [2.0, 1.0, 5.0]})


def stream() -> fl.Stream:
    return fl.read.frame(FRAME)


def test_whole_rows_come_without_their_keys() -> None:
    grouped = stream().groupby("k").agg(best=fl.Top(1, by="w"), some=fl.Sample(2))
    frame = grouped.collect()
    assert [each.tolist() for each in frame["best"]] == [[{"v": 1, "w": 2.0}], [{"v": 3, "w": 5.0}]]
    assert [len(each) for each in frame["some"]] == [2, 1]
    assert "best=Top(1, by='w')" in str(grouped.explain("logical"))


def test_all_columns_that_are_given_are_read() -> None:
    frame = stream().agg(best=("v", fl.Top(1, by="w"))).collect()
    assert frame["best"][0].tolist() == [3]


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda s: s.agg(x=fl.Top(2)), GraphError, "aggregate 'x' must have a column; got Top(2)"),
        (lambda s: s.agg(x=("v", fl.Top(2, by="y"))), ColumnError, "no column 'y'"),
        (lambda s: s.agg(x=("v", fl.Top(2, by=3))), GraphError, "`by` of Top must be the name of a column; got 3"),
        (lambda s: s.agg(x=fl.Sample(0)), GraphError, "`n` of Sample must be a positive integer; got 0"),
        (lambda s: s.agg(x=fl.Sample(1, seed=-1)), GraphError, "`seed` of Sample must be"),
        (
            lambda s: s.select("k").groupby("k").agg(x=fl.Sample(1)),
            GraphError,
            "a column besides the keys; got only 'k'",
        ),
        (
            lambda s: s.groupby("k").agg(r=("v", "list")).agg(x=("r", fl.Sample(2))),
            DtypeError,
            "'sample' takes columns of numbers",
        ),
        (
            lambda s: s.groupby("k").agg(r=("v", "list")).agg(x=fl.Top(2, by="k")),
            DtypeError,
            "'top' takes columns of numbers",
        ),
        (
            lambda s: (
                s.window(fl.GlobalWindows(), accumulation="retracting")
                .groupby("k")
                .agg(v=("v", "sum"))
                .agg(x=("v", fl.Sample(2)))
            ),
            GraphError,
            "aggregate 'x' must be able to take back rows",
        ),
    ],
)
def test_what_cannot_be_chosen_is_refused_by_name(make: Any, error: Any, said: str) -> None:
    with pytest.raises(error) as refused:
        make(stream())
    assert said in str(refused.value)
