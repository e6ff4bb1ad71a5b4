"""Points alone."""

from __future__ import annotations

from dataclasses import dataclass

from flower.charts.kinds.line import Line, points
from flower.charts.marks import Marks
from flower.charts.sketch import Sketch
from flower.charts.style import color_of


@dataclass(frozen=True, kw_only=True)
class Scatter(Line):
    """Points, a colour for each key.

    Parameters
    ----------
    x, y, by, title, keys, last
        As for `Line`.

    Examples
    --------
    >>> import pandas as pd
    >>> plot = Scatter(x="a", y="b").figure(pd.DataFrame({"a": [1, 2], "b": [5, 3]}))
    >>> type(plot.renderers[0].glyph).__name__
    'Scatter'
    """

    def one(self, sketch: Sketch, marks: Marks, place: int) -> list[int]:
        """What is drawn of one key."""
        return [points(sketch, marks.at(place), marks, color_of(place, marks.rest))]
