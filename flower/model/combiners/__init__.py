"""Aggregates: one law a class, `combiner_of` finds them by name."""

from flower.model.combiners.base import Combiner, Order, State
from flower.model.combiners.named import combiner_of, names
from flower.model.combiners.numeric import Count, Extreme, Mean, Std, Sum
from flower.model.combiners.order import Edge, Nunique

__all__ = [
    "Combiner",
    "Count",
    "Edge",
    "Extreme",
    "Mean",
    "Nunique",
    "Order",
    "State",
    "Std",
    "Sum",
    "combiner_of",
    "names",
]
