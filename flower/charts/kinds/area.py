"""Areas under lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from flower.charts.kinds.line import Line, gaps, points
from flower.charts.marks import Marks
from flower.charts.sketch import Sketch
from flower.charts.style import color_of, dash_of


@dataclass(frozen=True, kw_only=True)
class Area(Line):
    """Areas between lines and zero, one for each key; one shines through the other.

    Parameters
    ----------
    x, y, by, title, keys, last
        As for `Line`.

    Examples
    --------
    >>> import pandas as pd
    >>> plot = Area(x="t", y="n").figure(pd.DataFrame({"t": [1, 2], "n": [5, 3]}))
    >>> type(plot.renderers[0].glyph).__name__
    'VArea'
    """

    floor: ClassVar[bool] = True

    def one(self, sketch: Sketch, marks: Marks, place: int) -> list[int]:
        """What is drawn of one key."""
        rows, color = marks.at(place), color_of(place, marks.rest)
        # Down to zero at both sides of a gap.
        x, y, after = rows["x"], np.nan_to_num(rows["y"]), gaps(rows["x"], marks.step)
        both = np.repeat(after, 2)
        under = {"x": np.insert(x, both, x[np.c_[after - 1, after].ravel()]), "top": np.insert(y, both, 0.0)}
        return [
            sketch.add("varea", under, x="x", y1=0, y2="top", fill_color=color, fill_alpha=0.25),
            *self.stroke(sketch, rows, marks.step, color, dash_of(place)),
            points(sketch, rows, marks, color),
        ]
