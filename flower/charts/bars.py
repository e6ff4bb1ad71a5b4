"""Panes as bars: over windows a bar covers its window, over categories the largest come first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from bokeh.plotting import figure

from flower.charts.marks import Marks, marks_of, number_text, one_each
from flower.charts.sketch import Sketch
from flower.charts.style import INK, REST, color_of
from flower.model.panes import EARLY, LATE, TIMING


def bar(
    data: pd.DataFrame,
    *,
    x: str,
    y: str,
    by: str | Sequence[str] | None = None,
    stacked: bool = False,
    title: str | None = None,
    keys: int | Sequence[str] = 7,
) -> figure:
    """Bars of panes over `x`.

    Parameters
    ----------
    data : pandas.DataFrame
        A view of panes, such as `collect` and `Run.results` give, or any other frame; one row for each `x` and `by`.
    x, y : str
        Columns: window (a bar covers it), other time, number or category; and number.
    by : str or sequence of str, optional
        The columns of the key: bars side by side, or on one another.
    stacked : bool
        Put the keys' bars on one another. Right for what adds up, such as counts and sums; not for means.
    title : str, optional
        What stands above it; made of the names if left out.
    keys : int or sequence of str
        How many keys get bars of their own, those with the largest total; or which, so that several charts have them
        in the same colours. The rest is one grey bar: stacked, their sum; side by side, from their lowest to their
        highest value.

    Raises
    ------
    FlowerError
        If two rows have the same `x` and `by`.

    Examples
    --------
    >>> frame = pd.DataFrame({"who": ["a", "b"], "rows": [3, 5]})
    >>> bar(frame, x="who", y="rows").renderers[0].data_source.data["window"].tolist()
    ['b', 'a']
    """
    return bar_sketch(data, x=x, y=y, by=by, stacked=stacked, title=title, keys=keys).figure()


def bar_sketch(
    data: pd.DataFrame,
    *,
    x: str,
    y: str,
    by: str | Sequence[str] | None = None,
    stacked: bool = False,
    title: str | None = None,
    keys: int | Sequence[str] = 7,
) -> Sketch:
    """What `bar` draws."""
    by = [by] if isinstance(by, str) else list(by or [])
    chosen = [] if isinstance(keys, int) else list(keys)
    marks = marks_of(data, x=x, y=y, by=by, first=chosen)
    one_each(marks, x, by)
    marks, cut = _largest(marks)
    shown = min(keys if isinstance(keys, int) else len(chosen), len(marks.keys))
    more = len(marks.keys) - shown
    notes = [f"{cut:,} more values of {x} are left out"] if cut else []
    if more:
        notes.append(f"grey: {more:,} more keys, " + ("their sum" if stacked else "from lowest to highest"))
    bars = marks.frame[marks.frame["rank"] < shown].assign(bottom=0.0, top=lambda rows: rows["y"])
    if more:
        bars = pd.concat([bars, _rest(marks, shown, stacked)], ignore_index=True)
    bars = _stacked(bars) if stacked else _side_by_side(bars, shown + bool(more))
    what = f"{y} by {', '.join(by)}" if by else y
    sketch = Sketch(marks, "bar", what if title is None else title, x, y, by, TIMING in data.columns, notes)
    sketch.floor = len(bars) > 0 and bool(bars["bottom"].min() >= 0)  # bars stand on the axis
    for rank, name in enumerate([*marks.keys[:shown], *([f"{more:,} more"] if more else [])]):
        quads = _draw(sketch, bars[bars["rank"] == rank], color_of(rank) if rank < shown else REST)
        sketch.hovered.append(quads)
        sketch.entries.append((name, [quads]))
    return sketch


CATEGORIES = 40


def _largest(marks: Marks) -> tuple[Marks, int]:
    """The marks of the largest categories, and how many categories are left out."""
    cut = len(marks.categories) - CATEGORIES
    if cut <= 0:
        return marks, 0
    frame = marks.frame[marks.frame["x"] < CATEGORIES]
    return replace(marks, frame=frame, categories=marks.categories[:CATEGORIES]), cut


def _rest(marks: Marks, shown: int, stacked: bool) -> pd.DataFrame:
    """One bar at each `x` for all keys that have none of their own."""
    rest = marks.frame[marks.frame["rank"] >= shown]
    at = rest.groupby("x")
    low, high = at["y"].min(), at["y"].max()
    if stacked:
        low, high = low * 0.0, at["y"].sum()
        value = [number_text(total) for total in high]
    else:
        value = [f"{number_text(a)} to {number_text(b)}" for a, b in zip(low, high, strict=True)]
    first = at[["left", "right", "window", "pane"]].first()
    count = f"{len(marks.keys) - shown:,} more"
    bars = first.assign(rank=shown, y=high, bottom=low, top=high, value=value, key=count, timing=at["timing"].max())
    return bars.reset_index()


def _stacked(bars: pd.DataFrame) -> pd.DataFrame:
    """Bars on one another, by rank; those below zero hang down."""
    bars = bars.sort_values("rank", kind="stable")
    top = bars["y"].fillna(0.0).groupby([bars["x"], bars["y"] < 0]).cumsum()
    return bars.assign(top=top, bottom=top - bars["y"])


def _side_by_side(bars: pd.DataFrame, several: int) -> pd.DataFrame:
    """Each rank in its share of what the bar at `x` covers."""
    width = (bars["right"] - bars["left"]) / several
    left = bars["left"] + width * bars["rank"]
    return bars.assign(left=left, right=left + width)


def _draw(sketch: Sketch, rows: pd.DataFrame, color: str) -> int:
    early, late = (rows["timing"] == EARLY).to_numpy(), (rows["timing"] == LATE).to_numpy()
    names = ("left", "right", "bottom", "top", "key", "window", "pane", "value")
    columns = {
        **{name: rows[name].to_numpy() for name in names},
        "alpha": np.where(early, 0.35, 0.9),
        "frame": np.where(late, INK, color),
    }
    return sketch.add(
        "quad",
        columns,
        left="left",
        right="right",
        bottom="bottom",
        top="top",
        fill_color=color,
        fill_alpha="alpha",
        line_color="frame",
        line_width=1,
        hover_fill_alpha=0.6,
    )
