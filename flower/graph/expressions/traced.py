"""``pd.col`` expressions of pandas, traced into our tree.

pandas keeps such an expression as a function of the frame. `traced` calls it once, with an object in the place of the
frame whose columns record what is done to them. What the recording does not know is refused: it would have to be
executed on frames, as a function of the frame is.
"""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.typing import Expression

from flower.errors import ExpressionError, FlowerError
from flower.graph.expressions.tree import Binary, Call, Column, Compare, Expr, IsIn, Literal, Unary, logical, negative
from flower.model.time import duration_text

MAX_COLUMNS = 1_000
"""How often an expression may name a column."""

_MICROSECOND, _ZERO = pd.Timedelta("1us"), pd.Timedelta(0)
_REMEDY = "use a function of the frame instead, as in filter(lambda frame: frame['delay'] > 15)"


def traced(expression: Expression) -> Expr:
    """The tree of a ``pd.col`` expression.

    Raises
    ------
    ExpressionError
        If it does what our expressions cannot say.

    Examples
    --------
    >>> import pandas as pd
    >>> print(traced((pd.col("delay") > 15) & pd.col("carrier").isin(["AA", "UA"])))
    delay > 15 and carrier in ['AA', 'UA']
    """
    try:
        # the only touch of what pandas keeps private
        result = expression._eval_expression(_Frame())  # type: ignore[attr-defined]
    except FlowerError:
        raise
    except Exception as error:
        raise ExpressionError(
            f"`{str(expression)[:80]}` must be an expression that Flower knows",
            got=f"{type(error).__name__}: {error}",
            hint=_REMEDY,
        ) from error
    return _expr(result)


def _unknown(what: str) -> ExpressionError:
    return ExpressionError(f"an expression cannot have {what}", hint=_REMEDY)


class _Columns:
    """Has every column: which there are is asked later, with an error of our own."""

    def __contains__(self, name: object) -> bool:
        return True


class _Frame:
    """Stands where pandas expects the frame."""

    columns = _Columns()
    asked = 0

    def __getitem__(self, name: object) -> _Traced:
        self.asked += 1
        if self.asked > MAX_COLUMNS:  # an expression used twice in another, again and again, is a tree without end
            raise ExpressionError(
                f"an expression must name columns at most {MAX_COLUMNS} times",
                hint="compute part of it in a step before",
            )
        if not isinstance(name, str):
            raise ExpressionError("names of columns must be text", got=repr(name), hint="rename the column")
        return _Traced(Column(name))


def _expr(value: object) -> Expr:
    """The tree of what a recorded operation was given."""
    if isinstance(value, _Traced):
        return value.tree
    return literal(value)


def literal(value: object) -> Literal:
    """A plain value as a literal; times and durations become text.

    Raises
    ------
    ExpressionError
        If it is no plain value.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:  # what NumPy makes of a scalar on the left
        value = value[()]
    if isinstance(value, (pd.Timestamp, dt.datetime, np.datetime64)) and not pd.isna(value):
        return Literal(pd.Timestamp(value).isoformat())
    if isinstance(value, (pd.Timedelta, dt.timedelta, np.timedelta64)) and not pd.isna(value):
        delta = pd.Timedelta(value)
        return Literal(duration_text(delta // _MICROSECOND) if delta % _MICROSECOND == _ZERO else delta.isoformat())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (bool, str)):
        return Literal(value)
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return Literal(int(value))
    if isinstance(value, float) and np.isfinite(value):
        return Literal(float(value))
    hint = (
        "test for missing values with isna()"
        if value is None or value is pd.NA or value is pd.NaT or value != value
        else _REMEDY
    )
    raise ExpressionError(
        "a value in an expression must be a number, text, bool, time or duration", got=repr(value)[:80], hint=hint
    )


def _binary(symbol: str) -> tuple[Callable[..., _Traced], Callable[..., _Traced]]:
    def forward(self: _Traced, other: object) -> _Traced:
        return _Traced(Binary(symbol, self.tree, _expr(other)))

    def reflected(self: _Traced, other: object) -> _Traced:
        return _Traced(Binary(symbol, _expr(other), self.tree))

    return forward, reflected


def _comparison(symbol: str) -> Callable[..., _Traced]:
    def compared(self: _Traced, other: object) -> _Traced:
        return _Traced(Compare(symbol, self.tree, _expr(other)))

    return compared


class _Traced:
    """A column, or what was made of columns, that records what is done to it."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, tree: Expr) -> None:
        self.tree = tree

    __add__, __radd__ = _binary("+")
    __sub__, __rsub__ = _binary("-")
    __mul__, __rmul__ = _binary("*")
    __truediv__, __rtruediv__ = _binary("/")
    __floordiv__, __rfloordiv__ = _binary("//")
    __mod__, __rmod__ = _binary("%")
    __pow__, __rpow__ = _binary("**")
    __lt__, __le__, __gt__, __ge__ = map(_comparison, ("<", "<=", ">", ">="))
    __eq__, __ne__ = _comparison("=="), _comparison("!=")  # type: ignore[assignment]

    def __and__(self, other: object) -> _Traced:
        return _Traced(logical("and", self.tree, _expr(other)))

    def __rand__(self, other: object) -> _Traced:
        return _Traced(logical("and", _expr(other), self.tree))

    def __or__(self, other: object) -> _Traced:
        return _Traced(logical("or", self.tree, _expr(other)))

    def __ror__(self, other: object) -> _Traced:
        return _Traced(logical("or", _expr(other), self.tree))

    def __invert__(self) -> _Traced:
        return _Traced(Unary("not", self.tree))

    def __neg__(self) -> _Traced:
        return _Traced(negative(self.tree))

    def __abs__(self) -> _Traced:
        return _Traced(Call("abs", (self.tree,)))

    abs = __abs__

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> _Traced:
        if method != "__call__" or kwargs:
            raise _unknown(f"`{ufunc.__name__}` with options")
        if ufunc in _UFUNCS:
            return _Traced(Call(_UFUNCS[ufunc], tuple(map(_expr, inputs))))
        if ufunc in _OPERATORS:
            first, *rest = (each if isinstance(each, _Traced) else _Traced(literal(each)) for each in inputs)
            return _OPERATORS[ufunc](first, *rest)  # type: ignore[no-any-return]
        raise _unknown(f"`{ufunc.__name__}`")

    def __getattr__(self, name: str) -> Any:
        raise _unknown(f"`.{name}`")

    @property
    def str(self) -> _Text:
        return _Text(self.tree)

    @property
    def dt(self) -> _Calendar:
        return _Calendar(self.tree)

    def isna(self) -> _Traced:
        return _Traced(Call("isna", (self.tree,)))

    def notna(self) -> _Traced:
        return _Traced(Call("notna", (self.tree,)))

    isnull, notnull = isna, notna

    def round(self, decimals: int = 0) -> _Traced:
        digits = () if decimals == 0 else (literal(decimals),)
        return _Traced(Call("round", (self.tree, *digits)))

    def isin(self, values: Iterable[object]) -> _Traced:
        return _Traced(IsIn(self.tree, tuple(literal(each) for each in values)))

    def between(self, left: object, right: object, inclusive: object = "both") -> _Traced:
        if inclusive not in ("both", "left", "right", "neither"):
            raise _unknown(f"`between` with inclusive={inclusive!r}")
        above = Compare(">=" if inclusive in ("both", "left") else ">", self.tree, _expr(left))
        below = Compare("<=" if inclusive in ("both", "right") else "<", self.tree, _expr(right))
        return _Traced(logical("and", above, below))

    def fillna(self, value: object) -> _Traced:
        return _Traced(Call("coalesce", (self.tree, _expr(value))))

    def where(self, cond: object, other: object = None) -> _Traced:
        return _Traced(Call("where", (_expr(cond), self.tree, _other(other))))

    def mask(self, cond: object, other: object = None) -> _Traced:
        return _Traced(Call("where", (_expr(cond), _other(other), self.tree)))


