"""Expressions as text: what it means, its canonical form, and errors that point at the place."""

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flower.errors import ColumnError, DtypeError, ExpressionError
from flower.graph.expressions import (
    FUNCTIONS,
    Binary,
    Call,
    Column,
    Compare,
    FrameFunction,
    IsIn,
    Literal,
    Unary,
    expression,
    logical,
    negative,
    parse,
    predicate,
)
from flower.graph.schema import dtype_name, schema_of

A, B, C = Column("a"), Column("b"), Column("c")
SCHEMA = schema_of(
    {
        "a": "int64", "n": "Int64", "x": "float64", "small": "int8", "s": "str", "flag": "bool", "maybe": "boolean",
        "t": "datetime64[us, UTC]", "local": "datetime64[ms]", "d": "timedelta64[us]", "two words": "int64",
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a + b * c", Binary("+", A, Binary("*", B, C))),
        ("(a + b) * c", Binary("*", Binary("+", A, B), C)),
        ("a - b - c", Binary("-", Binary("-", A, B), C)),
        ("a - (b - c)", Binary("-", A, Binary("-", B, C))),
        ("-a ** b", Unary("-", Binary("**", A, B))),
        ("a ** -b ** c", Binary("**", A, Unary("-", Binary("**", B, C)))),
        ("-5", Literal(-5)),
        ("a - -5", Binary("-", A, Literal(-5))),
        ("-9223372036854775808", Literal(-(2**63))),
        ("1_000", Literal(1000)),
        ("1e3", Literal(1000.0)),
        ("a < b", Compare("<", A, B)),
        ("a < b < c", logical("and", Compare("<", A, B), Compare("<", B, C))),
        ("a < 1 & b > 2", logical("and", Compare("<", A, Literal(1)), Compare(">", B, Literal(2)))),
        ("a | b & c", logical("or", A, logical("and", B, C))),
        ("not a == b", Unary("not", Compare("==", A, B))),
        ("~a and b", logical("and", Unary("not", A), B)),
        ("a in ['x', \"y\"]", IsIn(A, (Literal("x"), Literal("y")))),
        ("a not in (1, -2)", Unary("not", IsIn(A, (Literal(1), Literal(-2))))),
        ("a in []", IsIn(A, ())),
        ("`two words` + `a``b`", Binary("+", Column("two words"), Column("a`b"))),
        ("größe", Column("größe")),
        ("abs(a)", Call("abs", (A,))),
        ("abs", Column("abs")),
        ("where(a, b, None)", Call("where", (A, B, Literal(None)))),
        (r"'it\'s \u00e9 \x41 \n'", Literal("it's é A \n")),
        ("'a & b | `c`'", Literal("a & b | `c`")),
        ("  a\n  + b", Binary("+", A, B)),
    ],
)  # fmt: skip
def test_text_means_what_python_and_pandas_query_mean(text, tree):
    assert parse(text) == tree


def test_literals_of_different_types_differ():
    assert len({Literal(1), Literal(1.0), Literal(True), Literal("1"), Literal(0.0), Literal(-0.0)}) == 6


names = st.sampled_from(
    ["a", "b", "two words", "a`b", "größe", "class", "and", "__x__", "len", "None", "a.b", "1", "😀"]
)
values = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)  # fmt: skip
literals = st.builds(Literal, values)


def calls(child):
    def of(name):
        function = FUNCTIONS[name]
        most = function.least + 2 if function.most is None else function.most
        return st.builds(Call, st.just(name), st.lists(child, min_size=function.least, max_size=most).map(tuple))

    return st.sampled_from(sorted(FUNCTIONS)).flatmap(of)


def trees():
    def extend(child):
        return st.one_of(
            st.builds(negative, child),
            st.builds(Unary, st.just("not"), child),
            st.builds(Binary, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), child.filter(has_column), child),
            st.builds(Compare, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), child, child),
            st.builds(IsIn, child, st.lists(literals, max_size=3).map(tuple)),
            st.lists(child, min_size=2, max_size=3).flatmap(
                lambda operands: st.sampled_from(["and", "or"]).map(lambda operator: logical(operator, *operands))
            ),
            calls(child),
        )

    return st.recursive(st.builds(Column, names) | literals, extend, max_leaves=12)


def has_column(tree):
    """Arithmetic of plain numbers may have no value, which text refuses."""
    return bool(tree.columns())


