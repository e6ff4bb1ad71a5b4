"""Expressions written as text.

Text is read in two steps, each of which lets through only what it knows. First it is cut into tokens: every name and
quoted text is replaced by a name of our own, so that Python's parser never sees what a person wrote, and characters and
keywords that no expression needs are refused. Then Python's `ast` gives the structure, of which an allow-list of nodes
becomes `Expr`. Nothing is compiled or executed; length and depth are bounded.

As in pandas' ``query``, ``&`` and ``|`` bind as ``and`` and ``or`` do, and a column whose name is no identifier stands
in backquotes (a backquote in it is doubled).
"""

from __future__ import annotations

import ast
import keyword
import re
from dataclasses import dataclass, field

from flower.errors import ExpressionError
from flower.graph.expressions.functions import FUNCTIONS
from flower.graph.expressions.tree import (
    Binary,
    Call,
    Column,
    Compare,
    Expr,
    IsIn,
    Literal,
    Unary,
    logical,
    negative,
)

MAX_LENGTH = 10_000
"""The most characters an expression may have."""

MAX_DEPTH = 60
"""How deep its parts may be nested."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<string>'(?:[^'\\\r\n]|\\.)*'|"(?:[^"\\\r\n]|\\.)*")
    |`(?P<quoted>(?:[^`\r\n]|``)+)`
    |(?P<number>(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)
    |(?P<name>[^\W\d]\w*)
    |(?P<operator>\*\*|//|<=|>=|==|!=|[-+*/%<>()\[\],&|~])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|(.))")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
_KEYWORDS = {"and", "or", "not", "in", "True", "False", "None"}
_BINARY = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
}  # fmt: skip
_COMPARE = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_HINTS = {
    ".": "attributes and methods are not there: write lower(s), hour(t), isna(x)",
    "=": "compare with ==",
    "@": "variables are not there: put the value into the text, as in f'delay > {limit}'",
    ":": "slices, lambdas and assignments are not there",
    "{": "lists are written with [ ]",
    "}": "lists are written with [ ]",
    "!": "write != or not",
    "^": "write (a and not b) or (b and not a)",
    "#": "comments are not there",
    "'": "the quoted text is not closed",
    '"': "the quoted text is not closed",
    "`": "the column's name in backquotes is not closed, or empty",
    "if": "write where(condition, a, b)",
    "else": "write where(condition, a, b)",
    "is": "write == or isna(x)",
    "lambda": "give the function itself instead of text",
}


def parse(text: str) -> Expr:
    """The expression that ``text`` is.

    Raises
    ------
    ExpressionError
        If it is none; points at the place and says what is allowed there.

    Examples
    --------
    >>> parse("delay > 15")
    Compare(operator='>', left=Column(name='delay'), right=Literal(value=15))
    >>> parse("delay.max() > 15")
    Traceback (most recent call last):
    flower.errors.ExpressionError: an expression cannot have `.` here; ...
        delay.max() > 15
             ^
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"an expression must have at most {MAX_LENGTH} characters",
            got=f"{len(text)}",
            hint="compute part of it in a step before, or use a function of the frame",
        )
    masked = _mask(text)
    try:
        body = ast.parse(masked.source, mode="eval").body
    except SyntaxError as error:
        at = masked.origin(error.offset - 1) if error.offset else len(text.rstrip())
        raise _error(
            text,
            at,
            "an expression must be a whole one",
            "a value, an operator or a bracket is missing or too many here",
        ) from None
    except (ValueError, MemoryError, RecursionError):
        raise _error(
            text, 0, "an expression must be nested less deeply", "compute part of it in a step before"
        ) from None
    return _Reader(text, masked).read(body, 0)


@dataclass(slots=True)
class _Masked:
    """Text as Python's parser sees it, and what stands behind its names."""

    source: str = ""
    origins: list[int] = field(default_factory=list)
    names: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, text: str, at: int) -> None:
        text = text if self.source else text.lstrip()  # Python reads a space in front as an indentation
        self.source += text
        self.origins += [at] * len(text)

    def mask(self, kind: str, value: str, at: int) -> None:
        name = f"v{len(self.names)}"
        self.names[name] = kind, value
        # the space keeps two names apart that stood side by side
        self.add(f"{name} ", at)

    def origin(self, offset: int) -> int:
        return self.origins[min(max(offset, 0), len(self.origins) - 1)] if self.origins else 0


