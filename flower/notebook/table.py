"""``stream.table()`` in a notebook: the newest panes of a run, each (key, window) once, what changed marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flower.api.arguments import row_count
from flower.api.tables import newest
from flower.charts.plot import FPS
from flower.charts.texts import number_text
from flower.engine.run import Run
from flower.model.panes import ABSORBS, FINAL, WINDOW_END, WINDOW_START
from flower.notebook.markup import text_html
from flower.notebook.showing import Live, over, view_frame
from flower.notebook.view_widget import Message

if TYPE_CHECKING:
    from flower.api.stream import Stream

HIDDEN = (ABSORBS, FINAL, "event_time")
"""Columns of panes that a frame has, and a glance does not need."""

LONGEST = 200
"""Characters of a cell."""


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
                self._made = {**cells_of(newest(rows, self._n)), **about}
            return self._made

    def changes(self) -> Message | None:
        """All of it: it is short."""
        made = self.snapshot()
        if made == self._sent:
            return None
        self._sent = made
        return {"type": "snapshot", **made}, []

    def still(self) -> dict[str, Any] | None:
        """The table as HTML, once the run is over."""
        if not over(self.run):
            return None
        return {"text/html": html_of(self.snapshot()), "text/plain": repr(self)}


def cells_of(frame: pd.DataFrame) -> dict[str, Any]:
    """Columns and rows as texts; a row's key tells it from the others."""
    names = [name for name in frame.columns if name not in HIDDEN]
    texts = {name: _texts(frame[name]) for name in names}
    windowed = WINDOW_START in names or WINDOW_END in names
    before = names.index(WINDOW_START) if WINDOW_START in names else len(names)
    if windowed:
        # The key's columns come before the window's.
        told = [*names[:before], *(name for name in (WINDOW_START, WINDOW_END) if name in names)]
        keys = ["\0".join(parts) for parts in zip(*(texts[name] for name in told), strict=True)]
    else:
        keys = [str(label) for label in frame.index]
    numeric = [pd.api.types.is_numeric_dtype(frame[name].dtype) and frame[name].dtype != bool for name in names]
    # A table that is sorted compares numbers, not their texts.
    numbers = [
        frame[name].to_numpy(np.float64, na_value=np.nan) if counts else None
        for name, counts in zip(names, numeric, strict=True)
    ]
    rows = []
    for at, (key, row) in enumerate(zip(keys, zip(*texts.values(), strict=True), strict=True)):
        values = [column[at].item() if column is not None and np.isfinite(column[at]) else None for column in numbers]
        rows.append({"key": key, "cells": list(row), "values": values})
    return {"columns": [str(name) for name in names], "numeric": numeric, "rows": rows}


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


def _texts(column: pd.Series) -> list[str]:
    """What a person reads: no more digits than the column needs, no time zone where it is UTC."""
    missing = column.isna().to_numpy()
    kind = column.dtype
    if pd.api.types.is_datetime64_any_dtype(kind):
        there = column[~missing]
        form = "%Y-%m-%d %H:%M" if (there == there.dt.floor("min")).all() else "%Y-%m-%d %H:%M:%S.%f"
        utc = str(getattr(kind, "tz", "UTC")) == "UTC"
        said = column.dt.strftime(form if utc else f"{form}%z").astype(object)
        texts = [str(text).removesuffix(".000000") for text in said]
    elif pd.api.types.is_float_dtype(kind):
        texts = [number_text(value) for value in column.to_numpy(np.float64, na_value=np.nan)]
    else:
        texts = [str(value) for value in column]
    cut = [text if len(text) <= LONGEST else text[: LONGEST - 1] + "…" for text in texts]
    return ["" if gone else text for text, gone in zip(cut, missing, strict=True)]
