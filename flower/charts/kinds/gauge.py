"""One number between two ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.core.properties import value

from flower.charts.axes import Axis
from flower.charts.chart_type import ChartType, Seen
from flower.charts.newest import history, value_text
from flower.charts.sketch import Sketch
from flower.charts.style import COLORS, FONT, GRID, INK, SAID
from flower.charts.texts import number_text
from flower.errors import FlowerError
from flower.model.panes import EARLY


@dataclass(frozen=True, kw_only=True)
class Gauge(ChartType):
    """The newest number of a column as an arc between two ends; paler where its pane is early.

    Parameters
    ----------
    y : str
        The column of numbers; one row a window.
    low, high : float
        The ends.
    title : str, optional
        What stands above it; the column's name if left out.
    unit : str
        What stands behind the number.

    Examples
    --------
    >>> import pandas as pd
    >>> plot = Gauge(y="load", high=1.0).figure(pd.DataFrame({"load": [0.25, 0.5]}))
    >>> plot.renderers[1].data_source.data["end"].round(2).tolist()
    [1.57]
    """

    y: str
    high: float
    low: float = 0.0
    unit: str = ""

    def sketch(self, seen: Seen) -> Sketch:
        """What to draw of a view."""
        if not self.low < self.high:
            raise FlowerError("`low` of a gauge must be below `high`", got=f"low={self.low:g}, high={self.high:g}")
        values, said, timing = history(seen.frame, self.y)
        now = values[-1] if len(values) else np.nan
        share = float(np.clip((np.nan_to_num(now) - self.low) / (self.high - self.low), 0, 1))
        sketch = Sketch(
            self.title if self.title is not None else self.y,
            Axis("", low=-1.0, high=1.0),
            Axis("", low=-0.2, high=1.0),
            looks={"bare": True, "height": 270, "width": 340},
        )
        zero = np.zeros(1)
        looks: dict[str, Any] = {"x": "x", "y": "y", "inner_radius": 0.72, "outer_radius": 1.0, "line_color": None}
        back = {"x": zero, "y": zero}
        sketch.add("annular_wedge", back, start_angle=0, end_angle=np.pi, fill_color=GRID, **looks)
        arc = {"x": zero, "y": zero, "start": np.array([np.pi]), "end": np.array([np.pi * (1 - share)])}
        arc["alpha"] = np.array([0.45 if timing == EARLY else 1.0])
        sketch.add(
            "annular_wedge",
            arc,
            start_angle="start",
            end_angle="end",
            direction="clock",
            fill_color=COLORS[0],
            fill_alpha="alpha",
            **looks,
        )
        texts: dict[str, Any] = {"text_font": value(FONT), "text_align": "center", "x": "x", "y": "y", "text": "text"}
        middle = {"x": zero, "y": np.array([0.14]), "text": np.array([value_text(values, timing)], object)}
        unit = {"x": zero, "y": np.array([0.0]), "text": np.array([self.unit], object)}
        sketch.add("text", unit, text_font_size="12px", text_color=SAID, **texts)
        sketch.add("text", middle, text_font_size="26px", text_font_style="bold", text_color=INK, **texts)
        ends = {
            "x": np.array([-0.86, 0.86]),
            "y": np.array([-0.15, -0.15]),
            "text": np.array([number_text(self.low), number_text(self.high)], object),
        }
        sketch.add("text", ends, text_font_size="12px", text_color=SAID, **texts)
        outside = np.isfinite(now) and not self.low <= now <= self.high
        sketch.notes = [said, *(["beyond the ends"] if outside else [])]
        return sketch
