"""What a chart draws, before Bokeh's models are made of it: they are dear, and a live chart needs new columns only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bokeh.models.ranges import DataRange1d
from bokeh.models.renderers import GlyphRenderer
from bokeh.models.sources import ColumnDataSource
from bokeh.plotting import figure

from flower.charts.marks import Marks
from flower.charts.style import canvas, hover, legend, notes_text

Columns = dict[str, Any]


@dataclass(frozen=True)
class Layer:
    """One glyph for all rows of some columns; ``glyph`` and ``looks`` are Bokeh's."""

    glyph: str
    columns: Columns
    looks: dict[str, Any]


@dataclass
class Sketch:
    """A chart as layers.

    Parameters
    ----------
    marks : Marks
        What it is about.
    kind : {"line", "bar"}
        How its notes explain panes.
    title, x, y : str
        Its texts.
    by : sequence of str
        The columns of the key.
    panes : bool
        Whether a hover tells the pane.
    notes : sequence of str
        What is said below the title, beside the marks' meaning.
    floor : bool
        Whether the axis begins at 0.
    """

    marks: Marks
    kind: str
    title: str
    x: str
    y: str
    by: Sequence[str]
    panes: bool
    notes: Sequence[str]
    floor: bool = False
    layers: list[Layer] = field(default_factory=list)
    hovered: list[int] = field(default_factory=list)
    entries: list[tuple[str, list[int]]] = field(default_factory=list)

    def add(self, glyph: str, columns: Columns, **looks: Any) -> int:
        """Add a layer; gives its number."""
        self.layers.append(Layer(glyph, columns, looks))
        return len(self.layers) - 1

    @property
    def said(self) -> str:
        """The text below the title."""
        return notes_text(self.marks, self.kind, self.x, self.notes)

    @property
    def parts(self) -> object:
        """What two sketches share if one becomes the other by new columns and texts alone."""
        shape = [(layer.glyph, layer.looks) for layer in self.layers]
        return shape, self.entries, self.title, self.marks.categories, bool(self.said), self.floor, not self.layers

    def figure(self) -> figure:
        """Bokeh's figure; its renderers are the layers, in their order."""
        plot = canvas(self.marks, kind=self.kind, title=self.title, x=self.x, y=self.y, notes=self.notes)
        if self.floor:
            plot.y_range = DataRange1d(start=0)
        sources: dict[int, ColumnDataSource] = {}
        drawn: list[GlyphRenderer[Any]] = []
        for layer in self.layers:
            # Layers of the same columns share their source.
            source = sources.setdefault(id(layer.columns), ColumnDataSource(layer.columns))
            drawn.append(getattr(plot, layer.glyph)(source=source, **layer.looks))
        hover(plot, [drawn[at] for at in self.hovered], x=self.x, y=self.y, by=self.by, panes=self.panes)
        if self.by and self.entries:
            legend(plot, [(name, [drawn[at] for at in layers]) for name, layers in self.entries], self.by)
        return plot