def _other(value: object) -> Expr:
    return (
        Literal(None)
        if not isinstance(value, _Traced) and (value is None or value is pd.NA or value != value)
        else _expr(value)
    )


class _Text:
    """The ``.str`` of a recorded column."""

    def __init__(self, tree: Expr) -> None:
        self.tree = tree

    def __getattr__(self, name: str) -> Any:
        raise _unknown(f"`.str.{name}`")

    def len(self) -> _Traced:
        return _Traced(Call("len", (self.tree,)))

    def lower(self) -> _Traced:
        return _Traced(Call("lower", (self.tree,)))

    def upper(self) -> _Traced:
        return _Traced(Call("upper", (self.tree,)))

    def strip(self) -> _Traced:
        return _Traced(Call("strip", (self.tree,)))

    def startswith(self, pat: object) -> _Traced:
        return self._search("startswith", pat)

    def endswith(self, pat: object) -> _Traced:
        return self._search("endswith", pat)

    def contains(self, pat: object, *, regex: bool = True) -> _Traced:
        if regex and isinstance(pat, str) and re.search(r"[][.^$*+?{}\\|()]", pat):
            raise ExpressionError(
                "text to look for must be plain",
                got=f"the pattern {pat!r}",
                hint=f"say regex=False if it is plain; for a pattern {_REMEDY}",
            )
        return self._search("contains", pat)

    def _search(self, name: str, pat: object) -> _Traced:
        if not isinstance(pat, str):
            raise ExpressionError(f"`{name}` looks for one text", got=repr(pat)[:80], hint=_REMEDY)
        return _Traced(Call(name, (self.tree, Literal(pat))))


_CALENDAR = {
    "year": "year", "month": "month", "day": "day", "hour": "hour", "minute": "minute", "second": "second",
    "dayofweek": "dayofweek", "day_of_week": "dayofweek", "weekday": "dayofweek",
}  # fmt: skip


class _Calendar:
    """The ``.dt`` of a recorded column."""

    def __init__(self, tree: Expr) -> None:
        self.tree = tree

    def __getattr__(self, name: str) -> _Traced:
        if name not in _CALENDAR:
            raise _unknown(f"`.dt.{name}`")
        return _Traced(Call(_CALENDAR[name], (self.tree,)))


_UFUNCS = {
    np.absolute: "abs", np.sqrt: "sqrt", np.log: "log", np.exp: "exp", np.floor: "floor", np.ceil: "ceil",
}  # fmt: skip
_OPERATORS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: operator.add, np.subtract: operator.sub, np.multiply: operator.mul, np.true_divide: operator.truediv,
    np.floor_divide: operator.floordiv, np.remainder: operator.mod, np.power: operator.pow, np.negative: operator.neg,
    np.less: operator.lt, np.less_equal: operator.le, np.greater: operator.gt, np.greater_equal: operator.ge,
    np.equal: operator.eq, np.not_equal: operator.ne, np.bitwise_and: operator.and_, np.bitwise_or: operator.or_,
    np.invert: operator.inv, np.logical_and: operator.and_, np.logical_or: operator.or_, np.logical_not: operator.inv,
}  # fmt: skip
