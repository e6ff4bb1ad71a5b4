"""Aggregates: one law a class, `combiner_of` finds them by name."""

from flower.model.combiners.base import Combiner, Order, State
from flower.model.combiners.chosen import Chosen, Sample, Top
from flower.model.combiners.counted import List, Median, Mode, Quantile
from flower.model.combiners.named import combiner_of, names
from flower.model.combiners.numeric import Count, Extreme, Mean, Product, Size, Sum, Truth
from flower.model.combiners.only import Only
from flower.model.combiners.order import Duration, Edge, Latest, MaxBy, MinBy, Nunique
from flower.model.combiners.rows import Rows
from flower.model.combiners.several import Rate, WeightedMean
from flower.model.combiners.sketches import ApproxDistinct, ApproxQuantile, Sketched
from flower.model.combiners.spread import Spread

__all__ = [
    "ApproxDistinct",
    "ApproxQuantile",
    "Chosen",
    "Combiner",
    "Count",
    "Duration",
    "Edge",
    "Extreme",
    "Latest",
    "List",
    "MaxBy",
    "Mean",
    "Median",
    "MinBy",
    "Mode",
    "Nunique",
    "Only",
    "Order",
    "Product",
    "Quantile",
    "Rate",
    "Rows",
    "Sample",
    "Size",
    "Sketched",
    "Spread",
    "State",
    "Sum",
    "Top",
    "Truth",
    "WeightedMean",
    "combiner_of",
    "names",
]
