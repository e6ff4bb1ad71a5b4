"""The time diagram: event time across, processing time up, as the paper and the book draw it, epoch by epoch."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from bokeh.core.properties import value
from bokeh.models.annotations import Legend, LegendItem, Span
from bokeh.models.filters import BooleanFilter
from bokeh.models.ranges import Range1d
from bokeh.models.sources import CDSView, ColumnDataSource
from bokeh.models.text import PlainText
from bokeh.models.tickers import DatetimeTicker, FixedTicker
from bokeh.models.tools import HoverTool, TapTool
from bokeh.plotting import figure as Figure

from flower.charts.axes import F64, extent
from flower.charts.page import Chart, Theme, save
from flower.charts.style import COLORS, GRID, INK, LINES, REST, SAID, canvas, heading, times
from flower.charts.timeline import EVER, Timeline, timeline_of
from flower.engine.history import History, of_run, of_stream
from flower.engine.why import Why
from flower.model.time import I64, MAX_TIME, MIN_TIME

if TYPE_CHECKING:
    from flower.api.stream import Stream
    from flower.engine.run import Run

STEPS = Path(__file__).with_name("diagram.js").read_text(encoding="utf-8")
"""What steps a figure through its epochs, in a page and in a notebook."""

BLUE, ORANGE, GREEN, PINK, GOLD, SKY, _ = COLORS
INSIDE = "#202020"
"""Text on a white mark, in a dark theme as well."""

PANES = (
    ("early pane", SKY, 0.22, "dashed"),
    ("on-time pane", BLUE, 0.5, "solid"),
    ("late pane", GOLD, 0.5, "solid"),
)
TAKEN = ORANGE
"""The colour of what is taken back."""

ROWS = (
    ("row", "circle", INK, None),
    ("late row", "diamond", PINK, None),
    ("dropped row", "x", ORANGE, ORANGE),
)

WHERE = {
    "quad": ("left", "right", "bottom", "top"),
    "segment": ("x0", "y0", "x1", "y1"),
    "scatter": ("x", "y"),
}
"""The columns that place a glyph."""

LABELLED = 40
"""Up to so many rows have their value inside."""


def diagram_figure(
    shown: Timeline,
    *,
    title: str | None = None,
    at: int | None = None,
    line: pd.DataFrame | None = None,
    height: int = 540,
) -> Figure:
    """Bokeh's figure of a timeline.

    Parameters
    ----------
    shown : Timeline
        What to draw.
    title : str, optional
        What stands above it.
    at : int, optional
        The epoch up to which it is drawn; default: the last.
    line : pandas.DataFrame, optional
        The watermark as a curve, ``processing_time`` and ``event_time``, in place of the steps that it took.
    height : int
        In pixels.
    """
    return _Drawing(shown, title, at, line, height).plot


class _Drawing:
    """Makes the figure; lives no longer than the call."""

    def __init__(
        self, shown: Timeline, title: str | None, at: int | None, line: pd.DataFrame | None, height: int
    ) -> None:
        self.shown, self.line = shown, line
        self.clock = _ms(shown.clock)
        self.at = len(self.clock) - 1 if at is None else min(max(at, 0), len(self.clock) - 1)
        self.items: list[tuple[str, list[Any]]] = []
        self.texts: list[Any] = []
        self.height = height
        self.plot = canvas(title or shown.title, height=height, timed=(True, True))
        self.plot.add_layout(heading("; ".join([shown.title] * bool(title) + list(shown.notes)), bold=False), "above")
        if title != "":
            self.plot.add_layout(heading(title or shown.title, bold=True), "above")
        self._ranges()
        self._boxes()
        # A cloud of rows would hide the watermark.
        for draw in (self._marks, self._points) if self.labelled else (self._points, self._marks):
            draw()
        self._words()
        self._steps()
        self._legend()

    @property
    def labelled(self) -> bool:
        """Whether rows have their value inside."""
        text = self.shown.rows["text"]
        return len(text) <= LABELLED and bool((text.str.len() <= 4).all()) and bool((text != "").any())

    # -- where

    def _ranges(self) -> None:
        shown = self.shown
        across = [_ms(shown.rows["event_time"].to_numpy(np.int64))]
        if not shown.by_clock:
            for windows in (shown.panes, shown.filling):
                across += [_ms(windows[name].to_numpy(np.int64)) for name in ("start", "end")]
        left, right = extent(*across)
        bottom, top = (0.0, 1.0) if not len(self.clock) else extent(*(_ms(column) for column in self._moments()))
        if self.line is not None and len(self.line):
            bottom = min(bottom, float(_stamps(self.line["processing_time"])[0]))
        if not np.isfinite(bottom):
            bottom, top = 0.0, 1.0
        if not np.isfinite(left):
            left, right = bottom, top
        wide, high = max(right - left, 1.0), max(top - bottom, 1.0)
        self.left, self.right = left, right if right > left else left + 1
        self.bottom, self.top = bottom - 0.05 * high, top + 0.05 * high
        self.up = (self.top - self.bottom) / (self.height - 180)  # of a pixel
        self.plot.x_range = Range1d(start=self.left - 0.025 * wide, end=self.right + 0.025 * wide)  # a row's circle
        self.plot.y_range = Range1d(start=self.bottom, end=self.top)
        for axis, label in ((self.plot.xaxis, "event time"), (self.plot.yaxis, "processing time")):
            axis.axis_label = PlainText(text=label)
            axis.formatter = times()
            axis.ticker = DatetimeTicker(desired_num_ticks=9)
        edges = np.unique(np.concatenate([np.zeros(0), *across[1:]]))
        edges = edges[np.isfinite(edges)]
        steps = np.diff(edges)
        if 2 <= len(edges) <= 11 and np.allclose(steps, steps[0]):
            # Lines where the windows are.
            self.plot.xaxis.ticker = FixedTicker(ticks=edges.tolist())
        self.plot.xgrid.grid_line_color = GRID
        self.plot.yaxis.major_label_text_color = SAID

    def _moments(self) -> list[I64]:
        """When something happened that is drawn."""
        shown = self.shown
        moments = [shown.rows["processing_time"].to_numpy(np.int64), shown.panes["top"].to_numpy(np.int64)]
        if (shown.filling["until"] == EVER).any() or not any(len(each) for each in moments):
            moments.append(shown.clock[-1:])
        if self.line is not None:
            inside = shown.clock[shown.clock <= _stamps(self.line["processing_time"]).max(initial=0) * 1000]
            moments.append(inside[-1:])
        return moments

    def _across(self, frame: pd.DataFrame) -> tuple[F64, F64]:
        """The sides of boxes; those of all time are as wide as the picture."""
        if self.shown.by_clock:
            return np.full(len(frame), self.left), np.full(len(frame), self.right)
        start, end = (_ms(frame[name].to_numpy(np.int64)) for name in ("start", "end"))
        return np.where(np.isnan(start), self.left, start), np.where(np.isnan(end), self.right, end)

    # -- what

    def _add(self, glyph: str, columns: dict[str, Any], named: str | None = None, **looks: Any) -> Any:
        """One glyph whose rows come and go with the epochs."""
        columns.setdefault("until", np.full(len(columns["since"]), EVER))
        there = (np.asarray(columns["since"]) <= self.at) & (self.at < np.asarray(columns["until"]))
        source = ColumnDataSource({name: _plain(column) for name, column in columns.items()})
        view = CDSView(filter=BooleanFilter(booleans=there.tolist()))
        renderer = getattr(self.plot, glyph)(source=source, view=view, name=named, **looks)
        renderer.nonselection_glyph = None
        return renderer

    def _sample(self, glyph: str, **looks: Any) -> Any:
        """A glyph that is nowhere, for the legend: the others are not there at every epoch."""
        nowhere: dict[str, Any] = {name: [np.nan] for name in WHERE[glyph]}
        return getattr(self.plot, glyph)(source=ColumnDataSource(nowhere), **{name: name for name in nowhere}, **looks)

    def _marks(self) -> None:
        low, high = max(self.left, self.bottom), min(self.right, self.top)
        if low < high and not self.shown.by_clock:
            ideal = self.plot.segment(
                [low], [low], [high], [high], color=REST, line_dash="dotted", line_width=1.5, name="ideal"
            )
            self.items.append(("ideal watermark", [ideal]))
        columns = self._watermark()
        if len(columns["since"]):
            looks = {"line_color": GREEN, "line_width": 2.2, "line_cap": "round"}
            drawn = self._add("segment", columns, "watermark", **looks)
            self.items.append(("watermark", [self._sample("segment", **looks), drawn]))

    def _watermark(self) -> dict[str, Any]:
        """Its line as segments."""
        return self._curve() if self.line is not None and len(self.line) else self._stairs()

    def _stairs(self) -> dict[str, Any]:
        """The watermark as it moved: across at an epoch, up until the next."""
        w = self.shown.watermark
        x = np.where(w == MAX_TIME, self.right, np.where(w == MIN_TIME, np.nan, w / 1000))
        n = len(x)
        if n < 2:
            return {name: np.zeros(0) for name in ("x0", "y0", "x1", "y1", "since")}
        y, at = self.clock, np.arange(1, n)
        x0, y0 = np.concatenate([x[:-1], x[:-1]]), np.concatenate([y[:-1], y[1:]])
        x1, y1 = np.concatenate([x[:-1], x[1:]]), np.concatenate([y[1:], y[1:]])
        since = np.concatenate([at, at])
        drawn = np.isfinite(x0) & np.isfinite(x1) & ((x0 != x1) | (y0 != y1))
        x0, x1 = np.clip(x0, self.left, self.right), np.clip(x1, self.left, self.right)
        return {
            name: column[drawn]
            for name, column in zip(("x0", "y0", "x1", "y1", "since"), (x0, y0, x1, y1, since), strict=True)
        }

    def _curve(self) -> dict[str, Any]:
        assert self.line is not None
        x, y = _stamps(self.line["event_time"]), _stamps(self.line["processing_time"])
        since = np.searchsorted(self.clock, y[1:])
        inside = (x[:-1] <= self.right) & (since < len(self.clock))
        ends = np.minimum(x[1:], self.right)
        columns = {"x0": x[:-1], "y0": y[:-1], "x1": ends, "y1": y[1:], "since": since}
        return {name: column[inside] for name, column in columns.items()}

    def _boxes(self) -> None:
        shown = self.shown
        filling = shown.filling
        if len(filling):
            left, right = self._across(filling)
            since = filling["since"].to_numpy(np.int64)
            columns = {
                "left": left,
                "right": right,
                "bottom": _ms(filling["bottom"].to_numpy(np.int64)),
                "top": np.full(len(filling), self.clock[self.at]),
                **self._labels(left, right, self.clock[since], filling["text"], np.ones(len(filling), np.bool_)),
                "since": since,
                "until": filling["until"].to_numpy(np.int64),
                "text": filling["text"],
                "count": filling["rows"].to_numpy(np.int64),
                "window": _windows(filling),
                "start": [str(each) for each in filling["start"]],
                "end": [str(each) for each in filling["end"]],
            }
            looks = {"fill_color": REST, "line_color": REST, "fill_alpha": 0.18, "line_dash": "dashed"}
            box = self._add("quad", columns, "filling", **looks)
            # One source, so that the top of box and text move together.
            self.texts.append((box, {"text_color": SAID, "text_font_size": "13px", "text_font_style": "italic"}))
            self.items.append(("window that fills", [self._sample("quad", **looks), box]))
            self._hover([box], [("window", "@window"), ("so far", "@text"), ("rows since the last pane", "@count")])
            self.plot.add_tools(TapTool(renderers=[box], description="why has this window not fired?"))
        every = shown.panes[~shown.panes["retraction"].astype(bool)]
        # The value of a pane is in the way of the next one's, if that box is low.
        height = (every["top"] - every["bottom"]) / 1000 / self.up
        after = height.groupby([every["start"], every["end"]]).shift(-1).fillna(np.inf)
        every = every.assign(room=after >= 17)
        for timing, (name, color, alpha, dash) in enumerate(PANES):
            panes = every[every["timing"] == timing]
            if len(panes):
                self._panes(panes, name, color, alpha, dash)
        back = shown.panes[shown.panes["retraction"].astype(bool)]
        if len(back):
            self._taken_back(back)

    def _panes(self, panes: pd.DataFrame, name: str, color: str, alpha: float, dash: str) -> None:
        left, right = self._across(panes)
        bottom, top = (_ms(panes[name].to_numpy(np.int64)) for name in ("bottom", "top"))
        columns = {
            "left": left,
            "right": right,
            "bottom": bottom,
            "top": top,
            **self._labels(left, right, top, panes["text"], panes["room"].to_numpy(bool)),
            "since": panes["since"].to_numpy(np.int64),
            "text": panes["text"],
            "rows": panes["rows"],
            "index": panes["index"].to_numpy(np.int64),
            "window": _windows(panes),
        }
        looks = {"fill_color": color, "line_color": color, "fill_alpha": alpha, "line_alpha": 0.8, "line_dash": dash}
        box = self._add("quad", columns, name, **looks)
        edge = self.plot.segment(
            "left",
            "top",
            "right",
            "top",
            line_color=color,
            line_width=3,
            line_dash=dash,
            source=box.data_source,
            view=box.view,
        )
        edge.nonselection_glyph = None
        self.texts.append((box, {"text_color": INK, "text_font_size": "15px", "text_font_style": "bold"}))
        self.items.append((name, [self._sample("quad", **looks), box, edge]))
        told = [
            ("window", "@window"),
            ("value", "@text"),
            ("pane", f"{name.split()[0]} (pane @index)"),
            ("of", "@rows"),
        ]
        self._hover([box], [*told, ("fired at", "@top{%F %T.%3N}")])

    def _labels(self, left: F64, right: F64, top: F64, text: pd.Series, room: Any, drop: float = 12) -> dict[str, Any]:
        """Where the values of boxes are written, so many pixels below their top, beside the rows there and, where that
        can be, beside the watermark; empty where there is no room.
        """
        across, up = (self.right - self.left) / 900, self.up
        size = 9.0 * text.str.len().to_numpy()
        room = room & ((right - left) / across >= size + 4)
        x = (left + right) / 2
        if self.labelled:
            rows = self.shown.rows
            row_x, row_y = (_ms(rows[name].to_numpy(np.int64)) for name in ("event_time", "processing_time"))
            line_x, line_y = self._along()
            y = (top - drop * up)[:, None]
            free = np.zeros(len(x), np.bool_)
            for avoids, share in itertools.product((True, False), (0.5, 0.36, 0.64, 0.22, 0.78, 0.1, 0.9)):
                place = left + (right - left) * share
                beside = np.abs(place[:, None] - row_x) / across > size[:, None] / 2 + 11
                below = np.abs(y - row_y) / up > 19
                fits = ~free & (beside | below).all(axis=1)
                if avoids:
                    beside = np.abs(place[:, None] - line_x) / across > size[:, None] / 2 + 3
                    fits &= (beside | (np.abs(y - line_y) / up > 9)).all(axis=1)
                x = np.where(fits, place, x)
                free |= fits
        return {"x": x, "label": np.where(room, text.to_numpy(object), "")}

    def _along(self) -> tuple[F64, F64]:
        """Points of the watermark's line."""
        line, part = self._watermark(), np.linspace(0, 1, 24)
        x, y = (line[f"{name}0"][:, None] + (line[f"{name}1"] - line[f"{name}0"])[:, None] * part for name in "xy")
        return x.ravel(), y.ravel()

    def _words(self) -> None:
        """The values, on top of everything."""
        for box, looks in self.texts:
            words = self.plot.text(
                x="x", y="top", text="label", source=box.data_source, view=box.view, text_align="center",
                text_baseline="top", y_offset=4, **looks,
            )  # fmt: skip
            words.nonselection_glyph = None
            next(drawn for _, drawn in self.items if box in drawn).append(words)

    def _taken_back(self, back: pd.DataFrame) -> None:
        left, right = self._across(back)
        top = _ms(back["top"].to_numpy(np.int64))
        columns = {
            "x": self._labels(left, right, top, back["text"], True, drop=28)["x"],
            "y": top,
            "since": back["since"].to_numpy(np.int64),
            "text": [f"\N{MINUS SIGN}{text}" if text[:1] != "-" else f"+{text[1:]}" for text in back["text"]],
        }
        words = self._add(
            "text", columns, "retraction", text_align="center", text_baseline="top", y_offset=21, text_color=TAKEN,
            text_font_size="13px", text_font_style="bold",
        )  # fmt: skip
        mark = self._sample("scatter", marker="dash", size=12, line_color=TAKEN)
        self.items.append(("taken back", [mark, words]))

    def _points(self) -> None:
        rows, labelled = self.shown.rows, self.labelled
        size = 20 if labelled else 8 if len(rows) <= 200 else 4
        for kind, (name, marker, color, fill) in enumerate(ROWS):
            some = rows[rows["kind"] == kind]
            if not len(some):
                continue
            columns = {
                "x": _ms(some["event_time"].to_numpy(np.int64)),
                "y": _ms(some["processing_time"].to_numpy(np.int64)),
                "since": some["since"].to_numpy(np.int64),
                "text": some["text"],
            }
            looks = {
                "marker": marker,
                "size": size + (8 if labelled and kind == 1 else 2 if kind else 0),
                "line_color": color,
                "fill_color": fill if fill is not None else "#FFFFFF" if labelled else color,
                "line_width": 2.2 if kind == 2 else 1.4 if labelled else 1,
                "fill_alpha": 1.0 if labelled else 0.3,
                "line_alpha": 1.0 if labelled or kind else 0.6,
            }
            drawn = self._add("scatter", columns, name, **looks)
            parts = [self._sample("scatter", **looks), drawn]
            if labelled:
                where = {"x_offset": 16, "text_align": "left"} if kind == 2 else {"text_align": "center"}
                words = self.plot.text(
                    x="x", y="y", text="text", source=drawn.data_source, view=drawn.view,
                    text_color=INK if kind == 2 else INSIDE, text_baseline="middle", text_font_size="12px", **where,
                )  # fmt: skip
                words.nonselection_glyph = None
                parts.append(words)
            self.items.append((name, parts))
            tips = [("event time", "@x{%F %T.%3N}"), ("seen at", "@y{%F %T.%3N}")]
            self._hover([drawn], [(name, "@text")] * bool((some["text"] != "").any()) + tips)

    def _hover(self, renderers: list[Any], tips: list[tuple[str, str]]) -> None:
        formatters: dict[str, Any] = {f"@{name}": "datetime" for name in ("x", "y", "top")}
        self.plot.add_tools(HoverTool(renderers=renderers, tooltips=tips, formatters=formatters, visible=False))

    # -- which epoch

    def _steps(self) -> None:
        """The epochs, for what steps through them, and where the clock stands."""
        if not len(self.clock):
            return
        self.plot.add_layout(
            Span(
                dimension="width",
                location=float(self.clock[self.at]),
                line_color=LINES,
                line_width=1.2,
                name="now",
                level="underlay",
            )
        )
        said = pd.to_datetime(self.shown.clock, unit="us", utc=True)
        source = ColumnDataSource(
            {"clock": self.clock, "text": [f"{each:%Y-%m-%d %H:%M:%S}" for each in said]}, name="epochs", tags=[self.at]
        )
        # A document knows the models that it draws: an invisible point holds the source.
        self.plot.scatter(x="clock", y="clock", source=source, visible=False, name="epochs")

    def _legend(self) -> None:
        legend = Legend(
            items=[LegendItem(label=value(name), renderers=drawn) for name, drawn in self.items],
            orientation="horizontal",
            click_policy="hide",
            border_line_color=None,
            background_fill_color=None,
            label_text_color=INK,
            label_text_font_size="12px",
            spacing=10,
            padding=2,  # type: ignore[arg-type]
            margin=2,
            ncols=5,
            label_standoff=4,
            glyph_width=18,
        )
        self.plot.add_layout(legend, "below")


