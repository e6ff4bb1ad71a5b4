"""A sketch as Bokeh's figure, and what changes in the figure when another sketch takes its place."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from bokeh.core.properties import value
from bokeh.models.annotations import ColorBar, Legend, LegendItem
from bokeh.models.formatters import BasicTickFormatter
from bokeh.models.labeling import NoOverlap
from bokeh.models.mappers import LinearColorMapper
from bokeh.models.ranges import DataRange1d, Range1d
from bokeh.models.renderers import GlyphRenderer
from bokeh.models.sources import ColumnDataSource
from bokeh.models.text import PlainText
from bokeh.models.tickers import DatetimeTicker, FixedTicker
from bokeh.models.tools import HoverTool
from bokeh.palettes import Cividis256
from bokeh.plotting import figure as Figure

from flower.charts.axes import Axis
from flower.charts.sketch import SCALED, Columns, Sketch
from flower.charts.style import GRID, INK, PAPER, SAID, canvas, heading, times, wrapped
from flower.charts.texts import short

COLUMN, CELL, PATCHED_CELL = 80, 11, 45
"""About how many bytes a column takes that is sent anew, a value in it, and a value that is patched by its row."""


class Drawn:
    """A figure that follows sketches.

    Parameters
    ----------
    sketch : Sketch
        What it shows at first.

    Attributes
    ----------
    figure : bokeh.plotting.figure
        Bokeh's own object. What a person changes in it stays.
    """

    def __init__(self, sketch: Sketch) -> None:
        self._sketch = sketch
        self.figure = plot = canvas(
            sketch.title, timed=(sketch.x.kind == "time", sketch.y.kind == "time"), **sketch.looks
        )
        # The front end reads it (front.js).
        plot.tags = [{"flower": asdict(sketch.linked)}]
        bare = bool(sketch.looks.get("bare"))
        self._notes = heading(sketch.said, bold=False)
        plot.add_layout(self._notes, "above")
        plot.add_layout(heading(sketch.title, bold=True), "above")
        self._ends: dict[str, tuple[float, float]] = {}
        if sketch.map:
            _mercator(plot)
        for name, axis in (("x", sketch.x), ("y", sketch.y)):
            model = getattr(plot, f"{name}axis")
            model.axis_label = PlainText(text=axis.label)
            if not sketch.map:
                self._ends[name] = start, end = axis.steady(None)
                setattr(plot, f"{name}_range", _range(name, axis, start, end))
            if axis.kind == "time":
                model.ticker, model.formatter = DatetimeTicker(desired_num_ticks=9), times()
                model.major_label_policy = NoOverlap(min_distance=8)
            elif axis.kind == "number" and not sketch.map:
                model.formatter = BasicTickFormatter(use_scientific=False)
            self._label(name, axis)
        if sketch.y.kind == "category":
            plot.xgrid.grid_line_color, plot.ygrid.grid_line_color = GRID, None
        self._mapper = LinearColorMapper(palette=Cividis256, low=0, high=1)
        if sketch.scale is not None:
            self._scale(sketch)
            bar = ColorBar(color_mapper=self._mapper, background_fill_color=None, major_label_text_color=SAID)
            bar.major_tick_line_color, bar.bar_line_color = None, None
            plot.add_layout(bar, "right")
        sources: dict[int, ColumnDataSource] = {}
        self._renderers: list[GlyphRenderer[Any]] = []
        for layer in sketch.layers:
            # Layers of the same columns share their source.
            source = sources.setdefault(id(layer.columns), ColumnDataSource(layer.columns))
            looks = {
                name: {"field": "scaled", "transform": self._mapper} if look is SCALED else look
                for name, look in layer.looks.items()
            }
            self._renderers.append(getattr(plot, layer.glyph)(source=source, **looks))
        self._hover = HoverTool(renderers=[self._renderers[at] for at in sketch.hovered])
        self._tell(sketch)
        if sketch.tips and not bare:
            plot.add_tools(self._hover)
        self._legend = Legend(
            title=sketch.legend,
            title_text_font_style="bold",
            title_text_color=INK,
            label_text_color=INK,
            click_policy="hide",
            inactive_fill_color=PAPER,
            border_line_color=None,
            background_fill_color=None,
            label_text_font_size="12px",
            glyph_height=18,
            spacing=1,
        )
        drawn = [[self._renderers[at] for at in layers] for _, layers in sketch.entries]
        self._items = [LegendItem(renderers=each) for each in drawn]
        self._left_out = LegendItem(renderers=[])
        self._legend.items = [*self._items, self._left_out]
        self._name(sketch)
        if sketch.legend:
            plot.add_layout(self._legend, "right")

    def update(self, new: Sketch) -> bool:
        """Show ``new``, by its columns and texts; False if it has other parts, and nothing was done."""
        old = self._sketch
        if new.parts != old.parts:
            return False
        self._sketch = new
        done: set[int] = set()
        for renderer, before, layer in zip(self._renderers, old.layers, new.layers, strict=True):
            if id(layer.columns) not in done:
                done.add(id(layer.columns))
                send(renderer.data_source, before.columns, layer.columns)  # type: ignore[arg-type]
        for name, shown, axis in (("x", old.x, new.x), ("y", old.y, new.y)):
            self._move(name, axis)
            if axis.categories != shown.categories:
                self._label(name, axis)
        if new.said != old.said:
            self._notes.text.text = wrapped(new.said, bold=False)  # type: ignore[union-attr]
            self._notes.visible = bool(new.said)
        if (new.tips, new.formatters) != (old.tips, old.formatters):
            self._tell(new)
        if new.scale != old.scale:
            self._scale(new)
        if (new.entries, new.left_out) != (old.entries, old.left_out):
            self._name(new)
        return True

    def _move(self, name: str, axis: Axis) -> None:
        if name not in self._ends:
            return
        ends = axis.steady(self._ends[name])
        if ends == self._ends[name]:
            return
        self._ends[name] = ends
        start, end = _turned(name, axis, ends)
        shown = getattr(self.figure, f"{name}_range")
        # What a reset goes back to as well. A front end that was zoomed by hand keeps what it shows.
        shown.update(start=start, end=end, reset_start=start, reset_end=end)

    def _label(self, name: str, axis: Axis) -> None:
        if axis.kind != "category":
            return
        model = getattr(self.figure, f"{name}axis")
        ticks = list(range(len(axis.categories)))
        model.ticker = FixedTicker(ticks=ticks)
        # Plain text everywhere: a name with dollars is not a formula.
        model.major_label_overrides = {tick: PlainText(text=short(axis.categories[tick], 24)) for tick in ticks}
        if name == "x":
            model.major_label_orientation = 0.7 if sum(map(len, axis.categories)) > 90 else "horizontal"

    def _scale(self, sketch: Sketch) -> None:
        if sketch.scale is not None:
            self._mapper.update(low=sketch.scale[0], high=sketch.scale[1])

    def _tell(self, sketch: Sketch) -> None:
        self._hover.update(tooltips=sketch.tips, formatters=sketch.formatters)

    def _name(self, sketch: Sketch) -> None:
        for item, (text, _) in zip(self._items, sketch.entries, strict=True):
            item.update(label=value(short(text)), visible=bool(text))
        more = f"{sketch.left_out:,} more left out" if sketch.left_out else ""
        self._left_out.update(label=value(more), visible=bool(more))


def send(source: ColumnDataSource, old: Columns, new: Columns) -> None:
    """Make ``new`` of the columns of a source: by what was added, left at the front or changed, where that is less.

    Examples
    --------
    >>> source = ColumnDataSource({"x": np.arange(4.0)})
    >>> send(source, {"x": np.arange(4.0)}, {"x": np.arange(1.0, 6.0)})
    >>> source.data["x"].tolist()
    [1.0, 2.0, 3.0, 4.0, 5.0]
    """
    if old.keys() != new.keys() or "x" not in new or not isinstance(new["x"], np.ndarray):
        if any(_differ(old.get(name), column) for name, column in new.items()):
            source.data = new
        return
    before, after = len(old["x"]), len(new["x"])
    if not before or not after:
        if before or after:
            source.data = new
        return
    # The first row of the new columns among the old ones: those before it rolled out.
    front = np.flatnonzero(old["x"] == new["x"][0])
    gone = int(front[0]) if len(front) else before
    common = before - gone
    if not common or common > after or _differ(old["x"][gone:], new["x"][:common]):
        source.data = new
        return
    changed = {name: _changes(old[name][gone:], column[:common]) for name, column in new.items()}
    if PATCHED_CELL * sum(map(len, changed.values())) > len(new) * (COLUMN + CELL * common):
        source.data = new
        return
    if after < before:
        # BokehJS does not shorten typed arrays: what rolled out would stay at their end.
        source.data = new
        return
    if after > common:
        # Rolling over is by the length after: what is too long leaves at the front.
        source.stream({name: column[common:] for name, column in new.items()}, rollover=after)
    patches = {name: [(int(at), _plain(new[name][at])) for at in rows] for name, rows in changed.items() if len(rows)}
    if patches:
        source.patch(patches)


def _changes(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    # A value that is missing differs from itself.
    return np.flatnonzero((old != new) & ~((old != old) & (new != new)))


def _differ(old: Any, new: Any) -> bool:
    if old is None:
        return True
    left, right = np.asarray(old), np.asarray(new)
    return left.shape != right.shape or bool(len(_changes(left, right)))


def _plain(cell: Any) -> Any:
    return cell.item() if isinstance(cell, np.generic) else cell


def _range(name: str, axis: Axis, start: float, end: float) -> Range1d:
    start, end = _turned(name, axis, (start, end))
    return Range1d(start=start, end=end, reset_start=start, reset_end=end, tags=["flower"])


def _turned(name: str, axis: Axis, ends: tuple[float, float]) -> tuple[float, float]:
    """The largest category is at the left, and on top."""
    return ends[::-1] if name == "y" and axis.kind == "category" else ends


def _mercator(plot: Figure) -> None:
    from bokeh.models.formatters import MercatorTickFormatter
    from bokeh.models.tickers import MercatorTicker

    plot.match_aspect = True
    plot.x_range, plot.y_range = (DataRange1d(range_padding=0.1, min_interval=2_000) for _ in range(2))
    plot.xaxis.ticker, plot.xaxis.formatter = MercatorTicker(dimension="lon"), MercatorTickFormatter(dimension="lon")
    plot.yaxis.ticker, plot.yaxis.formatter = MercatorTicker(dimension="lat"), MercatorTickFormatter(dimension="lat")
    plot.xgrid.grid_line_color = plot.ygrid.grid_line_color
