"""Neighbouring filters become one."""

from __future__ import annotations

from flower.graph.expressions import Expr, logical
from flower.graph.nodes import Filter, Node
from flower.graph.optimizer.values import total


def merge_filters(node: Node) -> Node | None:
    """``Filter(Filter(x, p), q)`` becomes ``Filter(x, p and q)``.

    Not where a row could fail in one of them, because ``and`` asks both: ``p`` may be there to keep a row from failing
    in ``q`` (``n != 0`` before ``m // n > 1``). Nor where one is a function, which goes on to see what it saw before.
    """
    match node:
        case Filter(Filter(below, Expr() as first), Expr() as second):
            if total(first, below.schema) and total(second, below.schema):
                return Filter(below, logical("and", first, second), name=node.name)
    return None
