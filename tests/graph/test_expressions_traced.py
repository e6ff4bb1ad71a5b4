"""Expressions of pandas become ours."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from flower.errors import ColumnError, ExpressionError
from flower.graph.expressions import expression
from flower.graph.schema import schema_of

SCHEMA = schema_of(
    {"a": "int64", "x": "float64", "s": "str", "flag": "bool", "t": "datetime64[us, UTC]", "u": "datetime64[us, UTC]"}
)
a, x, s, flag, t, u = map(pd.col, SCHEMA.names)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (a > 15, "a > 15"),
        (np.int64(15) < a, "15 < a"),
        (a == 1, "a == 1"),
        (a != np.int64(1), "a != 1"),
        ((a >= 1) & (x <= 2) | ~flag, "a >= 1 and x <= 2 or not flag"),
        (flag & (flag & flag), "flag and flag and flag"),
        (1 - a, "1 - a"),
        ((a + 1) * 2 / x // 3 % 4 - a**2, "(a + 1) * 2 / x // 3 % 4 - a ** 2"),
        (2**x, "2 ** x"),
        (-a, "-a"),
        (abs(a), "abs(a)"),
        (a.abs(), "abs(a)"),
        (x.round(), "round(x)"),
        (x.round(2), "round(x, 2)"),
        (np.sqrt(x) + np.log(x) + np.exp(x), "sqrt(x) + log(x) + exp(x)"),
        (np.floor(x), "floor(x)"),
        (np.float64(2.5) * x, "2.5 * x"),
        (np.add(a, x), "a + x"),
        (x.isna() | x.notna() | x.isnull(), "isna(x) or notna(x) or isna(x)"),
        (x.fillna(0), "coalesce(x, 0)"),
        (x.where(flag), "where(flag, x, None)"),
        (x.where(flag, a), "where(flag, x, a)"),
        (x.mask(a > 1, 0.5), "where(a > 1, 0.5, x)"),
        (a.isin([1, 2]), "a in [1, 2]"),
        (~s.isin({"AA"}), "s not in ['AA']"),
        (a.between(1, 2), "a >= 1 and a <= 2"),
        (a.between(1, 2, inclusive="left"), "a >= 1 and a < 2"),
        (s.str.lower() == "aa", "lower(s) == 'aa'"),
        (s.str.strip().str.upper(), "upper(strip(s))"),
        (s.str.len(), "len(s)"),
        (s.str.startswith("A") | s.str.endswith("B"), "startswith(s, 'A') or endswith(s, 'B')"),
        (s.str.contains("A"), "contains(s, 'A')"),
        (s.str.contains("a.b", regex=False), "contains(s, 'a.b')"),
        (t.dt.hour + t.dt.weekday, "hour(t) + dayofweek(t)"),
        (t >= pd.Timestamp("2013-01-01", tz="UTC"), "t >= '2013-01-01T00:00:00+00:00'"),
        (t >= dt.datetime(2013, 1, 1, 12), "t >= '2013-01-01T12:00:00'"),
        (u - t > pd.Timedelta("90min"), "u - t > '1h 30min'"),
        (t + dt.timedelta(hours=-1), "t + '-1h'"),
    ],
)
def test_a_pandas_expression_becomes_ours(value, text):
    assert str(expression(value, SCHEMA)) == text


@pytest.mark.parametrize(
    "value",
    [
        a.rank(), a.shift(1), a.cumsum(), a.sum(), a.map(eval), a.apply(print), a.pipe(print), a["x"], a.iloc[0],
        a.values, a.astype("str"), s.str.contains("a|b"), s.str.startswith(("a", "b")), s.str.strip("x"),
        s.str.get(0),
        t.dt.floor("D"), t.dt.tz_convert("UTC"), a ^ 1, a @ a, a == None, a == np.nan, a.fillna(None), a == [1], a(1),  # noqa: E711
        a.between(1, 2, inclusive="x"), np.maximum(a, x), np.sin(x), np.add.reduce(a), a.case_when([(flag, 1)]),
        pd.col(1),
        a == 2**70, a == object(), a.round(decimals="x") + 1j, x == np.inf,
    ],
    ids=lambda value: str(value).split(" at 0x")[0],  # an address differs between processes
)  # fmt: skip
def test_what_cannot_be_traced_is_refused(value):
    with pytest.raises(ExpressionError):
        expression(value, SCHEMA)


def test_the_remedy_is_a_function_of_the_frame():
    with pytest.raises(ExpressionError, match=r"cannot have `.rank`; use a function of the frame"):
        expression(a.rank() > 3, SCHEMA)


def test_a_missing_column_is_our_error():
    with pytest.raises(ColumnError, match="no column 'aa'; did you mean 'a'"):
        expression(pd.col("aa") > 1, SCHEMA)


def test_an_expression_used_in_itself_again_and_again_is_refused():
    doubled = x
    for _ in range(12):  # pandas writes its text out at every step
        doubled = doubled + doubled
    with pytest.raises(ExpressionError, match="at most 1000 times"):
        expression(doubled, SCHEMA)
    deep = x
    for _ in range(100):
        deep = deep + 1
    with pytest.raises(ExpressionError, match="nested at most"):
        expression(deep, SCHEMA)


def test_nothing_of_a_traced_expression_is_run_on_rows():
    called = []
    value = a.map(called.append)
    with pytest.raises(ExpressionError):
        expression(value, SCHEMA)
    assert called == []