class Diagram(Chart):
    """A time diagram, to be kept as a file, or looked at in a notebook.

    Parameters
    ----------
    history : History
        The epochs.
    key, value
        Of what; see `flower.charts.timeline.timeline_of`.
    title : str, optional
        What stands above it.
    line : pandas.DataFrame, optional
        The watermark as a curve.

    Attributes
    ----------
    timeline : Timeline
        What is drawn, as columns.
    """

    def __init__(
        self,
        history: History,
        *,
        key: object = None,
        value: str | None = None,
        title: str | None = None,
        line: pd.DataFrame | None = None,
    ) -> None:
        self._name, self._line = title, line
        self._look(history, key, value)

    def _look(self, history: History, key: object, value: str | None) -> None:
        """Draw a history."""
        self.history = history
        self.timeline = timeline_of(history, key=key, value=value)
        self._figure: Figure | None = None

    @property
    def figure(self) -> Figure:  # type: ignore[override]  # made when it is asked for: it is dear
        """Bokeh's figure of all epochs."""
        if self._figure is None:
            self._figure = self._drawn()
        return self._figure

    def _drawn(self, at: int | None = None) -> Figure:
        return diagram_figure(self.timeline, title=self._name, line=self._line, at=at)

    @property
    def title(self) -> str:
        """What stands above it."""
        return self._name or self.timeline.title

    def at(self, epoch: int) -> Figure:
        """Bokeh's figure up to an epoch, counted from 0; negative ones from the last."""
        return self._drawn(epoch if epoch >= 0 else len(self.timeline.clock) + epoch)

    def why(self, epoch: int, window: tuple[object, object]) -> Why:
        """Why a window of the key had not fired after an epoch; see ``Run.why``."""
        values = self.timeline.values
        key = None if not values else values[0] if len(values) == 1 else values
        return self.history.why(self.timeline.moments[epoch], key, window)

    def __repr__(self) -> str:
        n = len(self.timeline.clock)
        epochs = "1 epoch" if n == 1 else f"{n:,} epochs"
        return f"<Diagram {self.title!r}, {epochs}: .save('diagram.html') writes a page, .at(n) is a figure up to one>"

    def save(self, path: str | os.PathLike[str], title: str | None = None, *, theme: Theme = "auto") -> Path:
        """Write a page that steps through the epochs, and needs neither network nor Python."""
        shown = diagram_figure(self.timeline, title="", line=self._line)
        said = self.title if title is None else title
        return save(shown, path, said, theme=theme, script=f"{STEPS}\nflowerPages()")


