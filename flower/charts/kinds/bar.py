"""Bars: over windows a bar covers its window, over categories the largest come first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from flower.charts.chart_type import OverX, Seen, faces, higher, told
from flower.charts.marks import Columns, Marks, one_each
from flower.charts.sketch import Sketch
from flower.charts.style import INK, color_of


@dataclass(frozen=True, kw_only=True)
class Bar(OverX):
    """Bars over `x`, side by side or on one another.

    Parameters
    ----------
    x, y : str
        Columns: window (a bar covers it), other time, number or category; and number. One row for each `x` and `by`.
    by : str or sequence of str, optional
        The columns of the key.
    stacked : bool
        Put the keys' bars on one another. Right for what adds up, such as counts and sums; not for means.
    title : str, optional
        What stands above it; made of the names if left out.
    keys : int or sequence of str
        How many keys get bars of their own, those with the largest total; or which, so that several charts have them
        in the same colours. The others are folded into one where the aggregate combines, or the bars are stacked; else
        left out; the legend says so.
    last : str, optional
        How much of a time axis is shown, as "10min", back from the newest; None: all.

    Raises
    ------
    FlowerError
        If two rows have the same `x` and `by`.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"who": ["a", "b"], "rows": [3, 5]})
    >>> Bar(x="who", y="rows").figure(frame).renderers[0].data_source.data["category"].tolist()
    ['b', 'a']
    """

    stacked: bool = False
    floor: ClassVar[bool] = True
    lying: ClassVar[bool] = False

    def combination(self, seen: Seen) -> str | None:
        """What is stacked adds up."""
        return "sum" if self.stacked else super().combination(seen)

    def draw(self, sketch: Sketch, marks: Marks) -> None:
        """Bars of each key."""
        one_each(marks, self.x, self.names)
        x = np.unique(marks.columns["x"])
        above, under = np.zeros(len(x)), np.zeros(len(x))
        several = max(sum(map(bool, marks.keys)), 1)
        ends = [above, under]
        for place in range(marks.places):
            rows = marks.at(place)
            y = np.nan_to_num(rows["y"])
            bottom = np.zeros(len(y))
            left, right = rows["left"], rows["right"]
            if self.stacked:
                # Those below zero hang down.
                at = np.searchsorted(x, rows["x"])
                bottom = np.where(y < 0, under[at], above[at])
                above = above + np.bincount(at, np.maximum(y, 0), len(x))
                under = under + np.bincount(at, np.minimum(y, 0), len(x))
            else:
                rank = sum(map(bool, marks.keys[:place]))
                width = (right - left) / several
                left = left + width * rank
                right = left + width
            columns = {**told(rows, marks), **faces(rows)}
            columns |= {"left": left, "right": right, "bottom": bottom, "top": bottom + y}
            ends += [columns["bottom"], columns["top"]]
            bars = self.bars(sketch, columns, color_of(place, marks.rest))
            sketch.entries.append((marks.keys[place], [bars]))
        sketch.y = higher(sketch.y, *ends)
        if marks.axis.kind != "category":
            sketch.x = higher(sketch.x, marks.columns["left"], marks.columns["right"])
        if self.lying:
            sketch.x, sketch.y = sketch.y, replace(sketch.x)
            sketch.linked = replace(sketch.linked, x="")

    def bars(self, sketch: Sketch, columns: Columns, color: str) -> int:
        """One key's."""
        sides = ("left", "right", "bottom", "top")
        fields = sides if not self.lying else ("bottom", "top", "left", "right")
        looks = {"fill_color": color, "fill_alpha": "alpha", "line_color": INK, "line_width": "frame"}
        return sketch.add(
            "quad", columns, hover=True, hover_fill_alpha=0.6, **dict(zip(sides, fields, strict=True)), **looks
        )
