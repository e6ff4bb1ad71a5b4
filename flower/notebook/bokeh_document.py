"""A Bokeh figure as a snapshot and the patches that follow it. All that leans on Bokeh's internals is here."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bokeh
from bokeh.core.json_encoder import serialize_json
from bokeh.core.serialization import Serializer
from bokeh.document import Document
from bokeh.plotting import figure as Figure

from flower.charts.chart_type import ChartType, Seen

VERSION: str = bokeh.__version__


def bokehjs() -> bytes:
    """BokehJS of the installed package."""
    return (Path(bokeh.__file__).parent / "server" / "static" / "js" / "bokeh.min.js").read_bytes()


def whole(figure: Figure) -> dict[str, Any]:
    """A figure that gets no patches, as JSON."""
    document = Document()
    document.add_root(figure)
    said: dict[str, Any] = json.loads(serialize_json(document.to_json(deferred=False)))
    document.clear()
    return said


@dataclass(frozen=True, slots=True)
class Patch:
    """Changes of a document, as BokehJS applies them."""

    content: str
    names: list[str]
    buffers: list[bytes]


class Drawing:
    """A figure in a document of its own; what changes in it is gathered until somebody takes it. Any thread may ask.

    Examples
    --------
    >>> import pandas as pd
    >>> from flower.charts import Line
    >>> frame = pd.DataFrame({"hour": [1, 2, 3], "rows": [3, 5, 4]})
    >>> drawing = Drawing(Line(x="hour", y="rows"), Seen(frame[:2]))
    >>> drawing.patch()
    >>> drawing.follow(Seen(frame))
    False
    >>> [event["kind"] for event in json.loads(drawing.patch().content)["events"]][:2]
    ['ColumnsStreamed', 'ColumnsStreamed']
    """

    def __init__(self, kind: ChartType, seen: Seen) -> None:
        self._lock = threading.RLock()
        self._events: list[Any] = []
        self._document = Document()
        self._kind = kind
        self._adopt(seen)

    @property
    def figure(self) -> Figure:
        """What is drawn."""
        return self._drawn.figure

    def _adopt(self, seen: Seen) -> None:
        self._drawn = self._kind.drawn(seen)
        self._document.add_root(self._drawn.figure)
        self._document.on_change_dispatch_to(self)

    def _document_patched(self, event: Any) -> None:
        """Called by Bokeh for each change, in the thread that makes it."""
        with self._lock:
            self._events.append(event)

    def snapshot(self) -> dict[str, Any]:
        """The whole document as JSON."""
        with self._lock:
            # What was gathered is in it; pages that have an older snapshot are sent it before (see view_widget.py).
            self._events = []
            said: dict[str, Any] = json.loads(serialize_json(self._document.to_json(deferred=False)))
            self._document.models.flush_synced()
            return said

    def patch(self) -> Patch | None:
        """What changed since the last call; None if nothing did."""
        with self._lock:
            events, self._events = self._events, []
            if not events:
                return None
            models = self._document.models
            serializer = Serializer(references=models.synced_references, deferred=True)
            said = serialize_json({"events": serializer.encode(events)})
            models.flush_synced(lambda model: not serializer.has_ref(model))
            return Patch(said, [b.id for b in serializer.buffers], [b.to_bytes() for b in serializer.buffers])

    def follow(self, seen: Seen, said: str = "") -> bool:
        """Draw another view: by new columns where that will do, which keeps what a person changed and zoomed to; else
        by a figure of its own. Returns whether it took another figure.
        """
        with self._lock:
            if self._drawn.follow(seen, said):
                return False
            self._document.remove_on_change(self)
            self._document.clear()
            self._events = []
            self._adopt(seen)
            if said:
                self._drawn.follow(seen, said)
                self._events = []
            self._document.models.flush_synced()
            return True

    def close(self) -> None:
        """Let the document go."""
        with self._lock:
            self._document.remove_on_change(self)
            self._document.clear()
            self._events = []
