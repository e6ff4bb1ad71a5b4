"""The expression tree: frozen, hashable nodes whose dtype is known before any data.

A tree says how one value a row is computed from that row's columns; it cannot say anything else. `str` gives its
canonical text, which `flower.graph.expressions.text.parse` reads back to an equal tree.

Missing values are pandas': a comparison with one is False (``!=``: True), except that nullable integers and bools
(`Int64`, `boolean`) give a missing result. Arithmetic is in int64 and float64: a row whose integers overflow or are
divided by zero has no value and becomes an error, while floats follow IEEE 754.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import pyarrow as pa

from flower.graph.schema import require_columns

Scalar = bool | int | float | str | None
"""What a literal may be; times and durations are written as text."""


class Expr:
    """A value computed for each row from its columns."""

    __slots__ = ()

    @property
    def children(self) -> tuple[Expr, ...]:
        """What it is computed from, in order."""
        found: list[Expr] = []
        for each in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, each.name)
            found += [value] if isinstance(value, Expr) else value if isinstance(value, tuple) else []
        return tuple(found)

    def walk(self) -> Iterator[Expr]:
        """Itself and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def columns(self) -> frozenset[str]:
        """The columns that it reads."""
        return frozenset(each.name for each in self.walk() if isinstance(each, Column))

    def dtype(self, schema: pa.Schema) -> pa.Field:
        """The type and nullability of its value, as a field without a name.

        Raises
        ------
        ColumnError
            If a column is not in ``schema``.
        DtypeError
            If an operator or function cannot take its operands' dtypes.
        """
        from flower.graph.expressions.signatures import dtype_of

        return dtype_of(self, schema)

    def field(self, name: str, schema: pa.Schema) -> pa.Field:
        """The column called ``name`` that holds its values; raises as `dtype`."""
        require_columns(schema, sorted(self.columns()))
        return self.dtype(schema).with_name(name)

    def __str__(self) -> str:
        from flower.graph.expressions.render import render

        return render(self)


@dataclass(frozen=True, slots=True)
class Column(Expr):
    """The value of a column."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Expr):
    """One value for all rows; ``1``, ``1.0`` and ``True`` differ."""

    value: Scalar

    def _key(self) -> tuple[type, str]:
        return type(self.value), repr(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())


@dataclass(frozen=True, slots=True)
class Unary(Expr):
    """``-x`` or ``not x``."""

    operator: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Expr):
    """``x + y`` and the like, with ``+ - * / // % **``."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Compare(Expr):
    """``x < y`` and the like, with ``== != < <= > >=``."""

    operator: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class IsIn(Expr):
    """``x in [a, b]``; a missing value is in no list."""

    operand: Expr
    items: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Logical(Expr):
    """``x and y and z`` or ``x or y or z``; three-valued where a value is missing. Build it with `logical`."""

    operator: str
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Call(Expr):
    """A function of `flower.graph.expressions.functions.FUNCTIONS`."""

    name: str
    arguments: tuple[Expr, ...]


def logical(operator: str, *operands: Expr) -> Expr:
    """``and`` or ``or`` of expressions, without nesting one in its like.

    Examples
    --------
    >>> a, b, c = Column("a"), Column("b"), Column("c")
    >>> logical("and", logical("and", a, b), c) == logical("and", a, logical("and", b, c))
    True
    """
    flat: list[Expr] = []
    for each in operands:
        flat += each.operands if isinstance(each, Logical) and each.operator == operator else (each,)
    return Logical(operator, tuple(flat))


def negative(operand: Expr) -> Expr:
    """``-x``; of a number the number itself."""
    if isinstance(operand, Literal) and isinstance(operand.value, (int, float)) and not isinstance(operand.value, bool):
        return Literal(-operand.value)
    return Unary("-", operand)
