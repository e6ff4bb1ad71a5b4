"""Canonical source read back: ``SlidingWindows('1h', every='10min')`` becomes the value, and nothing is run."""

from __future__ import annotations

import ast

from flower.errors import ExpressionError
from flower.model.calendar import CalendarWindows
from flower.model.combiners import (
    ApproxDistinct,
    ApproxQuantile,
    Duration,
    Latest,
    MaxBy,
    MinBy,
    Only,
    Quantile,
    Rate,
    Sample,
    Top,
    WeightedMean,
)
from flower.model.triggers import (
    AfterAll,
    AfterAny,
    AfterCount,
    AfterEach,
    AfterProcessingTime,
    AfterWatermark,
    Always,
    Never,
    OrFinally,
    Repeatedly,
    When,
)
from flower.model.watermarks import (
    BoundedDisorder,
    EarliestOf,
    LatestOf,
    ManualWatermark,
    Monotonic,
    Percentile,
    Punctuated,
)
from flower.model.windows import CountWindows, FixedWindows, GlobalWindows, Sessions, SlidingWindows

CONSTRUCTORS = {
    each.__name__: each
    for each in (
        *(FixedWindows, SlidingWindows, CalendarWindows, Sessions, CountWindows, GlobalWindows),
        *(AfterWatermark, AfterProcessingTime, AfterCount, AfterAny, AfterAll, AfterEach),
        *(Repeatedly, OrFinally, Always, Never, When),
        *(BoundedDisorder, Monotonic, Percentile, Punctuated, ManualWatermark, EarliestOf, LatestOf),
        *(ApproxDistinct, ApproxQuantile, Duration, Latest, MaxBy, MinBy, Only),
        *(Quantile, Rate, Sample, Top, WeightedMean),
    )
}
"""The only names that text may call."""


def value_of(text: str) -> object:
    """The value that canonical source stands for.

    Parameters
    ----------
    text : str
        A call of one of `CONSTRUCTORS`, whose arguments are text, numbers, bools, None or such calls.

    Raises
    ------
    ExpressionError
        If it is anything else; nothing of it is run.

    Examples
    --------
    >>> value_of("AfterWatermark(early=AfterProcessingTime('1s'))")
    AfterWatermark(early=AfterProcessingTime('1s'))
    """
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _refused(text) from None
    if not isinstance(tree.body, ast.Call):
        raise _refused(text)
    return _value(tree.body, text)


def _value(node: ast.expr, text: str) -> object:
    match node:
        case ast.Constant(value=str() | int() | float() | None as value):
            return value
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if name in CONSTRUCTORS:
            if any(keyword.arg is None for keyword in keywords):
                raise _refused(text)
            values = [_value(arg, text) for arg in args]
            named = {keyword.arg: _value(keyword.value, text) for keyword in keywords if keyword.arg is not None}
            try:
                return CONSTRUCTORS[name](*values, **named)  # type: ignore[arg-type]
            except TypeError as error:  # arguments that the constructor does not have
                raise ExpressionError(f"{name} cannot be made", got=repr(text), hint=str(error)) from None
    raise _refused(text)


def _refused(text: str) -> ExpressionError:
    return ExpressionError(
        "text must be a call of " + ", ".join(CONSTRUCTORS),
        got=repr(text),
        hint="write FixedWindows('1h'), for example",
    )
