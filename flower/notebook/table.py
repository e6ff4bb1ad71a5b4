"""``stream.table()`` in a notebook: the newest panes of a run, each (key, window) once, what changed marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from flower.api.arguments import row_count
from flower.api.tables import newest
from flower.charts.cells import cells_of
from flower.charts.plot import FPS
from flower.engine.run import Run
from flower.notebook.markup import text_html
from flower.notebook.showing import Live, over, view_frame
from flower.notebook.view_widget import Message

if TYPE_CHECKING:
    from flower.api.stream import Stream


class LiveTable(Live):
    """The newest rows of a run's view.

    Attributes
    ----------
    run : Run
        What it follows; `stop` stops it.
    """

    kind = "table"

    def __init__(self, stream: Stream, n: int, run: Run | None = None, fps: float = FPS) -> None:
        self._n = row_count("table", n)
        self._node = stream.node
        self._sent: object = None
        self._moment: object = None
        self._made: dict[str, Any] = {}
        if run is not None:
            view_frame(run, self._node.name)
        super().__init__(stream.run() if run is None else run, owned=run is None, fps=fps)

    def __repr__(self) -> str:
        return f"{self.frame.to_string()}\n{self.about()['note']}"

    @property
    def frame(self) -> pd.DataFrame:
        """What it shows, as a frame."""
        return newest(self._rows(), self._n)

    def _rows(self) -> pd.DataFrame:
        return view_frame(self.run, self._node.name)

    def snapshot(self) -> dict[str, Any]:
        """The cells as texts."""
        with self.lock:
            moment = self.run.metrics.epochs, self.run.state
            if moment != self._moment:
                self._moment = moment
                rows = self._rows()
                about = self.about()
                if len(rows) > self._n:
                    about["note"] = f"the newest {self._n:,} of {len(rows):,} rows \u00b7 {about['note']}"
                title = f"newest rows of {self.run.name}"
                self._made = {**cells_of(newest(rows, self._n)), "title": title, **about}
            return self._made

    def changes(self) -> Message | None:
        """All of it: it is short."""
        made = self.snapshot()
        if made == self._sent:
            return None
        self._sent = made
        return {"type": "snapshot", **made}, []

    def look(self) -> str:
        """The table as HTML."""
        return html_of(self.snapshot())

    def still(self) -> dict[str, Any] | None:
        """The table as HTML, once the run is over."""
        if not over(self.run):
            return None
        return {"text/html": html_of(self.snapshot()), "text/plain": repr(self)}


def html_of(table: dict[str, Any]) -> str:
    """A static table; every text escaped."""
    align = ["right" if numeric else "left" for numeric in table["numeric"]]
    head = _row("th", table["columns"], align)
    body = "".join(_row("td", row["cells"], align) for row in table["rows"])
    note = text_html(table["note"])
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table><div><small>{note}</small></div>"


def _row(tag: str, texts: list[str], align: list[str]) -> str:
    cells = (
        f'<{tag} style="text-align: {side}; white-space: nowrap">{text_html(text)}</{tag}>'
        for text, side in zip(texts, align, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"
