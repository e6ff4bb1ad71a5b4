"""Every combiner equals pandas' aggregate of the same name, however the rows are cut into partial states."""

from __future__ import annotations

import itertools
from dataclasses import astuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flower.errors import DtypeError, GraphError
from flower.model.combiners import Combiner, MaxBy, MinBy, Order, Quantile, State, Top, combiner_of, names
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
ANY = ("count", "size", "min", "max", "first", "last", "nunique", "mode", "list")
CASES = [
    (name, kind)
    for name in names()
    for kind in FIELDS
    if (kind in NUMBERS and (name, kind) != ("median", "bool")) or name in ANY
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

    series = series_of(values, kind)
    by_time = np.lexsort((np.arange(len(values)), np.arange(len(values)) % 3))
    for group in range(4):
        same(name, kind, result[group].as_py(), series.iloc[by_time][codes[by_time] == group])


def series_of(values: list[object], kind: str) -> pd.Series:
    dtype = {"int": "int64", "Int": "Int64", "small": "int8", "float": "float64", "bool": "boolean", "str": "str"}
    return pd.Series(values, dtype=dtype.get(kind, "datetime64[us, UTC]"))


def same(name: str, kind: str, got: object, every: pd.Series) -> None:
    """``got`` is pandas' aggregate of the values of one group, in order of time."""
    mine = every.dropna()
    if name in ("first", "last"):
        expected = None if mine.empty else mine.iloc[0 if name == "first" else -1]
    elif name == "size":
        expected = len(every)
    elif name == "mode":
        expected = None if mine.empty else mine.mode().iloc[0]
    elif name == "list":
        expected = [None if pd.isna(value) else value for value in every]
        got = [None if pd.isna(value) else value for value in got]  # type: ignore[attr-defined]
    elif name == "median" and kind == "Int":
        expected = mine.astype("float64").median()
    elif name == "mean" and kind == "Int":
        expected = mine.astype("float64").mean()
    elif name == "prod":
        expected = mine.to_numpy("float64" if kind == "float" else "int64").prod()
    else:
        expected = getattr(mine.astype("float64") if name in ("std", "var", "sem") else mine, name)()
    if not isinstance(expected, list) and (expected is None or pd.isna(expected)):
        assert got is None or got != got
    elif name in ("mean", "std", "var", "sem", "median", "prod") or (name == "sum" and kind == "float"):
        # Whole numbers beyond 2**53 are floats with steps between them, in pandas and here.
        step = float(np.spacing(mine.astype("float64").abs().max())) if name in ("std", "var", "sem") else 0.0
        step *= expected**0.5 if name == "var" else 1.0
        assert got == pytest.approx(expected, rel=1e-6, abs=1e-3 + 4 * step)
    else:
        assert got == expected


@pytest.mark.parametrize("name, kind", CASES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_rows_taken_back_leave_what_the_others_make(name: str, kind: str, data: st.DataObject) -> None:
    law, field = combiner_of(name).retractable(), FIELDS[kind]
    assert law is not None
    values = data.draw(st.lists(VALUES[kind], max_size=12))
    n = len(values)
    codes = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), np.int64)
    gone = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), np.bool_)
    cuts = data.draw(st.lists(st.integers(0, 20), max_size=3))
    swap = data.draw(st.booleans())
    column = pa.array(values, field.type)
    time = np.arange(n) % 3
    kept = in_parts(law, field, values, codes, 3, cuts)
    out = np.flatnonzero(gone)
    # The rows that are taken back have another place in the input than those they take back, and may come before.
    order = Order(time[out], np.ones(len(out), np.int64), out + 100)
    if not swap:
        state = law.subtract(kept, codes[out], column.take(pa.array(out)), order)
    else:
        state = law.subtract(law.create(3, field), codes[out], column.take(pa.array(out)), order)
        state = law.merge(state, kept, np.arange(3))
    result = law.extract(state, field)
    assert result.type == law.schema(field).type == combiner_of(name).schema(field).type
    series = series_of(values, kind)
    missing_first = series.notna().astype(int)
    by_value = sorted(range(n), key=lambda i: (time[i], missing_first[i], values[i] if missing_first[i] else 0))
    for group in range(3):
        mine = [i for i in by_value if codes[i] == group and not gone[i]]
        same(name, kind, result[group].as_py(), series.iloc[mine])


@pytest.mark.parametrize("name", ["sum", "mean"])
def test_an_infinite_value_that_is_taken_back_is_gone(name: str) -> None:
    law, field = combiner_of(name).retractable(), FIELDS["float"]
    assert law is not None
    none = np.zeros(2, np.int64)
    state = law.add(law.create(1, field), none, pa.array([np.inf, 2.0]), Order(none, none, none))
    assert law.extract(state, field).to_pylist() == [np.inf]
    state = law.subtract(state, none[:1], pa.array([np.inf]), Order(none[:1], none[:1], none[:1]))
    assert law.extract(state, field).to_pylist() == [2.0]


