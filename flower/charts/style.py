"""How charts look: colours, axes, legend, hover and the marks of early and late panes, the same in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bokeh.core.properties import value
from bokeh.models.annotations import Legend, LegendItem, Title
from bokeh.models.formatters import BasicTickFormatter, DatetimeTickFormatter
from bokeh.models.ranges import Range1d
from bokeh.models.renderers import GlyphRenderer
from bokeh.models.text import PlainText
from bokeh.models.tickers import DatetimeTicker, FixedTicker
from bokeh.models.tools import HoverTool
from bokeh.plotting import figure

from flower.charts.marks import Marks
from flower.model.panes import EARLY, LATE

# Okabe and Ito's palette, told apart by colour-blind readers; without its yellow, which white swallows.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("solid", "dotdash", "dashed")
DATE = "%d %b %Y"
REST = "#8A8A8A"
INK = "#222222"

NOTES = {
    "line": {
        EARLY: "hollow and dashed: early, may still change",
        LATE: "diamond: corrected by late rows",
    },
    "bar": {
        EARLY: "pale: early, may still change",
        LATE: "framed: corrected by late rows",
    },
}


def color_of(rank: int) -> str:
    """The colour of the key with that rank; they come round again."""
    return COLORS[rank % len(COLORS)]


def dash_of(rank: int) -> str:
    """The dashes of a line, which tell keys of one colour apart."""
    return DASHES[rank // len(COLORS) % len(DASHES)]


def canvas(marks: Marks, *, kind: str, title: str, x: str, y: str, notes: Sequence[str]) -> figure:
    """An empty figure with title, notes, axes and grid."""
    plot = figure(
        x_axis_type="datetime" if marks.kind == "time" else "linear",
        name=title,
        height=440,
        sizing_mode="stretch_width",
        margin=(0, 0, 24, 0),
        tools="xpan,xwheel_zoom,box_zoom,reset,save",
        active_drag=None,
        toolbar_location="above",
    )
    if not len(marks.frame):
        # Axes of nothing: BokehJS finds no ends for them.
        plot.x_range, plot.y_range = Range1d(start=0, end=1), Range1d(start=0, end=1)
        plot.axis.visible = False
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    plot.outline_line_color = None
    plot.grid.grid_line_color = "#E6E6E6"
    plot.xgrid.grid_line_color = None
    plot.axis.axis_line_color = "#B0B0B0"
    plot.axis.major_tick_line_color = "#B0B0B0"
    plot.axis.minor_tick_line_color = None
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.axis_label_text_color = INK
    # Plain text everywhere: a name with dollars is not a formula.
    plot.xaxis.axis_label = PlainText(text=f"{x} ({marks.zone})" if marks.zone else x)
    plot.yaxis.axis_label = PlainText(text=y)
    plot.yaxis.formatter = BasicTickFormatter(use_scientific=False)
    if said := notes_text(marks, kind, x, notes):
        plot.add_layout(_title(said, size="11px", color="#555555", bold=False), "above")
    plot.add_layout(_title(title, size="15px", color=INK, bold=True), "above")
    if marks.kind == "time":
        plot.xaxis.ticker = DatetimeTicker(desired_num_ticks=9)
        plot.xaxis.formatter = DatetimeTickFormatter(
            days="%a %d %b",
            hours="%H:%M",
            hourmin="%H:%M",
            minutes="%H:%M",
            minsec="%H:%M:%S",
            seconds="%H:%M:%S",
            milliseconds="%H:%M:%S.%3N",
            context=DatetimeTickFormatter(
                milliseconds=DATE, seconds=DATE, minsec=DATE, minutes=DATE, hourmin=DATE, hours=DATE, days="%Y"
            ),
            context_which="start",
        )
    if marks.kind == "category":
        ticks = list(range(len(marks.categories)))
        plot.xaxis.ticker = FixedTicker(ticks=ticks)
        plot.xaxis.major_label_overrides = {tick: PlainText(text=short(marks.categories[tick])) for tick in ticks}
    return plot


def notes_text(marks: Marks, kind: str, x: str, notes: Sequence[str]) -> str:
    """What the marks mean, and what is not shown."""
    said = [NOTES[kind][timing] for timing in sorted(marks.timings) if timing in NOTES[kind]] + list(notes)
    if marks.unplaced:
        said.append(f"{marks.unplaced:,} rows without {x} are left out")
    if not len(marks.frame):
        said.append("no rows yet")
    return "; ".join(said)


def hover(
    plot: figure, renderers: Sequence[GlyphRenderer[Any]], *, x: str, y: str, by: Sequence[str], panes: bool
) -> None:
    """Show a mark's key, window, value and pane; Bokeh writes all of them as text, never as HTML."""
    rows = [("window" if panes else _label(x), "@window"), (_label(y), "@value")]
    if by:
        rows.insert(0, (_label(", ".join(by)), "@key"))
    if panes:
        rows.append(("pane", "@pane"))
    plot.add_tools(HoverTool(renderers=list(renderers), tooltips=rows))


def legend(plot: figure, entries: Sequence[tuple[str, Sequence[GlyphRenderer[Any]]]], by: Sequence[str]) -> None:
    """Names of keys beside the figure; a click hides and shows."""
    items = [LegendItem(label=value(short(text)), renderers=list(drawn)) for text, drawn in entries]
    plot.add_layout(
        Legend(
            items=items,
            title=", ".join(by),
            title_text_font_style="bold",
            title_text_color=INK,
            click_policy="hide",
            border_line_color=None,
            label_text_font_size="12px",
            glyph_height=18,
            spacing=1,
        ),
        "right",
    )


def short(text: str, length: int = 32) -> str:
    """``text``, or its beginning and three dots."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _title(text: str, *, size: str, color: str, bold: bool) -> Title:
    return Title(
        text=PlainText(text=text),
        text_font_size=size,
        text_color=color,
        text_font_style="bold" if bold else "normal",
        text_font="system-ui, DejaVu Sans, sans-serif",
    )


def _label(name: str) -> str:
    return short(name, 40)