def _mask(text: str) -> _Masked:
    masked = _Masked()
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unknown(text, at)
        kind, token = match.lastgroup, match.group()
        following = text[match.end() : match.end() + 1]
        if kind == "space":
            masked.add(" ", at)
        elif kind == "string":
            masked.mask("string", _decoded(text, at, token), at)
        elif kind == "quoted":
            masked.mask("quoted", match["quoted"].replace("``", "`"), at)
        elif kind == "number":
            if len(token) > 40 or following == "." or re.match(r"\w", following):
                raise _error(
                    text, at, "an expression cannot have such a number", "numbers are written as 15, 0.5 or 1e6"
                )
            masked.add(token, at)
        elif kind == "name":
            _mask_name(masked, text, at, token, following)
        else:
            masked.add({"&": " and ", "|": " or "}.get(token, token), at)
        at = match.end()
    if not masked.source.strip():
        raise _error(text, 0, "an expression must not be empty", "write one such as delay > 15")
    return masked


def _mask_name(masked: _Masked, text: str, at: int, token: str, following: str) -> None:
    if following in ("'", '"') and following and not keyword.iskeyword(token):
        raise _error(text, at, f"quoted text cannot have the prefix `{token[:20]}`", "write it in plain quotes")
    if token in _KEYWORDS:
        masked.add(f" {token} ", at)
    elif keyword.iskeyword(token):
        raise _error(text, at, f"an expression cannot have `{token}`", _HINTS.get(token, _allowed()))
    elif not token.isidentifier():
        raise _error(text, at, f"an expression cannot have the name `{token[:50]}`", "put it in backquotes")
    elif token.startswith("__"):
        raise _error(
            text, at, "a name that starts with two underscores is no column", "if it is one, write it in backquotes"
        )
    else:
        masked.mask("name", token, at)


def _decoded(text: str, at: int, token: str) -> str:
    def replaced(match: re.Match[str]) -> str:
        code, plain = match.groups()
        if code is None and plain not in _ESCAPES:
            raise _error(
                text, at + 1 + match.start(), "quoted text cannot have this escape", "write a backslash as \\\\"
            )
        number = int(code[1:], 16) if code else 0
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise _error(text, at + 1 + match.start(), "quoted text cannot have this escape", "it is no character")
        return chr(number) if code else _ESCAPES[plain]

    value = _ESCAPE.sub(replaced, token[1:-1])
    if any(0xD800 <= ord(c) <= 0xDFFF for c in value):
        raise _error(text, at, "quoted text must be characters", "it has half of a surrogate pair")
    return value