@given(trees())
def test_the_text_of_a_tree_reads_back_to_it(tree):
    text = str(tree)
    assert parse(text) == tree
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("((a)+(b))", "a + b"),
        ("(a*b)+c", "a * b + c"),
        ("a*(b+c)", "a * (b + c)"),
        ("a-(b+c)", "a - (b + c)"),
        ("(-a)**2", "(-a) ** 2"),
        ("-(a**2)", "-a ** 2"),
        ("(a**b)**c", "(a ** b) ** c"),
        ("(not a) == b", "(not a) == b"),
        ("not (a == b)", "not a == b"),
        ("not (a in [1])", "a not in [1]"),
        ("(a or b) and c", "(a or b) and c"),
        ("(a and b) or c", "a and b or c"),
        ("1 < a < 2", "1 < a and a < 2"),
        ("`a`", "a"),
        ('"it\'s"', '"it\'s"'),
    ],
)
def test_the_canonical_text_has_the_parentheses_it_needs(text, canonical):
    assert str(parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("delay.max() > 15", 5, "lower\\(s\\)"),
        ("a = 1", 2, "compare with =="),
        ("a > @limit", 4, "put the value into the text"),
        ("a > ", 3, "missing or too many"),
        ("a b", 2, "missing or too many"),
        ("a +\n  foo(1)", 2, "cannot call `foo`; the functions are abs, round"),
        ("len(s, s)", 0, r"write len\(s\)"),
        ("x if flag else 1", 2, r"write where\(condition, a, b\)"),
        ("x is None", 2, r"isna\(x\)"),
        ("'abc", 0, "not closed"),
        ("a in s", 5, r"contains\(s, 'text'\)"),
        ("a in [b]", 6, "plain values only"),
        ("a[0]", 0, "lists stand only after in"),
        ("1 + 99999999999999999999", 4, "fit int64"),
        ("f'{a}'", 0, "prefix"),
        ("'\\d'", 1, "backslash"),
        ("größe + \uff3fx", 8, r"U\+FF3F"),
    ],
)
def test_an_error_points_at_the_place(text, column, message):
    with pytest.raises(ExpressionError, match=message) as caught:
        parse(text)
    *_, line, caret = str(caught.value).splitlines()
    assert line.strip() in text
    assert caret == "    " + " " * column + "^"


