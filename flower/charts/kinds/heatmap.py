"""Heatmaps: a number as a colour, over two axes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from flower.charts.axes import CATEGORIES, Axis, extent, places, slots
from flower.charts.chart_type import ChartType, Seen, faces, linked, notes_of, told
from flower.charts.marks import marks_of, numbers_of
from flower.charts.sketch import SCALED, Sketch
from flower.charts.style import FACES, INK
from flower.errors import ColumnError


@dataclass(frozen=True, kw_only=True)
class Heatmap(ChartType):
    """A field of colours: one for each `x` and `y`.

    Parameters
    ----------
    x, y : str
        Columns of the axes: time (a window is covered), number or category.
    value : str
        The column of numbers that are colours, from the lowest to the highest.
    title : str, optional
        What stands above it; made of the names if left out.
    last : str, optional
        How much of a time axis is shown, as "10min", back from the newest; None: all.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"hour": [1, 2], "who": ["a", "b"], "rows": [3, 5]})
    >>> Heatmap(x="hour", y="who", value="rows").figure(frame).renderers[0].data_source.data["scaled"].tolist()
    [3.0, 5.0]
    """

    x: str
    y: str
    value: str
    last: str | None = None

    def sketch(self, seen: Seen) -> Sketch:
        """What to draw of a view."""
        frame = seen.frame
        if self.y not in frame.columns:
            raise ColumnError(f"no column {self.y!r} to draw", hint=f"there are {', '.join(map(str, frame.columns))}")
        if self.value not in frame.columns:
            raise ColumnError(f"no column {self.value!r} to draw", hint=f"there are {', '.join(frame.columns)}")
        position, kind, zone, categories = places(frame[self.y], numbers_of(frame[self.value], "value"))
        placed = frame.assign(**{"\0y": position})
        marks = marks_of(placed, x=self.x, y=self.value, last=self.last, numbers={"up": "\0y"})
        rows = marks.at(0)
        up = rows.pop("up")
        if len(categories) > CATEGORIES:
            rows = {name: column[up < CATEGORIES] for name, column in rows.items()}
            up = up[up < CATEGORIES]
        bottom, top = slots(up, kind, None, None, at_end=False)
        if kind == "category":
            bottom, top = up - 0.5, up + 0.5
        columns = {**told(rows, marks), **faces(rows), "left": rows["left"], "right": rows["right"]}
        columns |= {"bottom": bottom, "top": top, "scaled": rows["y"]}
        if kind == "category":
            columns["key"] = np.array(categories, object)[up.astype(np.int64)]
        low, high = extent(bottom, top)
        ends = extent(columns["left"], columns["right"])
        label = f"{self.y} ({zone})" if zone else self.y
        sketch = Sketch(
            self.title if self.title is not None else f"{self.value} by {self.y}",
            replace(marks.axis, low=ends[0], high=ends[1]),
            Axis(label, kind, low, high, categories[:CATEGORIES]),
        )
        sketch.linked = linked(marks, self.x, [self.y] if kind == "category" else [])
        sketch.notes = notes_of(marks, FACES)
        if len(categories) > CATEGORIES:
            sketch.notes.append(f"{len(categories) - CATEGORIES:,} more values of {self.y} are left out")
        sketch.tell(marks, {"y": self.value}, x=self.x, by=self.y if kind == "category" else "")
        least, most = extent(columns["scaled"])
        sketch.scale = Axis(self.value, low=least, high=most).steady(None)
        looks = {"fill_color": SCALED, "fill_alpha": "alpha", "line_color": INK, "line_width": "frame"}
        sides = {side: side for side in ("left", "right", "bottom", "top")}
        sketch.add("quad", columns, hover=True, **sides, **looks)
        return sketch