class Published(Protocol):
    """A figure of a publication, as `flower.teach` has them."""

    @property
    def title(self) -> str:
        """What it shows."""

    @property
    def line(self) -> pd.DataFrame | None:
        """The watermark as it was drawn."""

    @property
    def about(self) -> Sequence[tuple[str, str]]:
        """What is to be said of it: kinds and texts."""

    @property
    def choices(self) -> Mapping[str, Sequence[str]]:
        """What can be changed, and into what."""

    @property
    def chosen(self) -> Mapping[str, str]:
        """Which of its choices it is."""

    @property
    def ordered(self) -> Collection[str]:
        """What can be changed step by step."""

    def changed(self, **choices: str) -> Published:
        """The same rows, treated otherwise."""

    def pipeline(self) -> Stream:
        """The figure as a stream."""


def time_diagram(stream: Stream) -> Callable[..., Diagram]:
    """What ``stream.time_diagram`` makes."""

    def made(*, key: object, value: str | None, step: str | None, epochs: int) -> Diagram:
        return Diagram(of_stream(stream.node, step, epochs=epochs), key=key, value=value)

    return made


def run_diagram(run: Run) -> Callable[..., Diagram]:
    """What ``run.time_diagram`` makes."""

    def made(*, key: object, value: str | None, step: str | None) -> Diagram:
        return Diagram(of_run(run._driver, step), key=key, value=value, title=run_title(run))

    return made


