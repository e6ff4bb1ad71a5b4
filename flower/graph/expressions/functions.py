"""The functions that an expression may call; there are no others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pyarrow as pa

from flower.graph.expressions.signatures import (
    BOOL,
    FLOAT,
    INT,
    STR,
    Signature,
    common_type,
    field,
    kind,
    number_type,
    refused,
)
from flower.graph.expressions.tree import Call, Literal

Rule = Callable[[Call, Sequence[pa.Field]], Signature]


class Function(NamedTuple):
    """A function of expressions: how it is written, what it gives, and its dtypes."""

    usage: str
    meaning: str
    least: int
    most: int | None
    rule: Rule


def _number(call: Call, fields: Sequence[pa.Field]) -> Signature:
    t = number_type(call, fields)
    return Signature((t,), field(t, fields[0].nullable))


def _absolute(call: Call, fields: Sequence[pa.Field]) -> Signature:
    if kind(fields[0].type) == "duration":
        return Signature((fields[0].type,), field(fields[0].type))
    return _number(call, fields)


def _float(call: Call, fields: Sequence[pa.Field]) -> Signature:
    number_type(call, fields)
    return Signature((FLOAT,), field(FLOAT))


def _round(call: Call, fields: Sequence[pa.Field]) -> Signature:
    t = number_type(call, fields[:1])
    if len(fields) == 1:
        return Signature((t,), field(t, fields[0].nullable))
    digits = call.arguments[1]
    if not (isinstance(digits, Literal) and type(digits.value) is int and 0 <= digits.value <= 15):
        raise refused(call, "digits must be a number from 0 to 15", fields, "write round(x, 2)")
    return Signature((t, INT), field(t, fields[0].nullable))


def _extreme(call: Call, fields: Sequence[pa.Field]) -> Signature:
    t = common_type(call, call.arguments, fields)
    if kind(t) not in ("int", "float", "time", "naive time", "duration"):
        raise refused(call, f"`{call.name}` takes numbers, times or durations", fields, "use where(cond, a, b)")
    return Signature((t,) * len(fields), field(t, all(each.nullable for each in fields)))


def _missing(call: Call, fields: Sequence[pa.Field]) -> Signature:
    return Signature((fields[0].type,), field(BOOL, False))


def _where(call: Call, fields: Sequence[pa.Field]) -> Signature:
    if kind(fields[0].type) != "bool":
        raise refused(call, "the condition of `where` must be a bool", fields, "write where(a > 0, b, c)")
    t = common_type(call, call.arguments[1:], fields[1:])
    _typed(call, t, fields)
    return Signature((BOOL, t, t), field(t, any(each.nullable for each in fields[1:])))


def _coalesce(call: Call, fields: Sequence[pa.Field]) -> Signature:
    t = common_type(call, call.arguments, fields)
    _typed(call, t, fields)
    return Signature((t,) * len(fields), field(t, all(each.nullable for each in fields)))


def _typed(call: Call, t: pa.DataType, fields: Sequence[pa.Field]) -> None:
    if kind(t) == "null":
        raise refused(call, f"`{call.name}` must have a value beside None", fields, "write a column or a value")


def _text(result: pa.DataType, nullable: bool = True) -> Rule:
    def rule(call: Call, fields: Sequence[pa.Field]) -> Signature:
        if any(kind(each.type) != "str" for each in fields):
            raise refused(call, f"`{call.name}` takes text", fields, "use a column of dtype str")
        return Signature((STR,) * len(fields), field(result, nullable))

    return rule


def _search(call: Call, fields: Sequence[pa.Field]) -> Signature:
    if not isinstance(call.arguments[1], Literal):
        raise refused(call, f"`{call.name}` looks for quoted text", fields, f"write {call.name}(s, 'text')")
    return _text(BOOL, nullable=False)(call, fields)


def _calendar(call: Call, fields: Sequence[pa.Field]) -> Signature:
    if kind(fields[0].type) not in ("time", "naive time"):
        raise refused(call, f"`{call.name}` takes times", fields, "use a column of dtype datetime64")
    return Signature((fields[0].type,), field(INT))


FUNCTIONS: dict[str, Function] = {
    "abs": Function("abs(x)", "the distance from zero", 1, 1, _absolute),
    "round": Function(
        "round(x, digits)", "the nearest number of so many digits, half to even; digits is 0 if left out", 1, 2, _round
    ),
    "floor": Function("floor(x)", "the next whole number below", 1, 1, _number),
    "ceil": Function("ceil(x)", "the next whole number above", 1, 1, _number),
    "sqrt": Function("sqrt(x)", "the square root", 1, 1, _float),
    "log": Function("log(x)", "the natural logarithm", 1, 1, _float),
    "exp": Function("exp(x)", "e to the power of x", 1, 1, _float),
    "min": Function("min(a, b, ...)", "the least that is not missing", 2, None, _extreme),
    "max": Function("max(a, b, ...)", "the greatest that is not missing", 2, None, _extreme),
    "isna": Function("isna(x)", "whether x is missing", 1, 1, _missing),
    "notna": Function("notna(x)", "whether x is not missing", 1, 1, _missing),
    "where": Function("where(cond, a, b)", "a where cond holds, else b", 3, 3, _where),
    "coalesce": Function("coalesce(a, b, ...)", "the first that is not missing", 2, None, _coalesce),
    "len": Function("len(s)", "the number of characters", 1, 1, _text(INT)),
    "lower": Function("lower(s)", "in small letters", 1, 1, _text(STR)),
    "upper": Function("upper(s)", "in capital letters", 1, 1, _text(STR)),
    "strip": Function("strip(s)", "without white space around it", 1, 1, _text(STR)),
    "startswith": Function("startswith(s, 'text')", "whether s starts so; False if missing", 2, 2, _search),
    "endswith": Function("endswith(s, 'text')", "whether s ends so; False if missing", 2, 2, _search),
    "contains": Function(
        "contains(s, 'text')", "whether the text is in s, as it stands; False if missing", 2, 2, _search
    ),
    "year": Function("year(t)", "the year, in the column's time zone", 1, 1, _calendar),
    "month": Function("month(t)", "the month, 1 to 12", 1, 1, _calendar),
    "day": Function("day(t)", "the day of the month", 1, 1, _calendar),
    "hour": Function("hour(t)", "the hour, 0 to 23", 1, 1, _calendar),
    "minute": Function("minute(t)", "the minute", 1, 1, _calendar),
    "second": Function("second(t)", "the second", 1, 1, _calendar),
    "dayofweek": Function("dayofweek(t)", "the day of the week, Monday is 0", 1, 1, _calendar),
}
"""Every function by its name."""