@pytest.mark.parametrize("name", ["sum", "count", "nunique", "max", "list", "any", "median"])
def test_a_value_taken_back_before_it_comes_is_not_forgotten(name: str) -> None:
    law, field = combiner_of(name).retractable(), FIELDS["int"]
    assert law is not None
    one, column = np.zeros(1, np.int64), pa.array([7])
    order = Order(one, one, one)
    state = law.subtract(law.create(1, field), one, column, order)
    state = law.add(state, one, column, order)
    nothing = law.extract(law.create(1, field), field)
    assert str(law.extract(state, field).to_pylist()) == str(nothing.to_pylist())
    state = law.add(state, one, column, order)
    once = law.extract(law.add(law.create(1, field), one, column, order), field)
    assert law.extract(state, field).to_pylist() == once.to_pylist()


@pytest.mark.parametrize("kind", ["int", "Int", "small", "float"])
@settings(max_examples=25, deadline=None)
@given(data=st.data(), q=st.sampled_from([0, 0.25, 0.5, 0.9, 1]))
def test_quantiles_equal_those_of_pandas(kind: str, q: float, data: st.DataObject) -> None:
    values = data.draw(st.lists(VALUES[kind], max_size=20))
    codes = np.arange(len(values)) % 3
    state = in_parts(Quantile(q), FIELDS[kind], values, codes, 3, [5, 9])
    got = Quantile(q).extract(state, FIELDS[kind])
    for group in range(3):
        mine = series_of(values, kind)[codes == group].dropna().astype("float64")
        assert got[group].as_py() == pytest.approx(mine.quantile(q), nan_ok=True)


@pytest.mark.parametrize("kind", FIELDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), n=st.integers(1, 4), ascending=st.booleans())
def test_the_top_are_the_first_of_the_sorted_values(kind: str, n: int, ascending: bool, data: st.DataObject) -> None:
    values = data.draw(st.lists(VALUES[kind], max_size=20))
    codes = np.arange(len(values)) % 3
    law = Top(n, ascending=ascending)
    got = law.extract(in_parts(law, FIELDS[kind], values, codes, 3, [5, 9]), FIELDS[kind])
    for group in range(3):
        mine = series_of(values, kind)[codes == group].dropna()
        assert got[group].as_py() == mine.sort_values(ascending=ascending).head(n).tolist()


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("how", [MaxBy, MinBy])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_value_beside_the_extreme_is_that_of_the_first_row_that_has_it(
    how: type[MaxBy | MinBy], kind: str, data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.none() | st.integers(0, 99), max_size=20))
    by = data.draw(st.lists(VALUES[kind], min_size=len(values), max_size=len(values)))
    codes = np.arange(len(values)) % 3
    law, field = how("y"), pa.field("x", pa.struct([pa.field("x", pa.int64()), FIELDS[kind].with_name("y")]))
    pairs: list[object] = [{"x": x, "y": y} for x, y in zip(values, by, strict=True)]
    parts = in_parts(law, field, pairs, codes, 3, data.draw(st.lists(st.integers(0, 20), max_size=3)))
    back = law.retractable()
    column, place = pa.array(pairs, field.type), np.arange(len(values))
    gone = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))), np.bool_)
    order = Order(place % 3 * 100 + place, place * 0, place)
    state = back.add(back.create(3, field), codes, column, order)
    state = back.subtract(state, codes[gone], column.filter(gone), Order(*(each[gone] for each in astuple(order))))
    rows = pd.DataFrame({"x": values, "y": series_of(by, kind), "code": codes, "place": place}).dropna()
    for result, left in (
        (law.extract(parts, field), rows),
        (back.extract(state, field), rows[~gone[rows.index]]),
    ):
        for group in range(3):
            mine = left[left["code"] == group].sort_values("place", key=lambda at: at % 3 * 100 + at)
            extreme = mine["y"].max() if how is MaxBy else mine["y"].min()
            assert result[group].as_py() == (mine[mine["y"] == extreme]["x"].iloc[0] if len(mine) else None)


def test_what_the_value_beside_an_extreme_needs_is_named() -> None:
    with pytest.raises(GraphError, match=r"`by` of MaxBy must be the name of a column; got 3"):
        MaxBy(3)
    nested = pa.field("x", pa.struct([pa.field("x", pa.int64()), pa.field("y", pa.list_(pa.int64()))]))
    with pytest.raises(DtypeError, match=r"'min by' takes for `by` a column of numbers, bools, times or text"):
        MinBy("y").schema(nested)


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
