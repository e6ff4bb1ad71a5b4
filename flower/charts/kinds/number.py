"""One number, large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.core.properties import value

from flower.charts.axes import Axis
from flower.charts.chart_type import ChartType, Seen
from flower.charts.newest import history, value_text
from flower.charts.sketch import Sketch
from flower.charts.style import COLORS, FONT, INK, SAID
from flower.charts.texts import number_text

RECENT = 60


@dataclass(frozen=True, kw_only=True)
class Number(ChartType):
    """The newest number of a column, large, with its change since the window before, and the last sixty as a line.

    Parameters
    ----------
    y : str
        The column of numbers; one row a window.
    title : str, optional
        What stands above it; the column's name if left out.
    unit : str
        What stands behind the number.

    Examples
    --------
    >>> import pandas as pd
    >>> plot = Number(y="rows", unit="rows/s").figure(pd.DataFrame({"rows": [3, 5]}))
    >>> plot.renderers[1].data_source.data["text"].tolist()
    ['5 rows/s']
    """

    y: str
    unit: str = ""

    def sketch(self, seen: Seen) -> Sketch:
        """What to draw of a view."""
        values, said, timing = history(seen.frame, self.y)
        sketch = Sketch(
            self.title if self.title is not None else self.y,
            Axis("", low=0.1, high=0.9),
            Axis("", low=0.1, high=0.9),
            looks={"bare": True, "height": 210, "width": 380},
        )
        recent = values[-RECENT:]
        span = np.ptp(recent[np.isfinite(recent)]) if np.isfinite(recent).any() else 0.0
        low = np.nanmin(recent) if np.isfinite(recent).any() else 0.0
        line = {
            "x": np.linspace(0.03, 0.97, len(recent)) if len(recent) > 1 else np.zeros(0),
            "y": 0.03 + 0.25 * (recent - low) / (span or 1.0) if len(recent) > 1 else np.zeros(0),
        }
        sketch.add("line", line, x="x", y="y", line_color=COLORS[0], line_width=2)
        text = f"{value_text(values, timing)}{f' {self.unit}' if self.unit else ''}"
        large = {"x": np.array([0.03]), "y": np.array([0.68]), "text": np.array([text], object)}
        looks: dict[str, Any] = {"text_color": INK, "text_font": value(FONT), "text_baseline": "middle"}
        sketch.add("text", large, x="x", y="y", text="text", text_font_size="44px", text_font_style="bold", **looks)
        small = {"x": np.array([0.03]), "y": np.array([0.39]), "text": np.array([_change(values)], object)}
        looks["text_color"] = SAID
        sketch.add("text", small, x="x", y="y", text="text", text_font_size="13px", **looks)
        sketch.notes = [said]
        return sketch


def _change(values: np.ndarray) -> str:
    if len(values) < 2 or not np.isfinite(values[-2:]).all():
        return ""
    change = values[-1] - values[-2]
    share = f" ({change / abs(values[-2]):+.1%})" if values[-2] else ""
    sign = "+" if change >= 0 else "-"
    return f"{sign}{number_text(abs(change))}{share} since the one before"