@dataclass(slots=True)
class _Reader:
    """From Python's syntax tree to ours, by an allow-list."""

    text: str
    masked: _Masked

    def read(self, node: ast.expr, depth: int) -> Expr:
        if depth > MAX_DEPTH:
            raise self.error(
                node, f"an expression must be nested at most {MAX_DEPTH} deep", "compute part of it in a step before"
            )
        depth += 1
        match node:
            case ast.Name(name):
                kind, value = self.masked.names[name]
                return Literal(value) if kind == "string" else Column(value)
            case ast.Constant(value):
                return self.constant(node, value)
            case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as value)) if not isinstance(value, bool):
                return self.constant(node, -value)
            case ast.UnaryOp(ast.USub(), operand):
                return negative(self.read(operand, depth))
            case ast.UnaryOp(ast.Not() | ast.Invert(), operand):
                return Unary("not", self.read(operand, depth))
            case ast.BinOp(left, operator, right) if type(operator) in _BINARY:
                made = Binary(_BINARY[type(operator)], self.read(left, depth), self.read(right, depth))
                self.computed(node, made)
                return made
            case ast.BoolOp(operator, values):
                name = "and" if isinstance(operator, ast.And) else "or"
                return logical(name, *(self.read(each, depth) for each in values))
            case ast.Compare(left, operators, comparators):
                return self.compare(left, operators, comparators, depth)
            case ast.Call():
                return self.call(node, depth)
            case ast.Subscript():
                raise self.error(
                    node,
                    "an expression cannot take an item with [ ]",
                    "lists stand only after in, as in carrier in ['AA', 'UA']",
                )
            case ast.List() | ast.Tuple():
                raise self.error(node, "a list stands only after `in` and `not in`", "write carrier in ['AA', 'UA']")
        raise self.error(node, f"an expression cannot have {type(node).__name__}", _allowed())

    def constant(self, node: ast.expr, value: object) -> Literal:
        if isinstance(value, bool) or value is None:
            return Literal(value)
        if isinstance(value, int) and -(2**63) <= value < 2**63:
            return Literal(value)
        if isinstance(value, float) and abs(value) != float("inf"):
            return Literal(value)
        raise self.error(node, "a number must fit int64 or float64", "write a smaller one")

    def compare(self, left: ast.expr, operators: list[ast.cmpop], comparators: list[ast.expr], depth: int) -> Expr:
        parts: list[Expr] = []
        for operator, right in zip(operators, comparators, strict=True):
            if isinstance(operator, (ast.In, ast.NotIn)):
                if len(operators) > 1:
                    raise self.error(right, "`in` cannot be part of a chain of comparisons", "join them with and")
                found = IsIn(self.read(left, depth), self.items(right, depth))
                return found if isinstance(operator, ast.In) else Unary("not", found)
            if right is not comparators[-1] and any(isinstance(each, ast.Compare) for each in ast.walk(right)):
                # it would stand in two comparisons, and so would chains within it, again and again
                raise self.error(
                    right, "a comparison cannot stand in the middle of a chain of others", "join them with and"
                )
            parts.append(Compare(_COMPARE[type(operator)], self.read(left, depth), self.read(right, depth)))
            left = right
        return parts[0] if len(parts) == 1 else logical("and", *parts)

    def items(self, node: ast.expr, depth: int) -> tuple[Literal, ...]:
        if not isinstance(node, (ast.List, ast.Tuple)):
            raise self.error(
                node,
                "`in` must be followed by a list of values",
                "write carrier in ['AA', 'UA']; text in text is contains(s, 'text')",
            )
        items = []
        for each in node.elts:
            item = self.read(each, depth + 1)
            if not isinstance(item, Literal):
                raise self.error(
                    each, "a list holds plain values only", "write carrier in ['AA', 'UA'], or compare with == and or"
                )
            items.append(item)
        return tuple(items)

    def call(self, node: ast.Call, depth: int) -> Expr:
        kind, name = self.masked.names.get(node.func.id, ("", "")) if isinstance(node.func, ast.Name) else ("", "")
        if kind != "name" or name not in FUNCTIONS:
            called = f"`{name[:50]}`" if kind == "name" else "this"
            raise self.error(node, f"an expression cannot call {called}", f"the functions are {', '.join(FUNCTIONS)}")
        function = FUNCTIONS[name]
        count = len(node.args)
        if node.keywords or count < function.least or (function.most is not None and count > function.most):
            raise self.error(node, f"`{name}` takes other arguments", f"write {function.usage}")
        return Call(name, tuple(self.read(each, depth) for each in node.args))

    def computed(self, node: ast.expr, made: Binary) -> None:
        """Refuse arithmetic of plain integers that has no value."""
        value = _value(made)
        if isinstance(value, str):
            raise self.error(node, value, "write the number itself")

    def error(self, node: ast.expr, required: str, hint: str) -> ExpressionError:
        return _error(self.text, self.masked.origin(node.col_offset), required, hint)


def _value(expression: Expr) -> int | str | None:
    """What arithmetic of plain integers gives: the number, or why there is none; None if it is no such thing."""
    match expression:
        case Literal(value) if type(value) is int:
            return value
        case Unary("-", operand):
            inner = _value(operand)
            return -inner if isinstance(inner, int) else inner
        case Binary(operator, left, right) if operator != "/":
            a, b = _value(left), _value(right)
            if not isinstance(a, int) or not isinstance(b, int):
                return None
            if b == 0 and operator in ("//", "%"):
                return "an integer cannot be divided by zero"
            if operator == "**" and b < 0:
                return "an integer has no negative power; write it as a float"
            if operator == "**" and abs(a) > 1 and b > 63:
                return "a number must fit int64"
            match operator:
                case "+":
                    result = a + b
                case "-":
                    result = a - b
                case "*":
                    result = a * b
                case "//":
                    result = a // b
                case "%":
                    result = a % b
                case _:
                    result = a**b
            return result if -(2**63) <= result < 2**63 else "a number must fit int64"
    return None


def _unknown(text: str, at: int) -> ExpressionError:
    character = text[at]
    if not character.isprintable():
        return _error(text, at, f"an expression cannot have the control character U+{ord(character):04X}", _allowed())
    shown = f"`{character}`" if character.isascii() else f"`{character}` (U+{ord(character):04X})"
    hint = _HINTS.get(character) or (
        "a name that has it stands in backquotes" if not character.isascii() else _allowed()
    )
    return _error(text, at, f"an expression cannot have {shown} here", hint)


def _allowed() -> str:
    return (
        "it may have columns, numbers, quoted text, True, False, None, + - * / // % **, comparisons, in [...], "
        f"and, or, not, and the functions {', '.join(FUNCTIONS)}"
    )


def _error(text: str, at: int, required: str, hint: str) -> ExpressionError:
    """An error that shows the text with a caret under the place."""
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line, column = text[start : end if end >= 0 else len(text)], at - start
    first = max(0, column - 60)
    shown = "".join(c if c.isprintable() else " " for c in line[first : first + 100])
    return ExpressionError(required, hint=f"{hint}\n    {shown}\n    {' ' * (column - first)}^")
