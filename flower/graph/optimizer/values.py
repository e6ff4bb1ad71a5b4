"""What the rules ask of the values of filters and assigns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pyarrow as pa

from flower.graph.expressions import Binary, Call, Column, Expr, FrameFunction, Literal, Unary
from flower.graph.expressions.signatures import signature


def columns_used(value: Expr | FrameFunction, schema: pa.Schema) -> set[str]:
    """Give the columns of ``schema`` that a value reads; a function may read all of them."""
    return set(schema.names) if isinstance(value, FrameFunction) else set(value.columns())


def renamed(expression: Expr, names: Mapping[str, str]) -> Expr:
    """Give the expression with other names for its columns.

    Examples
    --------
    >>> from flower.graph.expressions import parse
    >>> print(renamed(parse("late > 15 and carrier == 'AA'"), {"late": "delay", "carrier": "carrier"}))
    delay > 15 and carrier == 'AA'
    """
    if isinstance(expression, Column):
        return Column(names[expression.name])
    if isinstance(expression, Literal):
        return expression
    changed: dict[str, object] = {}
    for each in dataclasses.fields(expression):  # type: ignore[arg-type]
        value = getattr(expression, each.name)
        if isinstance(value, Expr):
            changed[each.name] = renamed(value, names)
        elif isinstance(value, tuple):
            changed[each.name] = tuple(renamed(item, names) for item in value)
    return dataclasses.replace(expression, **changed)  # type: ignore[type-var]


def total(expression: Expr, schema: pa.Schema) -> bool:
    """Tell whether no row of ``schema`` can fail in it: nothing can overflow, be divided by zero or be out of range.

    Examples
    --------
    >>> from flower.graph.expressions import parse
    >>> schema = pa.schema({"n": pa.int64(), "x": pa.float64()})
    >>> total(parse("x / 2 > n"), schema), total(parse("n + 1 > 2"), schema)
    (True, False)
    """
    return all(_total(each, schema) for each in expression.walk() if each.children)


def _total(expression: Expr, schema: pa.Schema) -> bool:
    children = expression.children
    fields = tuple(child.dtype(schema) for child in children)
    operands, result = signature(expression, fields)
    for child, before, after in zip(children, fields, operands, strict=True):
        if before.type != after and not isinstance(child, Literal) and not pa.types.is_floating(after):
            return False
    computes = isinstance(expression, Binary | Unary) or (isinstance(expression, Call) and expression.name == "abs")
    return not computes or _unbounded(result.type)


def _unbounded(t: pa.DataType) -> bool:
    """Whether no value is out of its range."""
    return bool(pa.types.is_floating(t) or pa.types.is_large_string(t) or pa.types.is_boolean(t))
