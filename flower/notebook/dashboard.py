"""``fl.dashboard`` in a notebook: the live views of its charts and tables in one arrangement."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import ipywidgets
import pandas as pd
from bokeh.plotting import figure

from flower.charts.cells import cells_of
from flower.charts.chart_type import Seen
from flower.charts.dashboard import Dashboard, leaves, mapped
from flower.charts.kinds.custom import Custom
from flower.charts.page import Chart
from flower.notebook import showing
from flower.notebook.bokeh_document import Drawing
from flower.notebook.markup import text_html
from flower.notebook.showing import KEPT, NOTHING, Live, beside, bundle_of, over, picture_html
from flower.notebook.table import html_of
from flower.notebook.view_widget import Message, View

SIDE_BY_SIDE = {"flex": "1 1 0%", "min_width": "0", "overflow": "hidden"}


class Fixed:
    """A part that no run changes: what is selected, a frame, a figure."""

    def __init__(self, kind: str, snapshot: dict[str, Any], title: str = "chart") -> None:
        self.kind = kind
        self.lock = threading.RLock()
        self._snapshot = snapshot
        self._title = title
        self._look = html_of(snapshot) if kind == "table" else ""
        self.kept: Callable[[Fixed, str], None] | None = None

    def snapshot(self) -> dict[str, Any]:
        """Always the same."""
        return self._snapshot

    def changes(self) -> Message | None:
        """Never any."""
        return None

    def command(self, name: str, value: object) -> None:
        """It has no buttons of the kernel's."""

    def picture(self, png: bytes, width: int, height: int) -> None:
        """Remember how it looks."""
        self._look = picture_html(png, width, height, self._title)
        if self.kept is not None:
            self.kept(self, self._look)

    def look(self) -> str:
        """How it looks, as HTML that needs neither kernel nor widgets."""
        return self._look


class LiveDashboard(Dashboard):
    """Live views side by side. When all are over, what stays of them is put in their places."""

    def __init__(self, board: Dashboard) -> None:
        super().__init__(board.parts, title=board.title, linked=board.linked)
        self._lock = threading.Lock()
        self._stills: dict[Live, dict[str, Any]] = {}
        self._shown: list[str] = []
        self._widgets: list[Any] = []
        self._first: View | None = None
        self._beside: list[str] = []
        self._fixed: dict[int, Fixed] = {}
        # Remembered: to ask one part while another one is drawn could take their locks in either order.
        self._looks: dict[Live | Fixed, str] = {}
        self._keep_due = float("-inf")
        showing.screen.made(self)

    @property
    def live(self) -> list[Live]:
        """The parts that follow a run."""
        return [each for each in leaves(self.parts) if isinstance(each, Live)]

    def show(self) -> None:
        """Show it below the cell."""
        name = f"flower-{showing.number()}"
        views = mapped(self.parts, self._view)
        if self.linked or self.title:
            bar = View(Fixed("bar", {"title": self.title}))
            self._widgets.append(bar)
            for view in [bar, *leaves(views)] if self.linked else []:
                view.links = name
            views.insert(0, bar)
        box = ipywidgets.VBox([_placed(each, ipywidgets.HBox) for each in views])
        self._widgets.append(box)
        self._shown.append(name)
        showing.screen.publish(bundle_of(box, repr(self)), {}, name, update=False)
        self._beside.append(name)
        self._first = next(leaves(views))
        parts: list[Live | Fixed] = [*self.live, *self._fixed.values()]
        self._looks |= {one: one.look() for one in parts}
        showing.screen.publish(beside(self._first, self._look()), {}, f"{name}-kept", update=False)
        for part in self.live:
            part.within = self._over
            part.kept_within = self._keep
            still = part.still() if over(part.run) else None
            if still is not None:
                self._over(part, still)

    def close(self) -> None:
        """Show it no more; its parts belong to the cells that made them."""
        for part in self.live:
            part.within = part.kept_within = None
        for widget in self._widgets:
            _close(widget)
        self._widgets = []

    def _view(self, part: Any) -> View:
        if isinstance(part, Live):
            view = part.widget()
        else:
            fixed = self._fixed[id(part)] = _fixed(part)
            fixed.kept = self._keep
            view = View(fixed)
            self._widgets.append(view)
        # In its own layout: another one in its place would leave the comm of the first open.
        for name, value in SIDE_BY_SIDE.items():
            setattr(view.layout, name, value)
        return view

    def _look(self) -> str:
        """All parts as they look now."""

        def of(part: Any) -> str:
            return self._looks[part if isinstance(part, Live) else self._fixed[id(part)]]

        return self._heading() + "".join(_still(each, of, "column") for each in self.parts)

    def _heading(self) -> str:
        return f"<h3>{text_html(self.title)}</h3>" if self.title else ""

    def _keep(self, part: Live | Fixed, html: str) -> None:
        """Let what stands beside the widgets show how they look; not for each part that changes, unless it is rare."""
        with self._lock:
            self._looks[part] = html
            moment = time.monotonic()
            if self._first is None or (moment < self._keep_due and isinstance(part, Live)):
                return
            self._keep_due = moment + KEPT / 2
            bundle = beside(self._first, self._look())
            for each in self._beside:
                showing.screen.publish(bundle, {}, f"{each}-kept", update=True)

    def _over(self, part: Live, still: dict[str, Any]) -> None:
        """Once nothing lives any more, a static page takes the place of the widgets: it is kept with the notebook."""
        with self._lock:
            self._stills[part] = still
            # A part that no run changes has no picture: with one of those the widgets stay.
            if not set(leaves(self.parts)) <= self._stills.keys():
                return
            shown, self._shown = self._shown, []
            self._beside = [name for name in self._beside if name not in shown]
            rows = self._heading() + "".join(_still(each, self._ended, "column") for each in self.parts)
            for name in shown:
                showing.screen.publish({"text/html": rows, "text/plain": repr(self)}, {}, name, update=True)
                showing.screen.publish(NOTHING, {}, f"{name}-kept", update=True)

    def _ended(self, part: Any) -> str:
        still = self._stills[part]
        return part.look() if "image/png" in still else str(still["text/html"])


def _fixed(part: Any) -> Fixed:
    if isinstance(part, pd.DataFrame):
        return Fixed("table", {**cells_of(part), "note": f"{len(part):,} rows"})
    plot: figure = part.figure if isinstance(part, Chart) else part
    drawn = Drawing(Custom(fn=lambda _: plot), Seen(pd.DataFrame()))
    return Fixed("chart", {"doc": drawn.snapshot()}, str(plot.name or "chart"))


def _placed(part: Any, box: type[ipywidgets.Box]) -> Any:
    if not isinstance(part, list):
        return part
    other = ipywidgets.VBox if box is ipywidgets.HBox else ipywidgets.HBox
    layout = SIDE_BY_SIDE if box is ipywidgets.VBox else {"grid_gap": "12px"}
    return box([_placed(each, other) for each in part], layout=layout)


def _close(widget: Any) -> None:
    """Close the comms of a widget, of its layout and of the boxes in it; the views in them belong to the parts."""
    for child in getattr(widget, "children", ()):
        if isinstance(child, ipywidgets.Box):
            _close(child)
    widget.layout.close()
    widget.close()


def _still(part: Any, look: Callable[[Any], str], way: str) -> str:
    if isinstance(part, list | tuple):
        other = "row" if way == "column" else "column"
        inner = "".join(_still(each, look, other) for each in part)
        return f'<div style="display: flex; flex: 1 1 0; gap: 16px; flex-direction: {other}">{inner}</div>'
    return f'<div style="flex: 1 1 0; min-width: 0">{look(part)}</div>'
