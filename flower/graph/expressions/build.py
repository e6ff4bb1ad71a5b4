"""One way in for all that a person may give as an expression."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
from pandas.api.typing import Expression

from flower.errors import DtypeError, ExpressionError, FlowerError
from flower.graph.expressions.opaque import FrameFunction
from flower.graph.expressions.text import MAX_DEPTH, parse
from flower.graph.expressions.traced import literal, traced
from flower.graph.expressions.tree import Expr
from flower.graph.schema import dtype_name, require_columns


def expression(value: object, schema: pa.Schema) -> Expr | FrameFunction:
    """What a person gave, as an expression of rows of ``schema``, or as the function of the frame that it is.

    Parameters
    ----------
    value : str, pandas.api.typing.Expression, callable, bool, int or float
        Text (``"delay > 15"``), ``pd.col("delay") > 15``, a function of the frame, or one number for all rows.
    schema : pyarrow.Schema
        The columns there are.

    Raises
    ------
    ExpressionError
        If it is no expression.
    ColumnError, DtypeError
        If it does not fit ``schema``.

    Examples
    --------
    >>> schema = pa.schema([pa.field("delay", pa.int64())])
    >>> print(expression(pd.col("delay") > 15, schema))
    delay > 15
    """
    tree = unbound(value)
    if isinstance(tree, FrameFunction):
        return tree
    require_columns(schema, sorted(tree.columns()))
    try:
        tree.dtype(schema)
    except DtypeError as error:
        raise _with_columns(error, schema) from None
    return tree


def unbound(value: object) -> Expr | FrameFunction:
    """The same before the columns are known.

    Raises
    ------
    ExpressionError
        If it is no expression.
    """
    if isinstance(value, (Expr, FrameFunction)):
        return value
    if isinstance(value, str):
        return parse(value)
    if isinstance(value, Expression):
        tree = traced(value)
        _check_depth(tree)
        return tree
    if isinstance(value, (bool, int, float)):
        return literal(value)
    if callable(value):
        return FrameFunction(value)
    got = "a Series of values" if isinstance(value, pd.Series) else f"{type(value).__name__} {value!r}"[:80]
    raise ExpressionError(
        "an expression must be text, pd.col(...) or a function of the frame",
        got=got,
        hint="write it as 'delay > 15', pd.col('delay') > 15 or lambda frame: frame['delay'] > 15",
    )


def predicate(value: object, schema: pa.Schema) -> Expr | FrameFunction:
    """As `expression`, for what must say True or False of each row.

    Raises
    ------
    DtypeError
        If it gives anything but bools.
    """
    tree = expression(value, schema)
    if isinstance(tree, Expr):
        result = tree.dtype(schema)
        if result.type != pa.bool_():
            raise DtypeError(
                "a filter must say True or False of each row",
                got=f"`{tree}` of {dtype_name(result)}",
                hint=f"compare it, as in {tree} > 0",
            )
    return tree


def _with_columns(error: DtypeError, schema: pa.Schema) -> FlowerError:
    columns = ", ".join(f"{field.name} {dtype_name(field)}" for field in list(schema)[:20])
    error.hint = f"{error.hint}. The columns are {columns}" + (
        f" and {len(schema) - 20} more" if len(schema) > 20 else ""
    )
    return error


def _check_depth(tree: Expr) -> None:
    level, deep = [tree], 0
    while level:
        deep += 1
        if deep > MAX_DEPTH:
            raise ExpressionError(
                f"an expression must be nested at most {MAX_DEPTH} deep", hint="compute part of it in a step before"
            )
        level = [child for each in level for child in each.children]