def figure_diagram(figure: Published) -> Callable[..., Diagram]:
    """What the ``time_diagram`` of a published figure makes."""
    return lambda: Diagram(of_stream(figure.pipeline().node), title=figure.title, line=figure.line)


def run_title(run: Run) -> str:
    """What stands above a run's diagram."""
    return f"{run.name}, epoch by epoch"


def _ms(us: I64) -> F64:
    """Milliseconds, as BokehJS has time; NaN for the ends of time."""
    return np.where((us == MIN_TIME) | (us == MAX_TIME), np.nan, us / 1000)


def _stamps(column: pd.Series) -> F64:
    us: I64 = column.dt.tz_localize(None).to_numpy("datetime64[us]").view(np.int64)
    return us / 1000


def _plain(column: Any) -> Any:
    return column.tolist() if isinstance(column, pd.Series) else column


def _windows(frame: pd.DataFrame) -> list[str]:
    """Windows as texts."""
    start, end = (frame[name].to_numpy(np.int64) for name in ("start", "end"))
    endless = (start == MIN_TIME) | (end == MAX_TIME)
    first, last = (pd.to_datetime(np.where(endless, 0, us), unit="us") for us in (start, end))
    same = first.normalize() == last.normalize()
    said = [
        f"{a:%Y-%m-%d %H:%M:%S} to {b:%H:%M:%S}" if day else f"{a:%Y-%m-%d %H:%M:%S} to {b:%Y-%m-%d %H:%M:%S}"
        for a, b, day in zip(first, last, same, strict=True)
    ]
    return ["all time" if whole else text for text, whole in zip(said, endless, strict=True)]
