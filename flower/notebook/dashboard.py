"""``fl.dashboard`` in a notebook: the live views of its charts and tables in one arrangement."""

from __future__ import annotations

import threading
from html import escape
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
from flower.notebook.showing import Live, bundle_of, over
from flower.notebook.view_widget import Message, View

SIDE_BY_SIDE = {"flex": "1 1 0%", "min_width": "0", "overflow": "hidden"}


class Fixed:
    """A part that no run changes: what is selected, a frame, a figure."""

    def __init__(self, kind: str, snapshot: dict[str, Any]) -> None:
        self.kind = kind
        self.lock = threading.RLock()
        self._snapshot = snapshot

    def snapshot(self) -> dict[str, Any]:
        """Always the same."""
        return self._snapshot

    def changes(self) -> Message | None:
        """Never any."""
        return None

    def command(self, name: str, value: object) -> None:
        """It has no buttons of the kernel's."""

    def picture(self, png: bytes, width: int, height: int) -> None:
        """It stays as it is."""


class LiveDashboard(Dashboard):
    """Live views side by side. When all are over, what stays of them is put in their places."""

    def __init__(self, board: Dashboard) -> None:
        super().__init__(board.parts, title=board.title, linked=board.linked)
        self._lock = threading.Lock()
        self._stills: dict[Live, dict[str, Any]] = {}
        self._shown: list[str] = []
        self._widgets: list[Any] = []
        showing.screen.made(self)

    @property
    def live(self) -> list[Live]:
        """The parts that follow a run."""
        return [each for each in leaves(self.parts) if isinstance(each, Live)]

    def show(self) -> None:
        """Show it below the cell."""
        name = f"flower-{showing.number()}"
        views = mapped(self.parts, self._view)
        if self.linked:
            bar = View(Fixed("bar", {}))
            bar.links = name
            self._widgets.append(bar)
            for view in leaves(views):
                view.links = name
            views.insert(0, bar)
        box = ipywidgets.VBox([_placed(each, ipywidgets.HBox) for each in views])
        self._widgets.append(box)
        self._shown.append(name)
        showing.screen.publish(bundle_of(box, repr(self)), {}, name, update=False)
        for part in self.live:
            part.within = self._over
            still = part.still() if over(part.run) else None
            if still is not None:
                self._over(part, still)

    def close(self) -> None:
        """Show it no more; its parts belong to the cells that made them."""
        for part in self.live:
            part.within = None
        for widget in self._widgets:
            widget.close()
        self._widgets = []

    def _view(self, part: Any) -> View:
        if isinstance(part, Live):
            view = part.widget()
        else:
            view = View(_fixed(part))
            self._widgets.append(view)
        view.layout = SIDE_BY_SIDE
        return view

    def _over(self, part: Live, still: dict[str, Any]) -> None:
        """Once nothing lives any more, a static page takes the place of the widgets: it is kept with the notebook."""
        with self._lock:
            self._stills[part] = still
            # A part that no run changes has no picture: with one of those the widgets stay.
            if not set(leaves(self.parts)) <= self._stills.keys():
                return
            shown, self._shown = self._shown, []
        rows = "".join(_still(each, self._stills, "column") for each in self.parts)
        for name in shown:
            showing.screen.publish({"text/html": rows, "text/plain": repr(self)}, {}, name, update=True)


def _fixed(part: Any) -> Fixed:
    if isinstance(part, pd.DataFrame):
        return Fixed("table", {**cells_of(part), "note": f"{len(part):,} rows"})
    plot: figure = part.figure if isinstance(part, Chart) else part
    return Fixed("chart", {"doc": Drawing(Custom(fn=lambda _: plot), Seen(pd.DataFrame())).snapshot()})


def _placed(part: Any, box: type[ipywidgets.Box]) -> Any:
    if not isinstance(part, list):
        return part
    other = ipywidgets.VBox if box is ipywidgets.HBox else ipywidgets.HBox
    layout = SIDE_BY_SIDE if box is ipywidgets.VBox else {"grid_gap": "12px"}
    return box([_placed(each, other) for each in part], layout=layout)


def _still(part: Any, stills: dict[Live, dict[str, Any]], way: str) -> str:
    if not isinstance(part, Live):
        other = "row" if way == "column" else "column"
        inner = "".join(_still(each, stills, other) for each in part)
        return f'<div style="display: flex; flex: 1 1 0; gap: 16px; flex-direction: {other}">{inner}</div>'
    still = stills[part]
    if "image/png" in still:
        title = escape(getattr(part, "title", "chart"))
        html = f'<img style="max-width: 100%" alt="{title}" src="data:image/png;base64,{still["image/png"]}">'
    else:
        html = str(still["text/html"])
    return f'<div style="flex: 1 1 0; min-width: 0">{html}</div>'
