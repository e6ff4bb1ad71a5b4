"""Lines: provisional where early panes are, marked where late rows corrected them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from flower.charts.axes import F64, I64
from flower.charts.chart_type import OverX, told
from flower.charts.marks import Columns, Marks
from flower.charts.sketch import Sketch
from flower.charts.style import INK, POINTS, color_of, dash_of
from flower.model.panes import EARLY, LATE


@dataclass(frozen=True, kw_only=True)
class Line(OverX):
    """Lines over `x`, one for each key.

    Parameters
    ----------
    x, y : str
        Columns: time, number or category; and number.
    by : str or sequence of str, optional
        The columns of the key: a line for each.
    title : str, optional
        What stands above it; made of the names if left out.
    keys : int or sequence of str
        How many keys are drawn, those with the largest total of `y`; or which, so that several charts have them in the
        same colours. The others are folded into one where the aggregate combines (a sum, count, min or max), else
        left out; the legend says so.
    last : str, optional
        How much of a time axis is shown, as "10min", back from the newest; None: all.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"hour": [1, 2, 1, 2], "rows": [3, 5, 4, 4], "who": ["a", "a", "b", "b"]})
    >>> plot = Line(x="hour", y="rows", by="who").figure(frame)
    >>> [item.label["value"] for item in plot.legend[0].items if item.visible]
    ['a', 'b']
    """

    marked: ClassVar[Mapping[int, str]] = POINTS
    glyph: ClassVar[str] = "line"
    looks: ClassVar[Mapping[str, Any]] = {}

    def draw(self, sketch: Sketch, marks: Marks) -> None:
        """A line with its provisional parts, and points."""
        drawn = {place: self.one(sketch, marks, place) for place in reversed(range(marks.places))}  # the largest on top
        sketch.entries = [(marks.keys[place], drawn[place]) for place in sorted(drawn)]

    def one(self, sketch: Sketch, marks: Marks, place: int) -> list[int]:
        """What is drawn of one key."""
        rows = marks.at(place)
        color = color_of(place, marks.rest)
        return [*self.stroke(sketch, rows, marks.step, color, dash_of(place)), points(sketch, rows, marks, color)]

    def stroke(self, sketch: Sketch, rows: Columns, step: float, color: str, dash: str) -> list[int]:
        """The line, and over it what is provisional."""
        columns = strokes(rows, step)
        looks: dict[str, Any] = {"x": "x", "line_color": color, **self.looks}
        return [
            sketch.add(self.glyph, columns, y="settled", line_width=2, line_dash=dash, **looks),
            sketch.add(self.glyph, columns, y="provisional", line_width=1.5, line_dash=[3, 4], line_alpha=0.7, **looks),
        ]


def points(sketch: Sketch, rows: Columns, marks: Marks, color: str) -> int:
    """A point a pane: early hollow, late a diamond."""
    early, late = rows["timing"] == EARLY, rows["timing"] == LATE
    plain = 5 if len(early) < 200 else 3
    columns = {
        **told(rows, marks),
        "marker": np.where(late, "diamond", "circle").astype(object),
        "size": np.where(late, 13, np.where(early, 7, plain)),
        "fill": np.where(early, 0.0, 1.0),
    }
    looks = {"fill_color": color, "fill_alpha": "fill", "line_color": color, "hover_line_color": INK}
    return sketch.add("scatter", columns, hover=True, x="x", y="y", marker="marker", size="size", **looks)


def strokes(rows: Columns, step: float) -> Columns:
    """The line of one key in two columns, settled and provisional, broken where windows are missing."""
    x, y, early = rows["x"], rows["y"], rows["timing"] == EARLY
    after = gaps(x, step)
    x, y, early = np.insert(x, after, x[after]), np.insert(y, after, np.nan), np.insert(early, after, False)
    # A stroke is provisional if one of its two ends is, so the settled neighbours of early points belong to both.
    beside = early | np.append(early[1:], False) | np.insert(early[:-1], 0, False)
    return {"x": x, "settled": np.where(early, np.nan, y), "provisional": np.where(beside, y, np.nan)}


def gaps(x: F64, step: float) -> I64:
    """Where windows are missing: the positions after the gaps."""
    return np.flatnonzero(np.diff(x) > 1.5 * step) + 1 if step else np.empty(0, np.int64)
