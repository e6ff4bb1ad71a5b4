"""The aggregates that have a name."""

from __future__ import annotations

import difflib

from flower.errors import GraphError
from flower.model.combiners.base import Combiner
from flower.model.combiners.counted import List, Median, Mode
from flower.model.combiners.numeric import Count, Extreme, Mean, Product, Size, Sum, Truth
from flower.model.combiners.order import Edge, Nunique
from flower.model.combiners.spread import Spread

_ALL: tuple[Combiner, ...] = (
    Sum(), Count(), Mean(), Extreme(least=True), Extreme(least=False), Spread("std"), Edge(first=True),
    Edge(first=False), Nunique(), Size(), Spread("var"), Spread("sem"), Product(), Truth(every=False),
    Truth(every=True), Median(), Mode(), List(),
)  # fmt: skip
_BY_NAME = {combiner.name: combiner for combiner in _ALL}


def names() -> tuple[str, ...]:
    """The names that `combiner_of` knows."""
    return tuple(_BY_NAME)


def combiner_of(value: str | Combiner) -> Combiner:
    """The combiner that a person named, or gave.

    Raises
    ------
    GraphError
        For a name that is none; lists those there are.

    Examples
    --------
    >>> combiner_of("sum")
    'sum'
    """
    if isinstance(value, Combiner):
        return value
    if isinstance(value, str) and value in _BY_NAME:
        return _BY_NAME[value]
    close = difflib.get_close_matches(str(value), _BY_NAME, n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    raise GraphError("unknown aggregate", got=repr(value), hint=f"{meant}known: {', '.join(_BY_NAME)}")