def test_an_error_in_long_text_shows_the_part_around_the_place():
    with pytest.raises(ExpressionError) as caught:
        parse(" + ".join(["a"] * 40) + " + b.c" + " + a" * 40)
    *_, line, caret = str(caught.value).splitlines()
    assert len(line) <= 104
    assert line[len(caret) - 1] == "."


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("a + 1", "int64"), ("n + 1", "Int64"), ("small + 1", "int64"), ("small", "int8"), ("a / 2", "float64"),
        ("a * 1.0", "float64"), ("-n", "Int64"), ("a > 1", "bool"), ("n > 1", "boolean"), ("x > 1", "bool"),
        ("maybe == flag", "boolean"), ("n in [1]", "bool"), ("flag and n > 1", "boolean"), ("not flag", "bool"),
        ("s + '!'", "str"), ("len(s)", "Int64"), ("contains(s, 'x')", "bool"), ("hour(t)", "Int64"),
        ("t - t", "timedelta64[us]"), ("t + '1h'", "datetime64[us, UTC]"), ("local + '1h'", "datetime64[ms]"),
        ("local + '1us'", "datetime64[us]"), ("d / '1min'", "float64"), ("d > '1min'", "bool"), ("isna(x)", "bool"),
        ("where(flag, a, x)", "float64"), ("where(flag, n, 1)", "Int64"), ("where(flag, s, None)", "str"),
        ("coalesce(n, 0)", "int64"), ("coalesce(n, n)", "Int64"), ("min(a, 2)", "int64"), ("max(a, x)", "float64"),
        ("round(x, 2)", "float64"), ("round(a)", "int64"), ("sqrt(a)", "float64"), ("`two words`", "int64"),
        ("1", "int64"), ("'x'", "str"), ("True", "bool"), ("t > '2020-01-01'", "bool"), ("abs(d)", "timedelta64[us]"),
    ],
)  # fmt: skip
def test_the_dtype_is_known_before_any_data(text, dtype):
    assert dtype_name(expression(text, SCHEMA).dtype(SCHEMA)) == dtype
    assert expression(text, SCHEMA).field("new", SCHEMA).name == "new"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s > 1", "`s` of str and 1; numbers are written without quotes"),
        ("a > '1'", "`a` of int64 and '1'"),
        ("s + 1", "`[+]` takes numbers, in `s [+] 1`"),
        ("flag + 1", r"where\(flag, 1, 0\)"),
        ("a and flag", "`and` takes bools"),
        ("not a", "`not` takes bools"),
        ("flag > maybe", "bools compare with == and != only"),
        ("x == None", r"isna\(\.\.\.\)"),
        ("a in [1, None]", "a list has no None"),
        ("a in ['x']", "operands must be of one kind"),
        ("t > local", "time zone"),
        ("t > 5", "write times and durations as quoted text"),
        ("t > 'now'", "text beside a time must be one"),
        ("t > '10:30'", "text beside a time must be one"),
        ("local > '2020-01-01T00:00Z'", "local time without a zone"),
        ("d > '10'", "text beside a duration must be one"),
        ("t > '9999-12-31' or local > '200000-01-01'", "must be"),
        ("t + 5", "durations"),
        ("t * 2", "durations"),
        ("t + t", "durations"),
        ("hour(s)", "`hour` takes times"),
        ("lower(a)", "`lower` takes text"),
        ("abs(s)", "`abs` takes numbers"),
        ("contains(s, s)", "looks for quoted text"),
        ("where(a, 1, 2)", "the condition of `where`"),
        ("where(flag, a, s)", "operands must be of one kind"),
        ("where(flag, None, None)", "a value beside None"),
        ("min(s, s)", "takes numbers, times or durations"),
        ("round(x, a)", "digits must be a number"),
    ],
)
def test_operands_of_the_wrong_dtype_are_refused_with_the_columns_there_are(text, message):
    with pytest.raises(DtypeError, match=message) as caught:
        expression(text, SCHEMA)
    assert "The columns are a int64, n Int64, x float64" in str(caught.value)


def test_a_missing_column_is_refused_with_a_close_one():
    schema = schema_of({"delay": "int64", "carrier": "str"})
    with pytest.raises(ColumnError, match="no column 'dleay'; did you mean 'delay'"):
        expression("dleay > 15", schema)


def test_nested_columns_are_refused():
    schema = pa.schema([("absorbs", pa.list_(pa.int64()))])
    with pytest.raises(DtypeError, match="'absorbs'"):
        expression("isna(absorbs)", schema)


def test_a_filter_must_be_a_bool():
    assert str(predicate("a > 1", SCHEMA)) == "a > 1"
    with pytest.raises(DtypeError, match=r"`a \+ 1` of int64"):
        predicate("a + 1", SCHEMA)


def test_a_number_is_an_expression_and_a_function_stays_one():
    assert expression(5, SCHEMA) == Literal(5)
    assert expression(True, SCHEMA) == Literal(True)
    assert expression(abs, SCHEMA) == FrameFunction(abs)


@pytest.mark.parametrize("value", [None, b"a > 1", ["a"], pd.Series([True]), object()])
def test_what_is_no_expression_is_refused_with_what_is(value):
    with pytest.raises(ExpressionError, match=r"must be text, pd.col\(...\) or a function of the frame"):
        expression(value, SCHEMA)


def test_the_dtype_of_a_function_comes_from_a_frame_without_rows():
    assert dtype_name(FrameFunction(lambda f: f["a"] / 2).field("half", SCHEMA)) == "float64"
    assert FrameFunction(lambda f: f[["a", "s"]].assign(h=1.5)).schema(SCHEMA) == schema_of(
        {"a": "int64", "s": "str", "h": "float64"}
    )


@pytest.mark.parametrize(
    ("fn", "message"),
    [
        (lambda f: f["a"].iloc[0], "IndexError"),
        (lambda f: f["nope"], "KeyError"),
        (lambda f: 5, "got int"),
        (lambda f: pd.Series([], dtype=object), "Python objects"),
    ],
)
def test_a_function_that_tells_no_dtype_is_refused_with_the_remedy(fn, message):
    with pytest.raises((RuntimeError, TypeError), match=message) as caught:
        FrameFunction(fn).field("new", SCHEMA)
    assert "map_frames(fn, schema={...})" in str(caught.value)
