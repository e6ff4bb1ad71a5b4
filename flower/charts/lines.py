"""Panes as lines: one line a key, provisional where early panes are, marked where late rows corrected it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from bokeh.plotting import figure

from flower.charts.marks import F64, marks_of
from flower.charts.sketch import Columns, Sketch
from flower.charts.style import INK, REST, color_of, dash_of
from flower.model.panes import EARLY, LATE, TIMING


def line(
    data: pd.DataFrame,
    *,
    x: str,
    y: str,
    by: str | Sequence[str] | None = None,
    title: str | None = None,
    keys: int | Sequence[str] = 7,
) -> figure:
    """Lines of panes over `x`.

    Parameters
    ----------
    data : pandas.DataFrame
        A view of panes, such as `collect` and `Run.results` give, or any other frame.
    x, y : str
        Columns: time, number or category; and number.
    by : str or sequence of str, optional
        The columns of the key: a line for each.
    title : str, optional
        What stands above it; made of the names if left out.
    keys : int or sequence of str
        How many keys get a line of their own, those with the largest total; or which, so that several charts have
        them in the same colours. The rest is one grey band, from their lowest to their highest value.

    Examples
    --------
    >>> frame = pd.DataFrame({"hour": [1, 2, 1, 2], "rows": [3, 5, 4, 4], "who": ["a", "a", "b", "b"]})
    >>> plot = line(frame, x="hour", y="rows", by="who")
    >>> [item.label["value"] for item in plot.legend[0].items]
    ['a', 'b']
    """
    return line_sketch(data, x=x, y=y, by=by, title=title, keys=keys).figure()


def line_sketch(
    data: pd.DataFrame,
    *,
    x: str,
    y: str,
    by: str | Sequence[str] | None = None,
    title: str | None = None,
    keys: int | Sequence[str] = 7,
) -> Sketch:
    """What `line` draws."""
    by = [by] if isinstance(by, str) else list(by or [])
    chosen = [] if isinstance(keys, int) else list(keys)
    marks = marks_of(data, x=x, y=y, by=by, first=chosen)
    shown = min(keys if isinstance(keys, int) else len(chosen), len(marks.keys))
    more = len(marks.keys) - shown
    notes = [f"grey band: {more:,} more keys, from lowest to highest"] if more else []
    what = f"{y} by {', '.join(by)}" if by else y
    sketch = Sketch(marks, "line", what if title is None else title, x, y, by, TIMING in data.columns, notes)
    if more:
        # Neither their sum nor their mean is right for every aggregate; a range is.
        rest = marks.frame[(marks.frame["rank"] >= shown) & marks.frame["y"].notna()].groupby("x")["y"]
        low, high = rest.min(), rest.max()
        parts = np.split(np.arange(len(low)), _gaps(low.index.to_numpy(np.float64), marks.step))
        around = [(low.iloc[part], high.iloc[part].iloc[::-1]) for part in parts]
        columns = {
            "xs": [[*under.index, *over.index] for under, over in around],
            "ys": [[*under, *over] for under, over in around],
        }
        band = sketch.add("patches", columns, xs="xs", ys="ys", fill_color=REST, fill_alpha=0.22, line_color=None)
        sketch.entries.append((f"{more:,} more", [band]))
    for rank in reversed(range(shown)):  # the largest on top
        rows = marks.frame[marks.frame["rank"] == rank]
        drawn = _draw(sketch, rows, rank, marks.step)
        sketch.hovered.append(drawn[-1])
        sketch.entries.append((marks.keys[rank], drawn))
    sketch.entries.reverse()
    return sketch


def _draw(sketch: Sketch, rows: pd.DataFrame, rank: int, step: float) -> list[int]:
    """One key's line, its provisional parts and its points, the points last."""
    color = color_of(rank)
    stroke = _strokes(rows, step)
    drawn = [sketch.add("line", stroke, x="x", y="settled", line_color=color, line_width=2, line_dash=dash_of(rank))]
    early, late = (rows["timing"] == EARLY).to_numpy(), (rows["timing"] == LATE).to_numpy()
    if early.any():
        looks = {"line_color": color, "line_width": 1.5, "line_dash": [3, 4], "line_alpha": 0.6}
        drawn.append(sketch.add("line", stroke, x="x", y="provisional", **looks))
    points = {
        **{name: rows[name].to_numpy() for name in ("x", "y", "key", "window", "pane", "value")},
        "marker": np.where(late, "diamond", "circle"),
        "size": np.where(late, 13, np.where(early, 7, 5 if len(rows) < 200 else 3)),
        "fill": np.where(early, 0.0, 1.0),
        "edge": np.where(late, INK, color),
    }
    looks = {"fill_color": color, "fill_alpha": "fill", "line_color": "edge", "hover_line_color": INK}
    drawn.append(sketch.add("scatter", points, x="x", y="y", marker="marker", size="size", **looks))
    return drawn


def _strokes(rows: pd.DataFrame, step: float) -> Columns:
    """The line of one key in two columns, settled and provisional, broken where windows are missing."""
    x, y, early = (rows[name].to_numpy() for name in ("x", "y", "timing"))
    early = early == EARLY
    gaps = _gaps(x, step)
    x, y, early = np.insert(x, gaps, x[gaps]), np.insert(y, gaps, np.nan), np.insert(early, gaps, False)
    # A stroke is provisional if one of its two ends is, so the settled neighbours of early points belong to both.
    beside = early | np.append(early[1:], False) | np.insert(early[:-1], 0, False)
    return {"x": x, "settled": np.where(early, np.nan, y), "provisional": np.where(beside, y, np.nan)}


def _gaps(x: F64, step: float) -> npt.NDArray[np.int64]:
    """Where windows are missing: the positions after the gaps."""
    return np.flatnonzero(np.diff(x) > 1.5 * step) + 1 if step else np.empty(0, np.int64)
