"""Points on a map: longitude and latitude in Mercator's projection, without pictures of the earth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flower.charts.axes import Axis
from flower.charts.chart_type import ChartType, Seen, notes_of, told
from flower.charts.marks import marks_of
from flower.charts.sketch import Linked, Sketch
from flower.charts.style import INK, color_of
from flower.model.panes import EARLY, LATE

RADIUS = 6_378_137.0
"""Of the earth in metres, as web maps have it."""
FARTHEST = 85.05
"""Degrees of latitude beyond which the projection has no place."""


@dataclass(frozen=True, kw_only=True)
class Map(ChartType):
    """Points at longitude and latitude.

    Parameters
    ----------
    lon, lat : str
        Columns of degrees.
    size : str, optional
        A column of numbers that a point's area stands for.
    by : str or sequence of str, optional
        The columns of the key: a colour for each.
    title : str, optional
        What stands above it.
    keys : int or sequence of str
        How many keys are drawn, those with the largest total of `size`, or which; the others are left out.

    Examples
    --------
    >>> import pandas as pd
    >>> plot = Map(lon="lon", lat="lat").figure(pd.DataFrame({"lon": [13.4], "lat": [52.5]}))
    >>> [round(plot.renderers[0].data_source.data[name][0]) for name in ("x", "up")]
    [1491681, 6891042]
    """

    lon: str
    lat: str
    size: str | None = None
    by: str | Sequence[str] | None = None
    keys: int | Sequence[str] = 7

    def sketch(self, seen: Seen) -> Sketch:
        """What to draw of a view."""
        by = [self.by] if isinstance(self.by, str) else list(self.by or [])
        numbers: Mapping[str, str] = {"lat": self.lat, **({"size": self.size} if self.size else {})}
        marks = marks_of(
            seen.frame,
            x=self.lon,
            y=self.size or self.lat,
            by=by,
            keys=self.keys,
            kept=seen.kept,
            numbers=numbers,
        )
        sketch = Sketch(
            self.title if self.title is not None else " and ".join([self.lon, self.lat]),
            Axis(self.lon),
            Axis(self.lat),
            legend=", ".join(by),
            left_out=marks.left_out,
            kept=marks.kept,
            map=True,
            linked=Linked(by=tuple(by)),
        )
        timing = {EARLY: "hollow: early, may still change", LATE: "diamond: corrected by late rows"}
        sketch.notes = notes_of(marks, timing)
        shown = {"lat": self.lat, **({"size": self.size} if self.size else {})}
        sketch.tell(marks, shown, x=self.lon, by=", ".join(by))
        sketch.tips = [(name, "@lon{0.000}" if form.startswith("@x{") else form) for name, form in sketch.tips]
        sizes = np.nan_to_num(marks.columns["size"]) if self.size else np.ones(len(marks))
        most = sizes.max(initial=0) or 1.0
        lost = int((np.abs(marks.columns["lat"]) > FARTHEST).sum())
        if lost:
            sketch.notes.append(f"{lost:,} points are too near the poles")
        for place in range(marks.places):
            rows, color = marks.at(place), color_of(place)
            near = np.abs(rows["lat"]) <= FARTHEST
            rows = {name: column[near] for name, column in rows.items()}
            early, late = rows["timing"] == EARLY, rows["timing"] == LATE
            columns = {
                **told(rows, marks),
                "lon": rows["x"],
                "lat": rows["lat"],
                "x": np.radians(rows["x"]) * RADIUS,
                "up": np.arcsinh(np.tan(np.radians(rows["lat"]))) * RADIUS,
                "marker": np.where(late, "diamond", "circle").astype(object),
                "fill": np.where(early, 0.0, 0.65),
                "width": np.full(len(early), 8.0),
            }
            if self.size:
                columns["size"] = rows["size"]
                columns["width"] = 5 + 27 * np.sqrt(np.clip(np.nan_to_num(rows["size"]), 0, None) / most)
            looks = {"fill_color": color, "fill_alpha": "fill", "line_color": color, "hover_line_color": INK}
            drawn = sketch.add("scatter", columns, hover=True, x="x", y="up", marker="marker", size="width", **looks)
            sketch.entries.append((marks.keys[place] if by else "", [drawn]))
        return sketch
