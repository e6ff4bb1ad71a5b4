"""The canonical text of an expression: as few parentheses as it takes to read it back to an equal tree."""

from __future__ import annotations

import keyword
import re

from flower.graph.expressions.tree import (
    Binary,
    Call,
    Column,
    Compare,
    Expr,
    IsIn,
    Literal,
    Logical,
    Unary,
)

_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(9)
_LEVEL = {"or": _OR, "and": _AND, "+": _SUM, "-": _SUM, "**": _POWER}
_PLAIN = re.compile(r"[^\W\d]\w*")


def render(expression: Expr) -> str:
    """The text of an expression.

    Examples
    --------
    >>> from flower.graph.expressions.text import parse
    >>> render(parse("(delay>15) & (`flight number` in ('UA 1',))"))
    "delay > 15 and `flight number` in ['UA 1']"
    """
    return _text(expression, _OR)


def name_text(name: str) -> str:
    """A column's name as an expression writes it: in backquotes if it would not be read as a name."""
    if _PLAIN.fullmatch(name) and name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__"):
        return name
    return "`" + name.replace("`", "``") + "`"


def _text(expression: Expr, level: int) -> str:
    """The text, in parentheses if it binds less than ``level``."""
    text, own = _rendered(expression)
    return text if own >= level else f"({text})"


def _rendered(expression: Expr) -> tuple[str, int]:
    match expression:
        case Column(name):
            return name_text(name), _ATOM
        case Literal(value):
            text = repr(value)
            return text, _SIGN if text.startswith("-") else _ATOM
        case Unary("not", IsIn() as found):
            return _listed(found, "not in"), _COMPARE
        case Unary("not", operand):
            return f"not {_text(operand, _NOT)}", _NOT
        case Unary(operator, operand):
            return f"{operator}{_text(operand, _SIGN)}", _SIGN
        case Binary("**", left, right):
            return f"{_text(left, _ATOM)} ** {_text(right, _SIGN)}", _POWER
        case Binary(operator, left, right):
            own = _LEVEL.get(operator, _PRODUCT)
            return f"{_text(left, own)} {operator} {_text(right, own + 1)}", own
        case Compare(operator, left, right):
            return f"{_text(left, _SUM)} {operator} {_text(right, _SUM)}", _COMPARE
        case IsIn():
            return _listed(expression, "in"), _COMPARE
        case Logical(operator, operands):
            own = _LEVEL[operator]
            return f" {operator} ".join(_text(each, own + 1) for each in operands), own
        case Call(name, arguments):
            return f"{name}({', '.join(_text(each, _OR) for each in arguments)})", _ATOM
    raise TypeError(f"not an expression: {expression!r}")


def _listed(found: IsIn, operator: str) -> str:
    items = ", ".join(_text(item, _OR) for item in found.items)
    return f"{_text(found.operand, _SUM)} {operator} [{items}]"
