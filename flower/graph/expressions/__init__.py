"""Expressions: one value a row, computed from the row's columns."""

from flower.graph.expressions.build import expression, predicate
from flower.graph.expressions.functions import FUNCTIONS
from flower.graph.expressions.opaque import FrameFunction
from flower.graph.expressions.render import name_text, render
from flower.graph.expressions.text import parse
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
    logical,
    negative,
)

__all__ = [
    "FUNCTIONS",
    "Binary",
    "Call",
    "Column",
    "Compare",
    "Expr",
    "FrameFunction",
    "IsIn",
    "Literal",
    "Logical",
    "Unary",
    "expression",
    "logical",
    "name_text",
    "negative",
    "parse",
    "predicate",
    "render",
]
