"""Kinds of state: what they keep, what they refuse, and that nothing is lost on the way into columns and back."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import examples

from flower.errors import DtypeError
from flower.graph.source import laid_out, value_source
from flower.graph.state import Kind, List, Map, Set, Value

TIME = pd.Timestamp("2000-01-01T12:00:00Z")
VALUES: dict[str, Any] = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "int8": st.integers(-128, 127),
    "float64": st.floats(allow_nan=False),
    "bool": st.booleans(),
    "str": st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    "datetime64[us, UTC]": st.integers(-(10**15), 10**15).map(lambda us: pd.Timestamp(us, unit="us", tz="UTC")),
    "datetime64[ns]": st.integers(-(10**15), 10**15).map(lambda ns: pd.Timestamp(ns)),
    "timedelta64[us]": st.integers(-(10**12), 10**12).map(lambda us: pd.Timedelta(us, unit="us")),
}
dtypes = st.sampled_from(list(VALUES))


@st.composite
def kept(draw: Any) -> tuple[Kind, list[Any]]:
    """A kind, and a value for each of some keys."""
    dtype = draw(dtypes)
    one = VALUES[dtype]
    match draw(st.integers(0, 3)):
        case 0:
            default = draw(st.none() | one)
            return Value(dtype, default), draw(st.lists(st.none() | one, max_size=5))
        case 1:
            return List(dtype), draw(st.lists(st.lists(st.none() | one if dtype != "float64" else one), max_size=5))
        case 2:
            return Set(dtype), draw(st.lists(st.sets(one), max_size=5))
    values = draw(dtypes)
    return Map(dtype, values), draw(st.lists(st.dictionaries(one, VALUES[values]), max_size=5))


@examples(200)
@given(kept())
def test_what_is_kept_comes_back(given: tuple[Kind, list[Any]]) -> None:
    kind, values = given
    column = kind.encoded(values)
    assert column.type == kind.type
    expected = [kind.default if each is None else each for each in values]
    back = kind.decoded(column)
    assert back == expected
    assert [type(each) for each in back] == [type(each) for each in expected]
    assert [kind.normal(each) for each in values] == expected
    if isinstance(kind, Map):
        assert [list(each) for each in back] == [list(each) for each in values]
    # A key with nothing but defaults takes no room.
    assert column.is_valid().to_pylist() == [each != kind.default for each in expected]


@examples(60)
@given(kept())
def test_its_source_makes_an_equal_one(given: tuple[Kind, list[Any]]) -> None:
    import flower as fl

    kind, _ = given
    same = eval(laid_out(value_source(kind)), {"fl": fl, "pd": pd})
    assert same == kind
    assert hash(same) == hash(kind)
    assert pickle.loads(pickle.dumps(kind)) == kind
    assert kind != Value("int16")


def test_what_is_changed_does_not_change_what_is_kept() -> None:
    for kind, value in ((List("int64"), [1]), (Set("int64"), {1}), (Map("str", "int64"), {"a": 1})):
        copy = kind.copied(value)
        copy.clear()
        assert value
        assert kind.default is not kind.default


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Value("int64"), "many"),
        (Value("int64"), 1.5),
        (Value("int64"), 2**63),
        (Value("int8"), 128),
        (Value("bool"), 1),
        (Value("str"), 1),
        (Value("float64"), 2**60 + 1),
        (Value("datetime64[us, UTC]"), pd.Timestamp("2000-01-01")),
        (Value("str"), "\ud800"),
        (Value("int64"), [1]),
        (List("int64"), [1, "a"]),
        (List("int64"), 3),
        (List("str"), "text"),
        (Set("int64"), [1]),
        (Set("int64"), {1.5}),
        (Map("str", "int64"), {"a": "b"}),
        (Map("str", "int64"), {None: 1}),
        (Map("str", "int64"), [("a", 1)]),
    ],
)
def test_what_does_not_fit_or_would_lose_something_is_refused(kind: Kind, value: Any) -> None:
    with pytest.raises(DtypeError):
        kind.normal(value)


def test_what_fits_without_loss_is_taken() -> None:
    assert Value("int64").normal(2.0) == 2
    assert type(Value("int64").normal(np.int32(2))) is int
    assert Value("float64").normal(2) == 2.0
    assert Value("float64", default=1.5).normal(float("nan")) == 1.5
    assert Value("str").normal("größer") == "größer"
    assert List("float64").normal((1, 2.5)) == [1.0, 2.5]
    assert Set("str").normal(frozenset({"a"})) == {"a"}


def test_a_set_is_kept_in_order_whatever_that_of_its_members() -> None:
    column = Set("str").encoded([{"c", "a", "b"}])
    assert column.to_pylist() == [["a", "b", "c"]]


def test_a_default_must_fit_and_a_time_may_be_text() -> None:
    assert Value("datetime64[us, UTC]", default="2000-01-01T12:00:00Z").default == TIME
    assert Value("timedelta64[us]", default="1min").default == pd.Timedelta("1min")
    assert repr(Value("datetime64[us, UTC]", default=TIME)) == (
        "Value('datetime64[us, UTC]', default='2000-01-01 12:00:00+00:00')"
    )
    with pytest.raises(DtypeError):
        Value("int64", default="none")


def test_dtypes_that_are_none_are_refused() -> None:
    with pytest.raises(DtypeError, match="did you mean 'int64'"):
        Value("int46")
    with pytest.raises(DtypeError, match="has no categories"):
        Value("category")
    with pytest.raises(DtypeError):
        List(pa.list_(pa.int64()))
