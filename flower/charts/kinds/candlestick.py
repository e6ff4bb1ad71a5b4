"""Candlesticks: first, highest, lowest and last value of windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from flower.charts.axes import Axis, extent
from flower.charts.chart_type import ChartType, Seen, faces, linked, notes_of, told
from flower.charts.marks import marks_of, one_each
from flower.charts.sketch import Sketch
from flower.charts.style import COLORS, FACES, INK, SAID


@dataclass(frozen=True, kw_only=True)
class Candlestick(ChartType):
    """A candle for each `x`: a body from the first value to the last, a wick from the lowest to the highest.

    Parameters
    ----------
    x : str
        The column of windows, or other times or numbers; one row each.
    open, high, low, close : str
        Columns of numbers; the very names by default.
    title : str, optional
        What stands above it.
    last : str, optional
        How much of a time axis is shown, as "10min", back from the newest; None: all.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"t": [1, 2], "open": [1, 3], "high": [4, 5], "low": [0, 1], "close": [3, 2]})
    >>> plot = Candlestick(x="t").figure(frame)
    >>> [renderer.data_source.data["top"].tolist() for renderer in plot.renderers[1:]]
    [[3.0], [3.0]]
    """

    x: str
    open: str = "open"
    high: str = "high"
    low: str = "low"
    close: str = "close"
    last: str | None = None

    def sketch(self, seen: Seen) -> Sketch:
        """What to draw of a view."""
        more = {"open": self.open, "high": self.high, "low": self.low}
        marks = marks_of(seen.frame, x=self.x, y=self.close, last=self.last, numbers=more)
        one_each(marks, self.x, [])
        rows = marks.at(0)
        low, high = extent(rows["low"], rows["high"])
        ends = extent(rows["left"], rows["right"])
        axis = marks.axis if marks.axis.kind == "category" else Axis(marks.axis.label, marks.axis.kind, *ends)
        sketch = Sketch(
            self.title if self.title is not None else f"{self.open} to {self.close}",
            axis,
            Axis(self.close, low=low, high=high),
            linked=linked(marks, self.x, []),
        )
        shown = {"open": self.open, "high": self.high, "low": self.low, "y": self.close}
        sketch.notes = ["blue: up, orange: down", *notes_of(marks, FACES)]
        sketch.tell(marks, shown, x=self.x, by="")
        wicks = {"x": (rows["left"] + rows["right"]) / 2, "low": rows["low"], "high": rows["high"]}
        sketch.add("segment", wicks, x0="x", x1="x", y0="low", y1="high", line_color=SAID, line_width=1.3)
        for up, color in ((True, COLORS[0]), (False, COLORS[1])):
            part = (rows["y"] >= rows["open"]) == up
            those = {name: column[part] for name, column in rows.items()}
            body: Mapping[str, Any] = {
                **told(those, marks),
                **faces(those),
                **{name: those[name] for name in ("open", "high", "low", "left", "right")},
                "bottom": np.minimum(those["open"], those["y"]),
                "top": np.maximum(those["open"], those["y"]),
            }
            looks = {"fill_color": color, "fill_alpha": "alpha", "line_color": INK, "line_width": "frame"}
            sides = {side: side for side in ("left", "right", "bottom", "top")}
            sketch.add("quad", dict(body), hover=True, **sides, **looks)
        return sketch
