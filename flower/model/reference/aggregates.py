"""The oracle's aggregates: functions of the values that are not missing, in the order of first and last."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def _mean(values: list[Any]) -> float:
    return sum(values) / len(values) if values else math.nan


def _std(values: list[Any]) -> float:
    if len(values) < 2:
        return math.nan
    mean = _mean(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "count": len,
    "sum": sum,
    "mean": _mean,
    "std": _std,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
    "nunique": lambda values: len(set(values)),
}
"""Each aggregate by its name; None is a missing result."""


def missing(value: Any) -> bool:
    """None, NaN, NaT or NA: what is not equal to itself, or cannot say so."""
    return value is None or type(value).__name__ == "NAType" or value != value
