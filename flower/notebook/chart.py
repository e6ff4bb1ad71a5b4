"""``stream.plot`` in a notebook: charts that follow a run of the stream."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from bokeh.plotting import figure as Figure

from flower.charts.chart_type import ChartType, Seen
from flower.charts.page import Chart
from flower.charts.plot import Plot
from flower.charts.view import MOST, View, combinations, keys_of
from flower.engine.run import Run
from flower.graph.schema import frame_of
from flower.notebook.bokeh_document import Drawing
from flower.notebook.showing import Live, over, picture_html, view_frame
from flower.notebook.view_widget import Message

if TYPE_CHECKING:
    from flower.api.stream import Stream


class LiveChart(Live, Chart):
    """A chart of the panes so far of a run.

    Attributes
    ----------
    run : Run
        What it follows; `stop` stops it.
    """

    kind = "chart"

    def __init__(self, stream: Stream, kind: ChartType, *, run: Run | None, fps: float) -> None:
        self._combine = combinations(stream.node)
        self._step = stream.node.name or ""
        self._moment: object = None
        self._sent: object = None
        # Drawn before anything runs: a column that is not there is an error of the cell.
        empty = frame_of(pa.RecordBatch.from_pylist([], schema=stream.schema))
        self._drawing = Drawing(kind, Seen(empty, self._combine))
        if run is not None:
            view_frame(run, self._step)
        Live.__init__(self, stream.run() if run is None else run, owned=run is None, fps=fps)
        self._panes = View(self.run, self._step, keys_of(stream.node))

    @property
    def figure(self) -> Figure:  # type: ignore[override]  # a chart that lives has another one in time
        """Bokeh's figure of the panes so far.

        What one changes in it is seen at once, and stays.
        """
        with self.lock:
            self._refresh()
            return self._drawing.figure

    def __repr__(self) -> str:
        return f"<Chart {self.title!r} of {self.run.name}, {self.run.state}: .figure, .run, .stop()>"

    @property
    def title(self) -> str:
        """What stands above the figure."""
        return str(self._drawing.figure.name or "chart")

    # -- what the view shows

    def snapshot(self) -> dict[str, Any]:
        """The document, and how the run does."""
        with self.lock:
            self._refresh()
            return {"doc": self._drawing.snapshot(), "ended": over(self.run), **self.about()}

    def changes(self) -> Message | None:
        """New data as a patch; the whole document where the figure has new parts."""
        with self.lock:
            if self._refresh():
                self._sent = self._moment
                return {"type": "snapshot", "doc": self._drawing.snapshot(), **self.about()}, []
            patch = self._drawing.patch()
            if patch is None and self._sent == self._moment:
                return None
            self._sent = self._moment
            said: dict[str, Any] = {"type": "patch", **self.about()}
            if patch is None:
                return said, []
            return {**said, "content": patch.content, "names": patch.names}, patch.buffers

    def still(self) -> dict[str, Any] | None:
        """The front end makes it: only there are pixels."""
        return None

    def picture(self, png: bytes, width: int, height: int) -> None:
        """Keep the picture beside the live chart, with the notebook; at the end put it in its place."""
        with self.lock:
            if self.closed:
                return
            self._pixels = picture_html(png, width, height, self.title)
            if over(self.run):
                data = {"image/png": base64.b64encode(png).decode(), "text/plain": repr(self)}
                self.replace(data, {"image/png": {"width": width, "height": height}})
            self._keep()

    def let_go(self) -> None:
        """Free the figure."""
        self._drawing.close()

    def _refresh(self) -> bool:
        """Draw the panes so far, if there are new ones; returns whether it took a new figure."""
        moment = self.run.metrics.epochs, self.run.state
        if moment == self._moment or self.closed:
            return False
        self._moment = moment
        if not self._panes.refresh():
            return False
        told = [f"of the newest {MOST:,} rows"] if self._panes.let_go else []
        if self._panes.taken_back:
            told.append(f"taken back, with nothing in their place: {self._panes.taken_back:,}")
        return self._drawing.follow(Seen(self._panes.frame, self._combine), "; ".join(told))


class LivePlot(Plot):
    """Charts of a stream in a notebook: each follows a run, the given one or its own."""

    def _chart(self, kind: ChartType, run: Run | None, fps: float) -> LiveChart:
        return LiveChart(self._stream, kind, run=run, fps=fps)
