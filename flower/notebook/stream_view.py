"""A stream as the last line of a cell: its first rows in a table that sorts; what changed since then is marked."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flower.charts.cells import cells_of
from flower.notebook import showing
from flower.notebook.preview import Preview, html_of
from flower.notebook.showing import beside, bundle_of
from flower.notebook.view_widget import Message, View

if TYPE_CHECKING:
    from flower.api.stream import Stream

Texts = Mapping[str, Mapping[str, str]]
"""The texts of a table: by row and column."""


class StreamView:
    """The first rows of a stream, shown.

    Parameters
    ----------
    stream : Stream
        The stream.
    preview : Preview
        What there is to show of it.
    before : mapping, optional
        The texts that the cell showed before.
    """

    kind = "preview"

    def __init__(self, stream: Stream, preview: Preview, before: Texts | None) -> None:
        self.lock = threading.RLock()
        self._text, self._html = repr(stream), html_of(preview)
        self._view: View | None = None
        table = cells_of(preview.frame, hidden=())
        columns = table["columns"]
        rows = table["rows"]
        self.texts: Texts = {row["key"]: dict(zip(columns, row["cells"], strict=True)) for row in rows}
        if before:
            rows = [{**row, "changed": changed(self.texts[row["key"]], before.get(row["key"]))} for row in rows]
        marked = any(any(row.get("changed", ())) for row in rows)
        said = f"{preview.said} Marked: what was otherwise when the cell last ran." if marked else preview.said
        title = f"first rows: {preview.about}"
        self._snapshot = {
            **table,
            "rows": rows,
            "by": [],
            "types": preview.types,
            "about": preview.about,
            "note": said,
            "title": title,
        }

    def show(self) -> None:
        """Show it below the cell."""
        name = f"flower-{showing.number()}"
        self._view = View(self)
        showing.screen.made(self)
        showing.screen.publish(bundle_of(self._view, self._text), {}, name, update=False)
        showing.screen.publish(beside(self._view, self._html), {}, f"{name}-kept", update=False)

    def close(self) -> None:
        """Show it no more."""
        if self._view is not None:
            self._view.close()
            self._view = None

    # -- what its widget asks for

    def snapshot(self) -> dict[str, Any]:
        """Always the same."""
        return self._snapshot

    def changes(self) -> Message | None:
        """Never any."""
        return None

    def command(self, name: str, value: object) -> None:
        """It has no buttons of the kernel's."""

    def picture(self, png: bytes, width: int, height: int) -> None:
        """It is a table."""


def changed(row: Mapping[str, str], before: Mapping[str, str] | None) -> list[bool]:
    """Which cells of a row are not as they were.

    Examples
    --------
    >>> changed({"k": "a", "n": "3", "m": "1"}, {"n": "2", "k": "a"}), changed({"k": "a"}, None)
    ([False, True, True], [True])
    """
    return [before is None or before.get(name) != text for name, text in row.items()]
