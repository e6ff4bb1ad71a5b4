"""What operators take and give: the one place that knows the dtypes of expressions.

The same rules tell a dtype before any data and what the evaluator converts operands to, so the two cannot differ.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal as Literals
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from flower.errors import DtypeError
from flower.graph.expressions.tree import Binary, Call, Column, Compare, Expr, IsIn, Literal, Logical, Unary
from flower.graph.schema import dtype_name, require_columns

BOOL, INT, FLOAT, STR, NULL = pa.bool_(), pa.int64(), pa.float64(), pa.large_string(), pa.null()
UNITS: tuple[Literals["s", "ms", "us", "ns"], ...] = ("s", "ms", "us", "ns")

_ISO = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d.*)?)?)?")


class Signature(NamedTuple):
    """What the operands of an expression are converted to, and what it gives."""

    operands: tuple[pa.DataType, ...]
    result: pa.Field


def field(t: pa.DataType, nullable: bool = True) -> pa.Field:
    """A nameless field; floats, text and times can always be missing."""
    return pa.field("", t, nullable=nullable or not (pa.types.is_integer(t) or pa.types.is_boolean(t)))


def column_field(column: pa.Field) -> pa.Field:
    """What an expression sees of a column: categories are text.

    Raises
    ------
    DtypeError
        If it is nested.
    """
    t = STR if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(t):
        raise DtypeError(
            "an expression takes columns of numbers, text, bools, times and durations",
            got=f"column {column.name!r} of {dtype_name(column)}",
            hint="use a function of the frame instead",
        )
    return field(t, column.nullable)


def kind(t: pa.DataType) -> str:
    """The kind of a type: operands of one kind go together."""
    if pa.types.is_integer(t):
        return "int"
    if pa.types.is_floating(t):
        return "float"
    if pa.types.is_boolean(t):
        return "bool"
    if pa.types.is_timestamp(t):
        return "naive time" if t.tz is None else "time"
    if pa.types.is_duration(t):
        return "duration"
    return "null" if pa.types.is_null(t) else "str"


def dtype_of(expression: Expr, schema: pa.Schema) -> pa.Field:
    """What an expression gives for rows of ``schema``; see `Expr.dtype`."""
    match expression:
        case Column(name):
            require_columns(schema, [name])
            return column_field(schema.field(name))
        case Literal(value):
            return literal_field(value)
    return signature(expression, tuple(dtype_of(child, schema) for child in expression.children)).result


def literal_field(value: object) -> pa.Field:
    """The type of a literal."""
    match value:
        case None:
            return field(NULL)
        case bool():
            return field(BOOL, False)
        case int():
            return field(INT, False)
        case float():
            return field(FLOAT)
    return field(STR)


@lru_cache(maxsize=4096)
def signature(expression: Expr, fields: tuple[pa.Field, ...]) -> Signature:
    """The signature of an expression whose children have ``fields``.

    Raises
    ------
    DtypeError
        If it cannot take them.
    """
    types = [each.type for each in fields]
    nullable = any(each.nullable for each in fields)
    match expression:
        case Unary("not"):
            return _logical(expression, fields, nullable)
        case Unary():
            return _negated(expression, fields, nullable)
        case Binary():
            return _binary(expression, fields, nullable)
        case Compare():
            return _compare(expression, fields)
        case IsIn(operand, items):
            common = common_type(expression, (operand, *items), fields)
            if any(item.value is None for item in items):
                raise refused(expression, "a list has no None", fields, "test for missing values with isna(...)")
            if kind(common) in ("int", "float"):
                common = types[0] if kind(types[0]) == kind(common) else common
            return Signature((common,) * len(types), field(BOOL, False))
        case Logical():
            return _logical(expression, fields, nullable)
        case Call(name):
            from flower.graph.expressions.functions import FUNCTIONS

            return FUNCTIONS[name].rule(expression, fields)
    raise TypeError(f"not an expression: {expression!r}")


def refused(expression: Expr, required: str, fields: Sequence[pa.Field], hint: str) -> DtypeError:
    """The error of an expression that cannot take its operands; says what each of them is."""
    named = {str(e): dtype_name(f) for e, f in zip(expression.children, fields, strict=False) if e.columns()}
    got = " and ".join(f"`{text}` of {name}" for text, name in named.items())
    literals = [str(e) for e in expression.children if not e.columns()]
    return DtypeError(f"{required}, in `{expression}`", got=" and ".join(filter(None, [got, *literals])), hint=hint)


def common_type(expression: Expr, operands: Sequence[Expr], fields: Sequence[pa.Field]) -> pa.DataType:
    """The type that ``operands`` share: numbers int64 or float64, times and durations the finest unit.

    Text beside a time or duration is read as one; None is of any type.
    """
    types = [each.type for each in fields]
    present = [t for t in types if not pa.types.is_null(t)]
    times = [t for t in present if kind(t) in ("time", "naive time", "duration")]
    if times:
        read = [
            text_type(expression, each.value, times[0])
            if isinstance(each, Literal) and isinstance(each.value, str)
            else t
            for each, t in zip(operands, types, strict=True)
        ]
        present = [t for t in read if not pa.types.is_null(t)]
        if len({kind(t) for t in present}) == 1:
            finest = max((t.unit for t in present), key=UNITS.index)
            return pa.timestamp(finest, times[0].tz) if pa.types.is_timestamp(times[0]) else pa.duration(finest)
    elif len(set(present)) == 1:
        return present[0]
    elif not present:
        return NULL
    elif {kind(t) for t in present} <= {"int", "float"}:
        return FLOAT if any(kind(t) == "float" for t in present) else INT
    elif len({kind(t) for t in present}) == 1:
        return present[0]
    kinds = {kind(t) for t in present}
    if kinds == {"time", "naive time"}:
        hint = "one of them has a time zone: give both one, or none"
    elif "str" in kinds and kinds & {"int", "float"}:
        hint = "numbers are written without quotes, text with them"
    elif "bool" in kinds:
        hint = "turn the bool into a number with where(flag, 1, 0)"
    else:
        hint = "write times and durations as quoted text, as '2000-01-01' and '10min'"
    raise refused(expression, "operands must be of one kind", fields, hint)


def text_type(expression: Expr, text: str, beside: pa.DataType) -> pa.DataType:
    """The type of a time or duration written as text beside one of type ``beside``: its unit, or a finer one."""
    return text_scalar(expression, text, beside).type


def text_scalar(expression: Expr, text: str, beside: pa.DataType) -> pa.Scalar:
    """The time or duration that ``text`` is beside one of type ``beside``.

    Raises
    ------
    DtypeError
        If it is none, or has a time zone where ``beside`` has none.
    """
    value: pd.Timestamp | pd.Timedelta | None
    if pa.types.is_duration(beside):
        value, what, example = _duration(text), "a duration", "'10min' or '1h 30min'"
    else:
        value, what, example = _instant(text, beside.tz), "a time", "'2000-01-01T12:00:00'"
        if value is not None and beside.tz is None and value.tzinfo is not None:
            value, what = None, "a local time without a zone"
    hint = f"write it as {example}"
    if value is None:
        raise DtypeError(f"text beside {what} must be one, in `{expression}`", got=repr(text), hint=hint)
    for unit in UNITS[UNITS.index(beside.unit) :]:
        try:
            converted = value.as_unit(unit)
        except (pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta, OverflowError):
            break
        if converted == value:
            t = pa.duration(unit) if pa.types.is_duration(beside) else pa.timestamp(unit, beside.tz)
            return pa.scalar(int(converted.to_numpy().astype(np.int64)), INT).cast(t)
    raise DtypeError(f"text beside {what} must be in its range, in `{expression}`", got=repr(text), hint=hint)


def _instant(text: str, tz: str | None) -> pd.Timestamp | None:
    if not _ISO.fullmatch(text):  # pandas reads "now" and completes "10:30" by today's date
        return None
    try:
        stamp = pd.Timestamp(text)
        return stamp.tz_localize(tz) if stamp.tzinfo is None and tz is not None else stamp
    except (ValueError, TypeError, OverflowError, KeyError):
        return None


def _duration(text: str) -> pd.Timedelta | None:
    if not re.search(r"\d", text) or not re.search(r"[A-Za-zµ:]", text):  # nobody can tell the unit of "10"
        return None
    try:
        return pd.Timedelta(text)
    except (ValueError, TypeError, OverflowError):
        return None


def _logical(expression: Expr, fields: Sequence[pa.Field], nullable: bool) -> Signature:
    if any(kind(each.type) != "bool" for each in fields):
        name = "`not`" if isinstance(expression, Unary) else f"`{expression.operator}`"  # type: ignore[attr-defined]
        raise refused(expression, f"{name} takes bools", fields, "write a comparison, as in a > 0 and b > 0")
    return Signature((BOOL,) * len(fields), field(BOOL, nullable))


def _negated(expression: Unary, fields: Sequence[pa.Field], nullable: bool) -> Signature:
    t = fields[0].type
    if kind(t) == "duration":
        return Signature((t,), field(t))
    result = number_type(expression, fields)
    return Signature((result,), field(result, nullable))


def number_type(expression: Expr, fields: Sequence[pa.Field]) -> pa.DataType:
    """int64 if all are integers, else float64.

    Raises
    ------
    DtypeError
        If one is no number.
    """
    kinds = {kind(each.type) for each in fields}
    if not kinds <= {"int", "float"}:
        what = f"`{expression.operator}`" if isinstance(expression, (Unary, Binary)) else f"`{expression.name}`"  # type: ignore[attr-defined]
        hint = (
            "turn the bool into a number with where(flag, 1, 0)"
            if "bool" in kinds
            else "text joins only text, times and durations only each other"
            if isinstance(expression, Binary)
            else "use a column of numbers"
        )
        raise refused(expression, f"{what} takes numbers", fields, hint)
    return FLOAT if "float" in kinds else INT


def _binary(expression: Binary, fields: Sequence[pa.Field], nullable: bool) -> Signature:
    operator = expression.operator
    kinds = [kind(each.type) for each in fields]
    if "duration" in kinds or "time" in kinds or "naive time" in kinds:
        return _time_arithmetic(expression, fields)
    if kinds == ["str", "str"] and operator == "+":
        return Signature((STR, STR), field(STR))
    t = number_type(expression, fields)
    if operator == "/":
        t = FLOAT
    return Signature((t, t), field(t, nullable))


def _time_arithmetic(expression: Binary, fields: Sequence[pa.Field]) -> Signature:
    """Of time - time, time ± duration, duration ± duration, duration / duration."""
    operator, operands = expression.operator, (expression.left, expression.right)
    types = [each.type for each in fields]
    known = next(t for t in types if kind(t) in ("duration", "time", "naive time"))
    for i, each in enumerate(operands):
        if isinstance(each, Literal) and isinstance(each.value, str):
            types[i] = text_type(expression, each.value, pa.duration(known.unit))
    kinds = [kind(t) for t in types]
    if all(k in ("duration", "time", "naive time") for k in kinds):
        unit = max((t.unit for t in types), key=UNITS.index)
        wanted = [
            pa.duration(unit) if k == "duration" else pa.timestamp(unit, t.tz)
            for k, t in zip(kinds, types, strict=True)
        ]
        match operator, kinds:
            case "-", [a, b] if a == b:
                return Signature((wanted[0], wanted[1]), field(pa.duration(unit)))
            case "+", ["duration", "duration"]:
                return Signature((wanted[0], wanted[1]), field(pa.duration(unit)))
            case "/", ["duration", "duration"]:
                return Signature((wanted[0], wanted[1]), field(FLOAT))
            case (("+" | "-"), [_, "duration"]):
                return Signature((wanted[0], wanted[1]), field(wanted[0]))
            case "+", ["duration", _]:
                return Signature((wanted[0], wanted[1]), field(wanted[1]))
    raise refused(
        expression,
        "times take time - time and time ± duration, durations + - and /",
        fields,
        "write a duration as quoted text, as in departure + '10min'",
    )


def _compare(expression: Compare, fields: Sequence[pa.Field]) -> Signature:
    operands = (expression.left, expression.right)
    if any(isinstance(each, Literal) and each.value is None for each in operands):
        raise refused(
            expression, "nothing compares to None", fields, "test for missing values with isna(...) or notna(...)"
        )
    common = common_type(expression, operands, fields)
    what = kind(common)
    if what == "bool" and expression.operator not in ("==", "!="):
        raise refused(expression, "bools compare with == and != only", fields, "write `flag` or `not flag`")
    # numbers compare as they are, so that uint64 and int64 compare exactly
    types = tuple(each.type for each in fields) if what in ("int", "float") else (common, common)
    can_miss = any(each.nullable and kind(each.type) in ("int", "bool") for each in fields)
    return Signature(types, field(BOOL, can_miss))
