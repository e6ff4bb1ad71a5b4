"""Every combiner equals pandas' aggregate of the same name, however the rows are cut into partial states."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flower.errors import DtypeError, GraphError
from flower.model.combiners import Combiner, Order, State, combiner_of, names
from flower.model.time import I64

FIELDS = {
    "int": pa.field("x", pa.int64(), nullable=False),
    "Int": pa.field("x", pa.int64()),
    "small": pa.field("x", pa.int8(), nullable=False),
    "float": pa.field("x", pa.float64()),
    "bool": pa.field("x", pa.bool_()),
    "str": pa.field("x", pa.large_string()),
    "time": pa.field("x", pa.timestamp("us", "UTC")),
}
VALUES = {
    "int": st.integers(-(2**40), 2**40),
    "Int": st.none() | st.integers(-(2**60), 2**60),
    "small": st.integers(-128, 127),
    "float": st.just(float("nan")) | st.floats(-1e6, 1e6).map(lambda x: round(x, 3)),
    "bool": st.none() | st.booleans(),
    "str": st.none() | st.sampled_from(["", "a", "b", "ü", "zz"]),
    "time": st.none() | st.integers(0, 10**15).map(lambda us: pd.Timestamp(us, unit="us", tz="UTC")),
}
NUMBERS = ("int", "Int", "small", "float", "bool")
CASES = [
    (name, kind)
    for name in names()
    for kind in FIELDS
    if kind in NUMBERS or name in ("count", "min", "max", "first", "last", "nunique")
]


def in_parts(law: Combiner, field: pa.Field, values: list[object], codes: I64, groups: int, cuts: list[int]) -> State:
    """The state after adding the rows in pieces, each to a state of its own, and merging these."""
    column = pa.array(values, field.type)
    state = law.create(groups, field)
    bounds = sorted({0, len(values), *(cut % (len(values) + 1) for cut in cuts)})
    for low, high in itertools.pairwise(bounds):
        place = np.arange(low, high)
        order = Order(place % 3, np.zeros(len(place), np.int64), place)
        part = law.add(law.create(groups, field), codes[low:high], column.slice(low, high - low), order)
        state = law.merge(state, part, np.arange(groups))
    return state


@pytest.mark.parametrize("name, kind", CASES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_equals_pandas_however_the_rows_are_cut(name: str, kind: str, data: st.DataObject) -> None:
    law, field = combiner_of(name), FIELDS[kind]
    values = data.draw(st.lists(VALUES[kind], max_size=20))
    codes = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(values), max_size=len(values))), np.int64)
    state = in_parts(law, field, values, codes, 4, data.draw(st.lists(st.integers(0, 20), max_size=3)))
    result = law.extract(state, field)
    assert result.type == law.schema(field).type

    dtype = {"int": "int64", "Int": "Int64", "small": "int8", "float": "float64", "bool": "boolean", "str": "str"}
    series = pd.Series(values, dtype=dtype.get(kind, "datetime64[us, UTC]"))
    by_time = np.lexsort((np.arange(len(values)), np.arange(len(values)) % 3))
    for group in range(4):
        mine = series.iloc[by_time][codes[by_time] == group].dropna()
        if name in ("first", "last"):
            expected = None if mine.empty else mine.iloc[0 if name == "first" else -1]
        elif name == "mean" and kind == "Int":
            expected = mine.astype("float64").mean()
        else:
            expected = getattr(mine.astype("float64") if name == "std" else mine, name)()
        got = result[group].as_py()
        if expected is None or pd.isna(expected):
            assert got is None or got != got
        elif name in ("mean", "std") or (name == "sum" and kind == "float"):
            assert got == pytest.approx(expected, rel=1e-6, abs=1e-3)
        else:
            assert got == expected


def test_a_sum_of_integers_is_exact_beyond_what_floats_hold() -> None:
    law, field = combiner_of("sum"), FIELDS["int"]
    column = pa.array([2**53, 1, 2**53])
    none = np.zeros(3, np.int64)
    state = law.add(law.create(1, field), none, column, Order(none, none, none))
    assert law.extract(state, field).to_pylist() == [2**54 + 1]


def test_sums_of_text_are_refused_by_name() -> None:
    with pytest.raises(DtypeError, match=r"'sum' takes a column of numbers or bools; got column 'x' of str"):
        combiner_of("sum").schema(FIELDS["str"])


def test_an_unknown_aggregate_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        GraphError, match=r"did you mean 'mean'\? known: sum, count, mean, min, max, std, first, last, nunique"
    ):
        combiner_of("meen")
