"""Neighbouring selects become one, and one that changes nothing goes."""

from __future__ import annotations

from flower.graph.nodes import Node, Select


def merge_selects(node: Node) -> Node | None:
    """``Select(Select(x, c), d)`` becomes ``Select(x, d after c)``.

    Examples
    --------
    >>> from flower.graph.nodes import Dropped
    >>> merge_selects(Select(Select(None, (("b", "a"), ("c", "c"))), (("d", "b"),)))  # doctest: +ELLIPSIS
    Select(... columns=(('d', 'a'),))
    """
    match node:
        case Select(Select(below, inner), outer):
            source = dict(inner)
            return Select(below, tuple((new, source[old]) for new, old in outer), name=node.name)
    return None


def drop_selects(node: Node) -> Node | None:
    """A ``Select`` of all columns in their order becomes its input."""
    match node:
        case Select(below, columns) if columns == tuple((name, name) for name in below.schema.names):
            return below
    return None
