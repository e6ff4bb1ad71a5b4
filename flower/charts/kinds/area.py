"""Areas under lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from flower.charts.kinds.line import Line, points, strokes
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
        columns = strokes(rows, marks.step)
        return [
            sketch.add("varea", columns, x="x", y1=0, y2="settled", fill_color=color, fill_alpha=0.3),
            sketch.add("varea", columns, x="x", y1=0, y2="provisional", fill_color=color, fill_alpha=0.12),
            *self.stroke(sketch, rows, marks.step, color, dash_of(place)),
            points(sketch, rows, marks, color),
        ]
