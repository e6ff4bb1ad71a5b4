"""Filters go before steps that they do not depend on, so that those have fewer rows to do."""

from __future__ import annotations

from dataclasses import replace

from flower.graph.expressions import Expr
from flower.graph.nodes import Assign, Filter, Node, Select, WindowInto, with_field
from flower.graph.optimizer.values import renamed, total


def move_filters(node: Node) -> Node | None:
    """``Filter(Select(x))`` becomes ``Select(Filter(x))``, likewise for a window, and for an assign of other columns.

    Not before an assign in which a row could fail, for it would no longer be among the errors; nor past a function,
    which goes on to see what it saw before. A filter never goes into a `Read`: rows that it drops still advance the
    watermark, and without them rows would be late, or dropped, that now are not.
    """
    match node:
        case Filter(Select(below, columns) as select, Expr() as predicate):
            return select.with_inputs((replace(node, input=below, predicate=renamed(predicate, dict(columns))),))
        case Filter(WindowInto(below) as window, Expr()):
            return window.with_inputs((replace(node, input=below),))
        case Filter(Assign(below, columns) as assign, Expr() as predicate):
            assigned = {name for name, _ in columns}
            if not assigned & predicate.columns() and _cannot_fail(assign):
                return assign.with_inputs((replace(node, input=below),))
    return None


def _cannot_fail(assign: Assign) -> bool:
    schema = assign.input.schema
    for name, value in assign.columns:
        if not isinstance(value, Expr) or not total(value, schema):
            return False
        schema = with_field(schema, value.field(name, schema))
    return True
