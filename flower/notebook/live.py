"""Live views in a notebook: what is live belongs to the cell that made it, and goes when the cell runs again."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from flower.api.display import register
from flower.api.recordings import Recordings
from flower.api.stream import Stream
from flower.api.tables import tables
from flower.charts.dashboard import itself
from flower.charts.diagram import Published, figure_diagram, run_diagram, time_diagram
from flower.charts.plot import Plot
from flower.engine import progress
from flower.engine.run import Run, Runs, alive
from flower.notebook import showing
from flower.notebook.chart import LiveChart, LivePlot
from flower.notebook.dashboard import LiveDashboard
from flower.notebook.diagram import LiveDiagram, LiveFigure, live_diagram, live_figure, live_run_diagram
from flower.notebook.markup import frame_html
from flower.notebook.preview import failed_html, preview_of
from flower.notebook.run_view import RunView
from flower.notebook.showing import Live
from flower.notebook.stream_view import StreamView, Texts
from flower.notebook.table import LiveTable
from flower.notebook.waiting import cell_progress

Shown = Live | LiveDashboard | StreamView


class Notebook(showing.Screen):
    """The notebook of a kernel: which cell runs, and what it made.

    Parameters
    ----------
    ip : IPython.core.interactiveshell.InteractiveShell
        The kernel's shell.
    """

    def __init__(self, ip: Any) -> None:
        self._ip = ip
        self._running: list[tuple[str, weakref.WeakSet[Run]]] = []
        self._views: dict[str, list[Shown]] = {}
        self._previews: dict[str, list[Texts]] = {}
        self._before: list[Texts] = []
        self._runs: dict[str, weakref.WeakSet[Run]] = {}

    def busy(self) -> bool:
        """Whether a cell runs."""
        return bool(self._running)

    def publish(self, data: dict[str, Any], metadata: dict[str, Any], display_id: str, update: bool) -> None:
        """Show a bundle below the cell, or replace what has that id."""
        self._ip.display_pub.publish(data, metadata, transient={"display_id": display_id}, update=update)

    def made(self, live: Shown) -> None:
        """Remember what the cell made."""
        if self._running:
            self._views.setdefault(self._running[-1][0], []).append(live)

    def before_cell(self, info: Any) -> None:
        """Let go what the cell made when it last ran; a front end without cell ids is told by the cell's text."""
        cell = str(getattr(info, "cell_id", None) or info.raw_cell)
        for live in self._views.pop(cell, []):
            live.close()
        for run in list(self._runs.pop(cell, ())):
            run.stop()
        self._before = self._previews.pop(cell, [])
        self._running.append((cell, weakref.WeakSet(alive())))

    def after_cell(self, _: object) -> None:
        """Remember the runs that the cell started."""
        if not self._running:
            # This cell loaded Flower.
            return
        cell, before = self._running.pop()
        self._runs[cell] = weakref.WeakSet(run for run in alive() if run not in before)

    def close(self) -> None:
        """Let everything go that is shown; runs that were started by hand go on."""
        for live in [live for several in self._views.values() for live in several]:
            live.close()
        self._views.clear()
        self._runs.clear()
        self._previews.clear()

    def views(self) -> list[Live | LiveDashboard]:
        """What is live, or was until its run was over."""
        return [live for several in self._views.values() for live in several if not isinstance(live, StreamView)]

    def show(self, live: Live | LiveDashboard) -> None:
        """Show what was made live."""
        live.show()

    def show_stream(self, stream: Stream) -> None:
        """Show a stream's first rows; the first that a cell shows is compared with the first it showed before."""
        try:
            preview = preview_of(stream)
        except Exception as error:
            name, shown = f"flower-{showing.number()}", {"text/html": failed_html(stream, error)}
            self.publish({**shown, "text/plain": repr(stream)}, {}, name, update=False)
            return
        so_far = self._previews.setdefault(self._running[-1][0], []) if self._running else []
        before = self._before[len(so_far)] if len(so_far) < len(self._before) else None
        view = StreamView(stream, preview, before)
        so_far.append(view.texts)
        view.show()

    def show_figure(self, figure: Published) -> None:
        """Show a published figure as its diagram."""
        LiveFigure(figure).show()

    def show_run(self, run: Run) -> None:
        """Show a run's numbers."""
        RunView(run).show()


_loaded: Notebook | None = None


def install(ip: Any) -> None:
    """Make charts, tables and runs live in the notebook of ``ip``; a shell without a kernel has no live views."""
    global _loaded
    if _loaded is not None or getattr(ip, "kernel", None) is None:
        return
    _loaded = notebook = Notebook(ip)
    showing.use(notebook)
    progress.use(cell_progress)
    for name, (live, _) in _SHOWN.items():
        register(name, live)
    ip.events.register("pre_run_cell", notebook.before_cell)
    ip.events.register("post_run_cell", notebook.after_cell)
    display = ip.display_formatter.ipython_display_formatter
    display.for_type(Run, notebook.show_run)
    display.for_type(Stream, notebook.show_stream)
    for kind in (LiveChart, LiveTable, LiveDiagram, LiveDashboard):
        display.for_type(kind, notebook.show)
    html = ip.display_formatter.formatters["text/html"]
    html.for_type(Runs, lambda runs: frame_html(runs.frame))
    html.for_type(Recordings, lambda recordings: frame_html(recordings.describe()))
    # Loaded only by those who want it.
    display.for_type("flower.teach.figures.Figure", notebook.show_figure)


def uninstall(ip: Any) -> None:
    """Undo `install`; what is live is closed."""
    global _loaded
    if _loaded is None:
        return
    notebook, _loaded = _loaded, None
    display = ip.display_formatter.ipython_display_formatter
    for kind in (Run, Stream, LiveChart, LiveTable, LiveDiagram, LiveDashboard):
        display.pop(kind, None)
    display.pop("flower.teach.figures.Figure", None)
    for listed in (Runs, Recordings):
        ip.display_formatter.formatters["text/html"].pop(listed, None)
    ip.events.unregister("pre_run_cell", notebook.before_cell)
    ip.events.unregister("post_run_cell", notebook.after_cell)
    progress.use(None)
    for name, (_, plain) in _SHOWN.items():
        register(name, plain)
    notebook.close()
    showing.use(None)


def views() -> list[Live | LiveDashboard]:
    """The views that the notebook's cells have made, and not yet replaced."""
    return _loaded.views() if _loaded is not None else []


def _live_tables(stream: Stream) -> Any:
    def table(n: int, run: Run | None = None) -> LiveTable:
        return LiveTable(stream, n, run)

    return table


_SHOWN: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "plot": (LivePlot, Plot),
    "dashboard": (LiveDashboard, itself),
    "table": (_live_tables, tables),
    "time_diagram": (live_diagram, time_diagram),
    "run_diagram": (live_run_diagram, run_diagram),
    "figure_diagram": (live_figure, figure_diagram),
}
"""What is registered under each name in a notebook, and elsewhere."""
