"""Expressions on columns: as pandas computes them, of the dtype that was promised, and never a silent nonsense."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flower as fl
from flower.engine.evaluate import REASONS, evaluate, predicate_mask
from flower.errors import DtypeError
from flower.graph.expressions import FUNCTIONS, Expr, expression, parse
from flower.graph.schema import columns_of, field_of, frame_of

NUMBERS = {
    "a": "int64", "b": "int64", "n": "Int64", "m": "Int64", "x": "float64", "y": "float64", "f": "float32", "i": "int8",
}  # fmt: skip
OTHERS = {
    "s": "str", "z": "str", "p": "bool", "q": "boolean", "r": "boolean",
    "t": "datetime64[us, Europe/Berlin]", "u": "datetime64[us, Europe/Berlin]", "l": "datetime64[s]",
    "d": "timedelta64[us]", "w": "timedelta64[ms]", "big": "uint64",
}  # fmt: skip
SCHEMA = pa.schema([field_of(name, dtype) for name, dtype in (NUMBERS | OTHERS).items()])

INSTANTS = [-(10**15), -1, 0, 10**6, 999_999_999_999_999, 10**15, 1_364_691_600_000_000, 1_382_835_600_000_000, None]
WHOLE, FLOATS = [-5, -3, -1, 0, 1, 2, 5], [np.nan, 0.0, -0.0, 1.0, 2.5, -3.5, 5.0, np.inf, -np.inf]
POOLS: dict[str, list] = {
    "int64": WHOLE,
    "Int64": [*WHOLE, None],
    "int8": WHOLE,
    "float64": [*FLOATS, 1e300],
    "float32": FLOATS,
    "str": ["", "a", "AB", " b ", "ü", "aa", None],
    "bool": [True, False],
    "boolean": [True, False, None],
    "datetime64[us, Europe/Berlin]": INSTANTS,
    "datetime64[s]": [-(10**9), 0, 1, 10**9, None],
    "timedelta64[us]": INSTANTS,
    "timedelta64[ms]": [*WHOLE, None],
    "uint64": [0, 1, 2**63, 2**64 - 1],
}
TENTH = settings(max_examples=max(settings.default.max_examples // 10, 5))
"""For batches that have many cases each."""


@st.composite
def batches(draw, most=60) -> pa.RecordBatch:
    """Rows in which everything meets everything, missing values first of all."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(0, most))
    arrays = []
    for field, dtype in zip(SCHEMA, (NUMBERS | OTHERS).values(), strict=True):
        pool = POOLS[dtype]
        arrays.append(pa.array([pool[k] for k in rng.integers(0, len(pool), n)], field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def values(series) -> list:
    """Plain values; whatever is missing is None."""
    return [None if pd.isna(v) else v for v in pd.Series(series).astype(object)]


def agree(text: str, rows: pa.RecordBatch, expected) -> None:
    """The expression gives what pandas gives, wherever it gives anything."""
    column, codes = evaluate(expression(text, rows.schema), rows)
    got = values(frame_of(pa.RecordBatch.from_arrays([column], schema=pa.schema([pa.field("c", column.type)])))["c"])
    for i, (ours, theirs) in enumerate(zip(got, values(expected), strict=True)):
        if codes is None or not codes[i]:
            assert ours == theirs, (text, i, rows.slice(i, 1).to_pylist())


@pytest.mark.parametrize("operator", ["==", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize(
    ("left", "right"), ["ab", "ax", "xa", "xy", "na", "an", "nm", "nx", "sz", "tu", "ai", "ll", "dw"]
)
@TENTH
@given(rows=batches())
def test_comparisons_are_pandas(operator, left, right, rows):
    frame = frame_of(rows)
    agree(f"{left} {operator} {right}", rows, compared(operator, frame[left], frame[right]))


def compared(operator: str, left, right):
    return {
        "==": lambda: left == right, "!=": lambda: left != right, "<": lambda: left < right,
        "<=": lambda: left <= right, ">": lambda: left > right, ">=": lambda: left >= right,
    }[operator]()  # fmt: skip


@pytest.mark.parametrize(
    ("text", "theirs"),
    [
        ("a > 1", lambda f: f.a > 1),
        ("1 > n", lambda f: f.n < 1),
        ("x != 1", lambda f: f.x != 1),
        ("s == 'a'", lambda f: f.s == "a"),
        ("s != 'a'", lambda f: f.s != "a"),
        ("'a' < s", lambda f: f.s > "a"),
        ("t >= '2001-09-09'", lambda f: f.t >= pd.Timestamp("2001-09-09", tz="Europe/Berlin")),
        ("t >= '2001-09-09T00:00Z'", lambda f: f.t >= pd.Timestamp("2001-09-09", tz="UTC")),
        ("l != '2001-09-09T01:46:40'", lambda f: f.l != pd.Timestamp("2001-09-09T01:46:40")),
        ("d > '2h'", lambda f: f.d > pd.Timedelta("2h")),
        ("w > '1us'", lambda f: f.w > pd.Timedelta("1us")),
        ("a in [1, 2, 30]", lambda f: f.a.isin([1, 2, 30])),
        ("n not in [1, 2]", lambda f: ~f.n.isin([1, 2])),
        ("x in [1, 2.5]", lambda f: f.x.isin([1, 2.5])),
        ("x in [" + ", ".join(map(str, range(20))) + "]", lambda f: f.x.isin(range(20))),
        ("s in ['a', 'AB']", lambda f: f.s.isin(["a", "AB"])),
        ("s not in ['a']", lambda f: ~f.s.isin(["a"])),
        ("p in [True]", lambda f: f.p),
        ("big in [0, 1]", lambda f: f.big.isin([0, 1])),
        ("big > -1", lambda f: f.big >= 0),
        ("a < b < x", lambda f: (f.a < f.b) & (f.b < f.x)),
        ("p and q", lambda f: f.p & f.q),
        ("q and r", lambda f: f.q & f.r),
        ("q or r or p", lambda f: f.q | f.r | f.p),
        ("not q", lambda f: ~f.q),
        ("not p or x > 1", lambda f: ~f.p | (f.x > 1)),
        ("q == r", lambda f: f.q == f.r),
        ("p != q", lambda f: f.p != f.q),
        ("-n", lambda f: -f.n),
        ("-x", lambda f: -f.x),
        ("-d", lambda f: -f.d),
        ("a + b * 2 - 1", lambda f: f.a + f.b * 2 - 1),
        ("n - m", lambda f: f.n - f.m),
        ("n * x", lambda f: f.n * f.x),
        ("a / b", lambda f: f.a / f.b),
        ("n / m", lambda f: f.n / f.m),
        ("x / y", lambda f: f.x / f.y),
        ("x // y", lambda f: f.x // f.y),
        ("x % y", lambda f: f.x % f.y),
        ("a // b", lambda f: f.a // f.b),
        ("a % b", lambda f: f.a % f.b),
        ("n // 2 + m % 3", lambda f: f.n // 2 + f.m % 3),
        ("x ** 2", lambda f: f.x**2),
        ("a ** 2", lambda f: f.a**2),
        ("2 ** abs(n)", lambda f: 2 ** f.n.abs()),
        ("s + z", lambda f: f.s + f.z),
        ("s + '!'", lambda f: f.s + "!"),
        ("t - u", lambda f: f.t - f.u),
        ("t + '90min'", lambda f: f.t + pd.Timedelta("90min")),
        ("'90min' + t", lambda f: f.t + pd.Timedelta("90min")),
        ("t + d", lambda f: f.t + f.d),
        ("l - d", lambda f: f.l - f.d),
        ("t - w", lambda f: f.t - f.w),
        ("d + w - d", lambda f: f.d + f.w - f.d),
        ("d / '1min'", lambda f: f.d / pd.Timedelta("1min")),
        ("d / w", lambda f: f.d / f.w),
        ("abs(a) + abs(i)", lambda f: f.a.abs() + f.i.astype("int64").abs()),
        ("abs(x)", lambda f: f.x.abs()),
        ("abs(d)", lambda f: f.d.abs()),
        ("round(x)", lambda f: f.x.round()),
        ("round(x, 1)", lambda f: f.x.round(1)),
        ("floor(x)", lambda f: np.floor(f.x)),
        ("ceil(x)", lambda f: np.ceil(f.x)),
        ("floor(n)", lambda f: f.n),
        ("sqrt(abs(x))", lambda f: np.sqrt(f.x.abs())),
        ("exp(x)", lambda f: np.exp(f.x)),
        ("min(a, b, 3)", lambda f: f[["a", "b"]].min(axis=1).clip(upper=3)),
        ("max(x, y)", lambda f: f[["x", "y"]].max(axis=1)),
        ("min(t, u)", lambda f: f[["t", "u"]].min(axis=1)),
        ("max(n, m)", lambda f: f[["n", "m"]].max(axis=1)),
        ("isna('a')", lambda f: f.s.isna() & ~f.s.isna()),
        ("isna(n)", lambda f: f.n.isna()),
        ("notna(x)", lambda f: f.x.notna()),
        ("isna(s)", lambda f: f.s.isna()),
        ("isna(t)", lambda f: f.t.isna()),
        ("isna(a)", lambda f: f.a.isna()),
        ("where(p, a, b)", lambda f: f.a.where(f.p, f.b)),
        ("where(p, n, 0)", lambda f: f.n.where(f.p, 0)),
        ("where(p, s, None)", lambda f: f.s.where(f.p)),
        ("where(x > 0, s, z)", lambda f: f.s.where(f.x > 0, f.z)),
        ("where(p, t, u)", lambda f: f.t.where(f.p, f.u)),
        ("coalesce(n, m, 0)", lambda f: f.n.fillna(f.m).fillna(0)),
        ("coalesce(x, a)", lambda f: f.x.fillna(f.a)),
        ("coalesce(s, z)", lambda f: f.s.fillna(f.z)),
        ("coalesce(t, u)", lambda f: f.t.fillna(f.u)),
        ("coalesce(q, False)", lambda f: f.q.fillna(False)),
        ("len(s)", lambda f: f.s.str.len()),
        ("lower(s)", lambda f: f.s.str.lower()),
        ("upper(s)", lambda f: f.s.str.upper()),
        ("strip(s)", lambda f: f.s.str.strip()),
        ("startswith(s, 'a')", lambda f: f.s.str.startswith("a")),
        ("endswith(s, 'B')", lambda f: f.s.str.endswith("B")),
        ("contains(s, 'b')", lambda f: f.s.str.contains("b", regex=False)),
        ("contains(s, '')", lambda f: f.s.str.contains("", regex=False)),
        *((f"{part}(t)", lambda f, part=part: getattr(f.t.dt, part)) for part in
          ("year", "month", "day", "hour", "minute", "second")),
        ("dayofweek(t)", lambda f: f.t.dt.day_of_week),
        ("hour(l)", lambda f: f.l.dt.hour),
        ("year(t - d)", lambda f: (f.t - f.d).dt.year),
    ],
)  # fmt: skip
@TENTH
@given(rows=batches())
def test_operators_and_functions_are_pandas(text, theirs, rows):
    with np.errstate(all="ignore"):
        expected = theirs(frame_of(rows))
    agree(text, rows, expected)


def test_the_hour_of_a_zone_is_that_of_its_clocks_in_any_year():
    times = pd.to_datetime(["1880-01-01T12:00", "2027-07-01T12:00", None, "2047-07-01T12:00"]).tz_localize("UTC")
    rows = fl.read.frame(pd.DataFrame({"t": times.as_unit("us").tz_convert("America/New_York")}))
    assert rows.assign(h="hour(t)").collect()["h"].tolist() == [7, 8, pd.NA, 8]


def test_every_function_is_computed():
    from flower.engine.evaluate import _CALLS

    assert _CALLS.keys() == FUNCTIONS.keys()


OPERANDS = [*SCHEMA.names, "1", "-2", "2.5", "True", "None", "'a'", "'2020-01-01'", "'1h'"]


SHAPES = [
    "{} + {}", "{} - {}", "{} * {}", "{} / {}", "{} // {}", "{} % {}", "-{}", "not {}", "{} and {}", "{} or {}",
    "{} < {}", "{} == {}", "{} != {}", "{} in [1, 2]", "{} in ['a']", "call",
]  # fmt: skip


@st.composite
def texts(draw, depth=3) -> str:
    """Text that may or may not fit the dtypes."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(OPERANDS))
    shape = draw(st.sampled_from(SHAPES))
    if shape == "call":
        name = draw(st.sampled_from(sorted(FUNCTIONS)))
        shape = name + "(" + ", ".join(["{}"] * FUNCTIONS[name].least) + ")"
    return shape.format(*(f"({draw(texts(depth - 1))})" for _ in range(shape.count("{}"))))


def valid(text: str) -> Expr | None:
    try:
        return expression(text, SCHEMA)
    except (DtypeError, ValueError):
        return None


@given(st.data(), batches())
def test_the_dtype_that_was_promised_is_the_dtype_that_comes(data, rows):
    tree = data.draw(texts().map(valid).filter(lambda tree: tree is not None))
    promised = tree.dtype(SCHEMA)
    column, codes = evaluate(tree, rows)
    assert column.type == promised.type
    assert len(column) == rows.num_rows
    good = column if codes is None else column.filter(pa.array(codes == 0))
    assert promised.nullable or not good.null_count
    if pa.types.is_floating(column.type):
        assert not column.null_count


@given(st.data(), batches(most=5))
def test_a_row_has_the_same_value_alone_and_among_others(data, rows):
    tree = data.draw(texts().map(valid).filter(lambda tree: tree is not None))
    column, codes = evaluate(tree, rows)
    for i in range(rows.num_rows):
        alone, code = evaluate(tree, rows.slice(i, 1))
        assert (0 if code is None else code[0]) == (0 if codes is None else codes[i])
        if code is None:
            assert repr(alone[0].as_py()) == repr(column[i].as_py())


def reasons(text: str, **data) -> list[str]:
    rows = columns_of(pd.DataFrame(data))
    _, codes = evaluate(expression(text, rows.schema), rows)
    return [REASONS[code] for code in (codes if codes is not None else [0] * rows.num_rows)]


EDGES = [
    -(2**63),
    -(2**63) + 1,
    -(2**32),
    -3037000500,
    -2,
    -1,
    0,
    1,
    2,
    3,
    62,
    63,
    64,
    3037000499,
    2**32,
    2**62,
    2**63 - 1,
]


@pytest.mark.parametrize("operator", ["+", "-", "*", "//", "%", "**"])
@given(st.lists(st.tuples(st.sampled_from(EDGES), st.sampled_from(EDGES)), min_size=1, max_size=10))
def test_integers_are_exact_or_errors(operator, pairs):
    rows = columns_of(pd.DataFrame(pairs, columns=["a", "b"], dtype="int64"))
    column, codes = evaluate(parse(f"a {operator} b"), rows)
    for i, (a, b) in enumerate(pairs):
        code = 0 if codes is None else codes[i]
        if operator in ("//", "%") and b == 0:
            assert REASONS[code] == "an integer was divided by zero"
        elif operator == "**" and b < 0:
            assert REASONS[code] == "an integer was raised to a negative power"
        else:
            huge = operator == "**" and abs(a) > 1 and b > 63
            exact = 2**64 if huge else {"+": a + b, "-": a - b, "*": a * b}.get(operator)
            if exact is None:
                exact = a // b if operator == "//" else a % b if operator == "%" else a**b
            fits = -(2**63) <= exact < 2**63
            assert (REASONS[code] == "") == fits
            assert not fits or column[i].as_py() == exact


def test_a_row_whose_integer_is_missing_is_no_error():
    assert reasons("n // 0", n=pd.array([None, 1], "Int64")) == ["", "an integer was divided by zero"]
    assert reasons("n + 1", n=pd.array([None, 2**63 - 1], "Int64")) == ["", "a number left the range of int64"]


def test_unsigned_integers_beyond_int64_are_errors_in_arithmetic_only():
    data = {"u": np.array([1, 2**64 - 1], np.uint64)}
    assert reasons("u + 1", **data) == ["", "a number left the range of int64"]
    assert reasons("u > 5", **data) == ["", ""]


def test_times_out_of_range_are_errors():
    data = {"t": pd.Series([0, 2**63 - 2], dtype="M8[us]")}
    assert reasons("t + '1D'", **data) == ["", "a number left the range of int64"]
    assert reasons("t > '2020-01-01T00:00:00.123456789'", **data) == ["", "a number left the range of int64"]


def test_the_smallest_integer_has_no_distance_from_zero():
    assert reasons("abs(a)", a=[-(2**63), 1]) == ["a number left the range of int64", ""]
    assert reasons("-a", a=[-(2**63), 1]) == ["a number left the range of int64", ""]


@pytest.mark.parametrize(
    ("text", "values", "why"),
    [
        ("where(b != 0, a // b, 0)", [0, 2], ["", ""]),
        ("where(b == 0, a // b, 0)", [None, 0], ["an integer was divided by zero", ""]),
        ("b != 0 and a // b > 1", [False, True], ["", ""]),
        ("a // b > 1 and b != 0", [False, True], ["", ""]),
        ("b == 0 or a // b > 1", [True, True], ["", ""]),
        ("b == 0 and a // b > 1", [None, False], ["an integer was divided by zero", ""]),
        ("coalesce(a, a // b)", [4, 4], ["", ""]),
        ("isna(a // b)", [None, False], ["an integer was divided by zero", ""]),
    ],
)
def test_a_guard_keeps_a_row_from_failing(text, values, why):
    rows = columns_of(pd.DataFrame({"a": [4, 4], "b": [0, 2]}))
    column, codes = evaluate(expression(text, rows.schema), rows)
    assert [REASONS[code] for code in (codes if codes is not None else [0, 0])] == why
    assert [v for v, w in zip(column.to_pylist(), why, strict=True) if not w] == [v for v in values if v is not None]


def test_floats_follow_ieee():
    rows = columns_of(pd.DataFrame({"x": [1.0, -1.0, 0.0]}))
    column, codes = evaluate(parse("x / 0"), rows)
    assert codes is None
    assert repr(column.to_pylist()) == "[inf, -inf, nan]"


def test_a_filter_holds_only_where_it_is_true():
    rows = columns_of(pd.DataFrame({"n": pd.array([1, None, 3], "Int64"), "x": [np.nan, 5.0, 0.0], "a": [1, 1, 0]}))
    assert predicate_mask(parse("n > 0"), rows)[0].tolist() == [True, False, True]
    assert predicate_mask(parse("not n > 5"), rows)[0].tolist() == [True, False, True]
    assert predicate_mask(parse("x > 1 or n == 3"), rows)[0].tolist() == [False, True, True]
    mask, codes = predicate_mask(parse("1 // a == 1"), rows)
    assert mask.tolist() == [True, True, False]
    assert codes.tolist() == [0, 0, 1]
    assert predicate_mask(parse("True"), rows)[0].tolist() == [True, True, True]


def test_categories_are_text():
    rows = columns_of(
        pd.DataFrame({"timing": pd.Categorical(["late", None, "early"], categories=["early", "late"])}),
        pa.schema([("timing", pa.dictionary(pa.int8(), pa.string()))]),
    )
    assert evaluate(parse("timing"), rows)[0].to_pylist() == ["late", None, "early"]
    assert predicate_mask(parse("timing == 'late'"), rows)[0].tolist() == [True, False, False]


def test_no_rows_give_no_rows():
    empty = pa.RecordBatch.from_pylist([], schema=SCHEMA)
    for text in ("a + 1", "s + 'x'", "t > '2020-01-01'", "a in [1]", "where(p, n, 0)", "hour(t)", "1", "min(a, b)"):
        assert len(evaluate(expression(text, SCHEMA), empty)[0]) == 0
