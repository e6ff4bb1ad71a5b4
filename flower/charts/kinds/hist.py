"""Histograms: how often values occur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from flower.charts.axes import Axis, extent, nice
from flower.charts.chart_type import ChartType, Seen
from flower.charts.marks import Columns, kept_places, numbers_of
from flower.charts.sketch import Linked, Sketch
from flower.charts.style import INK, REST, color_of
from flower.charts.texts import short, texts_of
from flower.errors import ColumnError, FlowerError
from flower.model.panes import EARLY, LATE, TIMING, TIMINGS


@dataclass(frozen=True, kw_only=True)
class Hist(ChartType):
    """How often the values of a column occur, the keys' bars on one another.

    Parameters
    ----------
    x : str
        The column of numbers.
    by : str, optional
        A column that divides the bars.
    bins : int
        How many bars there are, about: their edges are round numbers.
    title : str, optional
        What stands above it; made of the names if left out.
    keys : int
        How many keys have bars of their own, the most frequent; the others are folded into one.

    Examples
    --------
    >>> import pandas as pd
    >>> plot = Hist(x="delay", bins=5).figure(pd.DataFrame({"delay": [1, 2, 2, 9]}))
    >>> plot.renderers[0].data_source.data["top"].tolist()
    [1.0, 2.0, 0.0, 0.0, 1.0]
    """

    x: str
    by: str | None = None
    bins: int = 30
    keys: int = 7

    def sketch(self, seen: Seen) -> Sketch:
        """What to draw of a view."""
        if not 1 <= self.bins <= 500:
            raise FlowerError("`bins` must be from 1 to 500", got=str(self.bins))
        frame = seen.frame
        for name in filter(None, (self.x, self.by)):
            if name not in frame.columns:
                raise ColumnError(f"no column {name!r} to draw", hint=f"there are {', '.join(map(str, frame.columns))}")
        values = numbers_of(frame[self.x], "x")
        there = np.isfinite(values)
        edges = _edges(values[there], self.bins)
        code, texts = np.zeros(len(frame), np.int64), [""]
        if self.by is not None:
            codes, found = pd.factorize(frame[self.by], use_na_sentinel=False)
            code, texts = codes.astype(np.int64), texts_of(pd.Series(found))
        bin_ = np.clip(np.searchsorted(edges, values[there], "right") - 1, 0, len(edges) - 2)
        counts = np.zeros((len(texts), len(edges) - 1))
        np.add.at(counts, (code[there], bin_), 1)
        order = np.argsort(-counts.sum(axis=1), kind="stable").tolist()
        own = self.keys if self.by is not None else 1
        names = kept_places([name for name in seen.kept if name], [texts[each] for each in order[:own]])
        sketch = Sketch(
            f"{self.x} by {self.by}" if self.title is None and self.by else self.title or self.x,
            Axis(self.x, low=edges[0] if there.any() else np.nan, high=edges[-1]),
            Axis("rows", low=0, high=float(counts.sum(axis=0).max(initial=0)), floor=True),
            legend=self.by or "",
            kept=tuple(names),
            linked=Linked(by=(self.by,) if self.by else ()),
        )
        sketch.tips = [(short(self.by), "@key")] if self.by else []
        sketch.tips += [(short(self.x), "@left{0,0.[0000]} up to @right{0,0.[0000]}"), ("rows", "@count{0,0}")]
        sketch.notes = _notes(frame, there, self.x)
        below = np.zeros(len(edges) - 1)
        rest = [each for each in range(len(texts)) if texts[each] not in names]
        for place in range(own + (self.by is not None)):
            name = names[place] if place < len(names) else ""
            if place == own:
                name, count = (f"others ({len(rest):,})" if rest else ""), counts[rest].sum(axis=0)
            else:
                count = counts[texts.index(name)] if place < len(names) else np.zeros(len(below))
            color = REST if place == own else color_of(place)
            columns: Columns = {"left": edges[:-1], "right": edges[1:], "bottom": below, "top": below + count}
            columns |= {"count": count, "key": np.full(len(count), name, object)}
            looks = {"fill_color": color, "fill_alpha": 0.9, "line_color": INK, "line_width": 0.5, "line_alpha": 0.3}
            sides = {side: side for side in ("left", "right", "bottom", "top")}
            drawn = sketch.add("quad", columns, hover=True, **sides, **looks)
            sketch.entries.append((name, [drawn]))
            below = below + count
        return sketch


def _edges(values: np.ndarray, bins: int) -> np.ndarray:
    """Round edges around all values."""
    low, high = extent(values)
    if not np.isfinite(low):
        return np.array([0.0, 1.0])
    step = nice((high - low) / bins) if high > low else 1.0
    first, last = np.floor(low / step), np.floor(high / step) + 1
    return np.round(np.arange(first, last + 1) * step, 12)


def _notes(frame: pd.DataFrame, there: np.ndarray, x: str) -> list[str]:
    notes = []
    if (~there).any():
        notes.append(f"{(~there).sum():,} rows without {x} are left out")
    if TIMING in frame.columns:
        early, late = (int((frame[TIMING] == TIMINGS[timing]).sum()) for timing in (EARLY, LATE))
        notes += [f"{early:,} of the panes are early, and may still change"] if early else []
        notes += [f"{late:,} of the panes were corrected by late rows"] if late else []
    return notes if len(there) else [*notes, "no rows yet"]
