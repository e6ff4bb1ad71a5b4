"""What a chart draws, before Bokeh's models are made of it: they are dear, and a live chart needs new columns only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flower.charts.axes import Axis
from flower.charts.marks import Marks
from flower.charts.texts import number_format, short

Columns = dict[str, Any]

SCALED = object()
"""Stands for the colours of a `Sketch.scale` among the looks of a layer."""


@dataclass(frozen=True)
class Layer:
    """One glyph for all rows of some columns; ``glyph`` and ``looks`` are Bokeh's."""

    glyph: str
    columns: Columns
    looks: dict[str, Any]


@dataclass(frozen=True)
class Linked:
    """What a chart can have in common with others.

    Parameters
    ----------
    x : str
        The column along its x axis; empty: nothing moves with others.
    by : tuple of str
        The columns of the key that its marks have.
    column : {"key", "category"}
        Where among the columns of the marks the key is.
    """

    x: str = ""
    by: tuple[str, ...] = ()
    column: str = "key"


@dataclass
class Sketch:
    """A chart as layers.

    Attributes
    ----------
    title : str
        What stands above it.
    x, y : Axis
        Its axes.
    notes : list of str
        What is said below the title.
    layers : list of Layer
        What is drawn, the last on top.
    entries : list of (str, list of int)
        The legend: a key's text, empty where a place is free, and its layers.
    legend : str
        The legend's title; empty: there is none.
    left_out : int
        Keys that are not drawn; the legend says so.
    hovered : list of int
        The layers whose marks a hover shows.
    tips : list of (str, str)
        What a hover shows: a label, and Bokeh's format.
    formatters : dict of str to str
        How the browser reads those formats.
    kept : tuple of str
        The keys that have places.
    scale : tuple of float, optional
        The lowest and the highest value of a colour scale.
    looks : dict of str to Any
        What the canvas is like; see `flower.charts.style.canvas`.
    map : bool
        Whether the axes are those of a map in Mercator's projection.
    linked : Linked
        What it has in common with other charts of a dashboard.
    """

    title: str
    x: Axis
    y: Axis
    notes: list[str] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    entries: list[tuple[str, list[int]]] = field(default_factory=list)
    legend: str = ""
    left_out: int = 0
    hovered: list[int] = field(default_factory=list)
    tips: list[tuple[str, str]] = field(default_factory=list)
    formatters: dict[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    scale: tuple[float, float] | None = None
    looks: dict[str, Any] = field(default_factory=dict)
    map: bool = False
    linked: Linked = field(default_factory=lambda: Linked())

    def add(self, glyph: str, columns: Columns, *, hover: bool = False, **looks: Any) -> int:
        """Add a layer; gives its number."""
        self.layers.append(Layer(glyph, columns, looks))
        if hover:
            self.hovered.append(len(self.layers) - 1)
        return len(self.layers) - 1

    @property
    def said(self) -> str:
        """The text below the title."""
        return "; ".join(self.notes)

    @property
    def parts(self) -> object:
        """What two sketches share if one becomes the other by new columns and texts alone."""
        shape = [(layer.glyph, layer.looks) for layer in self.layers]
        kinds = self.x.kind, self.y.kind, self.x.label, self.y.label
        return shape, [layers for _, layers in self.entries], self.title, kinds, self.legend, self.looks

    def tell(self, marks: Marks, values: dict[str, str], *, x: str, by: str, of: str = "key") -> None:
        """Let a hover show a mark's key, window, values (column and label) and pane."""
        if by:
            self.tips.append((short(by, 40), f"@{of}"))
        if marks.windowed:
            start, end, whole = marks.columns["start"], marks.columns["end"], 60_000
            clock = "%H:%M" if not (start % whole).any() and not (end % whole).any() else "%H:%M:%S.%3N"
            day = 86_400_000
            same = bool((start // day == end // day).all())
            self.tips.append(
                ("window", f"@start{{%F {clock}}} to @end{{{clock if same else f'%F {clock}'}}}"),
            )
            self.formatters |= {"@start": "datetime", "@end": "datetime"}
        elif marks.axis.kind == "time":
            self.tips.append((short(x, 40), "@x{%F %T.%3N}"))
            self.formatters["@x"] = "datetime"
        elif marks.axis.kind == "category":
            self.tips.append((short(x, 40), "@category"))
        else:
            self.tips.append((short(x, 40), "@x{0,0.[0000]}"))
        for column, label in values.items():
            form, reader = number_format(marks.columns[column])
            self.tips.append((short(label, 40), f"@{column}{form}"))
            self.formatters[f"@{column}"] = reader
        if marks.panes:
            self.tips.append(("pane", "@pane (pane @index)"))
