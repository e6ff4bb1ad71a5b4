"""``stream.plot`` in a notebook: charts that follow a run of the stream."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
from bokeh.plotting import figure as Figure

from flower.charts.bars import bar_sketch
from flower.charts.lines import line_sketch
from flower.charts.marks import keys_of
from flower.charts.page import Chart
from flower.charts.plot import Plot
from flower.charts.sketch import Sketch
from flower.engine.run import Run
from flower.graph.schema import frame_of
from flower.notebook.bokeh_document import Drawing
from flower.notebook.showing import FPS, Live, over, view_frame
from flower.notebook.view_widget import Message

if TYPE_CHECKING:
    from flower.api.stream import Stream

Draw = Callable[[pd.DataFrame, int | Sequence[str]], Sketch]


class LiveChart(Live, Chart):
    """A chart of the panes so far of a run.

    Attributes
    ----------
    run : Run
        What it follows; `stop` stops it.
    """

    kind = "chart"

    def __init__(
        self,
        stream: Stream,
        draw: Draw,
        *,
        y: str,
        by: Sequence[str],
        keys: int | Sequence[str],
        run: Run | None,
        fps: float,
    ) -> None:
        self._draw, self._y, self._by, self._keys = draw, y, by, keys
        self._step = stream.node.name
        self._lines: list[str] = []
        self._drawn: object = None
        # Drawn before anything runs: a column that is not there is an error of the cell.
        self._drawing = Drawing(self._sketch(frame_of(pa.RecordBatch.from_pylist([], schema=stream.schema))))
        if run is not None:
            view_frame(run, self._step)
        Live.__init__(self, stream.run() if run is None else run, owned=run is None, fps=fps)

    @property
    def figure(self) -> Figure:  # type: ignore[override]  # a chart that lives has another one in time
        """Bokeh's figure of the panes so far.

        What one changes in it is seen at once; it is lost when new parts, such as another key's line, make a new
        figure necessary.
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
            return {"doc": self._drawing.snapshot(), **self.about()}

    def changes(self) -> Message | None:
        """New data as a patch; the whole document where the figure has new parts."""
        with self.lock:
            moment = self._moment()
            same = moment == self._drawn
            if self._refresh():
                return {"type": "snapshot", "doc": self._drawing.snapshot(), **self.about()}, []
            patch = self._drawing.patch()
            if patch is None and same:
                return None
            said: dict[str, Any] = {"type": "patch", **self.about()}
            if patch is None:
                return said, []
            return {**said, "content": patch.content, "names": patch.names}, patch.buffers

    def still(self) -> dict[str, Any] | None:
        """The front end makes it: only there are pixels."""
        return None

    def picture(self, png: bytes, width: int, height: int) -> None:
        """Put the picture where the live chart was: it is kept with the notebook."""
        with self.lock:
            if not self.closed and over(self.run):
                data = {"image/png": base64.b64encode(png).decode(), "text/plain": repr(self)}
                self.replace(data, {"image/png": {"width": width, "height": height}})

    def let_go(self) -> None:
        """Free the figure."""
        self._drawing.close()

    def _moment(self) -> object:
        return self.run.metrics.epochs, self.run.state

    def _refresh(self) -> bool:
        """Draw the panes so far, if there are new ones; returns whether it took a new figure."""
        moment = self._moment()
        if moment == self._drawn or self.closed:
            return False
        new = self._sketch(view_frame(self.run, self._step))
        self._drawn = moment
        return self._drawing.redraw(new)

    def _sketch(self, frame: pd.DataFrame) -> Sketch:
        if not self._by or not isinstance(self._keys, int):
            return self._draw(frame, self._keys)
        if set(self._by) | {self._y} <= set(frame.columns) and pd.api.types.is_numeric_dtype(frame[self._y].dtype):
            self._lines = kept_places(self._lines, keys_of(frame, y=self._y, by=self._by)[: self._keys])
        return self._draw(frame, self._lines)


def kept_places(places: Sequence[str], largest: Sequence[str]) -> list[str]:
    """The ``largest`` keys, those that have a place already in it, so that a key keeps its colour.

    Examples
    --------
    >>> kept_places(["a", "b"], ["c", "b", "d"])
    ['c', 'b', 'd']
    """
    others = iter([key for key in largest if key not in places])
    kept = [key if key in largest else next(others, None) for key in places]
    return [key for key in (*kept, *others) if key is not None]


class LivePlot(Plot):
    """Charts of a stream in a notebook: each follows a run, the given one or its own."""

    def line(
        self,
        *,
        x: str,
        y: str,
        by: str | Sequence[str] | None = None,
        title: str | None = None,
        keys: int | Sequence[str] = 7,
        run: Run | None = None,
        fps: float = FPS,
    ) -> LiveChart:
        """Lines over `x`, one for each key; see `flower.charts.line`.

        Parameters
        ----------
        run : Run, optional
            The run to follow; None: one is started, and stopped when the cell runs again.
        fps : float
            Updates a second, at most.
        """

        def draw(frame: pd.DataFrame, keys: int | Sequence[str]) -> Sketch:
            return line_sketch(frame, x=x, y=y, by=by, title=title, keys=keys)

        return LiveChart(self._stream, draw, y=y, by=_names(by), keys=keys, run=run, fps=fps)

    def bar(
        self,
        *,
        x: str,
        y: str,
        by: str | Sequence[str] | None = None,
        stacked: bool = False,
        title: str | None = None,
        keys: int | Sequence[str] = 7,
        run: Run | None = None,
        fps: float = FPS,
    ) -> LiveChart:
        """Bars over `x`, side by side or stacked; see `flower.charts.bar`.

        Parameters
        ----------
        run : Run, optional
            The run to follow; None: one is started, and stopped when the cell runs again.
        fps : float
            Updates a second, at most.
        """

        def draw(frame: pd.DataFrame, keys: int | Sequence[str]) -> Sketch:
            return bar_sketch(frame, x=x, y=y, by=by, stacked=stacked, title=title, keys=keys)

        return LiveChart(self._stream, draw, y=y, by=_names(by), keys=keys, run=run, fps=fps)


def _names(by: str | Sequence[str] | None) -> list[str]:
    return [by] if isinstance(by, str) else list(by or [])
