"""The expressions by which rows carry their watermark, and the columns that they need."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

from flower.errors import FlowerError, WatermarkError
from flower.graph.schema import dtype_name
from flower.model.event_time import is_time
from flower.model.watermarks import EarliestOf, LatestOf, Punctuated, WatermarkPolicy

if TYPE_CHECKING:
    from flower.graph.expressions import Expr


def checked(policy: WatermarkPolicy, schema: pa.Schema) -> WatermarkPolicy:
    """The policy with its expressions as text.

    Raises
    ------
    WatermarkError
        If one is no expression of the columns that gives a time or a bool.
    """
    match policy:
        case EarliestOf() | LatestOf():
            made = object.__new__(type(policy))
            object.__setattr__(made, "policies", tuple(checked(each, schema) for each in policy.policies))
            object.__setattr__(made, "idle_us", policy.idle_us)
            return made
        case Punctuated():
            return _checked(policy, schema)
    return policy


def _checked(policy: Punctuated, schema: pa.Schema) -> Punctuated:
    from flower.graph.expressions import FrameFunction, expression  # loaded with the first one

    try:
        tree = expression(policy.expr, schema)
    except FlowerError as error:
        raise WatermarkError(f"the expression of {policy!r}: {error}") from error
    hint = "name a column of times, or compare something: Punctuated(\"kind == 'end'\")"
    if isinstance(tree, FrameFunction):
        raise WatermarkError("Punctuated takes text or pd.col(...)", got=tree.name, hint=hint)
    kind = tree.dtype(schema)
    if not (pa.types.is_boolean(kind.type) or is_time(kind.type)):
        raise WatermarkError(
            "the expression of Punctuated must give a time, or True and False",
            got=f"`{tree}` of {dtype_name(kind)}",
            hint=hint,
        )
    made = object.__new__(Punctuated)
    object.__setattr__(made, "expr", str(tree))
    object.__setattr__(made, "idle_us", policy.idle_us)
    return made


@cache
def tree_of(policy: Punctuated) -> Expr:
    """The expression of a policy that has been checked."""
    from flower.graph.expressions import parse

    assert isinstance(policy.expr, str)
    return parse(policy.expr)


def columns_of(policy: WatermarkPolicy) -> set[str]:
    """The columns that a policy needs of its source's rows."""
    return {name for leaf in policy.leaves if isinstance(leaf, Punctuated) for name in tree_of(leaf).columns()}
