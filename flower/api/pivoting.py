"""``stream.groupby(...).pivot(...)``: what it is given, checked, and the steps that it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flower.api.grouped import aggregated
from flower.api.pipeline import step_errors
from flower.errors import GraphError
from flower.graph.nodes import Require
from flower.graph.schema import names_text, require_columns
from flower.model.combiners import Combiner, Only

if TYPE_CHECKING:
    from flower.api.grouped import Named
    from flower.api.stream import Stream


def pivoted(
    stream: Stream,
    keys: tuple[str, ...],
    columns: str,
    values: str | None,
    categories: Sequence[str | int | bool],
    aggfunc: str | Combiner,
) -> Stream:
    """Rows of other categories are refused, and each category is aggregated by itself."""
    from flower.api.stream import Stream
    from flower.graph.expressions import Column, IsIn, Literal, predicate

    node = stream.node
    with step_errors(node, "pivot"):
        require_columns(node.schema, [columns])
        known = () if isinstance(categories, str) else tuple(categories)
        if not known or not all(isinstance(each, str | int) for each in known):
            raise GraphError(
                "`categories` must be the values that become columns, texts, integers or bools",
                got=repr(categories),
                hint="write categories=['AA', 'UA']",
            )
        names = [*keys, *map(str, known)]
        if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
            raise GraphError(
                "every column of a pivot must have a name of its own",
                got=f"{names_text(twice)} more than once",
                hint="leave the category out, or rename the key before",
            )
        among = IsIn(Column(columns), tuple(map(Literal, known)))
        required = Stream(Require(node, predicate(among, node.schema)))
        laws = {str(each): Only(aggfunc, columns, each) for each in known}
    how: dict[str, Named] = {name: law if values is None else (values, law) for name, law in laws.items()}
    return aggregated(required, keys, how)
