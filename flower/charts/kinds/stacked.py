"""Areas on one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from flower.charts.axes import F64, I64
from flower.charts.chart_type import OverX, Seen, higher, told
from flower.charts.marks import Marks
from flower.charts.sketch import Sketch
from flower.charts.style import INK, POINTS, color_of
from flower.model.panes import EARLY, LATE


@dataclass(frozen=True, kw_only=True)
class Stacked(OverX):
    """Areas on one another, the largest key below. Right for what adds up, such as counts and sums; not for means.

    Parameters
    ----------
    x, y, by, title, keys, last
        As for `Line`; keys without an area of their own are summed.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"t": [1, 1, 2], "n": [5, 3, 4], "k": ["a", "b", "a"]})
    >>> plot = Stacked(x="t", y="n", by="k").figure(frame)
    >>> plot.renderers[3].data_source.data["top"].tolist()
    [8.0, 4.0]
    """

    marked = POINTS
    floor: ClassVar[bool] = True

    def combination(self, seen: Seen) -> str | None:
        """What is stacked adds up."""
        return "sum"

    def draw(self, sketch: Sketch, marks: Marks) -> None:
        """An area for each key over all positions, as one without a pane has nothing to add; and points of panes."""
        x: F64 = np.unique(marks.columns["x"])
        below = np.zeros(len(x))
        tops = [below]
        for place in range(marks.places):
            rows, color = marks.at(place), color_of(place, marks.rest)
            at: I64 = np.asarray(np.searchsorted(x, rows["x"]))
            there = np.isfinite(rows["y"])
            value = np.bincount(at[there], rows["y"][there], len(x))
            provisional = np.bincount(at, rows["timing"] == EARLY, len(x)) > 0
            top = below + value
            columns = {"x": x, "bottom": below, "top": top}
            area = sketch.add("varea", columns, x="x", y1="bottom", y2="top", fill_color=color, fill_alpha=0.75)
            edge = sketch.add("line", columns, x="x", y="top", line_color=color, line_width=1.5)
            early, late = provisional[at], rows["timing"] == LATE
            points = {
                **told(rows, marks),
                "top": top[at],
                "marker": np.where(late, "diamond", "circle").astype(object),
                "size": np.where(late, 12, np.where(early, 7, 4)),
                "fill": np.where(early, 0.0, 1.0),
            }
            looks = {"marker": "marker", "size": "size", "fill_color": color, "fill_alpha": "fill"}
            dots = sketch.add("scatter", points, hover=True, x="x", y="top", line_color=INK, line_width=0.7, **looks)
            sketch.entries.append((marks.keys[place], [area, edge, dots]))
            below = top
            tops.append(top)
        sketch.y = higher(sketch.y, *tops)
