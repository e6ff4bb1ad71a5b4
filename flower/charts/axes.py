"""Where values are on an axis, and ranges that do not jerk: they grow in steps, and shrink late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from flower.charts.texts import texts_of

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

Kind = Literal["time", "number", "category"]

CATEGORIES = 40
"""Categories that an axis has room for."""


@dataclass(frozen=True)
class Axis:
    """What an axis shows.

    Parameters
    ----------
    label : str
        What stands beside it.
    kind : {"time", "number", "category"}
        A time is milliseconds, a category its position.
    low, high : float
        The ends of what is drawn; NaN: nothing is.
    categories : tuple of str
        What the positions stand for.
    floor : bool
        Whether it begins at 0 where nothing is below: bars and areas stand on it.
    span : float
        How long a rolling axis is; 0 where it shows all.
    """

    label: str
    kind: Kind = "number"
    low: float = np.nan
    high: float = np.nan
    categories: tuple[str, ...] = ()
    floor: bool = False
    span: float = 0.0

    def steady(self, before: tuple[float, float] | None) -> tuple[float, float]:
        """The range to show, given the one that is shown: kept as long as all is in it and fills it somehow.

        Examples
        --------
        >>> Axis("n", low=1, high=9).steady(None), Axis("n", low=1, high=9.5).steady((0.0, 10.0))
        ((0.0, 10.0), (0.0, 10.0))
        >>> Axis("n", low=1, high=10.5).steady((0.0, 10.0)), Axis("n", low=1, high=2).steady((0.0, 10.0))
        ((0.0, 12.0), (0.8, 2.2))

        A mark at the end of a time axis has room:

        >>> Axis("at", "time", low=0, high=1000).steady((0.0, 1000.0))
        (-20.0, 1200.0)
        """
        if self.kind == "category":
            return -0.5, max(len(self.categories), 1) - 0.5
        if not np.isfinite(self.low) or not np.isfinite(self.high):
            return before or (0.0, 1.0)
        low, high = float(self.low), float(self.high)
        if self.floor:
            low, high = min(low, 0.0), max(high, 0.0)
        size = max(high - low, self.span)
        # A mark on the last edge of a time axis would be cut in half, and the next would have no room.
        air = 0.01 * size if self.kind == "time" else 0.0
        if before is not None and before[0] <= low and high + air <= before[1]:
            fills = 0.6 if self.kind == "time" else 0.4
            if size >= fills * (before[1] - before[0]):
                return before
        if self.kind == "time":
            return _rolled(low, high, self.span, before)
        if size == 0:
            size = abs(high) or 1.0
        step = nice(size / 8)
        air = 0.04 * size
        start, end = np.floor((low - air) / step) * step, np.ceil((high + air) / step) * step
        # Nothing below zero, no room there.
        start, end = max(start, 0.0) if low >= 0 else start, min(end, 0.0) if high <= 0 and low < 0 else end
        return round(float(start), 12), round(float(end), 12)


def _rolled(low: float, high: float, span: float, before: tuple[float, float] | None) -> tuple[float, float]:
    """A time axis: at first as long as what it shows; later with room for what comes."""
    size = max(high - low, 1.0)
    air = 0.02 * size
    if span:
        room = 0.1 * span if before is not None else air
        return high + room - 1.1 * span, high + room
    grows = before is not None and high + 0.01 * size > before[1]
    return low - air, high + (0.2 * size if grows else air)


def nice(size: float) -> float:
    """The step of about that size at which a person would draw lines: 1, 2 or 5 times a power of ten.

    Examples
    --------
    >>> nice(1.6), nice(0.03), nice(700)
    (2.0, 0.05, 1000.0)
    """
    power = 10.0 ** np.floor(np.log10(size))
    step = next(each for each in (1.0, 2.0, 5.0, 10.0) if size <= each * power * (1 + 1e-9))
    return float(f"{step * power:.12g}")


def extent(*columns: F64) -> tuple[float, float]:
    """The smallest and the largest value that is there; NaN if none is."""
    there = [column[np.isfinite(column)] for column in columns]
    full = [column for column in there if len(column)]
    if not full:
        return np.nan, np.nan
    return float(min(column.min() for column in full)), float(max(column.max() for column in full))


def milliseconds(column: pd.Series) -> F64:
    """Local times as BokehJS has them; NaN where there is none."""
    local = column.dt.tz_localize(None) if column.dt.tz is not None else column
    values: F64 = local.to_numpy("datetime64[us]").view(np.int64) / 1000
    return np.where(column.isna().to_numpy(), np.nan, values)


def places(column: pd.Series, weights: F64) -> tuple[F64, Kind, str, tuple[str, ...]]:
    """Positions of values on an axis, its kind, the time zone, and the categories, the one of the largest sum first."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return milliseconds(column), "time", str(column.dt.tz or ""), ()
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(np.float64, na_value=np.nan), "number", "", ()
    codes, values = pd.factorize(column, use_na_sentinel=False)
    order = np.argsort(-np.bincount(codes, np.nan_to_num(weights), len(values)), kind="stable")
    rank = np.empty(len(values))
    rank[order] = np.arange(len(values))
    return rank[codes], "category", "", tuple(texts_of(pd.Series(values)[order]))


def slots(position: F64, kind: Kind, start: F64 | None, end: F64 | None, *, at_end: bool) -> tuple[F64, F64]:
    """What a bar at each position covers: its window, or as much as leaves a gap to the next."""
    steps = np.diff(np.unique(position[np.isfinite(position)]))
    if start is not None and end is not None:
        # Windows that overlap share the place: each covers what is not yet covered.
        span = np.minimum(end - start, steps.min(initial=np.inf))
        left = position - span if at_end else position
        return left + span * 0.04, left + span * 0.96
    half = 0.4 if kind == "category" or not len(steps) else steps.min() * 0.4
    return position - half, position + half
