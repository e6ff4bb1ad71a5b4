"""What all chart types have in common. A type is a declaration: its columns, and how panes become glyphs.

A new one is a file in `flower.charts.kinds` with a frozen dataclass, and a line in `flower.charts.plot`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from flower.charts.axes import Axis, extent
from flower.charts.drawn import Drawn
from flower.charts.marks import PANE_TEXTS, Columns, Marks, marks_of
from flower.charts.sketch import Linked, Sketch
from flower.charts.style import FACES
from flower.charts.view import standing
from flower.model.panes import EARLY, LATE

if TYPE_CHECKING:
    import pandas as pd
    from bokeh.plotting import figure as Figure


@dataclass(frozen=True)
class Seen:
    """What a chart type sees: a view, and what is known besides.

    Parameters
    ----------
    frame : pandas.DataFrame
        A view of panes, or any other frame.
    combine : mapping of str to {"sum", "min", "max", "first", "last"}
        How the values of a column combine, where they do.
    kept : sequence of str
        The keys that have places now.
    """

    frame: pd.DataFrame
    combine: Mapping[str, str] = field(default_factory=dict)
    kept: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class ChartType(ABC):
    """A kind of chart with its options.

    Parameters
    ----------
    title : str, optional
        What stands above it; made of the names if left out.
    """

    title: str | None = None

    @abstractmethod
    def sketch(self, seen: Seen) -> Sketch:
        """What to draw of a view."""

    def figure(self, frame: pd.DataFrame, combine: Mapping[str, str] | None = None) -> Figure:
        """Bokeh's figure of a view of panes, such as `collect` and `Run.results` give, or of any other frame."""
        return self.drawn(Seen(standing(frame), combine or {})).figure

    def drawn(self, seen: Seen) -> Follows:
        """A figure that can follow other views."""
        return Following(self, seen)


class Follows(Protocol):
    """A figure that shows a view, and then others."""

    figure: Figure

    def follow(self, seen: Seen, said: str = "") -> bool:
        """Show another view, and say something more; False if that takes another figure, and nothing was done."""


class Following:
    """The figure of a chart type; keys that stay among the largest keep their places."""

    def __init__(self, kind: ChartType, seen: Seen) -> None:
        self._kind = kind
        sketch = kind.sketch(seen)
        self._kept = sketch.kept
        self._drawn = Drawn(sketch)
        self.figure = self._drawn.figure

    def follow(self, seen: Seen, said: str = "") -> bool:
        """Show another view by new columns and texts."""
        sketch = self._kind.sketch(replace(seen, kept=self._kept))
        self._kept = sketch.kept
        if said:
            sketch.notes.append(said)
        return self._drawn.update(sketch)


@dataclass(frozen=True, kw_only=True)
class OverX(ChartType):
    """A chart of numbers over something, a mark a pane, with a colour for each key.

    Parameters
    ----------
    x, y : str
        Columns: time, number or category; and number.
    by : str or sequence of str, optional
        The columns of the key.
    title : str, optional
        What stands above it; made of the names if left out.
    keys : int or sequence of str
        How many keys are drawn, those with the largest total of `y`; or which, so that several charts have them in the
        same colours. The others are folded into one where the aggregate combines (a sum, count, min or max), else
        left out; the legend says so.
    last : str, optional
        How much of a time axis is shown, as "10min", back from the newest; None: all.
    """

    x: str
    y: str
    by: str | Sequence[str] | None = None
    keys: int | Sequence[str] = 7
    last: str | None = None

    marked: ClassVar[Mapping[int, str]] = FACES
    floor: ClassVar[bool] = False

    @property
    def names(self) -> list[str]:
        """The columns of the key."""
        return [self.by] if isinstance(self.by, str) else list(self.by or [])

    def combination(self, seen: Seen) -> str | None:
        """How `y` combines over keys."""
        return seen.combine.get(self.y)

    def numbers(self) -> Mapping[str, str]:
        """More columns of numbers, by the names that the marks have for them."""
        return {}

    def sketch(self, seen: Seen) -> Sketch:
        """What to draw of a view."""
        marks = marks_of(
            seen.frame,
            x=self.x,
            y=self.y,
            by=self.names,
            keys=self.keys,
            kept=seen.kept,
            combine=self.combination(seen),
            last=self.last,
            numbers=self.numbers(),
        )
        low, high = extent(marks.columns["y"])
        what = f"{self.y} by {', '.join(self.names)}" if self.by else self.y
        sketch = Sketch(
            what if self.title is None else self.title,
            marks.axis,
            Axis(self.y, low=low, high=high, floor=self.floor),
            legend=", ".join(self.names),
            left_out=marks.left_out,
            kept=marks.kept,
            linked=linked(marks, self.x, self.names),
        )
        sketch.notes += notes_of(marks, self.marked)
        sketch.tell(marks, {"y": self.y}, x=self.x, by=", ".join(self.names))
        self.draw(sketch, marks)
        return sketch

    @abstractmethod
    def draw(self, sketch: Sketch, marks: Marks) -> None:
        """Add the layers and the legend's entries of each place."""


def linked(marks: Marks, x: str, by: Sequence[str]) -> Linked:
    """What marks have in common with those of other charts: a category along the axis is a key too."""
    if marks.axis.kind == "category":
        return Linked("", tuple(by), "key") if by else Linked("", (x,), "category")
    return Linked(x, tuple(by))


def notes_of(marks: Marks, marked: Mapping[int, str]) -> list[str]:
    """What the marks mean, and what is not shown."""
    said = [marked[timing] for timing in sorted(marks.timings) if timing in marked] + list(marks.notes)
    return said if len(marks) else [*said, "no rows yet"]


def told(rows: Columns, marks: Marks) -> Columns:
    """The columns of marks that a hover reads."""
    columns = {name: rows[name] for name in ("x", "y", "key")}
    if marks.windowed:
        columns |= {name: rows[name] for name in ("start", "end")}
    if marks.axis.kind == "category":
        columns["category"] = np.array(marks.axis.categories, object)[rows["x"].astype(np.int64)]
    if marks.panes:
        columns |= {"pane": PANE_TEXTS[rows["timing"]], "index": rows["index"]}
    return columns


def faces(rows: Columns) -> Columns:
    """How filled marks show the timing of their pane: early ones are pale, late ones have a frame."""
    return {
        "alpha": np.where(rows["timing"] == EARLY, 0.35, 1.0),
        "frame": np.where(rows["timing"] == LATE, 2.0, 0.0),
    }


def higher(axis: Axis, *columns: np.ndarray) -> Axis:
    """An axis that holds these columns too."""
    low, high = extent(*columns, np.array([axis.low, axis.high]))
    return replace(axis, low=low, high=high)
