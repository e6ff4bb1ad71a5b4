"""How charts look: colours, dashes, notes and an empty figure, the same in all of them.

Colours stand in models, never in data: the front end of a dark theme exchanges those of `DARK`.
"""

from __future__ import annotations

import textwrap

from bokeh.models.annotations import Title
from bokeh.models.formatters import DatetimeTickFormatter
from bokeh.models.text import PlainText
from bokeh.plotting import figure as new_figure

from flower.model.panes import EARLY, LATE

# Okabe and Ito's palette, told apart by colour-blind readers; without its yellow, which white swallows.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("solid", "dotdash", "dashed")
DATE = "%d %b %Y"
REST = "#8A8A8A"
INK = "#222222"
SAID = "#555555"
LINES = "#B0B0B0"
GRID = "#E6E6E6"
PAPER = "#FEFEFE"
FONT = "system-ui, DejaVu Sans, sans-serif"

DARK = {
    INK: "#EAEAEA",
    SAID: "#B8B8B8",
    LINES: "#7A7A7A",
    GRID: "#3A3A3A",
    PAPER: "#161616",
    "#000000": "#F5F5F5",
    "#0072B2": "#3FA2E5",
    "#009E73": "#1FC495",
    "#D55E00": "#F08030",
}
"""What stands for a colour in a dark theme."""

POINTS = {EARLY: "hollow and dashed: early, may still change", LATE: "diamond: corrected by late rows"}
FACES = {EARLY: "pale: early, may still change", LATE: "framed: corrected by late rows"}


def color_of(place: int, rest: int | None = None) -> str:
    """The colour of a key's place; they come round again. Grey is what is left over."""
    return REST if place == rest else COLORS[place % len(COLORS)]


def dash_of(place: int) -> str:
    """The dashes of a line, which tell keys of one colour apart."""
    return DASHES[place // len(COLORS) % len(DASHES)]


def canvas(
    name: str,
    *,
    bare: bool = False,
    height: int = 440,
    width: int | None = None,
    timed: tuple[bool, bool] = (False, False),
) -> new_figure:
    """An empty figure; ``bare``: without axes and tools."""
    wide = {"sizing_mode": "stretch_width"} if width is None else {"width": width}
    plot = new_figure(
        name=name,
        height=height,
        margin=(0, 0, 24, 0),
        min_border_right=24,  # half of the last tick's text
        tools="" if bare else "xpan,xwheel_zoom,box_zoom,reset,save",
        active_drag=None,
        toolbar_location=None if bare else "above",
        background_fill_color=None,  # the page's
        border_fill_color=None,
        **wide,
        x_axis_type="datetime" if timed[0] else "linear",
        y_axis_type="datetime" if timed[1] else "linear",
    )
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    plot.outline_line_color = None
    plot.grid.grid_line_color = None if bare else GRID
    plot.xgrid.grid_line_color = None
    plot.axis.visible = not bare
    plot.axis.axis_line_color = LINES
    plot.axis.major_tick_line_color = LINES
    plot.axis.minor_tick_line_color = None
    plot.axis.major_label_text_color = SAID
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.axis_label_text_color = INK
    return plot


def wrapped(text: str, *, bold: bool) -> str:
    """A text in lines that a figure of the usual width has room for."""
    most = 80 if bold else 115
    return "\n".join(
        textwrap.fill(line, most, break_long_words=False, break_on_hyphens=False) for line in text.splitlines()
    )


def heading(text: str, *, bold: bool) -> Title:
    """Lines above a figure, in plain text: a name with dollars is not a formula."""
    return Title(
        text=PlainText(text=wrapped(text, bold=bold)),
        text_font_size="15px" if bold else "11px",
        text_color=INK if bold else SAID,
        text_font_style="bold" if bold else "normal",
        text_font=FONT,
        visible=bool(text),
    )


def times() -> DatetimeTickFormatter:
    """Times at the ticks, with the date once."""
    return DatetimeTickFormatter(
        days="%a %d %b",
        hours="%H:%M",
        hourmin="%H:%M",
        minutes="%H:%M",
        minsec="%H:%M:%S",
        seconds="%H:%M:%S",
        milliseconds="%S.%3N",
        context=DatetimeTickFormatter(
            milliseconds=f"{DATE} %H:%M",
            seconds=DATE,
            minsec=DATE,
            minutes=DATE,
            hourmin=DATE,
            hours=DATE,
            days="%Y",
        ),
        context_which="start",
    )
