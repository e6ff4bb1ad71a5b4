"""Charts and tables together: side by side and below one another, with one time axis and one selection."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from bokeh.plotting import figure

from flower.api.display import made, register
from flower.charts.cells import cells_of
from flower.charts.page import Chart, Theme, write
from flower.errors import FlowerError


class Dashboard:
    """Charts and tables as they are shown together.

    Parameters
    ----------
    parts : sequence
        Charts, tables, and sequences of them.
    title : str, optional
        The heading.
    linked : bool
        Whether axes move together, and what is selected in one filters the others.
    """

    def __init__(self, parts: Sequence[Any], *, title: str | None, linked: bool) -> None:
        self.parts = parts
        self.title = title or ""
        self.linked = linked

    def __repr__(self) -> str:
        return f"<Dashboard of {', '.join(_name(each) for each in leaves(self.parts))}: .save('dashboard.html')>"

    def save(self, path: str | os.PathLike[str], title: str | None = None, *, theme: Theme = "auto") -> Path:
        """Write a page that needs neither network nor Python.

        Parameters
        ----------
        path : str or path
            The file to write; replaced if it is there.
        title : str, optional
            The page's heading; that of the dashboard if left out.
        theme : {"auto", "light", "dark"}
            The colours; "auto": those that the reader's system asks for.

        Returns
        -------
        pathlib.Path
            The file.
        """
        parts = mapped(self.parts, _drawn)
        heading = (self.title or "dashboard") if title is None else title
        return write(parts, path, heading, theme=theme, links=self.linked)


def dashboard(*parts: Any, title: str | None = None, linked: bool = True) -> Any:
    """Show charts and tables together, live in a notebook; `save` writes a page.

    Charts with the same column along their x axis move and zoom together. Marks that are chosen, by a click or with the
    tool that selects a box, and keys that are chosen in a table, filter the other parts: by the key's columns, and by
    the span of `x` where several positions were chosen. A histogram is filtered by its key only; a gauge, a big number
    and a figure of one's own are not filtered.

    Parameters
    ----------
    *parts : Chart, table, Bokeh figure or DataFrame
        What is shown, from top to bottom; a list is a row, a list in a row a column.
    title : str, optional
        The heading of a page.
    linked : bool
        Whether axes move together, and a selection filters.

    Returns
    -------
    Dashboard
        The last line of a cell shows it.

    Raises
    ------
    FlowerError
        If there is nothing to show, or something that is neither a chart nor a table.

    Examples
    --------
    >>> import flower as fl
    >>> frame = pd.DataFrame({"hour": [1, 2, 1, 2], "rows": [3, 5, 4, 4], "who": ["a", "a", "b", "b"]})
    >>> stream = fl.read.frame(frame)
    >>> lines = stream.plot.line(x="hour", y="rows", by="who")
    >>> bars = stream.plot.bar(x="hour", y="rows", by="who")
    >>> fl.dashboard([lines, bars], stream.table())
    <Dashboard of 'rows by who', 'rows by who', a table: .save('dashboard.html')>
    """
    several = list(leaves(parts))
    if not several:
        raise FlowerError("a dashboard needs something to show", hint="fl.dashboard(chart, table)")
    for each in several:
        if not (isinstance(each, Chart | figure | pd.DataFrame) or hasattr(each, "frame")):
            raise FlowerError(
                "a dashboard is made of charts and tables",
                got=type(each).__name__,
                hint="stream.plot.line(...) is a chart, stream.table() a table",
            )
    return made("dashboard", Dashboard(parts, title=title, linked=linked))


def leaves(parts: Any) -> Iterator[Any]:
    """The charts and tables, in order."""
    for each in parts:
        if isinstance(each, list | tuple):
            yield from leaves(each)
        else:
            yield each


def mapped(parts: Any, change: Callable[[Any], Any]) -> list[Any]:
    """The same arrangement of other things."""
    return [mapped(each, change) if isinstance(each, list | tuple) else change(each) for each in parts]


def _name(part: Any) -> str:
    if isinstance(part, Chart):
        return repr(part.title)
    return repr(part.name or "figure") if isinstance(part, figure) else "a table"


def _drawn(part: Any) -> Any:
    """What a page is written of."""
    if isinstance(part, Chart):
        return part.figure
    if isinstance(part, figure):
        return part
    return cells_of(part if isinstance(part, pd.DataFrame) else part.frame)


def itself(board: Dashboard) -> Dashboard:
    """The dashboard where nothing is live."""
    return board


register("dashboard", itself)
